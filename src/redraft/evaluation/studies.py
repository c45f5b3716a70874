"""What a study of blind pairs says: who is preferred, by how much, how sure, and whether the answers can be trusted.

The unit is the person, never the answer: a participant's answers belong together. Nothing is left out silently; whoever
wants to leave out careless participants says at which steadiness.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.evaluation.agreement import krippendorff_alpha
from redraft.evaluation.clusters import clustered_interval
from redraft.evaluation.statistics import LEVEL, Interval, wilson_interval

Winner = Literal["first", "second", "unclear"]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One answer. chose_first: for the first system. chose_left: for what stood left. again: the pair's second showing.

    pair: the same number for both showings.
    """

    person: str
    pair: int
    first: str
    second: str
    question: str
    chose_first: bool
    chose_left: bool
    again: bool = False


@dataclass(frozen=True, kw_only=True)
class Preference:
    """How often the first system was preferred for one question. low, high: at the level given; None for one person.

    winner: whose side of one half the whole interval lies on.
    """

    first: str
    second: str
    question: str
    preferred: float
    low: float | None
    high: float | None
    people: int
    answers: int
    pairs: int
    winner: Winner


@dataclass(frozen=True, kw_only=True)
class Checks:
    """Whether the answers can be trusted.

    repeats: pairs and questions that somebody answered twice. steady: the share answered alike both times; chance gives
    0.5. left: the share that chose what stood left, 0.5 for who looks. agreement: Krippendorff's alpha between people,
    by question, where several judged the same pairs. None: not enough answers.
    """

    repeats: int
    steady: Interval | None
    left: Interval | None
    agreement: tuple[tuple[str, Interval], ...]


def preferences(choices: Sequence[Choice], *, key: Key, level: float = LEVEL) -> tuple[Preference, ...]:
    """One row for each two systems and question, by name. A pair's second showing does not count again.

    Args:
        choices: all answers; the order of a pair's systems must be the same in each.
        key: of the bootstrap over people.
        level: of the intervals.
    """
    counted = [choice for choice in choices if not choice.again]
    groups = sorted({(choice.first, choice.second, choice.question) for choice in counted})
    return tuple(
        _preference(
            [choice for choice in counted if (choice.first, choice.second, choice.question) == group],
            group,
            key=key.child(*group),
            level=level,
        )
        for group in groups
    )


def checks(choices: Sequence[Choice], *, key: Key, level: float = LEVEL) -> Checks:
    """How steady, one-sided and alike the answers are. Arguments as for `preferences`."""
    counted = [choice for choice in choices if not choice.again]
    people, steady = [], []
    for person, same in _repeats(choices):
        people.append(person)
        steady.append(float(same))
    left = [float(choice.chose_left) for choice in counted]
    questions = sorted({choice.question for choice in counted})
    found = ((name, _agreement(counted, name, key=key.child("agreement", name), level=level)) for name in questions)
    return Checks(
        repeats=len(steady),
        steady=_share(steady, people, key=key.child("steady"), level=level),
        left=_share(left, [choice.person for choice in counted], key=key.child("left"), level=level),
        agreement=tuple((name, interval) for name, interval in found if interval is not None),
    )


def steadiness(choices: Iterable[Choice]) -> dict[str, float]:
    """Each participant's share of answers that were the same at both showings; without those who had no repeats."""
    found: dict[str, list[bool]] = {}
    for person, same in _repeats(choices):
        found.setdefault(person, []).append(same)
    return {person: sum(values) / len(values) for person, values in found.items()}


def steady_only(choices: Sequence[Choice], *, least: float) -> tuple[Choice, ...]:
    """The answers of those whose steadiness is at least `least`, and of those who had no repeats.

    Raises UsageError for a share outside 0..1.
    """
    if not 0 <= least <= 1:
        raise UsageError(f"a steadiness of {least} is no share: it must be from 0 to 1; 0.5 is what chance gives")
    known = steadiness(choices)
    return tuple(choice for choice in choices if known.get(choice.person, 1.0) >= least)


def _preference(choices: Sequence[Choice], group: tuple[str, str, str], *, key: Key, level: float) -> Preference:
    first, second, question = group
    people = [choice.person for choice in choices]
    values = [float(choice.chose_first) for choice in choices]
    interval = _share(values, people, key=key, level=level)
    return Preference(
        first=first,
        second=second,
        question=question,
        preferred=sum(values) / len(values),
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        people=len(set(people)),
        answers=len(values),
        pairs=len({choice.pair for choice in choices}),
        winner=_winner(interval),
    )


def _winner(interval: Interval | None) -> Winner:
    if interval is None or interval.low <= 0.5 <= interval.high:
        return "unclear"
    return "first" if interval.low > 0.5 else "second"


def _share(values: Sequence[float], people: Sequence[str], *, key: Key, level: float) -> Interval | None:
    """A share with its interval clustered by person, within 0..1; None for fewer than two people.

    When all people have the same share, resampling them shows no spread at all, though few people prove little: then
    the Wilson interval, each person counting as one answer, is taken as well, and the wider bounds hold.
    """
    count = len(set(people))
    if count < 2:
        return None
    found = clustered_interval(np.asarray(values), people, key=key, level=level)
    low, high = max(0.0, found.low), min(1.0, found.high)
    if high - low == 0 or found.value in (0.0, 1.0):
        few = wilson_interval(round(found.value * count), count, level=level)
        low, high = min(low, few.low), max(high, few.high)
    return Interval(value=found.value, low=low, high=high, count=found.count)


def _repeats(choices: Iterable[Choice]) -> list[tuple[str, bool]]:
    """For each person, pair and question that was answered at both showings: whether the answers were the same."""
    firsts: dict[tuple[str, int, str], bool] = {}
    again: dict[tuple[str, int, str], bool] = {}
    for choice in choices:
        (again if choice.again else firsts)[choice.person, choice.pair, choice.question] = choice.chose_first
    return [(place[0], firsts[place] == value) for place, value in again.items() if place in firsts]


def _agreement(choices: Sequence[Choice], question: str, *, key: Key, level: float) -> Interval | None:
    mine = [choice for choice in choices if choice.question == question]
    people = {name: row for row, name in enumerate(sorted({choice.person for choice in mine}))}
    pairs = {number: column for column, number in enumerate(sorted({choice.pair for choice in mine}))}
    ratings = np.full((len(people), len(pairs)), np.nan)
    for choice in mine:
        ratings[people[choice.person], pairs[choice.pair]] = float(choice.chose_first)
    try:
        return krippendorff_alpha(ratings, key=key, level=level)
    except UsageError:
        # Too few pairs with two judges, or one and the same answer everywhere: alpha has no meaning then.
        return None
