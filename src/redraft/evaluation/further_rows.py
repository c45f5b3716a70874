"""More rows of a paired comparison, for those who ask: parts of a suite, shares of wins, what the oracle sees too much.

The rows of every report are in `compare`; no rule of the gate reads these. Intervals are paired, over prompts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import NDArray

from redraft.core.records import Measure, Role
from redraft.evaluation.pair import Mask, Pair
from redraft.evaluation.seen_objects import SeenObjects
from redraft.evaluation.statistics import FloatArray, paired_interval, stratified_mean

Values = tuple[str, Role, FloatArray, FloatArray]
"""Name, role, and per prompt the value of incumbent and candidate, P each, NaN where a prompt has none."""


def part_rows(pair: Pair, *, name: str, tasks: Collection[str]) -> tuple[Measure, ...]:
    """The oracle and every head on the prompts of some tasks: rows `NAME/oracle`, `NAME/HEAD`, tasks counting alike.

    Heads with fewer than two scored prompts of these tasks have no row.
    """
    chosen = np.isin(np.asarray(pair.tasks), list(tasks))
    rows = [_row(pair, f"{name}/{label}", role, first, second, chosen) for label, role, first, second in _values(pair)]
    return tuple(row for row in rows if row is not None)


def win_rows(pair: Pair) -> tuple[Measure, ...]:
    """`wins/oracle`, `wins/HEAD`: share of prompts where the candidate has the higher value, a tie counting half.

    Same prompt, same noise. The incumbent's share is 1/2 by definition, so the difference is what is beyond chance.
    """
    rows = []
    for label, role, first, second in _values(pair):
        won = np.where(np.isnan(first), np.nan, (np.sign(second - first) + 1) / 2)
        rows.append(_row(pair, f"wins/{label}", role, np.full(len(won), 0.5), won, np.ones(len(won), dtype=bool)))
    return tuple(row for row in rows if row is not None)


def seen_rows(pair: Pair, before: SeenObjects, after: SeenObjects) -> tuple[Measure, ...]:
    """`seen/over_counted`, `seen/repeated`, `seen/unsafe`: shares of pictures, lower is better."""
    rows = [
        _row(pair, label, "oracle", first, second, np.ones(len(first), dtype=bool), good=-1)
        for label, first, second in _seen_values(pair, before, after)
    ]
    return tuple(row for row in rows if row is not None)


def differences(pair: Pair, before: SeenObjects, after: SeenObjects) -> dict[str, FloatArray]:
    """What stands behind the rows: of the oracle, every head and `seen/...` the difference P of every prompt.

    Two candidates that were held against one incumbent on the same prompts are compared by these, prompt by prompt,
    far more sharply than by their intervals. NaN where a prompt has no value.
    """
    found = {label: second - first for label, _, first, second in _values(pair)}
    return found | {label: second - first for label, first, second in _seen_values(pair, before, after)}


def _seen_values(pair: Pair, before: SeenObjects, after: SeenObjects) -> Iterator[tuple[str, FloatArray, FloatArray]]:
    for name in ("over_counted", "repeated", "unsafe"):
        values, others = getattr(before, name), getattr(after, name)
        asked: Mask = np.isfinite(values)
        if asked.any():
            yield f"seen/{name}", *pair.per_prompt(values, others, name=f"seen/{name}", masks=(asked,))


def _values(pair: Pair) -> Iterator[Values]:
    before, after = pair.incumbent, pair.candidate
    if before.verdicts is not None and after.verdicts is not None:
        masks = (before.judged, after.judged)
        yield "oracle", "oracle", *pair.per_prompt(before.verdicts, after.verdicts, name="oracle", masks=masks)
    for first, second in zip(before.heads, after.heads, strict=True):
        masks = (first.mask, second.mask)
        yield first.name, first.role, *pair.per_prompt(first.values, second.values, name=first.name, masks=masks)


def _row(
    pair: Pair,
    name: str,
    role: Role,
    first: FloatArray,
    second: FloatArray,
    chosen: NDArray[np.bool_],
    *,
    good: int = 1,
) -> Measure | None:
    """The mean of the means of tasks over the chosen prompts; None with fewer than two of them."""
    rows = chosen & np.isfinite(first) & np.isfinite(second)
    if rows.sum() < 2:
        return None
    strata = [task for task, use in zip(pair.tasks, rows, strict=True) if use]
    interval = paired_interval(
        (second - first)[rows], key=pair.key.child(name), strata=strata, resamples=pair.resamples
    )
    return Measure(
        name=name,
        role=role,
        unit="share" if role == "oracle" or name.startswith("wins/") else "score",
        incumbent=stratified_mean(first[rows], strata=strata),
        candidate=stratified_mean(second[rows], strata=strata),
        difference=interval.value,
        low=interval.low,
        high=interval.high,
        count=interval.count,
        good=-1 if good < 0 else 1,
    )
