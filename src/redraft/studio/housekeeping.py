"""What is put away every minute: asks that ran out, awards that are due, old counters and sessions, old prompts."""

from __future__ import annotations

from redraft.studio.asking import ASK_SECONDS
from redraft.studio.context import Studio
from redraft.studio.settling import settle_due
from redraft.studio.telemetry import log

_DAY = 86_400.0


def sweep(studio: Studio) -> None:
    """Put away what has run out. Doing it again, or in several processes at once, does no harm."""
    workspace, now = studio.workspace, studio.now()
    expired = workspace.asks.expire(before=now - ASK_SECONDS, at=now)
    settled = settle_due(studio)
    forgotten = 0
    if studio.settings.retention.prompt_days is not None:
        forgotten = workspace.requests.forget_prompts(before=now - _DAY * studio.settings.retention.prompt_days)
    swept = workspace.counters.sweep(before=now) + workspace.logins.sweep(before=now)
    if expired or settled or forgotten or swept:
        log("sweep", asks_expired=expired, awards_settled=settled, prompts_forgotten=forgotten, counted=swept)
