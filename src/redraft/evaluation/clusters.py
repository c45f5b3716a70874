"""Intervals where values are not independent: people who give many votes, blocks of prompts.

The unit is the cluster, never the vote: intervals over votes are far too narrow when a few people give most of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from redraft.core.errors import NumericsError, UsageError
from redraft.core.keys import Key
from redraft.evaluation.statistics import LEVEL, RESAMPLES, FloatArray, Interval, percentiles, student_quantile


def clustered_interval(
    values: FloatArray,
    clusters: Sequence[str | int],
    *,
    key: Key,
    weights: FloatArray | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Interval:
    """Bootstrap interval of a (weighted) mean when values of one cluster belong together.

    Whole clusters are drawn with replacement; the mean is of all values of those drawn. As for `paired_interval`,
    deviations are widened by sqrt(G / (G - 1)) and by Student's over the normal quantile at G - 1 degrees of freedom,
    G the clusters: the plain percentile interval is too narrow for few people (Cameron, Gelbach and Miller 2008).

    Args:
        values: N.
        clusters: N, whose each value is (a person, a prompt).
        key: the only source of randomness.
        weights: N, at least 0; None: all alike. Cap a person's total weight here.
        level: nominal coverage.
        resamples: bootstrap resamples.

    Returns:
        The mean with its interval; `count` is the number of clusters.

    Raises:
        UsageError: for fewer than two clusters, lengths that differ, or weights that are negative or all zero.
        NumericsError: when a value is not finite.
    """
    sums, totals = _cluster_sums(values, clusters, weights)
    count = len(sums)
    rng = np.random.default_rng(key.entropy)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples)
    above, below = drawn @ sums, drawn @ totals
    value = float(sums.sum() / totals.sum())
    # A resample of clusters without any weight says nothing; it is as if it had not been drawn.
    known = below > 0
    means = above[known] / below[known]
    low, high = percentiles(value + cluster_widening(count, level=level) * (means - value), level=level)
    return Interval(value=value, low=low, high=high, count=count)


def cluster_widening(count: int, *, level: float = LEVEL) -> float:
    """Factor on the deviations of a bootstrap of `count` clusters, at least two: see `clustered_interval`."""
    return math.sqrt(count / (count - 1)) * student_quantile(count - 1, level) / student_quantile(math.inf, level)


def clustered_standard_error(
    values: FloatArray, clusters: Sequence[str | int], *, weights: FloatArray | None = None
) -> float:
    """Standard error of a (weighted) mean by the sandwich over clusters, with the factor G / (G - 1).

    With one value a cluster and no weights it is the ordinary standard error of a mean. Errors as above.
    """
    sums, totals = _cluster_sums(values, clusters, weights)
    residuals = sums - totals * sums.sum() / totals.sum()
    count = len(sums)
    return float(math.sqrt(count / (count - 1) * (residuals**2).sum()) / totals.sum())


def design_effect(values: FloatArray, clusters: Sequence[str | int]) -> float:
    """By how much clustering multiplies the variance of the mean: N votes tell as much as N / effect independent ones.

    Raises:
        UsageError: as above, or when all values are equal.
    """
    variance = float(values.var(ddof=1)) / len(values)
    if variance == 0:
        raise UsageError("all values are equal: there is no variance that clustering could change; collect more votes")
    return clustered_standard_error(values, clusters) ** 2 / variance


def jackknife(
    statistic: Callable[[NDArray[np.bool_]], FloatArray],
    *,
    units: NDArray[np.bool_],
    key: Key,
    blocks: int = 20,
    level: float = LEVEL,
) -> Interval:
    """Interval of any smooth statistic by leaving out blocks of units (Quenouille 1949; Efron and Tibshirani 1993, 11).

    Args:
        statistic: S values of masks S,U that are True for the units kept; all are asked for in one call.
        units: U, True for the units that there are (prompts with pictures).
        key: shuffles units into blocks.
        blocks: how many; fewer when there are fewer units.
        level: nominal coverage; Student's quantile at blocks - 1 degrees of freedom.

    Raises:
        UsageError: for fewer than two units.
    """
    places = np.flatnonzero(units)
    if len(places) < 2:
        raise UsageError(f"{len(places)} units: leaving out blocks needs at least 2; judge more prompts")
    order = places[np.random.default_rng(key.entropy).permutation(len(places))]
    parts = np.array_split(order, min(blocks, len(order)))
    count = len(parts)
    kept = np.tile(units, (count + 1, 1))
    for number, part in enumerate(parts):
        kept[number, part] = False
    *left_out, value = statistic(kept).tolist()
    spread = np.asarray(left_out) - np.mean(left_out)
    error = math.sqrt((count - 1) / count * (spread**2).sum())
    half = student_quantile(count - 1, level) * error
    return Interval(value=value, low=value - half, high=value + half, count=len(places))


def _cluster_sums(
    values: FloatArray, clusters: Sequence[str | int], weights: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Sum of weight times value, and of weights, of each cluster."""
    each = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(clusters) != len(values) or len(each) != len(values):
        raise UsageError(
            f"{len(values)} values, {len(clusters)} clusters, {len(each)} weights: give one of each for every value"
        )
    if not np.isfinite(values).all() or not np.isfinite(each).all():
        raise NumericsError("a value or weight is not finite: leave out votes without an answer before counting them")
    if len(each) and (each.min() < 0 or each.sum() <= 0):
        raise UsageError(f"weights from {each.min()} with sum {each.sum()}: they must be at least 0 and not all 0")
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    count = int(index.max()) + 1 if len(index) else 0
    if count < 2:
        raise UsageError(f"{count} clusters: an interval needs at least 2 people; ask more of them")
    sums, totals = np.bincount(index, weights=each * values), np.bincount(index, weights=each)
    return np.asarray(sums, dtype=np.float64), np.asarray(totals, dtype=np.float64)
