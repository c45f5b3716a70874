"""Drawing a pair of pictures for a person: uniformly from the pairs they were not given yet, sides by a coin.

Both pictures are the person's own, of the same words, so that nobody sees another's prompts. Pairs of two checkpoints
belong to an experiment named by both; pairs of one checkpoint to none. What the studio itself drew to decide about a
challenger (`studio.trials`) waits among the open ones and is given first.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from redraft.core.errors import UnknownNameError
from redraft.store.duels import Duel
from redraft.store.gallery import Exhibit
from redraft.store.trials import is_trial
from redraft.studio.context import Studio
from redraft.studio.identity.people import Person
from redraft.studio.ranking import recent_pictures

DUEL_SECONDS = 7 * 86_400.0
_NAME = 12


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A duel with its two pictures as they lie."""

    duel: Duel
    left: Exhibit
    right: Exhibit


def next_duel(studio: Studio, person: Person, *, experiment: str | None = None) -> Drawn | None:
    """The pair that is open, or a new one, entered before it is shown; None: there is none left to judge.

    experiment: only pairs of it.
    """
    now = studio.now()
    waiting = studio.workspace.duels.open(person.id, at=now)
    for duel in sorted(waiting, key=lambda each: not is_trial(each.experiment)):
        drawn = _with_pictures(studio, person, duel)
        if drawn is not None and experiment in (None, duel.experiment):
            return drawn
    pairs = list(_candidates(studio, person, experiment))
    if not pairs:
        return None
    first, second = pairs[secrets.randbelow(len(pairs))]
    duel = Duel(
        id=studio.new_id(),
        user=person.id,
        experiment=experiment_of(first.painting.checkpoint, second.painting.checkpoint),
        prompt_hash=first.request.prompt_hash,
        prompt=first.request.prompt,
        first=first.painting.id,
        second=second.painting.id,
        first_checkpoint=first.painting.checkpoint,
        second_checkpoint=second.painting.checkpoint,
        swapped=bool(secrets.randbits(1)),
        probability=1 / len(pairs),
        issued_at=now,
        expires_at=now + DUEL_SECONDS,
    )
    studio.workspace.duels.issue(duel)
    return _laid(duel, first, second)


def experiment_of(first: str, second: str) -> str:
    """The name of the comparison of two checkpoints, "" for a checkpoint with itself."""
    if first == second:
        return ""
    return " ".join(sorted(checkpoint[:_NAME] or "base" for checkpoint in (first, second)))


def _candidates(studio: Studio, person: Person, experiment: str | None) -> Iterator[tuple[Exhibit, Exhibit]]:
    """Every pair that may be given, the one with the lesser checkpoint first."""
    groups: dict[str, list[Exhibit]] = {}
    for exhibit in recent_pictures(studio, person):
        if exhibit.request.prompt is not None:
            groups.setdefault(exhibit.request.prompt_hash, []).append(exhibit)
    shown = [exhibit.painting.id for group in groups.values() for exhibit in group]
    given = studio.workspace.duels.pairs(person.id, shown)
    for group in groups.values():
        for pair in combinations(sorted(group, key=lambda item: (item.painting.checkpoint, item.painting.id)), 2):
            first, second = (exhibit.painting for exhibit in pair)
            # Equal bytes tell nothing.
            if frozenset((first.id, second.id)) in given or first.picture == second.picture:
                continue
            if experiment in (None, experiment_of(first.checkpoint, second.checkpoint)):
                yield pair


def _with_pictures(studio: Studio, person: Person, duel: Duel) -> Drawn | None:
    """An open duel with its pictures; None when one of them is gone or may no longer be shown."""
    if duel.first is None or duel.second is None:
        return None
    try:
        first, second = (
            studio.workspace.gallery.get(id, owner=person.id, trials=True) for id in (duel.first, duel.second)
        )
    except UnknownNameError:
        return None
    shown = all(exhibit.painting.safety == "ok" for exhibit in (first, second))
    return _laid(duel, first, second) if shown else None


def _laid(duel: Duel, first: Exhibit, second: Exhibit) -> Drawn:
    left, right = (second, first) if duel.swapped else (first, second)
    return Drawn(duel=duel, left=left, right=right)
