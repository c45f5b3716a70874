"""Rules of blind studies: what is asked, which pairs a participant gets, in which order and on which side.

Pure: chance is an argument. Forced choice: there is no tie, so that no scale of politeness hides a preference; what has
no preference comes out at one half.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from redraft.core.errors import UsageError

QUESTIONS: Mapping[str, str] = {
    "appeal": "Which picture is more beautiful, whatever the text says?",
    "faithfulness": "Which picture fits the text better, however it looks?",
}
"""The two questions of a study, by name. Asked apart: people otherwise answer the first and call it the second."""

Item = TypeVar("Item")
Draw = Callable[[int], int]
"""Uniform draws: draw(n) is one of 0..n-1."""


@dataclass(frozen=True, kw_only=True)
class GivenPair:
    """A pair for a participant. again: shown the second time. swapped: the first system's picture stands right."""

    pair: str
    again: bool
    swapped: bool


def choose_pairs(counts: Mapping[str, int], *, wanted: int, repeats: int, draw: Draw) -> tuple[GivenPair, ...]:
    """The pairs of one participant in the order in which they are shown.

    Those that were given least often come first into the choice, chance decides among equals and about order and
    sides. `repeats` of the first half come again in the second half, the other way round, to see whether answers are
    steady; never more than the first half holds.

    Args:
        counts: how often each pair was given so far.
        wanted: pairs, without those that come again; all of them when there are fewer.
        repeats: pairs that come again.
        draw: the chance.

    Raises:
        UsageError: for no pairs, `wanted` below 1 or `repeats` below 0.
    """
    if not counts or wanted < 1 or repeats < 0:
        raise UsageError(
            f"{len(counts)} pairs, {wanted} for each participant, {repeats} of them again: a study needs at least one "
            "pair, and gives at least one"
        )
    shuffled = _shuffled(list(counts), draw)
    chosen = _shuffled(sorted(shuffled, key=lambda pair: counts[pair])[:wanted], draw)
    given = [GivenPair(pair=pair, again=False, swapped=bool(draw(2))) for pair in chosen]
    half = (len(given) + 1) // 2
    first, second = given[:half], given[half:]
    for item in _shuffled(first, draw)[:repeats]:
        place = draw(len(second) + 1)
        second.insert(place, GivenPair(pair=item.pair, again=True, swapped=not item.swapped))
    return (*first, *second)


def _shuffled(items: Sequence[Item], draw: Draw) -> list[Item]:
    """In uniformly random order (Fisher and Yates)."""
    found = list(items)
    for last in range(len(found) - 1, 0, -1):
        other = draw(last + 1)
        found[last], found[other] = found[other], found[last]
    return found
