"""Two arms against each other: the paired difference by prompts, its interval, and what happens where prompts are not
held."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from redraft.evaluation.statistics import paired_interval
from redraft.loop.reproductions.head_to_head import advantage, better
from redraft.loop.reproductions.plan import Arm, Row

TASKS = ["counting"] * 60 + ["colors"] * 20 + ["style"] * 20


def row(name: str, gained: dict[str, list[float | None]] | None, *, wide: float = 0.1) -> Row:
    """An arm whose own intervals are wide."""
    arm = Arm(name=name, title=name, method="nft", config={})
    effect = {"incumbent": 0.4, "candidate": 0.5, "difference": 0.1, "low": 0.1 - wide, "high": 0.1 + wide}
    names = ("oracle", "oracle/counting", "clip", "frechet", "oracle/safety", "seen/over_counted")
    metrics: dict[str, Any] = {metric: {**effect, "unit": "score", "role": "unseen"} for metric in names}
    # As the examination orders them: rows of some prompts before that of all.
    for metric in ("training/reward", "reward: heads", "wins/reward: heads"):
        metrics[metric] = {**effect, "unit": "score", "role": "trained"}
    measured: dict[str, Any] = {"metrics": metrics}
    if gained is not None:
        measured["prompts"] = {"tasks": TASKS, "gained": gained}
    return Row(arm=arm, summary={}, seconds=1.0, peak_memory=1, measured=measured)


def drawn(seed: int, shift: float = 0.0, spread: float = 0.2) -> list[float]:
    """Values of the prompts: what the prompt is, common to all arms, and a little of the arm's own."""
    common = np.random.default_rng(0).normal(0, 1, len(TASKS))
    own = np.random.default_rng(seed).normal(shift, spread, len(TASKS))
    return [float(value) for value in common + own]


def test_what_prompts_have_in_common_drops_out() -> None:
    """Arms whose own intervals hold each other, and which pairing tells apart: the interval is that of differences."""
    one, two = drawn(1, shift=0.15), drawn(2)
    rows = {"a": row("a", {"clip": one}), "b": row("b", {"clip": two})}
    found = better(rows, "a", "b", metric="clip")
    assert found.agreement == "agrees"
    assert better(rows, "b", "a", metric="clip").agreement == "disagrees"
    assert better(rows, "b", "a", metric="clip", lower=True).agreement == "agrees"
    difference = np.array(one) - np.array(two)
    effect = advantage(rows["a"], rows["b"], metric="clip")
    assert effect is not None
    assert effect.difference == pytest.approx(difference.mean())
    # Twice the standard error to either side, to a tenth of it: the bootstrap has 2,000 or more draws.
    error = difference.std(ddof=1) / len(difference) ** 0.5
    assert (effect.low, effect.high) == pytest.approx(
        (difference.mean() - 1.98 * error, difference.mean() + 1.98 * error), abs=error / 5
    )
    assert "a over b +0.1" in found.text


def test_equal_arms_are_undecided() -> None:
    values = drawn(1)
    rows = {"a": row("a", {"clip": values}), "b": row("b", {"clip": values})}
    assert better(rows, "a", "b", metric="clip").agreement == "undecided"


def test_one_arm_in_twenty_is_called_better_by_chance() -> None:
    """Of 400 pairs of equal arms 5 % are told apart: 1 to 9 % allows four deviations of that share."""
    calls = [
        better(
            {"a": row("a", {"clip": drawn(2 * seed + 1)}), "b": row("b", {"clip": drawn(2 * seed + 2)})},
            "a", "b", metric="clip",
        ).agreement
        for seed in range(400)
    ]  # fmt: skip
    assert 0.01 <= 1 - calls.count("undecided") / len(calls) <= 0.09


def test_the_oracle_counts_tasks_alike_and_leaves_the_tail_out() -> None:
    one: list[float | None] = [1.0] * 60 + [0.0] * 20 + [None] * 20
    one[:2] = [0.9, 1.1]
    two: list[float | None] = [0.0, 0.1] * 50
    rows = {"a": row("a", {"oracle": one}), "b": row("b", {"oracle": two})}
    effect = advantage(rows["a"], rows["b"], metric="oracle")
    assert effect is not None
    assert effect.difference == pytest.approx((0.95 - 0.05) / 2)
    counting = advantage(rows["a"], rows["b"], metric="oracle/counting")
    assert counting is not None
    assert counting.difference == pytest.approx(0.95)
    expected = paired_interval(
        np.array(one[:80], dtype=float) - np.array(two[:80], dtype=float),
        key=_key("oracle"), strata=TASKS[:80],
    )  # fmt: skip
    assert (effect.low, effect.high) == (expected.low, expected.high)


def _key(metric: str) -> Any:
    from redraft.core.keys import Key

    return Key(seed=0).child("head to head", "a", "b", metric)


def test_the_trained_reward_is_found_under_its_own_name() -> None:
    """On all prompts, though what was gained on some of them stands there too."""
    rows = {
        name: row(name, {"training/reward": drawn(5), "reward: heads": drawn(number, shift=number)})
        for number, name in enumerate("ab")
    }
    assert rows["a"].trained == "reward: heads"
    effect = advantage(rows["b"], rows["a"], metric="reward")
    assert effect is not None
    assert effect.difference > 0.9


def test_a_head_of_the_oracle_is_no_task() -> None:
    rows = {name: row(name, {"oracle": drawn(1), "oracle/safety": drawn(2 + number, shift=number)})
            for number, name in enumerate("ab")}  # fmt: skip
    effect = advantage(rows["b"], rows["a"], metric="oracle/safety")
    assert effect is not None
    assert effect.difference > 0.9


@pytest.mark.parametrize("metric", ["frechet", "clip"])
def test_rows_without_prompts_are_compared_by_their_own_intervals(metric: str) -> None:
    rows = {"a": row("a", {"oracle": drawn(1)}), "b": row("b", None)}
    assert advantage(rows["a"], rows["b"], metric=metric) is None
    found = better(rows, "a", "b", metric=metric)
    assert found.agreement == "undecided"
    assert "over b" not in found.text
