"""Answers a second that are on the disk once acknowledged: SQLite with synchronous FULL, PostgreSQL with fsync.

Single requests: so many senders, each waiting for its own answer before the next, through `AnswerWriter`, which shares
commits. Bulk requests: a hundred answers in each, one after another. Points are entered with every answer.

The database is one in use: it holds answers of the day before, and PostgreSQL has the statistics that its autovacuum
takes within a minute.
"""

from __future__ import annotations

import math
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from benchmarks.subject import Amount
from benchmarks.table import Figure, Section
from redraft.store.answer_records import Answer
from redraft.store.answer_writer import AnswerWriter
from redraft.store.workspace import Workspace

BULK = 100
PEOPLE = 100
_DAYS = {"earlier": "2026-11-19", "single": "2026-11-20", "bulk": "2026-11-21"}
"""A day for each kind of request: points count the reviews of a day, and no kind shall count those of another."""


def measure(*, amount: Amount) -> Section:
    """Measure both databases; without PostgreSQL's server on this machine, SQLite alone."""
    from tests.postgresql_cluster import missing_part, running_cluster

    figures: list[Figure] = []
    lacking = missing_part()
    with ExitStack() as stack:
        urls: dict[str, tuple[str | None, int]] = {"SQLite": (None, 1000)}
        if not lacking:
            cluster = stack.enter_context(running_cluster("fsync=on", "full_page_writes=on", "synchronous_commit=on"))
            urls["PostgreSQL"] = (cluster.empty(), 2000)
        for name, (url, aim) in urls.items():
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            with Workspace.open(Path(folder) / "workspace", database_url=url) as space:
                _fill(space, amount.answers // 10)
                single = _per_second(amount.answers, partial(_single, space, senders=amount.senders))
                bulk = _per_second(amount.answers, partial(_bulk, space))
            figures += [
                Figure(name=f"{name}, single requests", value=single, unit="answers/s", aim=f"aim {aim:,}"),
                Figure(name=f"{name}, bulk requests of {BULK}", value=bulk, unit="answers/s"),
            ]
    note = f"{amount.answers:,} answers each, {amount.senders} senders, one process"
    return Section(title="Durable answers", figures=tuple(figures), note=f"{note}; {lacking}" if lacking else note)


def _fill(space: Workspace, total: int) -> None:
    for number in range(PEOPLE):
        space.people.create(f"p{number}", name=f"p{number}", at=0.0)
    space.answers.ingest(list(_answers("earlier", total)), amount=_points)
    with space.database.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("ANALYZE"))


def _per_second(total: int, work: Callable[[int], None]) -> float:
    began = time.perf_counter()
    work(total)
    return total / (time.perf_counter() - began)


def _single(space: Workspace, total: int, *, senders: int) -> None:
    waiting = _answers("single", total)
    taking = threading.Lock()
    refused: list[str] = []

    def send() -> None:
        while True:
            with taking:
                answer = next(waiting, None)
            if answer is None:
                return
            outcome = writer.submit(answer).result()
            if outcome.status != "stored":
                refused.append(outcome.refusal)

    with AnswerWriter(space.answers, amount=_points) as writer:
        threads = [threading.Thread(target=send) for _ in range(senders)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not refused, refused[:3]


def _bulk(space: Workspace, total: int) -> None:
    answers = list(_answers("bulk", total))
    for start in range(0, total, BULK):
        outcomes = space.answers.ingest(answers[start : start + BULK], amount=_points)
        assert all(outcome.status == "stored" for outcome in outcomes)


def _points(n: int) -> float:
    return 10 * math.exp(-0.3 * max(0, n - 5))


def _answers(name: str, total: int) -> Iterator[Answer]:
    for number in range(total):
        # A UUID of version 7 whose random part counts; the last group parts the two kinds of requests.
        id = f"0190b5d4-0000-7{number & 0xFFF:03x}-8{number >> 12 & 0xFFF:03x}-{len(name):012x}"
        yield Answer(
            id=id,
            user=f"p{number % PEOPLE}",
            kind="picture",
            subject=f"{name} {number}",
            form="sliders",
            payload={"semantics": 7, "subject_detail": 5, "coherence": 3, "text": "the left hand has six fingers"},
            created_at=1.0,
            received_at=2.0,
            day=_DAYS[name],
        )
