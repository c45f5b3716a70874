"""Incumbent against candidate on the same prompts and the same noise: a report, every number with an interval.

It decides nothing (see `gate`). Intervals are of the paired difference; the unit of resampling is the prompt.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Measure, Report
from redraft.evaluation.examined import Examined, Head
from redraft.evaluation.metrics import mean_of_task_means, task_means
from redraft.evaluation.pair import Pair
from redraft.evaluation.picture_rows import diversity_rows, frechet_rows, saturation_rows
from redraft.evaluation.statistics import RESAMPLES, FloatArray, paired_interval
from redraft.world import TAIL_TASKS

FRECHET_RESAMPLES = 200


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
        oracle/unseen, oracle/clauses; one row per head; diversity (relative to the incumbent), frechet, saturation
        and saturation/clipped. What was not measured has no row.

    Raises:
        UsageError: when prompts, groups, heads or fingerprints of the two differ.
        NumericsError: when a score is not finite.
    """
    pair = Pair(incumbent=incumbent, candidate=candidate, key=key.child("compare", suite), resamples=resamples)
    notes: list[str] = []
    rows = _oracle_rows(pair)
    rows += [_head_row(pair, before, after) for before, after in zip(incumbent.heads, candidate.heads, strict=True)]
    rows += diversity_rows(pair, notes=notes)
    rows += frechet_rows(pair, reference_features=reference_features, resamples=frechet_resamples, notes=notes)
    rows += saturation_rows(pair)
    shared = ", ".join(row.name for row in rows if not row.independent)
    if shared:
        notes.append(
            f"{shared}: seen by the network that the trained reward is made of, so a gain there proves nothing and "
            "takes no part in the decision; a loss counts"
        )
    scored, total = int(pair.complete().sum()), len(incumbent.prompts)
    if scored < total:
        notes.append(f"{total - scored} of {total} prompts lack a score of some scorer")
    return Report(
        suite=suite,
        incumbent=incumbent.model,
        candidate=candidate.model,
        prompts=total,
        scored=scored,
        measures=tuple(rows),
        fingerprints=incumbent.fingerprints,
        notes=tuple(notes),
    )


def _oracle_rows(pair: Pair) -> list[Measure]:
    before, after = pair.incumbent, pair.candidate
    if before.verdicts is None or after.verdicts is None:
        return []
    masks = (before.judged, after.judged)
    first, second = pair.per_prompt(before.verdicts, after.verdicts, name="oracle", masks=masks)
    known, tasks = np.isfinite(first), np.asarray(pair.tasks)
    core = known & ~np.isin(tasks, TAIL_TASKS)
    combination = np.asarray([prompt.tag("combination") or "" for prompt in before.prompts])
    parts = {f"oracle/{task}": known & (tasks == task) for task in dict.fromkeys(pair.tasks)}
    parts["oracle"] = core
    parts |= {f"oracle/{name}": core & (combination == name) for name in ("seen", "unseen")}
    rows = [_share_row(pair, name, (first, second), chosen) for name, chosen in parts.items() if chosen.sum() > 1]
    if before.clauses is not None and after.clauses is not None and core.sum() > 1:
        clauses = pair.per_prompt(before.clauses, after.clauses, name="oracle/clauses", masks=masks)
        rows.append(_share_row(pair, "oracle/clauses", clauses, core))
    return rows


def _share_row(pair: Pair, name: str, values: tuple[FloatArray, FloatArray], chosen: NDArray[np.bool_]) -> Measure:
    """A share of correct pictures as the mean of task means over the chosen prompts."""
    strata = [task for task, use in zip(pair.tasks, chosen, strict=True) if use]
    first, second = (part[chosen] for part in values)
    interval = paired_interval(second - first, key=pair.key.child(name), strata=strata, resamples=pair.resamples)
    tasks = len(set(strata))
    return Measure(
        name=name,
        role="oracle",
        unit="share",
        count=interval.count,
        incumbent=mean_of_task_means(task_means(first, strata)),
        candidate=mean_of_task_means(task_means(second, strata)),
        difference=interval.value,
        low=interval.low,
        high=interval.high,
        note=f"mean of the means of {tasks} tasks" if tasks > 1 else "",
    )


def _head_row(pair: Pair, before: Head, after: Head) -> Measure:
    first, second = pair.per_prompt(before.values, after.values, name=before.name, masks=(before.mask, after.mask))
    chosen = np.isfinite(first)
    if chosen.sum() < 2:
        raise UsageError(
            f"scorer {before.name} scored {int(chosen.sum())} prompts of both models: it must score at least 2"
        )
    interval = paired_interval((second - first)[chosen], key=pair.key.child(before.name), resamples=pair.resamples)
    scored = before.values if before.mask is None else before.values[before.mask]
    return Measure(
        name=before.name,
        role=before.role,
        unit=before.unit,
        count=interval.count,
        incumbent=float(first[chosen].mean()),
        candidate=float(second[chosen].mean()),
        difference=interval.value,
        low=interval.low,
        high=interval.high,
        scale=float(scored.std(ddof=1)),
        note="the reward that was trained" if before.role == "trained" else "",
        independent=before.independent and after.independent,
    )
