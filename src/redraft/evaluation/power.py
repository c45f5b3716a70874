"""How many duels, people or prompts are needed before an effect can be seen. Calculations before a study, not after.

Formulas are the usual normal ones, with ties and with people who give several votes; the anytime test has no formula
and is simulated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.evaluation.duels import log_evidence
from redraft.evaluation.statistics import LEVEL, FloatArray

POWER = 0.8


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a study of duels needs.

    share: of decided duels that the candidate wins. fixed: duels when looked at once, at the end, by a two-sided test.
    people: that give them. anytime: people, one vote each, by which the anytime test has ended with the wanted power,
    and `median` of them; None where more than were simulated are needed. Of equal models the two-sided test calls
    either one better in (1 - level) / 2 of studies; the anytime test, which is one-sided, the candidate in at most
    1 - level.
    """

    share: float
    ties: float
    votes_per_person: int
    correlation: float
    level: float
    power: float
    fixed: int
    people: int
    anytime: int | None
    median: int | None


def duels_needed(
    share: float,
    *,
    ties: float = 0.0,
    votes_per_person: int = 1,
    correlation: float = 0.0,
    level: float = LEVEL,
    power: float = POWER,
) -> int:
    """Duels for a two-sided test of "no preference" that finds a true share with the wanted power.

    A duel scores 1, 1/2 (tie) or 0. n = ((z_a s0 + z_b s1) / (mean - 1/2))^2, s0 and s1 the standard deviations without
    and with the effect, times 1 + (m - 1) r for m votes a person whose scores correlate by r.

    Args:
        share: of the decided duels that the better model wins, in (0, 1), not 1/2.
        ties: share of duels that are ties, in [0, 1).
        votes_per_person: m, at least 1.
        correlation: r within a person, in [0, 1].
        level: 1 - the chance of a false alarm.
        power: chance to find the effect.

    Raises:
        UsageError: for values outside these ranges.
    """
    _check(share, ties, votes_per_person, correlation, level, power)
    effect = (1 - ties) * (share - 0.5)
    null = math.sqrt((1 - ties) / 4)
    true = math.sqrt((1 - ties) / 4 - effect**2)
    z_level, z_power = NormalDist().inv_cdf((1 + level) / 2), NormalDist().inv_cdf(power)
    independent = ((z_level * null + z_power * true) / effect) ** 2
    return math.ceil(independent * (1 + (votes_per_person - 1) * correlation) - 1e-9)


def detectable_share(
    duels: int,
    *,
    ties: float = 0.0,
    votes_per_person: int = 1,
    correlation: float = 0.0,
    level: float = LEVEL,
    power: float = POWER,
) -> float:
    """The smallest share above 1/2 that so many duels find: the inverse of `duels_needed`, by bisection.

    Raises:
        UsageError: for duels below 1, other values out of range, or when even a share near 1 would not be found.
    """
    if duels < 1:
        raise UsageError(f"{duels} duels: give at least 1")

    def enough(share: float) -> bool:
        needed = duels_needed(
            share, ties=ties, votes_per_person=votes_per_person, correlation=correlation, level=level, power=power
        )
        return needed <= duels

    low, high = 0.5, 1 - 1e-9
    if not enough(high):
        raise UsageError(f"{duels} duels find no share at all at this level and power: plan more of them")
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def prompts_needed(effect: float, *, deviation: float, level: float = LEVEL, power: float = POWER) -> int:
    """Prompts of a paired comparison: ((z_a + z_b) deviation / effect)^2.

    Args:
        effect: the difference of means to be found.
        deviation: standard deviation over prompts of the paired difference.
        level: 1 - the chance of a false alarm, two-sided.
        power: chance to find the effect.

    Raises:
        UsageError: for an effect of 0 or a deviation that is not positive.
    """
    if effect == 0 or deviation <= 0:
        raise UsageError(f"effect {effect}, deviation {deviation}: the effect must not be 0, the deviation positive")
    z = NormalDist().inv_cdf((1 + level) / 2) + NormalDist().inv_cdf(power)
    return math.ceil((z * deviation / effect) ** 2 - 1e-9)


def anytime_needed(
    share: float,
    *,
    key: Key,
    ties: float = 0.0,
    level: float = LEVEL,
    power: float = POWER,
    most: int = 4000,
    runs: int = 1000,
) -> tuple[int | None, int | None]:
    """People, one vote each, after which the e-process of `duels` has said "better" in a share `power` of runs, and in
    half of them; None where `most` people do not suffice. Simulated; the threshold is 1 / (1 - level), one-sided.

    Raises:
        UsageError: for values out of range, or a share below 1/2 (swap the models).
    """
    _check(share, ties, 1, 0.0, level, power)
    if share < 0.5:
        raise UsageError(f"share {share}: give that of the better model, above 0.5")
    chances = [(1 - ties) * share, ties, (1 - ties) * (1 - share)]
    rng = np.random.default_rng(key.entropy)
    ends = np.array([_end(rng.choice([1.0, 0.5, 0.0], size=most, p=chances), level) for _ in range(runs)])
    ends.sort()
    places = (math.ceil(power * runs) - 1, math.ceil(runs / 2) - 1)
    found = [int(ends[place]) if ends[place] <= most else None for place in places]
    return found[0], found[1]


def plan(
    share: float,
    *,
    key: Key,
    ties: float = 0.0,
    votes_per_person: int = 1,
    correlation: float = 0.0,
    level: float = LEVEL,
    power: float = POWER,
) -> Plan:
    """Everything about one share. A share below 1/2 is that of the loser: its mirror image is planned.

    Raises UsageError for values out of range.
    """
    share = max(share, 1 - share)
    fixed = duels_needed(
        share, ties=ties, votes_per_person=votes_per_person, correlation=correlation, level=level, power=power
    )
    anytime, median = anytime_needed(share, key=key, ties=ties, level=level, power=power)
    return Plan(
        share=share, ties=ties, votes_per_person=votes_per_person, correlation=correlation, level=level, power=power,
        fixed=fixed, people=math.ceil(fixed / votes_per_person), anytime=anytime, median=median,
    )  # fmt: skip


def _end(observed: FloatArray, level: float) -> int:
    """After how many observations the evidence first reaches 1 / (1 - level); one more than there are: never."""
    reached = np.flatnonzero(log_evidence(observed) >= -math.log(1 - level))
    return int(reached[0]) + 1 if len(reached) else len(observed) + 1


def _check(share: float, ties: float, votes: int, correlation: float, level: float, power: float) -> None:
    rules = (
        (0 < share < 1 and share != 0.5, f"share {share}: it must be between 0 and 1, and not 0.5 (nothing to find)"),
        (0 <= ties < 1, f"ties {ties}: their share must be in [0, 1)"),
        (votes >= 1, f"votes_per_person {votes}: give at least 1"),
        (0 <= correlation <= 1, f"correlation {correlation}: it must be in [0, 1]"),
        (0 < level < 1 and 0 < power < 1, f"level {level}, power {power}: both must lie between 0 and 1"),
    )
    for holds, message in rules:
        if not holds:
            raise UsageError(message)
