"""The 99th percentile of a gallery page with little feedback in the database and with much: it must not grow.

A person with a thousand rated paintings reads random pages, in three orders. Around them stand other people's paintings
with ten answers each. Those are written past the store, as rows, or the larger database would take an hour to make;
what is measured is `Gallery.page`. SQLite.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.subject import Amount
from benchmarks.table import Figure, Section
from redraft.store.gallery import Selection
from redraft.store.workspace import Workspace

MINE = 1_000
OTHERS = 1_000
ORDERS = ("newest", "confidence", "semantics")


def measure(*, amount: Amount) -> Section:
    """Measure pages at each size of `amount.feedback_rows`, the first as the one to compare with."""
    with ExitStack() as stack:
        spaces = {rows: stack.enter_context(_filled(rows)) for rows in amount.feedback_rows}
        found = read_pages(spaces, amount.gallery_pages)
    least, most = min(amount.feedback_rows), max(amount.feedback_rows)
    figures = [Figure(name=f"page, p99, {rows:,} answers", value=1e3 * found[rows], unit="ms") for rows in found]
    figures.append(Figure(name="most / least", value=found[most] / found[least], unit="x", aim="flat"))
    note = (
        f"{amount.gallery_pages} random pages of 50 in {len(ORDERS)} orders, a person with {MINE:,} paintings, SQLite"
    )
    return Section(title="Gallery pages", figures=tuple(figures), note=note)


@contextmanager
def _filled(rows: int) -> Iterator[Workspace]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workspace"
        Workspace.open(path).close()
        with sqlite3.connect(path / "redraft.db") as raw:
            fill(raw, rows)
        raw.close()
        with Workspace.open(path) as space:
            yield space


def read_pages(spaces: Mapping[int, Workspace], pages: int) -> dict[int, float]:
    """Seconds of the 99th percentile of `pages` random pages of each database, after some that warm up.

    The databases take turns, so that what else the machine does falls on all of them alike.
    """
    draws = random.Random(0)
    seconds: dict[int, list[float]] = {rows: [] for rows in spaces}
    for number in range(pages + 20):
        order = ORDERS[number % len(ORDERS)]
        after = (draws.random() * (MINE if order == "newest" else 1.0), "")
        for rows, space in spaces.items():
            began = time.perf_counter()
            page = space.gallery.page("me", selection=Selection(order=order), after=after, limit=50)
            seconds[rows].append(time.perf_counter() - began)
            assert all(len(exhibit.answers) == 1 for exhibit in page.exhibits)
    return {rows: sorted(values[20:])[int(0.99 * pages)] for rows, values in seconds.items()}


def fill(raw: sqlite3.Connection, answers: int) -> None:
    """Write `answers` answers of other people about their paintings, and the paintings of the person who reads."""
    indices = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
    # Indices are made afterwards, by sorting: much faster than row by row.
    for name, _ in indices:
        raw.execute(f"DROP INDEX {name}")
    raw.execute("PRAGMA synchronous = OFF")
    people = ["me", *(f"u{number}" for number in range(OTHERS))]
    _insert(raw, "users", (_user(id) for id in people))
    raw.execute("INSERT INTO pictures VALUES ('h', 'image/png', 1, 0)")
    for owner, count in ((None, answers // 10), ("me", MINE)):
        _insert(raw, "requests", (_request(owner or f"u{number % OTHERS}", number) for number in range(count)))
        _insert(raw, "gallery", (_painting(owner or f"u{number % OTHERS}", number) for number in range(count)))
        facets = (
            (f"{owner or f'u{number % OTHERS}'} {number}", "semantics", owner or f"u{number % OTHERS}", _unit(number))
            for number in range(count)
        )
        _insert(raw, "gallery_facets", facets)
    first = 0
    for owner, count in ((None, answers), ("me", MINE)):
        _insert(raw, "answers", (_answer(owner, first + number, number) for number in range(count)))
        _insert(raw, "standing_answers", (_standing(owner, first + number, number) for number in range(count)))
        first += count
    for _, sql in indices:
        raw.execute(sql)
    raw.commit()


def _unit(number: int) -> float:
    return number * 0.618034 % 1.0


def _insert(raw: sqlite3.Connection, table: str, rows: Iterator[tuple[Any, ...]]) -> None:
    first = next(rows, None)
    if first is not None:
        statement = f"INSERT INTO {table} VALUES ({', '.join('?' * len(first))})"
        raw.execute(statement, first)
        raw.executemany(statement, rows)


def _user(id: str) -> tuple[Any, ...]:
    flags = (0, 0, 0, 1, 0, 0, 0, 0)
    return (id, id, id, None, None, "[]", *flags, None, None, "UTC", "{}", None, "", None, 0.0, 0.0)


def _request(owner: str, number: int) -> tuple[Any, ...]:
    made = (f"r {owner} {number}", owner, "a red cat", None, str(number), "builtin:sd", "", 20, 5.0, 64, 64, 1)
    return (*made, "{}", "", "finished", None, None, float(number), None)


def _painting(owner: str, number: int) -> tuple[Any, ...]:
    made = (f"{owner} {number}", f"r {owner} {number}", owner, "h", 0, number, "builtin:sd", "", _unit(number), "clip")
    return (*made, "{}", "{}", '{"semantics": 0.5}', 0, 0, "ok", "", 0, float(number))


def _rated(owner: str | None, number: int) -> tuple[str, str]:
    """Who rates what: the person who reads, each of their own; the others, ten of them each painting."""
    if owner is not None:
        return owner, f"{owner} {number}"
    painting = number // 10
    return f"u{(painting + number % 10) % OTHERS}", f"u{painting % OTHERS} {painting}"


def _answer(owner: str | None, number: int, place: int) -> tuple[Any, ...]:
    user, subject = _rated(owner, place)
    id = f"{number:08x}-0000-7000-8000-000000000000"
    payload = '{"semantics": 7, "coherence": 3}'
    made = (number + 1, id, user, "picture", subject, "sliders", payload, None, 0, None, None, None, "2026-11-21")
    return (*made, None, "", "", 1.0, 2.0)


def _standing(owner: str | None, number: int, place: int) -> tuple[Any, ...]:
    user, subject = _rated(owner, place)
    return (subject, user, "sliders", number + 1, None, 0)
