"""What a decision to ask costs: the rule alone, and the whole with everything read, stored and on the disk.

A stored decision is some queries and a commit that waits for the disk, which no program can hurry; a commit of one row
is measured beside it, and pictures of one request, which share both.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.subject import Amount
from benchmarks.table import Figure, Section
from redraft.feedback.asks import AskPolicy, Memory, Moment, Wishes, decide
from redraft.store.gallery import Painting
from redraft.studio.asking import decide_asks
from redraft.studio.context import Studio, open_studio
from redraft.studio.identity.people import Person, person_of
from redraft.studio.settings import StudioSettings

RULE_CALLS = 100_000


def measure(*, amount: Amount) -> Section:
    """Measure on SQLite, by a person who may be asked ten times a day: a picture is compared with ten asked about.

    The pictures and their request are in hand, as they are when the studio has just painted them.
    """
    rule = _times(RULE_CALLS // (100 if amount.answers < 10_000 else 1), _rule())
    with tempfile.TemporaryDirectory() as folder:
        asks = AskPolicy(daily_budget=10, session_cap=10)
        studio = open_studio(StudioSettings(workspace=Path(folder) / "workspace", asks=asks))
        try:
            stored, together, commits = _stored(studio, count=max(20, amount.answers // 20))
        finally:
            studio.close()
    figures = (
        Figure(name="the rule, p99", value=_p99(rule), unit="ms", aim="aim < 1"),
        Figure(name="decided and stored, p99", value=_p99(stored), unit="ms"),
        Figure(name="decided and stored, median", value=sorted(stored)[len(stored) // 2], unit="ms"),
        Figure(name="ten of a request together, each, median", value=sorted(together)[len(together) // 2], unit="ms"),
        Figure(name="one row committed, p99", value=_p99(commits), unit="ms"),
        Figure(name="one row committed, median", value=sorted(commits)[len(commits) // 2], unit="ms"),
    )
    return Section(title="Decisions to ask", figures=figures, note=f"{len(stored):,} decisions, SQLite, one at a time")


def _rule() -> Callable[[int], None]:
    policy, wishes = AskPolicy(), Wishes()
    memory = Memory(threshold=0.2, day="2026-11-21", pictures=100, recent=(10,) * 14)

    def one(number: int) -> None:
        moment = Moment(confidence=number % 97 / 97, day="2026-11-21", minute=600, likeness=0.3)
        decide(policy, wishes, memory=memory, moment=moment, coin=number % 89 / 89)

    return one


def _stored(studio: Studio, *, count: int) -> tuple[list[float], list[float], list[float]]:
    person = person_of(studio.workspace.people.get("local"), via="open")

    def milliseconds(groups: Sequence[Sequence[Painting]]) -> list[float]:
        requests = [studio.workspace.requests.get(group[0].request, owner=person.id) for group in groups]
        return _times(
            len(groups),
            lambda number: decide_asks(
                studio, person, [(painting, None) for painting in groups[number]], request=requests[number]
            ),
        )

    alone = milliseconds([_painted(studio, person, number, 1) for number in range(count)])
    commits = _times(count, lambda number: studio.audit("benchmark", actor="", subject=str(number)))
    together = milliseconds([_painted(studio, person, number, 10) for number in range(count // 10)])
    return alone, [each / 10 for each in together], commits


def _painted(studio: Studio, person: Person, seed: int, count: int) -> list[Painting]:
    from tests.studio.painted import paint

    draws = random.Random(seed)
    return paint(studio, person.id, count=count, embedding=[draws.gauss() for _ in range(512)], confidence=0.3)


def _times(count: int, work: Callable[[int], object]) -> list[float]:
    """Milliseconds of each call."""
    found = []
    for number in range(count):
        began = time.perf_counter()
        work(number)
        found.append(1000 * (time.perf_counter() - began))
    return found


def _p99(values: list[float]) -> float:
    return sorted(values)[int(0.99 * len(values))]
