"""What is measured on pictures: Frechet distance, diversity, near-identical pictures, accuracy, saturation.

Functions of numpy arrays in float64; no intervals (see `statistics`) and no models: features are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redraft.core.errors import NumericsError, UsageError
from redraft.core.keys import Key
from redraft.evaluation.statistics import FloatArray, IntArray

_ROWS_AT_ONCE = 1024
_EXTREME = 1.5 / 255  # a channel this near to 0 or 1 has hit the end of the 8-bit scale


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Mean D and covariance D,D (n - 1) of `count` feature vectors."""

    mean: FloatArray
    covariance: FloatArray
    count: int


def moments(features: NDArray[np.floating], *, weights: FloatArray | None = None) -> Moments:
    """Mean and covariance of features N,D in float64.

    Args:
        features: one row per picture.
        weights: N non-negative counts (how often each picture is in a resample); None: each once.

    Raises:
        UsageError: when features are not N,D or count fewer than two pictures.
        NumericsError: when a feature is not finite.
    """
    if features.ndim != 2 or len(features) < 2:
        raise UsageError(f"features of shape {features.shape}: a covariance needs N,D with N >= 2")
    if not np.isfinite(features).all():
        row = int(np.argwhere(~np.isfinite(features))[0][0])
        raise NumericsError(f"the features of picture {row} are not finite: check the feature extractor on it")
    values = features.astype(np.float64)
    each = np.ones(len(values)) if weights is None else weights
    count = float(each.sum())
    mean = each @ values / count
    centred = values - mean
    covariance = (centred * each[:, None]).T @ centred / (count - 1)
    return Moments(mean=mean, covariance=covariance, count=round(count))


def frechet_distance(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Frechet distance of two sets of features N,D and M,D, taken as Gaussians (FID, arXiv 1706.08500, eq. 6).

    Squared units of the features; 0 for identical sets. Rank-deficient covariances (N or M not above D) are used as
    they are, nothing is shrunk: `rank_note` says when that is so. Errors as for `moments`.
    """
    return frechet_of_moments(moments(first), moments(second))


def frechet_of_moments(first: Moments, second: Moments) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2).

    The trace of the square root comes from the eigenvalues of the symmetric product, never from a general matrix root.

    Raises:
        UsageError: when the dimensions differ.
    """
    if first.mean.shape != second.mean.shape:
        raise UsageError(
            f"features of {len(first.mean)} and of {len(second.mean)} dimensions: use one extractor for both sets"
        )
    root = square_root(first.covariance)
    return frechet_with_root(first, second, root=root)


def frechet_with_root(first: Moments, second: Moments, *, root: FloatArray) -> float:
    """`frechet_of_moments` where `root`, the symmetric square root of the first covariance, is known already."""
    product = root @ second.covariance @ root
    eigenvalues = np.linalg.eigvalsh((product + product.T) / 2)
    # Rounding can make a zero eigenvalue slightly negative.
    cross = float(np.sqrt(eigenvalues.clip(min=0)).sum())
    shift = float(((first.mean - second.mean) ** 2).sum())
    distance = shift + float(np.trace(first.covariance) + np.trace(second.covariance)) - 2 * cross
    return max(distance, 0.0)


def square_root(covariance: FloatArray) -> FloatArray:
    """The symmetric square root of a positive semidefinite matrix."""
    eigenvalues, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(eigenvalues.clip(min=0))) @ vectors.T)


def rank_note(counts: Sequence[int], dimensions: int) -> str:
    """A warning when a set has too few pictures for a covariance of full rank, else ''."""
    fewest = min(counts)
    if fewest > dimensions:
        return ""
    return (
        f"only {fewest} pictures for {dimensions} feature dimensions: the covariance has no full rank, so compare "
        "this distance only with one from equally many pictures"
    )


def kernel_distance(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Unbiased squared maximum mean discrepancy by the kernel (x.y / D + 1)^3 (KID, arXiv 1801.01401, section 4).

    first N,D and second M,D; all pairs of pictures count, in float64. Unbiased, so it may be slightly below 0.

    Raises:
        UsageError: when dimensions differ or a set has fewer than two pictures.
    """
    return float(kernel_distances(first, second, kept=np.ones((1, len(first)), dtype=np.bool_))[0])


def kernel_distances(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    *,
    kept: NDArray[np.bool_],
    kept_second: NDArray[np.bool_] | None = None,
) -> FloatArray:
    """`kernel_distance` of S pairs of subsets: of the rows `kept` S,N of first and `kept_second` S,M of second.

    None: the whole second set. Each kernel is computed once, so many subsets cost little more than one.

    Raises:
        UsageError: when dimensions differ or a subset has fewer than two pictures.
    """
    inside = kept.astype(np.float64)
    other = np.ones((1, len(second))) if kept_second is None else kept_second.astype(np.float64)
    counts, others = inside.sum(axis=1), other.sum(axis=1)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or min(*counts, *others) < 2:
        raise UsageError(
            f"features of shape {first.shape} and {second.shape}: a kernel distance needs N,D and M,D of one extractor "
            "with at least 2 pictures each"
        )
    one, two = first.astype(np.float64), second.astype(np.float64)
    within = [
        (
            _kernel_sums(part, part, left=rows, right=rows)
            - rows @ _kernel((part**2).sum(axis=1), dimension=part.shape[1])
        )
        / (size * (size - 1))
        for part, rows, size in ((one, inside, counts), (two, other, others))
    ]
    across = _kernel_sums(one, two, left=inside, right=np.broadcast_to(other, (len(inside), len(two))))
    return np.asarray(within[0] + within[1] - 2 * across / (counts * others))


def kernel_subsets(
    first: NDArray[np.floating], second: NDArray[np.floating], *, key: Key, subsets: int = 100, size: int = 1000
) -> FloatArray:
    """`kernel_distance` of random subsets of at most `size` pictures of each: their mean is the published KID.

    Errors as for `kernel_distance`.
    """
    rng = np.random.default_rng(key.entropy)
    size = min(size, len(first), len(second))
    kept, kept_second = (np.zeros((subsets, len(part)), dtype=np.bool_) for part in (first, second))
    for number in range(subsets):
        kept[number, rng.permutation(len(first))[:size]] = True
        kept_second[number, rng.permutation(len(second))[:size]] = True
    return kernel_distances(first, second, kept=kept, kept_second=kept_second)


def _kernel_sums(first: FloatArray, second: FloatArray, *, left: FloatArray, right: FloatArray) -> FloatArray:
    """S sums of the kernel over pairs, weighed by left S,N and right S,M; in blocks, so that memory stays small."""
    totals = np.zeros(len(left))
    for start in range(0, len(first), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        totals += (left[:, rows] * (right @ _kernel(first[rows] @ second.T, dimension=first.shape[1]).T)).sum(axis=1)
    return totals


def _kernel(products: FloatArray, *, dimension: int) -> FloatArray:
    """(x.y / D + 1)^3 of products x.y."""
    shifted = products / dimension + 1
    # numpy's power is several times slower.
    return np.asarray(shifted * shifted * shifted)


def diversity(features: NDArray[np.floating], group: IntArray, *, count: int) -> FloatArray:
    """Mean Euclidean distance between pictures of the same prompt: `count` values, NaN for prompts with fewer than two.

    Args:
        features: N,D, one row per picture.
        group: N, the prompt of every picture, in 0..count-1.
        count: how many prompts.
    """
    return np.array(
        [distances.mean() if len(distances) else np.nan for distances in _within(features, group, count=count)]
    )


def near_identical_share(features: NDArray[np.floating], group: IntArray, *, count: int, threshold: float) -> float:
    """Share of the pairs of pictures of one prompt that lie closer than `threshold`.

    Arguments as for `diversity`; a tenth of the incumbent's mean diversity is a sensible threshold.

    Raises:
        UsageError: when no prompt has two pictures.
    """
    distances = np.concatenate(_within(features, group, count=count)) if count else np.array([])
    if not len(distances):
        raise UsageError("no prompt has two pictures: paint some prompts several times to see near-identical ones")
    return float((distances < threshold).mean())


def task_means(values: FloatArray, tasks: Sequence[str]) -> dict[str, float]:
    """Mean of values N of each task, in the order in which tasks appear."""
    names = np.asarray(tasks)
    return {task: float(values[names == task].mean()) for task in dict.fromkeys(tasks)}


def mean_of_task_means(means: Mapping[str, float]) -> float:
    """GenEval's overall score: every task counts alike, however many prompts it has."""
    return float(np.mean(list(means.values())))


def saturation(pixels: NDArray[np.floating]) -> FloatArray:
    """Colour saturation and share of clipped values of pictures B,3,H,W in 0..1: B,2, both in 0..1.

    The first column is the mean over pixels of HSV saturation, (max - min) / max, 0 for black; the second the share of
    channel values at the ends of the 8-bit scale.

    Raises:
        UsageError: for another shape.
    """
    if pixels.ndim != 4 or pixels.shape[1] != 3:
        raise UsageError(f"pixels of shape {pixels.shape}: saturation reads B,3,H,W in 0..1")
    high, low = pixels.max(axis=1), pixels.min(axis=1)
    colour = np.divide(high - low, high, out=np.zeros_like(high), where=high > 0).mean(axis=(1, 2))
    clipped = ((pixels <= _EXTREME) | (pixels >= 1 - _EXTREME)).mean(axis=(1, 2, 3))
    return np.stack([colour, clipped], axis=1).astype(np.float64)


def _within(features: NDArray[np.floating], group: IntArray, *, count: int) -> list[FloatArray]:
    """For every prompt, the distances of all pairs of its pictures."""
    values = features.astype(np.float64)
    distances = []
    for number in range(count):
        part = values[group == number]
        first, second = np.triu_indices(len(part), k=1)
        distances.append(np.linalg.norm(part[first] - part[second], axis=1))
    return distances
