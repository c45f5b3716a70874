"""Who may paint with a model that was never promoted: a perk that is switched on, and whoever looks after the server.

Whoever does has seen what the challenger's pictures look like: they are not asked to compare it blindly, and what they
answered later is no evidence for its promotion (`store.trials`).
"""

from __future__ import annotations

from dataclasses import dataclass

from redraft.feedback.points import tier_of
from redraft.studio.context import Studio
from redraft.studio.errors import Refused
from redraft.studio.identity.people import Person
from redraft.studio.identity.roles import scopes_of
from redraft.studio.quota import perks_granted

PREFERENCE = "try_unfinished"
"""The name of the switch among a person's preferences (`PATCH /api/v1/me`)."""


@dataclass(frozen=True, kw_only=True)
class Trying:
    """allowed: the person has the perk. on: they may paint so now."""

    allowed: bool
    on: bool


def trying(studio: Studio, person: Person) -> Trying:
    """Whether a person may paint with what is not finished."""
    if person.via == "open" or "run" in scopes_of(person.roles):
        return Trying(allowed=True, on=True)
    points = studio.workspace.points.balance(person.id).final
    allowed = tier_of(points).toggles and perks_granted(studio, person)
    return Trying(allowed=allowed, on=allowed and person.account.preferences.get(PREFERENCE) is True)


def check_may_paint(studio: Studio, person: Person, checkpoint: str, *, base: str, live: str) -> None:
    """Raise Refused (403, `perk_missing`) for what never was champion, unless the person tries such ones."""
    if checkpoint in ("", live):
        return
    history = studio.workspace.aliases.history(base)
    if any(entry.checkpoint == checkpoint for entry in history if entry.alias == "champion"):
        return
    found = trying(studio, person)
    if found.on:
        return
    how = (
        f"switch it on first: set the preference {PREFERENCE!r} to true"
        if found.allowed
        else "it is a perk of the tier Gold"
    )
    raise Refused(403, "perk_missing", f"model {checkpoint[:12]!r} was never promoted: {how}", param="model")
