"""Rows of a report that come from pictures and their features: diversity, Frechet distance, saturation.

Rows of scores are in `compare`; formulas are in `metrics`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from redraft.core.errors import UsageError
from redraft.core.records import Measure
from redraft.evaluation.metrics import Moments, diversity, frechet_with_root, moments, rank_note, square_root
from redraft.evaluation.pair import Pair
from redraft.evaluation.statistics import FloatArray, bootstrap_means, paired_interval, percentiles

_SATURATION = (("saturation", "mean colour saturation"), ("saturation/clipped", "share of clipped channel values"))


def diversity_rows(pair: Pair, *, notes: list[str]) -> list[Measure]:
    """Diversity within a prompt relative to the incumbent's: a ratio of means, resampled over prompts.

    `notes` receives why there is no row, when features are there but too few prompts have several pictures.
    """
    before, after = pair.incumbent, pair.candidate
    if before.features is None or after.features is None:
        return []
    count = len(before.prompts)
    features = (before.features, after.features)
    both = np.stack([diversity(values, before.group, count=count) for values in features], axis=1)
    both = both[np.isfinite(both).all(axis=1)]
    if len(both) < 2:
        notes.append(f"diversity was not measured: {len(both)} prompts have several pictures, at least 2 are needed")
        return []
    means = bootstrap_means(both, key=pair.key.child("diversity"), resamples=pair.resamples)
    first, second = both.mean(axis=0)
    if (means[:, 0] <= 0).any():
        notes.append("diversity was not measured: the incumbent's pictures of a prompt are identical")
        return []
    low, high = percentiles(means[:, 1] / means[:, 0])
    ratio = float(second / first)
    row = Measure(
        name="diversity",
        role="diversity",
        unit="ratio",
        count=len(both),
        incumbent=1.0,
        candidate=ratio,
        difference=ratio - 1,
        low=low - 1,
        high=high - 1,
        note=f"mean feature distance within a prompt: {first:.4g} before, {second:.4g} after",
    )
    return [row]


def frechet_rows(
    pair: Pair, *, reference_features: NDArray[np.floating] | None, resamples: int, notes: list[str]
) -> list[Measure]:
    """Frechet distance of each model's features to those of reference pictures; lower is better.

    Raises:
        UsageError: when the dimensions differ.
    """
    before, after = pair.incumbent.features, pair.candidate.features
    if before is None or after is None or reference_features is None:
        return []
    reference = moments(reference_features)
    if before.shape[1] != len(reference.mean) or after.shape[1] != len(reference.mean):
        raise UsageError(
            f"features of {before.shape[1]}, {after.shape[1]} and, of the reference, {len(reference.mean)} dimensions: "
            "use one extractor for all"
        )
    root = square_root(reference.covariance)
    first, second = (frechet_with_root(reference, moments(features), root=root) for features in (before, after))
    low, high = _frechet_spread(pair, (before, after), reference, root, resamples)
    note = rank_note([len(before), len(reference_features)], before.shape[1])
    if note:
        notes.append(f"frechet: {note}")
    row = Measure(
        name="frechet",
        role="distance",
        unit="squared distance",
        count=len(before),
        incumbent=first,
        candidate=second,
        difference=second - first,
        low=second - first + low,
        high=second - first + high,
        good=-1,
        note=note,
    )
    return [row]


def saturation_rows(pair: Pair) -> list[Measure]:
    """Colour saturation and share of clipped values: signs of a reward that likes garish pictures."""
    before, after = pair.incumbent.saturation, pair.candidate.saturation
    if before is None or after is None:
        return []
    rows = []
    for column, (name, note) in enumerate(_SATURATION):
        first, second = pair.per_prompt(before[:, column], after[:, column], name=name)
        painted = np.isfinite(first)
        interval = paired_interval((second - first)[painted], key=pair.key.child(name), resamples=pair.resamples)
        rows.append(
            Measure(
                name=name,
                role="distance",
                unit="share",
                count=interval.count,
                incumbent=float(first[painted].mean()),
                candidate=float(second[painted].mean()),
                difference=interval.value,
                low=interval.low,
                high=interval.high,
                good=-1,
                scale=float(before[:, column].std(ddof=1)),
                note=note,
            )
        )
    return rows


def _frechet_spread(
    pair: Pair,
    features: tuple[NDArray[np.floating], NDArray[np.floating]],
    reference: Moments,
    root: FloatArray,
    resamples: int,
) -> tuple[float, float]:
    """Bounds of the difference about its value. Prompts are resampled with all their pictures.

    The distance of a resample is biased (it repeats pictures), so only the spread about the resamples' mean is used.
    """
    rng = np.random.default_rng(pair.key.child("frechet").entropy)
    group, count = pair.incumbent.group, len(pair.incumbent.prompts)
    differences = np.empty(resamples)
    for number in range(resamples):
        weights = np.bincount(rng.integers(0, count, size=count), minlength=count)[group].astype(np.float64)
        first, second = (
            frechet_with_root(reference, moments(values, weights=weights), root=root) for values in features
        )
        differences[number] = second - first
    return percentiles(differences - differences.mean())
