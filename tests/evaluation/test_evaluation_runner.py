"""The runner and its journal: real killed processes, torn lines, missing pictures, changed options."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from benchmark_examples import RenderPainter, journal_of, judged_by, world

from redraft.core.errors import DamagedError, NumericsError, UsageError
from redraft.evaluation.benchmarks.benchmark import Judged, Judgement
from redraft.evaluation.benchmarks.journal import Journal
from redraft.evaluation.benchmarks.runner import example_places, judged_of, orders, run

PROGRAM = """
import sys, time
sys.path.insert(0, {tests!r})
from benchmark_examples import RenderPainter, journal_of, world
from redraft.evaluation.benchmarks.runner import run

class Slow(RenderPainter):
    def __call__(self, wanted):
        time.sleep(0.05)
        return super().__call__(wanted)

benchmark = world()
with open({path!r}, "a+b") as file:
    run(benchmark, paint=Slow(wrong=3), journal=journal_of(file, benchmark), model="m", batch=2)
"""


def test_a_killed_run_goes_on_and_judges_no_picture_twice(tmp_path: Path) -> None:
    path, benchmark = tmp_path / "m.jsonl", world()
    whole = judged_by(benchmark, RenderPainter(wrong=3), tmp_path / "whole.jsonl")
    program = PROGRAM.format(tests=str(Path(__file__).parent), path=str(path))
    child = subprocess.Popen([sys.executable, "-c", program])
    deadline = time.monotonic() + 60
    while not path.exists() or path.read_bytes().count(b"picture") < 4:
        assert child.poll() is None, "the child ended before it could be killed"
        assert time.monotonic() < deadline, "the child judged nothing"
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    before = _numbers(path)
    assert 0 < len(before) < len(benchmark.prompts)
    painter = RenderPainter(wrong=3)
    judged = judged_by(benchmark, painter, path)
    assert sorted([*before, *painter.painted]) == list(range(len(benchmark.prompts)))
    assert sorted(_numbers(path)) == list(range(len(benchmark.prompts)))
    assert np.array_equal(judged.values, whole.values)
    assert np.array_equal(judged.group, whole.group)


def _numbers(path: Path) -> list[int]:
    lines = path.read_bytes().splitlines(keepends=True)
    rows = [json.loads(line) for line in lines if line.endswith(b"\n")]
    return [row["picture"] for row in rows if "picture" in row]


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_line_that_was_cut_short_is_judged_again(tmp_path: Path, cut: int) -> None:
    path, benchmark = tmp_path / "m.jsonl", world(prompts=12)
    whole = judged_by(benchmark, RenderPainter(), path)
    path.write_bytes(path.read_bytes()[:-cut])
    painter = RenderPainter()
    again = judged_by(benchmark, painter, path)
    assert painter.painted == [11]
    assert np.array_equal(again.values, whole.values)


def test_a_finished_run_paints_nothing(tmp_path: Path) -> None:
    path, benchmark = tmp_path / "m.jsonl", world(prompts=12, images_per_prompt=2)
    judged_by(benchmark, RenderPainter(), path)
    painter = RenderPainter()
    judged = judged_by(benchmark, painter, path)
    assert painter.painted == []
    assert judged.coverage.line == "24 of 24 pictures judged (100.0 %), all 12 prompts complete"


def test_missing_pictures_show_in_the_coverage_and_are_asked_for_again(tmp_path: Path) -> None:
    path, benchmark = tmp_path / "m.jsonl", world(prompts=12, images_per_prompt=2)
    judged = judged_by(benchmark, RenderPainter(missing=frozenset({0, 1, 5})), path)
    assert judged.coverage.line == "21 of 24 pictures judged (87.5 %): 2 of 12 prompts lack pictures"
    assert np.isnan(judged.per_prompt("accuracy")[0])
    assert judged.per_prompt("accuracy")[2] == 1
    painter = RenderPainter()
    assert judged_by(benchmark, painter, path).coverage.judged == 24
    assert painter.painted == [0, 1, 5]


def test_progress_counts_what_an_earlier_run_did(tmp_path: Path) -> None:
    path, benchmark, seen = tmp_path / "m.jsonl", world(prompts=12), []
    judged_by(benchmark, RenderPainter(missing=frozenset(range(4, 12))), path)
    with open(path, "a+b") as file:
        run(
            benchmark, paint=RenderPainter(), journal=journal_of(file, benchmark), model="m", batch=5,
            on_picture=lambda done, total: seen.append((done, total)),
        )  # fmt: skip
    assert seen == [(4, 12), (9, 12), (12, 12)]


def test_a_journal_of_other_options_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    judged_by(world(prompts=12), RenderPainter(), path)
    with pytest.raises(
        UsageError, match=r"m\.jsonl was begun with prompts = 12, but now it is 18: .*choose another output folder"
    ):
        judged_by(world(prompts=18), RenderPainter(), path)
    with pytest.raises(UsageError, match=r"begun with model = 'm', but now it is 'other'"):
        judged_by(world(prompts=12), RenderPainter(), path, model="other")


def test_a_journal_names_what_to_repeat_and_a_hash_only_if_nothing_else_differs(tmp_path: Path) -> None:
    begun = {"fingerprint": "20de", "prompts_hash": "1f", "seed": 0}
    with open(tmp_path / "m.jsonl", "a+b") as file:
        Journal(file, header=begun, name="m.jsonl")
        with pytest.raises(
            UsageError, match=r"m\.jsonl was begun with seed = 0, but now it is 1: one file holds one run"
        ):
            Journal(file, header={"fingerprint": "77af", "prompts_hash": "2e", "seed": 1}, name="m.jsonl")
        with pytest.raises(UsageError, match="was begun with fingerprint = '20de', but now it is '77af'"):
            Journal(file, header={**begun, "fingerprint": "77af"}, name="m.jsonl")


def test_another_judge_is_refused(tmp_path: Path) -> None:
    path, benchmark = tmp_path / "m.jsonl", world(prompts=12)
    judged_by(benchmark, RenderPainter(missing=frozenset({3})), path)
    lines = path.read_text().splitlines()
    mark = benchmark.oracle.fingerprint
    path.write_text("\n".join([lines[0], lines[1].replace(mark, "0" * 16), *lines[2:]]) + "\n")
    with pytest.raises(UsageError, match=r"but the judge is now .*: unlike judges never share a table"):
        judged_by(benchmark, RenderPainter(), path)


@pytest.mark.parametrize("line", ["no json", "[1]", '{"picture": 0}', '{"picture": 0, "prompt": 0, "values": [1]}'])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    path, benchmark = tmp_path / "m.jsonl", world(prompts=12)
    judged_by(benchmark, RenderPainter(), path)
    with open(path, "a") as file:
        file.write(line + "\n")
    with pytest.raises(DamagedError, match=r"m\.jsonl line 15 is no line of a benchmark journal"):
        judged_by(benchmark, RenderPainter(), path)


def test_float32_values_survive_the_journal(tmp_path: Path) -> None:
    benchmark = world(prompts=12)
    with open(tmp_path / "m.jsonl", "a+b") as file:
        journal = journal_of(file, benchmark)
        first = run(benchmark, paint=RenderPainter(), journal=journal, model="m")
        again = judged_of(benchmark, journal_of(file, benchmark), model="m")
    assert np.array_equal(first.values.astype(np.float32), again.values.astype(np.float32))


def test_examples_are_spread_and_have_a_small_picture(tmp_path: Path) -> None:
    assert example_places(12, 3) == (2, 6, 10)
    assert example_places(2, 6) == (0, 1)
    benchmark = world(prompts=12, images_per_prompt=2)
    with open(tmp_path / "m.jsonl", "a+b") as file:
        journal = journal_of(file, benchmark)
        run(benchmark, paint=RenderPainter(wrong=10), journal=journal, model="m", examples=3)
    shown = [line for line in journal.pictures.values() if line.thumbnail]
    assert [line.prompt for line in shown] == [2, 6, 10]
    assert all(line.number % 2 == 0 for line in shown)
    assert all(line.thumbnail.startswith("data:image/png;base64,") for line in shown)
    assert all(line.reason.startswith("missing: ") for line in shown)


def test_a_painter_or_judge_that_answers_for_fewer_is_refused(tmp_path: Path) -> None:
    benchmark = world(prompts=12)
    with open(tmp_path / "m.jsonl", "a+b") as file:
        journal = journal_of(file, benchmark)
        with pytest.raises(UsageError, match="the painter gave 1 pictures for 8 orders"):
            run(benchmark, paint=lambda _: [None], journal=journal, model="m", batch=8)
        with pytest.raises(UsageError, match="no picture of m was judged"):
            run(benchmark, paint=lambda wanted: [None] * len(wanted), journal=journal, model="m")

        judge = benchmark.judge

        def short(images: object, prompts: object) -> Judgement:
            found = judge(images, prompts)  # type: ignore[arg-type]
            return Judgement(scores=found.scores, reasons=("one",))

        benchmark.judge = short  # type: ignore[method-assign, assignment]
        with pytest.raises(UsageError, match="world gave 1 reasons for 8 pictures"):
            run(benchmark, paint=RenderPainter(), journal=journal, model="m", batch=8)


def test_orders_count_every_picture_of_every_prompt() -> None:
    wanted = orders(world(prompts=12, images_per_prompt=3))
    assert [order.number for order in wanted] == list(range(36))
    assert [(order.prompt_number, order.index) for order in wanted[:4]] == [(0, 0), (0, 1), (0, 2), (1, 0)]


def test_judged_refuses_what_does_not_fit() -> None:
    prompts = world(prompts=12).prompts[:1]
    common = {"model": "m", "prompts": prompts, "images_per_prompt": 1, "names": ("a",), "fingerprints": ("f",)}
    with pytest.raises(UsageError, match="one row a picture, one column a head"):
        Judged(**common, group=np.zeros(2, dtype=np.int64), values=np.zeros((1, 1)), mask=np.ones((1, 1), dtype=bool))
    with pytest.raises(NumericsError, match="a gave nan for picture 0 of m"):
        Judged(**common, group=np.zeros(1, dtype=np.int64), values=np.full((1, 1), np.nan),
               mask=np.ones((1, 1), dtype=bool))  # fmt: skip
    judged = Judged(**common, group=np.zeros(1, dtype=np.int64), values=np.zeros((1, 1)),
                    mask=np.ones((1, 1), dtype=bool))  # fmt: skip
    with pytest.raises(UsageError, match="m was judged by a, not by 'b'"):
        judged.column("b")
