"""Asks that prefer pictures the system is unsure of: what such answers say about all pictures, weighted and not.

A cheap world in closed form, so that a thousand seeds take seconds: one facet, one number that a head sees. The fit is
the minimum of the loss of `rewards.facets_training` with squared error, for a line; the estimate is
`evaluation.propensity.hajek`. Nothing is painted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from redraft.core.keys import Key
from redraft.evaluation.clusters import clustered_standard_error
from redraft.evaluation.propensity import hajek
from redraft.evaluation.statistics import FloatArray, Interval, student_quantile, wilson_interval
from redraft.rewards.facets_config import HIGHEST, LARGEST_WEIGHT

PICTURES, PEOPLE = 2000, 60
THRESHOLD, RANDOM_SHARE, ANSWERED = 0.3, 0.1, 0.7
"""Pictures below this confidence are asked about, others with this chance; so many of the asks are answered."""
BIAS, SLIP = 0.05, 0.08
_LEVEL, _SLOPE, _BEND, _SPREAD = 0.3, 0.15, 0.3, 0.15  # of the truth, see `Asked`
TRUE_MEAN = _LEVEL + _SLOPE / 2 + _BEND / 3
TRUE_SLOPE = (_SLOPE + _BEND) * (1 / 12) / (1 / 12 + _SPREAD**2)
"""cov(x, y) / var(x) of the best line over all eligible pictures: for uniform s, var(s) = cov(s, s^2) = 1/12."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One seed: s uniform confidence, x = s + noise what the head sees, y = level + slope s + bend s^2 the truth.

    answers N: slider / 10 with the person's bias and slip, NaN where none was given. probability N: of an answer.
    """

    x: FloatArray
    answers: FloatArray
    probability: FloatArray
    person: FloatArray


def ask_unsure(key: Key) -> Asked:
    """Draw eligible pictures, asks and answers."""
    rng = np.random.default_rng(key.entropy)
    s = rng.uniform(size=PICTURES)
    x = s + rng.normal(0, _SPREAD, size=PICTURES)
    person = rng.integers(PEOPLE, size=PICTURES)
    bias = rng.normal(0, BIAS, size=PEOPLE)
    truth = _LEVEL + _SLOPE * s + _BEND * s**2
    slider = np.round(HIGHEST * (truth + bias[person] + rng.normal(0, SLIP, size=PICTURES)))
    probability = np.where(s < THRESHOLD, 1.0, RANDOM_SHARE) * ANSWERED
    given = rng.uniform(size=PICTURES) < probability
    answers = np.where(given, np.clip(slider, 0, HIGHEST) / HIGHEST, np.nan)
    return Asked(x=x, answers=answers, probability=probability, person=person.astype(np.float64))


def fitted_slope(asked: Asked, *, weighted: bool) -> Interval:
    """Slope of the line with the least (weighted) squared error, with its sandwich interval over people.

    Least squares weighted by inverse probability estimates the line that is best for all eligible pictures, whether or
    not the truth is a line (Horvitz and Thompson 1952; White 1980 for the interval).
    """
    given = np.isfinite(asked.answers)
    x, y, people = asked.x[given], asked.answers[given], asked.person[given]
    weight = np.minimum(1 / asked.probability[given], LARGEST_WEIGHT) if weighted else np.ones(len(x))
    share = weight / weight.sum()
    centred = x - (share * x).sum()
    variance = (share * centred**2).sum()
    slope = float((share * centred * y).sum() / variance)
    residual = y - (share * y).sum() - slope * centred
    influence = len(x) * share * centred * residual / variance
    half = student_quantile(len(np.unique(people)) - 1, 0.95) * clustered_standard_error(influence, people.tolist())
    return Interval(value=slope, low=slope - half, high=slope + half, count=len(x))


def estimated_mean(asked: Asked, *, weighted: bool) -> Interval:
    """Mean slider of all eligible pictures, with its interval over people."""
    given = np.isfinite(asked.answers)
    people = asked.person.tolist()
    if weighted:
        return hajek(asked.answers, asked.probability, people=people)
    return hajek(asked.answers[given], np.ones(int(given.sum())), people=asked.person[given].tolist())


def coverage(seeds: int, *, key: Key) -> dict[str, Any]:
    """How often each interval holds the truth in so many seeds, with mean value and width."""
    kinds = {
        "weighted estimate": (estimated_mean, True, TRUE_MEAN),
        "unweighted estimate": (estimated_mean, False, TRUE_MEAN),
        "weighted fit": (fitted_slope, True, TRUE_SLOPE),
        "unweighted fit": (fitted_slope, False, TRUE_SLOPE),
    }
    found: dict[str, list[Interval]] = {name: [] for name in kinds}
    for seed in range(seeds):
        asked = ask_unsure(key.child("seed", seed))
        for name, (rule, weighted, _) in kinds.items():
            found[name].append(rule(asked, weighted=weighted))
    return {name: _row(found[name], truth) for name, (_, _, truth) in kinds.items()}


def _row(intervals: list[Interval], truth: float) -> Mapping[str, float]:
    held = wilson_interval(sum(each.low <= truth <= each.high for each in intervals), len(intervals))
    return {
        "truth": truth, "mean": float(np.mean([each.value for each in intervals])),
        "width": float(np.mean([each.high - each.low for each in intervals])),
        "coverage": held.value, "low": held.low, "high": held.high, "seeds": len(intervals),
        "answers": float(np.mean([each.count for each in intervals])),
    }  # fmt: skip
