"""Incumbent against candidate on the same prompts and the same noise: a report, every number with an interval.

It decides nothing (see `gate`). Intervals are of the paired difference; the unit of resampling is the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redraft.core.errors import NumericsError, UsageError
from redraft.core.keys import Key
from redraft.core.records import Measure, Report
from redraft.evaluation.examined import Examined, Head
from redraft.evaluation.metrics import (
    Moments, diversity, frechet_with_root, mean_of_task_means, moments, rank_note, square_root, task_means,
)  # fmt: skip
from redraft.evaluation.statistics import (
    RESAMPLES, FloatArray, bootstrap_means, paired_interval, percentiles,
)  # fmt: skip
from redraft.world import TAIL_TASKS

FRECHET_RESAMPLES = 200


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """Both models with what all rows need."""

    incumbent: Examined
    candidate: Examined
    key: Key
    resamples: int

    @property
    def tasks(self) -> tuple[str, ...]:
        return self.incumbent.tasks


def compare(
    incumbent: Examined,
    candidate: Examined,
    *,
    key: Key,
    suite: str,
    reference_features: NDArray[np.floating] | None = None,
    resamples: int = RESAMPLES,
    frechet_resamples: int = FRECHET_RESAMPLES,
) -> Report:
    """Compare two models.

    Args:
        incumbent: what the model in service gave.
        candidate: what the new model gave, on the same prompts in the same order, picture n from the same noise.
        key: the only source of randomness.
        suite: name of the suite, for the report.
        reference_features: M,D features of reference pictures (renders of the world); without them no Frechet row.
        resamples: bootstrap resamples of means.
        frechet_resamples: bootstrap resamples of the Frechet distance.

    Returns:
        A report with the rows oracle/TASK, oracle (mean of the means of the tasks that are no tail), oracle/seen,
        oracle/unseen, oracle/clauses; one row per head; diversity (relative to the incumbent), frechet, saturation and
        saturation/clipped. A row whose input was not measured is left out, with a note where a rule of the gate needs it.

    Raises:
        UsageError: when prompts, groups, heads or fingerprints of the two differ.
        NumericsError: when a score is not finite.
    """
    _check_alike(incumbent, candidate)
    pair = _Pair(incumbent=incumbent, candidate=candidate, key=key.child("compare", suite), resamples=resamples)
    notes: list[str] = []
    rows = _oracle_rows(pair)
    rows += [_head_row(pair, before, after) for before, after in zip(incumbent.heads, candidate.heads, strict=True)]
    rows += _diversity_rows(pair, notes)
    rows += _frechet_rows(pair, reference_features, frechet_resamples, notes)
    rows += _saturation_rows(pair)
    scored = int(_complete(pair).sum())
    if scored < len(incumbent.prompts):
        notes.append(
            f"{len(incumbent.prompts) - scored} of {len(incumbent.prompts)} prompts lack a score of some scorer"
        )
    fingerprints = {head.name: head.fingerprint for head in incumbent.heads}
    if incumbent.feature_fingerprint:
        fingerprints["features"] = incumbent.feature_fingerprint
    return Report(
        suite=suite, incumbent=incumbent.model, candidate=candidate.model, prompts=len(incumbent.prompts), scored=scored,
        measures=tuple(rows), fingerprints=fingerprints, notes=tuple(notes),
    )  # fmt: skip


def _check_alike(incumbent: Examined, candidate: Examined) -> None:
    if [prompt.id for prompt in incumbent.prompts] != [prompt.id for prompt in candidate.prompts]:
        raise UsageError(
            f"incumbent and candidate were examined on {len(incumbent.prompts)} and {len(candidate.prompts)} prompts that "
            "are not the same: a paired comparison needs the same prompts in the same order; examine both on one suite"
        )
    if not np.array_equal(incumbent.group, candidate.group):
        raise UsageError(
            "incumbent and candidate have other pictures per prompt: paint both with the same noise and count"
        )
    names = [[head.name for head in examined.heads] for examined in (incumbent, candidate)]
    if names[0] != names[1]:
        raise UsageError(f"scorer heads {names[0]} and {names[1]} differ: score both models with the same scorers")
    if incumbent.feature_fingerprint != candidate.feature_fingerprint:
        raise _unlike("features", incumbent.feature_fingerprint, candidate.feature_fingerprint)
    for before, after in zip(incumbent.heads, candidate.heads, strict=True):
        if before.fingerprint != after.fingerprint:
            raise _unlike(before.name, before.fingerprint, after.fingerprint)
        if before.role != after.role:
            raise UsageError(
                f"head {before.name} is {before.role} for one model and {after.role} for the other: name one role"
            )


def _unlike(name: str, first: str, second: str) -> UsageError:
    return UsageError(
        f"{name} has the fingerprints {first!r} and {second!r}: scores of unlike scorers are never compared; score both "
        "models again with one version"
    )


def _oracle_rows(pair: _Pair) -> list[Measure]:
    before, after = pair.incumbent, pair.candidate
    if before.verdicts is None or after.verdicts is None:
        return []
    first, second = _both(pair, before.verdicts, after.verdicts, before.judged, after.judged)
    known = np.isfinite(first)
    tasks = np.asarray(pair.tasks)
    core = known & ~np.isin(tasks, TAIL_TASKS)
    combination = np.asarray([prompt.tag("combination") or "" for prompt in before.prompts])
    parts = {f"oracle/{task}": known & (tasks == task) for task in dict.fromkeys(pair.tasks)}
    parts["oracle"] = core
    parts |= {f"oracle/{name}": core & (combination == name) for name in ("seen", "unseen")}
    rows = [_share_row(pair, name, first, second, chosen) for name, chosen in parts.items() if chosen.sum() > 1]
    if before.clauses is not None and after.clauses is not None and core.sum() > 1:
        clauses = _both(pair, before.clauses, after.clauses, before.judged, after.judged)
        rows.append(_share_row(pair, "oracle/clauses", *clauses, core))
    return rows


def _share_row(pair: _Pair, name: str, before: FloatArray, after: FloatArray, chosen: NDArray[np.bool_]) -> Measure:
    """A share of correct pictures as the mean of task means over the chosen prompts."""
    strata = [task for task, use in zip(pair.tasks, chosen, strict=True) if use]
    first, second = before[chosen], after[chosen]
    interval = paired_interval(second - first, key=pair.key.child(name), strata=strata, resamples=pair.resamples)
    several = len(set(strata)) > 1
    return Measure(
        name=name, role="oracle", unit="share", count=interval.count,
        incumbent=mean_of_task_means(task_means(first, strata)),
        candidate=mean_of_task_means(task_means(second, strata)),
        difference=interval.value, low=interval.low, high=interval.high,
        note=f"mean of the means of {len(set(strata))} tasks" if several else "",
    )  # fmt: skip


def _head_row(pair: _Pair, before: Head, after: Head) -> Measure:
    first, second = _both(pair, before.values, after.values, before.mask, after.mask, name=before.name)
    chosen = np.isfinite(first)
    if chosen.sum() < 2:
        raise UsageError(
            f"scorer {before.name} scored {int(chosen.sum())} prompts of both models: it must score at least 2"
        )
    interval = paired_interval((second - first)[chosen], key=pair.key.child(before.name), resamples=pair.resamples)
    scored = before.values if before.mask is None else before.values[before.mask]
    return Measure(
        name=before.name, role=before.role, unit=before.unit, count=interval.count,
        incumbent=float(first[chosen].mean()), candidate=float(second[chosen].mean()), difference=interval.value,
        low=interval.low, high=interval.high, scale=float(scored.std(ddof=1)),
        note="the reward that was trained" if before.role == "trained" else "",
    )  # fmt: skip


def _diversity_rows(pair: _Pair, notes: list[str]) -> list[Measure]:
    """Within-prompt diversity relative to the incumbent's: a ratio of means, resampled over prompts."""
    before, after = pair.incumbent, pair.candidate
    if before.features is None or after.features is None:
        return []
    count = len(before.prompts)
    both = np.stack([diversity(model.features, model.group, count=count) for model in (before, after)], axis=1)  # type: ignore[arg-type]
    both = both[np.isfinite(both).all(axis=1)]
    if len(both) < 2:
        notes.append(f"diversity was not measured: {len(both)} prompts have several pictures, at least 2 are needed")
        return []
    means = bootstrap_means(both, key=pair.key.child("diversity"), resamples=pair.resamples)
    first, second = both.mean(axis=0)
    if first <= 0 or (means[:, 0] <= 0).any():
        notes.append("diversity was not measured: the incumbent's pictures of one prompt are identical")
        return []
    low, high = percentiles(means[:, 1] / means[:, 0])
    ratio = float(second / first)
    return [
        Measure(
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
        )  # fmt: skip
    ]


def _frechet_rows(
    pair: _Pair, reference_features: NDArray[np.floating] | None, resamples: int, notes: list[str]
) -> list[Measure]:
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
    low, high = _frechet_interval(pair, reference, root, resamples)
    note = rank_note([len(before), len(reference_features)], before.shape[1])
    if note:
        notes.append(f"frechet: {note}")
    return [
        Measure(
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
        )  # fmt: skip
    ]


def _frechet_interval(pair: _Pair, reference: Moments, root: FloatArray, resamples: int) -> tuple[float, float]:
    """Bounds of the difference about its value. Prompts are resampled with all their pictures.

    The distance of a resample is biased (it repeats pictures), so only the spread about the resamples' mean is used.
    """
    rng = np.random.default_rng(pair.key.child("frechet").entropy)
    group, count = pair.incumbent.group, len(pair.incumbent.prompts)
    differences = np.empty(resamples)
    for number in range(resamples):
        weights = np.bincount(rng.integers(0, count, size=count), minlength=count)[group].astype(np.float64)
        distances = [
            frechet_with_root(reference, moments(model.features, weights=weights), root=root)  # type: ignore[arg-type]
            for model in (pair.incumbent, pair.candidate)
        ]
        differences[number] = distances[1] - distances[0]
    return percentiles(differences - differences.mean())


def _saturation_rows(pair: _Pair) -> list[Measure]:
    before, after = pair.incumbent, pair.candidate
    if before.saturation is None or after.saturation is None:
        return []
    rows = []
    for column, (name, what) in enumerate(_SATURATION):
        first, second = _both(pair, before.saturation[:, column], after.saturation[:, column], None, None, name=name)
        interval = paired_interval(second - first, key=pair.key.child(name), resamples=pair.resamples)
        rows.append(
            Measure(
                name=name,
                role="distance",
                unit="share",
                count=interval.count,
                incumbent=float(first.mean()),
                candidate=float(second.mean()),
                difference=interval.value,
                low=interval.low,
                high=interval.high,
                good=-1,
                scale=float(before.saturation[:, column].std(ddof=1)),
                note=what,
            )  # fmt: skip
        )
    return rows


_SATURATION = (("saturation", "mean colour saturation"), ("saturation/clipped", "share of clipped channel values"))


def _both(
    pair: _Pair,
    before: FloatArray,
    after: FloatArray,
    first_mask: NDArray[np.bool_] | None,
    second_mask: NDArray[np.bool_] | None,
    *,
    name: str = "oracle",
) -> tuple[FloatArray, FloatArray]:
    """Means per prompt of both models over the pictures that both have a score of; NaN where there is none."""
    mask = np.ones(len(before), dtype=bool)
    for part in (first_mask, second_mask):
        mask = mask if part is None else mask & part
    for values, model in ((before, pair.incumbent.model), (after, pair.candidate.model)):
        bad = np.flatnonzero(mask & ~np.isfinite(values))
        if len(bad):
            raise NumericsError(
                f"{name} gave {values[bad[0]]} for picture {int(bad[0])} of {model}: scores must be finite; mask what was "
                "not scored, or mend the scorer"
            )
    return pair.incumbent.per_prompt(before, mask=mask), pair.incumbent.per_prompt(after, mask=mask)


def _complete(pair: _Pair) -> NDArray[np.bool_]:
    """Which prompts have at least one picture of both models with a score of every head (and of the oracle, if any)."""
    group, count = pair.incumbent.group, len(pair.incumbent.prompts)
    complete = np.bincount(group, minlength=count) > 0
    masks: list[Sequence[NDArray[np.bool_] | None]] = [
        (before.mask, after.mask) for before, after in zip(pair.incumbent.heads, pair.candidate.heads, strict=True)
    ]
    masks.append((pair.incumbent.judged, pair.candidate.judged))
    for parts in masks:
        scored = np.ones(len(group), dtype=bool)
        for part in parts:
            scored = scored if part is None else scored & part
        complete &= np.bincount(group[scored], minlength=count) > 0
    return complete
