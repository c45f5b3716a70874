"""What is put away every minute: asks that ran out, awards that are due, old counters, sessions, prompts, pictures."""

from __future__ import annotations

from redraft.store.retention import old_paintings
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
    removed = _remove_old(studio)
    swept = workspace.counters.sweep(before=now) + workspace.logins.sweep(before=now)
    if expired or settled or forgotten or removed or swept:
        log(
            "sweep", asks_expired=expired, awards_settled=settled, prompts_forgotten=forgotten,
            pictures_removed=removed, counted=swept,
        )  # fmt: skip


def _remove_old(studio: Studio) -> int:
    """Remove pictures whose time is over, some at a time. Returns how many."""
    days = studio.settings.retention.picture_days
    if days is None:
        return 0
    old = old_paintings(studio.workspace.database, before=studio.now() - _DAY * days)
    return sum(studio.workspace.erasure.paintings(ids, owner=owner) for owner, ids in old.items())
