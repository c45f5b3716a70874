"""Intervals: paired bootstrap over prompts, Wilson's for shares, Student's for a mean.

The unit of resampling is the prompt, never the picture. Not a library of tests: the gate's rules are in `gate`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from redraft.core.errors import NumericsError, UsageError
from redraft.core.keys import Key

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

RESAMPLES = 10_000
LEVEL = 0.95

_CHUNK = 2_000_000  # draws held in memory at once


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A value with the interval [low, high] around it, from `count` units."""

    value: float
    low: float
    high: float
    count: int


def paired_interval(
    difference: FloatArray,
    *,
    key: Key,
    strata: Sequence[str] | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Interval:
    """Expanded percentile bootstrap interval of a mean of paired differences, one per prompt (Hesterberg 2015, 4.2).

    Args:
        difference: N, candidate minus incumbent for every prompt.
        key: the only source of randomness.
        strata: N names; prompts are resampled within each name and the value is the mean of the means of the names
            (as GenEval's overall score is the mean of the means of tasks). None: one stratum.
        level: nominal coverage in (0, 1).
        resamples: number of bootstrap resamples.

    The plain percentile interval is too narrow for few prompts. Deviations of a resampled mean are therefore widened
    by sqrt(n / (n - 1)), n the prompts of its stratum, which makes the bootstrap variance unbiased, and all of them by
    the ratio of Student's to the normal quantile at Welch and Satterthwaite's degrees of freedom. Strata of one prompt
    are resampled together, as one (collapsed strata: Cochran, Sampling Techniques, 1977, 5A.12), which makes the
    interval too wide rather than too narrow; a single such stratum adds to the value but cannot widen the interval.

    Raises:
        UsageError: for fewer than two prompts, or strata of another length.
        NumericsError: when a difference is not finite.
    """
    means = bootstrap_means(difference[:, None], key=key, strata=strata, level=level, resamples=resamples)
    value = stratified_mean(difference, strata=strata)
    low, high = percentiles(means[:, 0], level=level)
    return Interval(value=value, low=low, high=high, count=len(difference))


def bootstrap_means(
    values: FloatArray,
    *,
    key: Key,
    strata: Sequence[str] | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> FloatArray:
    """Resampled means of the columns of `values` N,K: resamples,K. All columns share the draws, so they stay paired.

    Arguments, widening and errors as for `paired_interval`; `level` is that of the interval that will be taken.
    """
    _check(values, strata)
    rng = np.random.default_rng(key.entropy)
    groups = _collapsed(_members(len(values), strata))
    value, deviation = np.zeros(values.shape[1]), np.zeros((resamples, values.shape[1]))
    for rows, weight in groups:
        part = values[rows]
        widening = math.sqrt(len(rows) / (len(rows) - 1)) if len(rows) > 1 else 1.0
        value += weight * part.mean(axis=0)
        deviation += weight * widening * (_resampled(part, rng, resamples) - part.mean(axis=0))
    return np.asarray(value + _expansion(values, groups, level) * deviation)


def stratified_mean(values: FloatArray, *, strata: Sequence[str] | None = None) -> float:
    """Mean of the means of the strata of `values` N; the plain mean without strata."""
    return float(np.mean([values[rows].mean() for rows in _members(len(values), strata)]))


def percentiles(draws: FloatArray, *, level: float = LEVEL) -> tuple[float, float]:
    """The central interval that holds `level` of the draws."""
    tail = 50 * (1 - level)
    low, high = np.percentile(draws, [tail, 100 - tail])
    return float(low), float(high)


def wilson_interval(successes: int, count: int, *, level: float = LEVEL) -> Interval:
    """Wilson's score interval of a share (Wilson 1927): never outside 0..1, sensible for 0 and for all.

    Raises:
        UsageError: when count is not positive or successes are not in 0..count.
    """
    if count < 1 or not 0 <= successes <= count:
        raise UsageError(f"{successes} successes of {count}: a share needs count >= 1 and successes in 0..count")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    # At the ends the bound is 0 or 1 exactly; rounding must not leave the range.
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == count else middle + half
    return Interval(value=share, low=low, high=high, count=count)


def within_bounds(
    interval: Interval, values: FloatArray, *, most: float = 1.0, strata: Sequence[str] | None = None
) -> Interval:
    """The interval of a mean of values P in 0..most (NaN: not known), kept in that range.

    Where each value is at one of the ends (a verdict) it is Wilson's, which is sensible for 0 of 8 too; with strata
    only if there is one, or all values are equal.
    """
    known = np.isfinite(values)
    shares = values[known] / most
    alike = strata is None or len({name for name, use in zip(strata, known, strict=True) if use}) == 1
    if np.isin(shares, (0.0, 1.0)).all() and (alike or np.ptp(shares) == 0):
        found = wilson_interval(int(shares.sum()), len(shares))
        return Interval(value=most * found.value, low=most * found.low, high=most * found.high, count=found.count)
    return replace(interval, low=max(interval.low, 0.0), high=min(interval.high, most))


def mean_interval(values: FloatArray, *, level: float = LEVEL) -> Interval:
    """Student's interval of the mean of independent values N.

    Raises:
        UsageError: for fewer than two values.
        NumericsError: when a value is not finite.
    """
    _check(values[:, None], None)
    mean = float(values.mean())
    half = student_quantile(len(values) - 1, level) * standard_error(values)
    return Interval(value=mean, low=mean - half, high=mean + half, count=len(values))


def spending(turn: int, *, total: float) -> float:
    """The error rate total * 6 / (pi^2 k^2) that look k = 1, 2, ... may spend: endlessly many looks sum to `total`.

    Raises:
        UsageError: when turn is below 1.
    """
    if turn < 1:
        raise UsageError(f"turn {turn}: looks are counted from 1")
    return total * 6 / (math.pi**2 * turn**2)


def standard_error(values: FloatArray) -> float:
    """Standard error of the mean of values N (n - 1 in the variance); 0 for fewer than two values."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else 0.0


def student_quantile(degrees: float, level: float) -> float:
    """Half width, in standard errors, of a central Student interval of `level`; the normal one for infinite degrees."""
    from scipy.special import stdtrit

    return NormalDist().inv_cdf((1 + level) / 2) if math.isinf(degrees) else float(stdtrit(degrees, (1 + level) / 2))


def _check(values: FloatArray, strata: Sequence[str] | None) -> None:
    if len(values) < 2:
        raise UsageError(f"{len(values)} prompts: an interval needs at least 2; examine on more prompts")
    if strata is not None and len(strata) != len(values):
        raise UsageError(f"{len(strata)} strata for {len(values)} prompts: give one name per prompt")
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise NumericsError(f"prompt {row} has the value {values[row]}: only finite values can be compared")


def _members(count: int, strata: Sequence[str] | None) -> list[IntArray]:
    if strata is None:
        return [np.arange(count)]
    names = np.asarray(strata)
    return [np.flatnonzero(names == name) for name in dict.fromkeys(strata)]


def _collapsed(members: list[IntArray]) -> list[tuple[IntArray, float]]:
    """Rows that are resampled together, and the weight of their mean: each stratum, those of one row as one."""
    single = [rows for rows in members if len(rows) == 1]
    groups = [(rows, 1 / len(members)) for rows in members if len(rows) > 1]
    return [*groups, (np.concatenate(single), len(single) / len(members))] if single else groups


def _expansion(values: FloatArray, groups: list[tuple[IntArray, float]], level: float) -> FloatArray:
    """Student's over the normal quantile for each column, at the degrees of freedom of Welch and Satterthwaite."""
    several = [(rows, weight) for rows, weight in groups if len(rows) > 1]
    if not several:
        return np.ones(values.shape[1])
    variances = np.stack([weight**2 * values[rows].var(axis=0, ddof=1) / len(rows) for rows, weight in several])
    freedom = np.array([len(rows) - 1.0 for rows, _ in several])[:, None]
    spread = (variances**2 / freedom).sum(axis=0)
    # Without any variance there is nothing to widen: any number of degrees will do.
    degrees = np.divide(variances.sum(axis=0) ** 2, spread, out=np.full(len(spread), 1e9), where=spread > 0)
    normal = student_quantile(math.inf, level)
    return np.array([student_quantile(float(freedom), level) / normal for freedom in degrees])


def _resampled(part: FloatArray, rng: np.random.Generator, resamples: int) -> FloatArray:
    """Means of `resamples` samples with replacement of the rows of `part`: resamples,K."""
    count = len(part)
    rows = max(1, _CHUNK // count)
    chunks = []
    for start in range(0, resamples, rows):
        drawn = rng.integers(0, count, size=(min(rows, resamples - start), count))
        chunks.append(np.stack([part[:, column][drawn].mean(axis=1) for column in range(part.shape[1])], axis=1))
    return np.concatenate(chunks)
