"""How far people agree: Krippendorff's alpha, and rank correlations, each with an interval. It judges nobody."""

from __future__ import annotations

from typing import Literal

import numpy as np

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.evaluation.statistics import LEVEL, FloatArray, Interval, percentiles

Metric = Literal["nominal", "ordinal", "interval"]
Correlation = Literal["spearman", "kendall"]

RESAMPLES = 1000


def krippendorff_alpha(
    ratings: FloatArray, *, key: Key, metric: Metric = "nominal", level: float = LEVEL, resamples: int = RESAMPLES
) -> Interval:
    """Krippendorff's alpha: 1 is perfect agreement, 0 what chance gives (Krippendorff 2011, "Computing ...").

    Args:
        ratings: R,U of R raters and U units, NaN where a rater did not rate; units with one rating do not count.
        key: of the bootstrap over units.
        metric: how far two values are apart: equal or not; by ranks; by squared difference.
        level: nominal coverage.
        resamples: bootstrap resamples.

    Returns:
        alpha; `count` is the number of units with at least two ratings.

    Raises:
        UsageError: for fewer than two such units, or when all ratings are the same value: then alpha has no meaning.
    """
    values, counts = _value_counts(ratings)
    if len(counts) < 2:
        raise UsageError(f"{len(counts)} units have two or more ratings: agreement needs at least 2 such units")
    if len(values) < 2:
        raise UsageError(f"every rating is {values[0]:g}: alpha needs at least two different values; rate other units")
    alpha = _alpha(counts, values, metric)
    rng = np.random.default_rng(key.entropy)
    draws = np.array(
        [_alpha(counts[rng.integers(0, len(counts), len(counts))], values, metric) for _ in range(resamples)]
    )
    # A resample of units that all have one value has no alpha.
    low, high = percentiles(draws[np.isfinite(draws)], level=level)
    return Interval(value=alpha, low=min(low, alpha), high=max(high, alpha), count=len(counts))


def rank_correlation(
    first: FloatArray,
    second: FloatArray,
    *,
    key: Key,
    kind: Correlation = "spearman",
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Interval:
    """Spearman's rho or Kendall's tau-b of N pairs, with a bootstrap interval over the pairs.

    Raises:
        UsageError: for fewer than three pairs, lengths that differ, values that are not finite, or a constant side.
    """
    if len(first) != len(second) or len(first) < 3:
        raise UsageError(f"{len(first)} and {len(second)} values: a rank correlation needs at least 3 pairs")
    if not np.isfinite(first).all() or not np.isfinite(second).all():
        raise UsageError("a value is not finite: leave out pairs that lack one")
    value = correlate(first, second, kind=kind)
    if not np.isfinite(value):
        raise UsageError("all values of one side are equal: there is no order to compare")
    rng = np.random.default_rng(key.entropy)
    draws = np.empty(resamples)
    for number in range(resamples):
        rows = rng.integers(0, len(first), len(first))
        draws[number] = correlate(first[rows], second[rows], kind=kind)
    low, high = percentiles(draws[np.isfinite(draws)], level=level)
    return Interval(value=value, low=min(low, value), high=max(high, value), count=len(first))


def correlate(first: FloatArray, second: FloatArray, *, kind: Correlation) -> float:
    """The coefficient alone; NaN when a side is constant."""
    from scipy import stats

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    if kind == "kendall":
        return float(stats.kendalltau(first, second).statistic)
    return float(np.corrcoef(stats.rankdata(first), stats.rankdata(second))[0, 1])


def _value_counts(ratings: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The V different values in rising order, and how often each unit with two or more ratings got each: U,V."""
    if ratings.ndim != 2:
        raise UsageError(f"ratings of shape {ratings.shape}: give one row a rater, one column a unit")
    usable = ratings[:, np.isfinite(ratings).sum(axis=0) >= 2]
    values = np.unique(usable[np.isfinite(usable)])
    counts = (usable[:, :, None] == values).sum(axis=0)
    return values, counts.astype(np.float64)


def _alpha(counts: FloatArray, values: FloatArray, metric: Metric) -> float:
    """1 - observed / expected disagreement, by the coincidence matrix."""
    raters = counts.sum(axis=1)
    coincidences = np.einsum("uv,uw->vw", counts / (raters - 1)[:, None], counts)
    coincidences -= np.diag((counts / (raters - 1)[:, None]).sum(axis=0))
    margins = coincidences.sum(axis=1)
    total = margins.sum()
    distance = _distances(values, margins, metric)
    expected = float(margins @ distance @ margins) / (total - 1)
    return 1 - float((coincidences * distance).sum()) / expected if expected > 0 else float("nan")


def _distances(values: FloatArray, margins: FloatArray, metric: Metric) -> FloatArray:
    """Squared distances V,V of the values."""
    if metric == "nominal":
        return np.asarray(1.0 - np.eye(len(values)))
    if metric == "interval":
        return np.asarray((values[:, None] - values[None, :]) ** 2)
    # Ordinal: how many ratings lie between two values, each end counting half.
    middle = np.cumsum(margins) - margins / 2
    return np.asarray((middle[:, None] - middle[None, :]) ** 2)
