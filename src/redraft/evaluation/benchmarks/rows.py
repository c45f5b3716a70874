"""Rows that are means over prompts, with paired differences. Distances of sets have their own (`distribution`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.evaluation.benchmarks.benchmark import Judged, Row, Unit, fingerprint_of
from redraft.evaluation.statistics import FloatArray, Interval, paired_interval, within_bounds

RESAMPLES = 4000


def mean_row(
    name: str,
    judged: Judged,
    *,
    head: str,
    key: Key,
    unit: Unit,
    against: Judged | None = None,
    chosen: NDArray[np.bool_] | None = None,
    strata: Sequence[str] | None = None,
    scale: float = 1.0,
    most: float | None = None,
    good: Literal[1, -1] = 1,
    fingerprint: str = "",
    details: Mapping[str, float] | None = None,
    note: str = "",
) -> Row | None:
    """The mean of a head over prompts (each prompt's pictures averaged first), with a bootstrap interval over prompts.

    Args:
        name: of the row.
        judged, head: the model's pictures, and which column of their scores. key: of the resampling.
        unit: of the number. against: another model; gives `difference`, over the prompts that both have.
        chosen: P, which prompts count (None: all).
        strata: P names; the value is the mean of their means (GenEval's mean of task means).
        scale: every value is multiplied by it (HPS is published as 100 times the cosine).
        most: values, scaled, are in 0..most, and so is the interval; a share has 1.
        fingerprint: of the benchmark; the judge's own is added here.
        good, details, note: of the row.

    Returns:
        None when fewer than two chosen prompts were judged: an interval needs two.

    Raises:
        UsageError: when the two models were judged by unlike judges or on other prompts.
    """
    values = scale * judged.per_prompt(head)
    if chosen is not None:
        values = np.where(chosen, values, np.nan)
    interval = _interval(values, key=key.child(name), strata=strata)
    if interval is None:
        return None
    most = 1.0 if unit == "share" else most
    if most is not None:
        interval = within_bounds(interval, values, most=most, strata=strata)
    difference = None
    if against is not None:
        require_alike(judged, against, head=head)
        difference = _interval(values - scale * against.per_prompt(head), key=key.child(name), strata=strata)
    return Row(
        name=name,
        interval=interval,
        unit=unit,
        fingerprint=fingerprint_of(fingerprint, judged.column(head)[2], name),
        good=good,
        difference=difference,
        per_prompt=values,
        details=details or {},
        note=note,
    )


def win_rate(first: FloatArray, second: FloatArray, *, key: Key, good: Literal[1, -1] = 1) -> Interval:
    """Share of prompts on which the first model has the better value; a tie counts half.

    Args:
        first: P values of the first model, NaN where not judged.
        second: P values of the second one, of the same prompts.
        key: of the bootstrap over prompts.
        good: +1 when higher is better.

    Raises:
        UsageError: for fewer than two prompts that both have.
    """
    difference = good * (first - second)
    outcome = 0.5 + 0.5 * np.sign(difference[np.isfinite(difference)])
    return within_bounds(paired_interval(outcome, key=key, resamples=RESAMPLES), outcome)


def require_alike(first: Judged, second: Judged, *, head: str) -> None:
    """Raise UsageError unless both were judged on the same prompts by the same version of the judge."""
    if [prompt.id for prompt in first.prompts] != [prompt.id for prompt in second.prompts]:
        raise UsageError(
            f"{first.model} and {second.model} were judged on other prompts: compare them on one benchmark with the "
            "same options"
        )
    marks = (first.column(head)[2], second.column(head)[2])
    if marks[0] != marks[1]:
        raise UsageError(
            f"{head} of {first.model} and {second.model} has the fingerprints {marks[0]} and {marks[1]}: scores of "
            "unlike judges are never compared; judge both again with one version"
        )


def _interval(values: FloatArray, *, key: Key, strata: Sequence[str] | None) -> Interval | None:
    known = np.isfinite(values)
    if known.sum() < 2:
        return None
    names = None if strata is None else [name for name, use in zip(strata, known, strict=True) if use]
    return paired_interval(values[known], key=key, strata=names, resamples=RESAMPLES)
