"""Means of answers that were not asked for at random: inverse propensity weights and AIPW, with intervals over people.

Asks go to pictures the system is unsure of, so the plain mean of the answers is wrong, and more of them do not help.
Every ask has a known probability; these estimates use it. They speak of eligible pictures only. Where the reward model
covers all pictures and asks are uniform, `aipw` is prediction-powered inference (Angelopoulos et al. 2023).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from redraft.core.errors import NumericsError, UsageError
from redraft.evaluation.statistics import LEVEL, FloatArray, Interval, student_quantile

LEAST_PROBABILITY = 1e-6


def horvitz_thompson(
    answers: FloatArray,
    probabilities: FloatArray,
    *,
    people: Sequence[str | int] | None = None,
    level: float = LEVEL,
) -> Interval:
    """Mean of answer / probability over all eligible pictures, 0 where not answered (Horvitz and Thompson 1952).

    Unbiased, but noisier than `hajek`, and not invariant to a shift of the scale.

    Args:
        answers: N, one for each eligible picture; NaN where it was not asked or not answered.
        probabilities: N, in (0, 1]: chance that it would be answered (of the ask, times that of an answer).
        people: N, whose picture; intervals are over people. None: every picture is its own.
        level: nominal coverage, by Student's quantile (see `_around`).

    Raises:
        UsageError: for probabilities outside (0, 1], lengths that differ, or no answer at all.
    """
    given, probability, person = _checked(answers, probabilities, people)
    weighted = np.where(given, np.nan_to_num(answers), 0.0) / probability
    return _mean(weighted, person, level)


def hajek(
    answers: FloatArray,
    probabilities: FloatArray,
    *,
    people: Sequence[str | int] | None = None,
    level: float = LEVEL,
) -> Interval:
    """Weighted mean of the answers by 1 / probability (Hajek 1971): the self-normalised estimate.

    Its error is by leaving out one person at a time: the linearised one is too small when a few weights are large.
    Arguments and errors as for `horvitz_thompson`; at least two people must have answered.
    """
    given, probability, person = _checked(answers, probabilities, people)
    weights = given / probability
    _, index = np.unique(person, return_inverse=True)
    sums = np.bincount(index, weights=weights * np.nan_to_num(answers))
    totals = np.bincount(index, weights=weights)
    count = len(totals)
    if (totals > 0).sum() < 2:
        raise UsageError("only one person answered: an interval over people needs at least 2; ask more of them")
    value = float(sums.sum() / totals.sum())
    left_out = (sums.sum() - sums) / (totals.sum() - totals)
    return _around(value, (count - 1) / count * (left_out - left_out.mean()), level)


def aipw(
    answers: FloatArray,
    probabilities: FloatArray,
    *,
    predicted: FloatArray,
    people: Sequence[str | int] | None = None,
    level: float = LEVEL,
) -> Interval:
    """Mean prediction over all pictures, corrected by the weighted errors of the answers (Robins et al. 1994).

    Unbiased however bad the predictions are, as long as the probabilities are right; good ones make it narrower. The
    predictor must not have been trained on these very answers (or cross-fitted).

    Args:
        answers: as for `horvitz_thompson`.
        probabilities: as there.
        predicted: N, what a model expects of every picture, on the scale of the answers.
        people: as there.
        level: as there.

    Raises:
        UsageError: as there.
        NumericsError: when a prediction is not finite.
    """
    given, probability, person = _checked(answers, probabilities, people)
    if len(predicted) != len(answers):
        raise UsageError(f"{len(predicted)} predictions for {len(answers)} pictures: predict every eligible picture")
    if not np.isfinite(predicted).all():
        raise NumericsError("a prediction is not finite: every eligible picture needs one; leave none out")
    error = np.where(given, np.nan_to_num(answers) - predicted, 0.0)
    return _mean(predicted + error / probability, person, level)


def difference(first: Interval, second: Interval) -> Interval:
    """second - first of two estimates from different people or pictures, each with a symmetric interval."""
    value = second.value - first.value
    half = float(np.hypot((first.high - first.low) / 2, (second.high - second.low) / 2))
    return Interval(value=value, low=value - half, high=value + half, count=first.count + second.count)


def worst_case(answers: FloatArray, *, lowest: float, highest: float) -> tuple[float, float]:
    """Least and greatest mean of all asked pictures, whatever those who did not answer think (Manski 1989).

    Args:
        answers: N, of asked pictures; NaN where nobody answered.
        lowest: end of the scale.
        highest: the other end.

    Raises:
        UsageError: for no picture, or an answer outside the scale.
    """
    known = np.isfinite(answers)
    if not len(answers) or (known.any() and not lowest <= answers[known].min() <= answers[known].max() <= highest):
        raise UsageError(f"{len(answers)} answers, or one outside {lowest}..{highest}: give those of one scale")
    bounds = [float(np.where(known, np.nan_to_num(answers), end).mean()) for end in (lowest, highest)]
    return bounds[0], bounds[1]


def _mean(values: FloatArray, person: NDArray[np.generic], level: float) -> Interval:
    """The mean with its interval over people."""
    value = float(values.mean())
    _, index = np.unique(person, return_inverse=True)
    return _around(value, np.bincount(index, weights=values - value) / len(values), level)


def _around(value: float, influence: FloatArray, level: float) -> Interval:
    """The interval of a value to whose error each of G people adds: the variance is G / (G - 1) sum of squares.

    Student's quantile at the degrees of freedom that the kurtosis of the influences leaves (Satterthwaite): 2 G /
    (kurtosis - 1), at most G - 1. A few large weights make the variance itself uncertain, and the interval wider.
    """
    count = len(influence)
    squares = influence**2
    error = float(np.sqrt(count / (count - 1) * squares.sum()))
    spread = float((squares**2).sum() - squares.sum() ** 2 / count)
    degrees = min(2 * float(squares.sum()) ** 2 / spread, count - 1) if spread > 0 else count - 1
    half = student_quantile(max(degrees, 1.0), level) * error
    return Interval(value=value, low=value - half, high=value + half, count=count)


def _checked(
    answers: FloatArray, probabilities: FloatArray, people: Sequence[str | int] | None
) -> tuple[NDArray[np.bool_], FloatArray, NDArray[np.generic]]:
    person = np.arange(len(answers)) if people is None else np.asarray(people)
    if len(probabilities) != len(answers) or len(person) != len(answers):
        raise UsageError(
            f"{len(answers)} answers, {len(probabilities)} probabilities, {len(person)} people: give one of each for "
            "every eligible picture, answered or not"
        )
    if len(np.unique(person)) < 2:
        raise UsageError(f"pictures of {len(np.unique(person))} people: an interval over people needs at least 2")
    given = np.isfinite(answers)
    if not given.any():
        raise UsageError("no picture was answered: nothing can be estimated; ask first")
    inside = (probabilities >= LEAST_PROBABILITY) & (probabilities <= 1)
    if not inside.all():
        worst = float(probabilities[~inside][0])
        raise UsageError(
            f"probability {worst} of an ask: it must be in (0, 1]; a picture that could never be asked for cannot be "
            "spoken of: leave it out, state the excluded share, and let every ask have a random part"
        )
    return given, probabilities.astype(np.float64), person
