"""Models ranked on one benchmark: their numbers, who is clearly ahead of whom, and how stable that is. No page here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import Any

import numpy as np

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.evaluation.benchmarks.benchmark import Benchmark, Check, Coverage, Judged, Row, fingerprint_of
from redraft.evaluation.benchmarks.journal import PictureLine
from redraft.evaluation.benchmarks.rows import win_rate
from redraft.evaluation.benchmarks.stability import SizeLine, WordingLine, by_size, by_wording
from redraft.evaluation.statistics import Interval

_ALPHA = 0.05
_WORDING = "wording/"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One model's run: its judged pictures, what the journal's header says, and the lines that have a thumbnail."""

    judged: Judged
    header: Mapping[str, Any]
    examples: tuple[PictureLine, ...] = ()

    @property
    def model(self) -> str:
        """How the model is called."""
        return self.judged.model

    @property
    def mark(self) -> str:
        """Fingerprint of the model's side: weights, sampling, seed, and what else made the pictures."""
        return fingerprint_of(*(f"{name}={value}" for name, value in sorted(self.header.items())))


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """Two models on the same prompts: the paired difference of the first row, and the win rate where there is one.

    `clear` when the difference is beyond doubt although all pairs are looked at: the interval at level 1 - 0.05 / pairs
    excludes 0.
    """

    first: str
    second: str
    difference: Interval
    wins: Interval | None
    clear: bool


@dataclass(frozen=True, kw_only=True)
class Place:
    """A model in the ranking: its rows, and the ranks that it may have by all clear differences."""

    entry: Entry
    rows: tuple[Row, ...]
    best_rank: int
    worst_rank: int
    coverage: Coverage

    def row(self, name: str) -> Row | None:
        """The row called `name`, or None."""
        return next((row for row in self.rows if row.name == name), None)

    def fingerprint(self, row: Row) -> str:
        """Of this very number: of the row and of the model's side."""
        return fingerprint_of(row.fingerprint, self.entry.mark)


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """Places from the best on; meetings of all pairs; checks of the self-test; stability where it can be told."""

    name: str
    title: str
    fingerprint: str
    prompts: tuple[str, ...]
    images_per_prompt: int
    places: tuple[Place, ...]
    meetings: tuple[Meeting, ...]
    checks: tuple[Check, ...]
    sizes: tuple[SizeLine, ...]
    wordings: tuple[WordingLine, ...]

    def meeting(self, first: str, second: str) -> Meeting | None:
        """The two models' meeting as seen from the first."""
        for meeting in self.meetings:
            if (meeting.first, meeting.second) == (first, second):
                return meeting
            if (meeting.second, meeting.first) == (first, second):
                return _turned(meeting)
        return None


def rank(benchmark: Benchmark, entries: Sequence[Entry], *, key: Key, checks: Sequence[Check] = ()) -> Leaderboard:
    """Rank models by the first row of the benchmark.

    Raises:
        UsageError: for no model, two of one name, a model without any row, or models judged by unlike judges.
    """
    names = [entry.model for entry in entries]
    if not names or len(set(names)) < len(names):
        raise UsageError(f"models {', '.join(names) or 'none'}: give at least one, and each once")
    key = key.child("leaderboard", benchmark.name)
    rows = {entry.model: _rows(benchmark, entry, key) for entry in entries}
    meetings = tuple(
        _meeting(benchmark, first, second, key, pairs=len(names) * (len(names) - 1) // 2)
        for first, second in combinations(entries, 2)
    )
    ordered = sorted(entries, key=lambda entry: -rows[entry.model][0].good * rows[entry.model][0].interval.value)
    places = tuple(_place(entry, rows[entry.model], meetings, len(entries)) for entry in ordered)
    return Leaderboard(
        name=benchmark.name,
        title=benchmark.title,
        fingerprint=benchmark.fingerprint,
        prompts=tuple(prompt.text for prompt in benchmark.prompts),
        images_per_prompt=benchmark.images_per_prompt,
        places=places,
        meetings=meetings,
        checks=tuple(checks),
        sizes=_sizes(places, key),
        wordings=_wordings(places),
    )


def to_json(board: Leaderboard) -> dict[str, Any]:
    """The object that `--json` prints."""
    return {
        "suite": board.name,
        "title": board.title,
        "fingerprint": board.fingerprint,
        "prompts": len(board.prompts),
        "images_per_prompt": board.images_per_prompt,
        "models": [_place_json(place) for place in board.places],
        "meetings": [
            {
                "first": meeting.first, "second": meeting.second, "difference": _interval_json(meeting.difference),
                "win_rate": None if meeting.wins is None else _interval_json(meeting.wins), "clear": meeting.clear,
            }
            for meeting in board.meetings
        ],
        "stability": {
            "by_prompts": [vars(line) for line in board.sizes],
            "by_wording": [{**vars(line), "order": list(line.order)} for line in board.wordings],
        },
        "self_test": [vars(check) for check in board.checks],
    }  # fmt: skip


def _place_json(place: Place) -> dict[str, Any]:
    return {
        "model": place.entry.model,
        "ranks": [place.best_rank, place.worst_rank],
        "made": dict(place.entry.header),
        "coverage": {**vars(place.coverage), "line": place.coverage.line},
        "metrics": {
            row.name: {
                **_interval_json(row.interval), "unit": row.unit, "good": row.good, "details": dict(row.details),
                "note": row.note, "fingerprint": place.fingerprint(row),
            }
            for row in place.rows
        },
    }  # fmt: skip


def _interval_json(interval: Interval) -> dict[str, float]:
    return {"value": interval.value, "low": interval.low, "high": interval.high, "count": interval.count}


def _rows(benchmark: Benchmark, entry: Entry, key: Key) -> tuple[Row, ...]:
    rows = benchmark.rows(entry.judged, key=key)
    if not rows:
        raise UsageError(
            f"{entry.model} has no number on {benchmark.name}: {entry.judged.coverage.line}; judge at least 2 prompts"
        )
    return rows


def _meeting(benchmark: Benchmark, first: Entry, second: Entry, key: Key, *, pairs: int) -> Meeting:
    row = benchmark.rows(first.judged, key=key, against=second.judged)[0]
    if row.difference is None:
        raise UsageError(
            f"{first.model} and {second.model} share fewer than 2 judged prompts: they cannot be compared; judge more"
        )
    other = benchmark.rows(second.judged, key=key)[0]
    wins = None
    if row.per_prompt is not None and other.per_prompt is not None:
        wins = win_rate(row.per_prompt, other.per_prompt, key=key.child("wins"), good=row.good)
    quantile = NormalDist().inv_cdf
    widening = quantile(1 - _ALPHA / pairs / 2) / quantile(1 - _ALPHA / 2)
    low = row.difference.value - widening * (row.difference.value - row.difference.low)
    high = row.difference.value + widening * (row.difference.high - row.difference.value)
    return Meeting(
        first=first.model, second=second.model, difference=row.difference, wins=wins, clear=low > 0 or high < 0
    )


def _place(entry: Entry, rows: tuple[Row, ...], meetings: Sequence[Meeting], count: int) -> Place:
    ahead = behind = 0
    for meeting in meetings:
        if meeting.clear and entry.model in (meeting.first, meeting.second):
            seen = meeting if meeting.first == entry.model else _turned(meeting)
            better = rows[0].good * seen.difference.value > 0
            ahead, behind = ahead + (not better), behind + better
    return Place(entry=entry, rows=rows, best_rank=1 + ahead, worst_rank=count - behind, coverage=entry.judged.coverage)


def _turned(meeting: Meeting) -> Meeting:
    difference, wins = meeting.difference, meeting.wins
    return Meeting(
        first=meeting.second,
        second=meeting.first,
        difference=Interval(
            value=-difference.value, low=-difference.high, high=-difference.low, count=difference.count
        ),
        wins=None
        if wins is None
        else Interval(value=1 - wins.value, low=1 - wins.high, high=1 - wins.low, count=wins.count),
        clear=meeting.clear,
    )


def _sizes(places: Sequence[Place], key: Key) -> tuple[SizeLine, ...]:
    tables = {place.entry.model: place.rows[0].per_prompt for place in places}
    known = {model: values for model, values in tables.items() if values is not None}
    if len(known) < 2 or len(known) < len(tables):
        return ()
    if np.isfinite(np.stack(list(known.values()))).all(axis=0).sum() < 2:
        return ()
    return by_size(known, key=key.child("sizes"), good=places[0].rows[0].good)


def _wordings(places: Sequence[Place]) -> tuple[WordingLine, ...]:
    names = [row.name for row in places[0].rows if row.name.startswith(_WORDING)]
    if len(places) < 2 or not names:
        return ()
    values: dict[str, dict[str, float]] = {}
    for name in (places[0].rows[0].name, *names):
        found = {place.entry.model: place.row(name) for place in places}
        if all(row is not None for row in found.values()):
            label = name.removeprefix(_WORDING) if name in names else "as ranked"
            values[label] = {model: row.interval.value for model, row in found.items() if row is not None}
    return by_wording(values, good=places[0].rows[0].good)
