"""Two arms of a reproduction against each other: which gained more of a metric. Not what an arm gained by itself.

Both painted the same prompts from the same noise, so where their rows hold what was gained on each prompt, the
difference of the arms has an interval of its own, far narrower than those of the arms; else intervals must lie apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from redraft.core.keys import Key
from redraft.evaluation.statistics import FloatArray, paired_interval
from redraft.loop.reproductions.effects import Effect, compared, shown, signed, unit_of
from redraft.loop.reproductions.plan import Finding, Row
from redraft.world import TAIL_TASKS

ORACLE = "oracle"


def better(
    rows: Mapping[str, Row],
    first: str,
    second: str,
    *,
    metric: str,
    after_round: int | None = None,
    lower: bool = False,
) -> Finding:
    """Whether arm `first` gained more of `metric` (`lower`: lost more) than arm `second`, both against the same base.

    Paired, if both rows have what every prompt gained: "undecided" while the interval of the difference holds 0. Else
    "undecided" while one gain lies within the other's interval.
    """
    one, two = (rows[name].require(metric, after_round=after_round) for name in (first, second))
    when = "" if after_round is None else f" after round {after_round}"
    text = f"{metric}{when}: {first} {shown(one, metric)}, {second} {shown(two, metric)} {unit_of(one, metric)}"
    over = None if after_round else advantage(rows[first], rows[second], metric=metric)
    if over is None:
        return Finding(agreement=compared(one, two, lower=lower), text=text.strip())
    text = f"{text.strip()}; {first} over {second} {shown(over, metric)} {unit_of(over, metric)}"
    return Finding(agreement=signed(over, lower=lower), text=text.strip())


def advantage(first: Row, second: Row, *, metric: str) -> Effect | None:
    """How much more of `metric` `first` gained than `second`, paired by prompt; None where a row does not hold that.

    The oracle counts every task of the core alike, as its own rows do; "oracle/TASK" is one of them.
    """
    one, two = (gains(row, metric=metric) for row in (first, second))
    tasks = first.measured.get("prompts", {}).get("tasks")
    if one is None or two is None or tasks != second.measured["prompts"]["tasks"]:
        return None
    known = np.isfinite(one) & np.isfinite(two)
    if known.sum() < 2:
        return None
    strata = [task for task, use in zip(tasks, known, strict=True) if use]
    by_task = metric == ORACLE or metric.startswith("seen/")
    key = Key(seed=0).child("head to head", first.arm.name, second.arm.name, metric)
    interval = paired_interval((one - two)[known], key=key, strata=strata if by_task else None)
    own = first.require(metric)
    return replace(own, difference=interval.value, low=interval.low, high=interval.high)


def gains(row: Row, *, metric: str) -> FloatArray | None:
    """What the arm gained of `metric` on every prompt, NaN where the metric does not count it; None: not held."""
    held = row.measured.get("prompts", {})
    gained: Mapping[str, list[float | None]] = held.get("gained", {})
    if not gained:
        return None
    name, task = metric, ""
    if metric == "reward":
        name = row.trained
    elif metric not in gained:
        name, _, task = metric.partition("/")
    if name not in gained or (task and name != ORACLE):
        return None
    values = np.array([np.nan if value is None else value for value in gained[name]])
    if name == ORACLE:
        tasks = np.array(held["tasks"])
        values[tasks != task if task else np.isin(tasks, TAIL_TASKS)] = np.nan
    return values
