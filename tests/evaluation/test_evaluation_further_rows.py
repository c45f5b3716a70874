"""Rows beside those of every report: wins, parts of a suite, what is seen too much. Values that can be counted."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_examples import KEY, examined_pair, prompts_of_suite

from redraft.core.records import Measure, Prompt
from redraft.evaluation.examined import Examined, Head
from redraft.evaluation.further_rows import part_rows, seen_rows, win_rows
from redraft.evaluation.pair import Pair
from redraft.evaluation.seen_objects import SeenObjects
from redraft.world import GENEVAL_TASKS, TAIL_TASKS


def pair_of(before: list[float], after: list[float]) -> Pair:
    """One picture a prompt, all prompts of one task, one head."""
    prompts = tuple(Prompt(text=f"prompt {number}") for number in range(len(before)))

    def examined(values: list[float]) -> Examined:
        head = Head(name="clip", role="unseen", fingerprint="c", values=np.array(values))
        return Examined(model="", prompts=prompts, group=np.arange(len(prompts)), heads=(head,))

    return Pair(incumbent=examined(before), candidate=examined(after), key=KEY, resamples=2000)


def test_a_win_is_one_a_tie_a_half_and_a_loss_nothing() -> None:
    (row,) = win_rows(pair_of([1, 2, 3, 4, 5, 6, 7, 8], [2, 3, 4, 5, 6, 6, 0, 9]))  # six wins, one tie, one loss
    assert row.name == "wins/clip"
    assert row.unit == "share"
    assert row.incumbent == 0.5
    assert row.candidate == pytest.approx(6.5 / 8)
    assert row.difference == pytest.approx(6.5 / 8 - 0.5)
    assert row.low < row.difference < row.high


def test_a_model_against_itself_wins_exactly_a_half() -> None:
    (row,) = win_rows(pair_of([1, 2, 3, 4], [1, 2, 3, 4]))
    assert (row.candidate, row.difference, row.low, row.high) == (0.5, 0.0, 0.0, 0.0)


def test_exchanging_the_models_exchanges_the_wins() -> None:
    rng = np.random.default_rng(5)
    first, second = rng.normal(size=40).tolist(), rng.normal(size=40).tolist()
    (one,), (other,) = win_rows(pair_of(first, second)), win_rows(pair_of(second, first))
    assert one.candidate + other.candidate == pytest.approx(1)


def test_parts_of_the_suite_are_means_over_their_own_tasks() -> None:
    before, after, _ = examined_pair(prompts_of_suite(), gain=0.2)
    pair = Pair(incumbent=before, candidate=after, key=KEY, resamples=500)
    rows = {row.name: row for tasks, name in ((GENEVAL_TASKS, "tasks"), (TAIL_TASKS, "tail"))
            for row in part_rows(pair, name=name, tasks=tasks)}  # fmt: skip
    assert set(rows) == {
        f"{part}/{what}" for part in ("tasks", "tail") for what in ("oracle", "reward", "clip-heldout")
    }
    assert rows["tasks/oracle"].count + rows["tail/oracle"].count == len(before.prompts)
    assert before.verdicts is not None
    tail = [row for row, task in enumerate(before.tasks) if task in TAIL_TASKS]
    means = before.per_prompt(before.verdicts)
    expected = np.mean([np.mean([means[row] for row in tail if before.tasks[row] == task]) for task in TAIL_TASKS])
    assert rows["tail/oracle"].incumbent == pytest.approx(expected)
    assert rows["tail/oracle"].unit == "share"


def test_a_part_that_no_prompt_belongs_to_has_no_row() -> None:
    assert part_rows(pair_of([1, 2], [2, 3]), name="tail", tasks=TAIL_TASKS) == ()


def seen(over: list[float], unsafe: list[float]) -> SeenObjects:
    return SeenObjects(
        over_counted=np.array(over), repeated=np.full(len(over), np.nan), unsafe=np.array(unsafe, dtype=float)
    )


def test_shares_of_what_is_seen_too_much_leave_out_prompts_that_do_not_ask() -> None:
    pair = pair_of([0, 0, 0, 0], [0, 0, 0, 0])
    before, after = seen([1, 1, 0, np.nan], [0, 0, 0, 1]), seen([0, 1, 0, np.nan], [0, 0, 0, 0])
    rows: dict[str, Measure] = {row.name: row for row in seen_rows(pair, before, after)}
    assert set(rows) == {"seen/over_counted", "seen/unsafe"}  # nothing was asked about repetition
    over, unsafe = rows["seen/over_counted"], rows["seen/unsafe"]
    assert (over.count, over.good) == (3, -1)
    assert over.incumbent == pytest.approx(2 / 3)
    assert over.candidate == pytest.approx(1 / 3)
    assert unsafe.incumbent == pytest.approx(1 / 4)
    assert unsafe.difference == pytest.approx(-1 / 4)
