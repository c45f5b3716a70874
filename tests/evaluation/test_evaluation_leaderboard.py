"""The ranking and its page: ranks that know what is within chance, one fingerprint a number, a page without links."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from benchmark_examples import RenderPainter, journal_of, judged_with, world

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.evaluation.benchmarks.benchmark import Judged, Judgement, Row
from redraft.evaluation.benchmarks.leaderboard import Entry, Leaderboard, rank, to_json
from redraft.evaluation.benchmarks.ranking_page import headline, render
from redraft.evaluation.benchmarks.rows import mean_row
from redraft.evaluation.benchmarks.runner import run
from redraft.evaluation.ranking_drawing import Scale, dots_svg, scale_of
from redraft.evaluation.statistics import Interval

KEY = Key(seed=1)


class Plain:
    """A benchmark whose one row is the mean of the head `score`; lower is better where `good` is -1."""

    name, title, images_per_prompt, fingerprint = "plain", "Plain <means>", 1, "b"

    def __init__(self, judged: Judged, *, good: int = 1) -> None:
        self.prompts, self.good = judged.prompts, good

    def judge(self, images: object, prompts: object) -> Judgement:
        raise NotImplementedError

    def rows(self, judged: Judged, *, key: Key, against: Judged | None = None) -> tuple[Row, ...]:
        row = mean_row(
            "mean", judged, head="score", key=key, unit="score", against=against, good=self.good,  # type: ignore[arg-type]
            fingerprint=self.fingerprint,
        )  # fmt: skip
        return () if row is None else (row,)

    def self_test(self) -> tuple[()]:
        return ()


def entries_of(shifts: dict[str, float], *, prompts: int = 200, noise: float = 1.0) -> list[Entry]:
    rng = np.random.default_rng(0)
    shared = rng.normal(size=prompts)
    return [
        Entry(
            judged=judged_with(shared + shift + noise * rng.normal(size=prompts), model=model),
            header={"base": model, "seed": 0},
        )
        for model, shift in shifts.items()
    ]


def board_of(shifts: dict[str, float], *, good: int = 1, **options: float) -> Leaderboard:
    entries = entries_of(shifts, **options)  # type: ignore[arg-type]
    return rank(Plain(entries[0].judged, good=good), entries, key=KEY)


def test_models_are_ranked_and_a_tie_is_a_range_of_ranks() -> None:
    board = board_of({"low": 0.0, "high": 3.0, "alike": 0.01})
    assert board.places[0].entry.model == "high"
    ranks = {place.entry.model: (place.best_rank, place.worst_rank) for place in board.places}
    assert ranks == {"high": (1, 1), "low": (2, 3), "alike": (2, 3)}
    assert headline(board) == "high is clearly ahead"
    assert headline(board_of({"a": 0.0, "b": 0.01})).endswith("has the best number, but nobody is clearly ahead")


def test_lower_is_better_turns_the_order_round() -> None:
    board = board_of({"low": 0.0, "high": 3.0}, good=-1)
    assert [place.entry.model for place in board.places] == ["low", "high"]
    assert [(place.best_rank, place.worst_rank) for place in board.places] == [(1, 1), (2, 2)]
    meeting = board.meeting("low", "high")
    assert meeting is not None
    assert meeting.wins is not None
    assert meeting.wins.value > 0.5
    assert meeting.difference.value < 0


def test_a_meeting_seen_from_the_other_side_is_mirrored() -> None:
    board = board_of({"a": 0.0, "b": 0.5})
    one, other = board.meeting("a", "b"), board.meeting("b", "a")
    assert one is not None
    assert other is not None
    assert (one.difference.low, one.difference.high) == (-other.difference.high, -other.difference.low)
    assert one.wins is not None
    assert other.wins is not None
    assert one.wins.value == pytest.approx(1 - other.wins.value)
    assert board.meeting("a", "a") is None


def test_many_equal_models_are_not_told_apart_by_chance() -> None:
    # Three equal models: all pairs of a ranking together are wrong in 5 %; of 12 rankings, more than 3 wrong ones have
    # a chance below 1 in 400.
    wrong = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        entries = [
            Entry(judged=judged_with(rng.normal(size=100), model=f"m{number}"), header={}) for number in range(3)
        ]
        board = rank(Plain(entries[0].judged), entries, key=KEY)
        wrong += any(meeting.clear for meeting in board.meetings)
    assert wrong <= 3


def test_every_number_has_its_own_fingerprint() -> None:
    board = board_of({"a": 0.0, "b": 1.0})
    marks = [place.fingerprint(row) for place in board.places for row in place.rows]
    assert len(set(marks)) == len(marks)
    assert all(re.fullmatch(r"[0-9a-f]{16}", mark) for mark in marks)
    again = board_of({"a": 0.0, "b": 1.0})
    assert [place.fingerprint(row) for place in again.places for row in place.rows] == marks
    place = board.places[0]
    seeded = Entry(judged=place.entry.judged, header={**place.entry.header, "seed": 1})
    assert seeded.mark != place.entry.mark


def test_the_json_has_everything() -> None:
    found = to_json(board_of({"a": 0.0, "b": 1.0}))
    assert found["models"][0]["model"] == "b"
    assert set(found["models"][0]["metrics"]["mean"]) >= {"value", "low", "high", "count", "unit", "fingerprint"}
    assert found["meetings"][0]["clear"] is True
    assert [line["prompts"] for line in found["stability"]["by_prompts"]] == [10, 20, 40, 80, 160]


def test_wrong_entries() -> None:
    entries = entries_of({"a": 0.0})
    with pytest.raises(UsageError, match="models a, a: give at least one, and each once"):
        rank(Plain(entries[0].judged), [*entries, *entries], key=KEY)
    with pytest.raises(UsageError, match="models none: give at least one"):
        rank(Plain(entries[0].judged), [], key=KEY)
    nobody = Entry(judged=judged_with(np.array([1.0, np.nan]), model="x"), header={})
    with pytest.raises(UsageError, match="x has no number on plain: 1 of 2 pictures judged"):
        rank(Plain(nobody.judged), [nobody], key=KEY)
    apart = [Entry(judged=judged_with(np.array([1.0, 2.0, np.nan, np.nan]), model="x"), header={}),
             Entry(judged=judged_with(np.array([np.nan, np.nan, 1.0, 2.0]), model="y"), header={})]  # fmt: skip
    with pytest.raises(UsageError, match="x and y share fewer than 2 judged prompts"):
        rank(Plain(apart[0].judged), apart, key=KEY)


class Links(HTMLParser):
    """Collects what a page would fetch or run, and how often each image is inside."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.pictures = self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        for name, value in attrs:
            if name in ("src", "href") and value is not None:
                if value.startswith("data:"):
                    self.pictures += 1
                else:
                    self.links.append(value)


def test_the_page_holds_everything_and_reaches_for_nothing(tmp_path: Path) -> None:
    benchmark = world(prompts=24, tail=6)
    entries = []
    for model, wrong in (("good <model>", 1), ("bad", 6)):
        with open(tmp_path / f"{wrong}.jsonl", "a+b") as file:
            journal = journal_of(file, benchmark, model=model)
            judged = run(benchmark, paint=RenderPainter(wrong=wrong), journal=journal, model=model, examples=3)
        examples = tuple(line for line in journal.pictures.values() if line.thumbnail)
        entries.append(Entry(judged=judged, header={"base": "x", "seed": 0}, examples=examples))
    board = rank(benchmark, entries, key=KEY, checks=benchmark.self_test())
    page = render(board, entries, command="redraft evaluate --suite world")
    parser = Links()
    parser.feed(page)
    assert (parser.links, parser.scripts, parser.pictures) == ([], 0, 6)
    assert "good &lt;model&gt; is clearly ahead" in page
    assert "<model>" not in page
    assert "30 of 30" in page
    assert all(place.fingerprint(row) in page for place in board.places for row in place.rows)
    assert "✗ wrong" in page
    assert "missing: " in page
    assert "built-in method" not in page
    assert '<span class="pill clear">clear</span>' in page
    assert "redraft evaluate --suite world" in page


def test_a_page_of_one_model_and_of_incomplete_runs(tmp_path: Path) -> None:
    benchmark = world(prompts=12)
    with open(tmp_path / "m.jsonl", "a+b") as file:
        journal = journal_of(file, benchmark)
        judged = run(benchmark, paint=RenderPainter(missing=frozenset({0})), journal=journal, model="m")
    entry = Entry(judged=judged, header={"pictures": "folder"})
    page = render(rank(benchmark, [entry], key=KEY), [entry], command="x")
    assert "m: " in page
    assert "11 of 12" in page
    assert "some are missing" in page
    assert "Head to head" not in page


def test_scales_have_round_ticks_and_stay_in_bounds() -> None:
    assert Scale(low=0.0, high=1.0).ticks == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    intervals = [Interval(value=0.9, low=0.85, high=0.99, count=9)]
    narrow = scale_of(intervals, bounds=(0, 1))
    assert 0.8 < narrow.low < 0.85
    assert narrow.high == 1
    assert len(narrow.ticks) >= 3
    wide = scale_of([*intervals, Interval(value=0.2, low=0.1, high=0.3, count=9)], bounds=(0, 1))
    assert (wide.low, wide.high) == (0, 1)
    same = scale_of([Interval(value=0.0, low=0.0, high=0.0, count=2)])
    assert same.low < 0 < same.high
    assert "&lt;x&gt;" in dots_svg([(0, "<x>", intervals[0])], scale=narrow)
