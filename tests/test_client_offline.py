"""The client without a network: answers wait on the disk, reach the server once, and asks are decided as it would."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from redraft.client import Client
from redraft.core.errors import BusyError, EnvironmentFaultError, RedraftError, StorageError, UsageError
from redraft.store.workspace import Workspace
from tests.studio.painted import Member, clock_of, member, paint, rating_studio
from tests.studio.running_studio import RunningStudio, StudioApp, start_studio


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioApp]:
    with rating_studio(tmp_path_factory.mktemp("client")) as running:
        yield running


@pytest.fixture
def ann(running: StudioApp) -> Member:
    return member(running)


class Wire(httpx.BaseTransport):
    """The way to a studio in this process, which can be cut: before a request arrives, or before its answer does."""

    def __init__(self, person: Member) -> None:
        self.person = person
        self.cut: Callable[[int], str] = lambda _number: ""
        self.requests = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        cut = self.cut(self.requests)
        if cut == "before":
            raise httpx.ConnectError("no network", request=request)
        path = request.url.raw_path.decode()
        answer = self.person.client.request(request.method, path, content=request.read(),
                                            headers={"content-type": "application/json"})  # fmt: skip
        if cut == "after":
            raise httpx.ReadError("the answer was lost", request=request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def client_of(person: Member, cache: Path, wire: Wire | None = None) -> Client:
    return Client("http://127.0.0.1:8188", cache=cache, clock=person.studio.now, transport=wire or Wire(person))


def kept(person: Member) -> list[str]:
    return [answer.id for answer in person.studio.workspace.answers.of_person(person.id, limit=1000)]


def test_what_was_said_waits_for_the_network_and_survives_the_program(ann: Member, tmp_path: Path) -> None:
    pictures = [painting.id for painting in paint(ann.studio, ann.id, count=3)]
    wire = Wire(ann)
    wire.cut = lambda _number: "before"
    with client_of(ann, tmp_path / "cache.db", wire) as client:
        said = [client.rate(id, "thumbs", {"up": True}, lead_ms=900) for id in pictures]
        found = client.sync()
        assert (found.reached, found.stored, found.waiting) == (False, 0, 3)
    assert kept(ann) == []
    with client_of(ann, tmp_path / "cache.db") as client:
        assert client.waiting() == 3
        found = client.sync()
        assert (found.reached, found.stored, found.waiting, found.refused) == (True, 3, 0, {})
    assert sorted(kept(ann)) == sorted(said)


@pytest.mark.parametrize("seed", range(6))
def test_cuts_anywhere_lose_nothing_and_double_nothing(ann: Member, tmp_path: Path, seed: int) -> None:
    """Requests vanish before or after they arrived; the client is started anew in between."""
    import random

    draw, said = random.Random(seed), []
    pictures = [painting.id for painting in paint(ann.studio, ann.id, count=10)]
    wire = Wire(ann)
    wire.cut = lambda _number: draw.choice(["before", "after", "after", ""])
    for _ in range(14):
        with client_of(ann, tmp_path / "cache.db", wire) as client:
            for _ in range(draw.randrange(4)):
                said.append(client.rate(draw.choice(pictures), "sliders", {"semantics": draw.randrange(11)}))
            client.sync()
    wire.cut = lambda _number: ""
    with client_of(ann, tmp_path / "cache.db", wire) as client:
        assert client.sync().reached
        assert client.waiting() == 0
    assert sorted(kept(ann)) == sorted(said)
    rated = {answer.subject for answer in ann.studio.workspace.answers.of_person(ann.id, limit=1000)}
    assert len(ann.studio.workspace.points.entries(ann.id, limit=1000)) == len(rated)


def test_a_refused_answer_is_told_kept_and_harms_no_other(ann: Member, tmp_path: Path) -> None:
    (painting,) = paint(ann.studio, ann.id)
    with client_of(ann, tmp_path / "cache.db") as client:
        wrong = client.rate("nobody's", "thumbs", {"up": True})
        right = client.rate(painting.id, "thumbs", {"up": True})
        found = client.sync()
        assert (found.reached, found.stored, found.waiting) == (True, 1, 0)
        assert list(found.refused) == [wrong]
        assert "not yours to judge" in found.refused[wrong]
        # It is not sent again.
        assert client.sync().refused == found.refused
    assert kept(ann) == [right]


def test_a_revision_and_an_undo_go_the_same_way(ann: Member, tmp_path: Path) -> None:
    (painting,) = paint(ann.studio, ann.id)
    with client_of(ann, tmp_path / "cache.db") as client:
        first = client.rate(painting.id, "thumbs", {"up": True})
        second = client.rate(painting.id, "thumbs", {"up": False}, revision_of=first)
        client.rate(painting.id, "thumbs", {}, revision_of=second, retracted=True)
        assert client.sync().stored == 3
    assert ann.studio.workspace.answers.standing(ann.id, [painting.id]) == ()


def test_pictures_and_prompts_are_in_the_cache(ann: Member, tmp_path: Path) -> None:
    (painting,) = paint(ann.studio, ann.id, prompt="a red cat", confidence=0.3)
    wire = Wire(ann)
    with client_of(ann, tmp_path / "cache.db", wire) as client:
        data = client.picture(painting.id)
        assert data == ann.studio.workspace.pictures.read(painting.picture)
        before = wire.requests
        wire.cut = lambda _number: "before"
        assert client.picture(painting.id) == data
        assert wire.requests == before
        (known,) = client.cached()
        assert (known.id, known.prompt, known.confidence) == (painting.id, "a red cat", 0.3)
        with pytest.raises(EnvironmentFaultError, match="cannot be reached"):
            client.picture("another")


def test_asks_decided_offline_are_those_of_the_server_and_charged_once(
    running: StudioApp, ann: Member, tmp_path: Path
) -> None:
    # Twelve pictures of no confidence, after the warm-up: the budget of three is spent offline.
    warm = [painting.id for painting in paint(running.studio, ann.id, count=3, confidence=0.9)]
    unsure = [painting.id for painting in paint(running.studio, ann.id, count=12, confidence=0.0)]
    wire = Wire(ann)
    with client_of(ann, tmp_path / "cache.db", wire) as client:
        client.take_along([*warm, *unsure])
        wire.cut = lambda _number: "before"
        asked = []
        for id in [*warm, *unsure]:
            clock_of(running).forward(60)
            decided = client.decide(id)
            assert client.decide(id) is decided
            if decided:
                asked.append(id)
                client.rate(id, "sliders", {"semantics": 2})
        assert len(asked) == 3
        assert not client.sync().reached
        # The network comes back with gaps: the first sync arrives, but its answer is lost.
        wire.cut = lambda number: "after" if number % 2 else ""
        for _ in range(6):
            client.sync()
        wire.cut = lambda _number: ""
        assert client.sync().reached
    entries = {entry.subject: entry for entry in running.studio.workspace.asks.of_person(ann.id, limit=100)}
    assert sorted(entries) == sorted([*warm, *unsure])
    assert sorted(id for id, entry in entries.items() if entry.outcome == "answered") == sorted(asked)
    assert all(entry.offline for entry in entries.values())
    state = running.studio.workspace.asks.state(ann.id)
    assert state is not None
    assert (state.asked_today, state.pictures) == (3, 15)
    rows = [row for row in running.studio.workspace.answers.evidence(limit=10_000) if row.answer.user == ann.id]
    assert sorted(row.answer.subject for row in rows) == sorted(asked)
    assert {row.probability for row in rows} <= {1.0, entries[asked[0]].exploration}


def test_the_budget_that_is_taken_along_is_what_is_left(running: StudioApp, ann: Member, tmp_path: Path) -> None:
    first = [painting.id for painting in paint(running.studio, ann.id, count=12, confidence=0.0)]
    second = [painting.id for painting in paint(running.studio, ann.id, count=12, confidence=0.0)]
    with client_of(ann, tmp_path / "cache.db") as client:
        asked = 0
        for pictures in (first, second):
            client.take_along(pictures)
            asked += sum(client.decide(id) for id in pictures)
        client.sync()
    assert asked == 3
    state = running.studio.workspace.asks.state(ann.id)
    assert state is not None
    assert state.asked_today == 3


def test_a_lease_that_grew_too_old_leaves_the_answers_as_volunteered(
    running: StudioApp, ann: Member, tmp_path: Path
) -> None:
    pictures = [painting.id for painting in paint(running.studio, ann.id, count=12, confidence=0.0)]
    with client_of(ann, tmp_path / "cache.db") as client:
        client.take_along(pictures)
        asked = [id for id in pictures if client.decide(id)]
        for id in asked:
            client.rate(id, "thumbs", {"up": False})
        clock_of(running).forward(8 * 86_400)
        assert client.sync().stored == len(asked) > 0
    rows = running.studio.workspace.answers.of_person(ann.id)
    assert [row.ask for row in rows] == [None] * len(asked)
    assert running.studio.workspace.asks.of_person(ann.id) == ()


def test_what_was_not_taken_along_cannot_be_decided(ann: Member, tmp_path: Path) -> None:
    with client_of(ann, tmp_path / "cache.db") as client, pytest.raises(UsageError, match="was not taken along: call"):
        client.decide("a picture")


def test_a_wrong_key_is_an_error_and_loses_nothing(running: StudioApp, ann: Member, tmp_path: Path) -> None:
    (painting,) = paint(running.studio, ann.id)
    stranger = replace(ann, client=running.program("rd_wrong"))
    with client_of(stranger, tmp_path / "cache.db") as client:
        client.rate(painting.id, "thumbs", {"up": True})
        with pytest.raises(UsageError, match="the studio refused: this key is unknown"):
            client.sync()
        assert client.waiting() == 1
    with client_of(ann, tmp_path / "cache.db") as client:
        assert client.sync().stored == 1


def test_a_cache_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache.db").write_bytes(b"no database at all, but long enough to be taken for one" * 20)
    with pytest.raises(StorageError, match=r"cache\.db' cannot be opened .*: give a file that can be written"):
        Client("http://127.0.0.1:1", cache=tmp_path / "cache.db")


def test_errors_of_the_studio_are_in_its_own_words(tmp_path: Path) -> None:
    replies = {
        "/api/v1/jobs": httpx.Response(429, json={"error": {"message": "too much waits", "code": "queue_full"}}),
        "/api/v1/gallery/x": httpx.Response(500, text="<html>oops</html>"),
    }
    transport = httpx.MockTransport(lambda request: replies[request.url.path])
    with Client("http://studio", cache=tmp_path / "cache.db", transport=transport) as client:
        with pytest.raises(BusyError, match="come again later: too much waits"):
            client.generate("a red cat")
        with pytest.raises(BusyError, match="it answered 500"):
            client.picture("x")


def test_a_job_that_failed_says_why(tmp_path: Path) -> None:
    job = {"id": "7", "state": "failed", "error": {"message": "out of memory", "code": "failed"}, "pictures": []}
    transport = httpx.MockTransport(lambda _request: httpx.Response(202, json=job))
    with (
        Client("http://studio", cache=tmp_path / "cache.db", transport=transport) as client,
        pytest.raises(RedraftError, match="prompt 'a red cat' was not painted: out of memory"),
    ):
        client.generate("a red cat")


def test_the_client_needs_no_torch_and_no_database_of_the_server() -> None:
    heavy = ("torch", "sqlalchemy", "fastapi")
    code = f"import sys, redraft.client; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def _prepared(folder: Path) -> list[str]:
    """A workspace with pictures of the one person of an open studio; returns their ids."""
    from tests.studio.running_studio import studio_app

    with studio_app(folder) as running:
        local = running.client.get("/api/v1/me").json()["id"]
        return [painting.id for painting in paint(running.studio, local, count=10)]


def _client(running: RunningStudio, cache: Path) -> Client:
    return Client(running.url, cache=cache, timeout=5)


def test_a_server_that_is_killed_in_between_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    pictures, said, cache = _prepared(tmp_path), [], tmp_path / "cache.db"
    for round in range(3):
        with start_studio(tmp_path, paint=False) as running, _client(running, cache) as client:
            said += [client.rate(id, "thumbs", {"up": round % 2 == 0}) for id in pictures]
            if round < 2:
                # Killed at some moment of the sync: before, while or after it writes.
                killer = subprocess.Popen(["sh", "-c", f"sleep {0.01 + 0.02 * round}; kill -9 -{running.process.pid}"])
                client.sync()
                killer.wait(10)
                running.kill()
                assert not client.sync().reached
            else:
                last = time.monotonic() + 20
                while not client.sync().reached:
                    assert time.monotonic() < last
    with Workspace.open(tmp_path / "workspace") as space:
        (local,) = [account.id for account in space.people.list()]
        stored = [answer.id for answer in space.answers.of_person(local, limit=1000)]
        assert sorted(stored) == sorted(said)
        standing: Any = space.answers.standing(local, pictures)
        assert [answer.payload for answer in standing] == [{"up": True}] * 10
        assert len(space.points.entries(local, limit=1000)) == 10
    assert sqlite3.connect(cache).execute("SELECT COUNT(*) FROM answers").fetchone() == (0,)
