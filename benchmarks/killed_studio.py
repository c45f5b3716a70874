"""A studio that is killed again and again while people rate: what it acknowledged must be there, and nothing twice.

A real server process gets SIGKILL under the load of many senders. A sender whose connection broke sends the same answer
again to the next server, as the page does. At the end every acknowledged answer is compared with the database.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.subject import Amount
from benchmarks.table import Figure, Section
from redraft.store.workspace import Workspace

LIMITS = {"requests_per_minute": 10**7, "address_requests_per_minute": 10**7}
PATIENCE = 60.0
PICTURES = 20
"""Of each person; the first answer about each earns points."""
_SEED = 5


@dataclass(kw_only=True)
class Tally:
    """What came of it. lost: acknowledged, and not there as it was sent. doubled: there, or rewarded, more than once.

    resent: answers that were sent again because their connection broke; known: of these, those that had been kept.
    """

    kills: int = 0
    acknowledged: int = 0
    resent: int = 0
    known: int = 0
    kept: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class Load:
    """Senders, each a person who rates a picture of theirs over and over."""

    def __init__(self, people: list[tuple[str, str]]) -> None:
        self._lock = threading.Lock()
        self._url: str | None = None
        self._changed = threading.Condition(self._lock)
        self._ended = False
        self.tally = Tally()
        self.sent: dict[str, dict[str, Any]] = {}
        self.acknowledged: dict[str, int] = {}
        self._threads = [threading.Thread(target=self._send, args=person, daemon=True) for person in people]
        for thread in self._threads:
            thread.start()

    def serve_at(self, url: str | None) -> None:
        """Say where the server is; None while there is none."""
        with self._lock:
            self._url = url
            self._changed.notify_all()

    def count(self) -> int:
        """How many answers were acknowledged so far."""
        with self._lock:
            return len(self.acknowledged)

    def end(self) -> None:
        """Let every sender finish its answer, and stop."""
        with self._lock:
            self._ended = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _send(self, person: str, secret: str) -> None:
        rng = random.Random(person)
        headers = {"Authorization": f"Bearer {secret}"}
        with httpx.Client(headers=headers, timeout=10) as client:
            self._rate(person, rng, client)

    def _rate(self, person: str, rng: random.Random, client: httpx.Client) -> None:
        from redraft.feedback.answer_ids import answer_id

        while not self._ended:
            id = answer_id(at=time.time(), entropy=rng.getrandbits(74))
            payload = {"semantics": rng.randrange(11), "aesthetics": rng.randrange(11), "text": id}
            body = {
                "id": id, "kind": "picture", "subject": f"{person} {rng.randrange(PICTURES)}", "form": "sliders",
                "payload": payload, "created_at": "2026-11-21T10:00:00Z",
            }  # fmt: skip
            self.sent[id] = payload
            self._deliver(body, client)

    def _deliver(self, body: dict[str, Any], client: httpx.Client) -> None:
        """Send an answer until some server has acknowledged it."""
        again = False
        while True:
            with self._lock:
                while self._url is None and not self._ended:
                    self._changed.wait()
                url = self._url
            if url is None:
                return
            try:
                answer = client.post(f"{url}/api/v1/answers", json=body)
            except httpx.TransportError:
                with self._lock:
                    self.tally.resent += not again
                again = True
                time.sleep(0.02)
                continue
            with self._lock:
                if answer.status_code in (200, 201):
                    self.acknowledged[body["id"]] = answer.status_code
                    self.tally.known += answer.json()["status"] == "known"
                elif answer.status_code != 503:
                    self.tally.refused.append(answer.text)
            if answer.status_code != 503:
                return


def kill_under_load(folder: Path, *, url: str | None, kills: int, senders: int) -> Tally:
    """Kill a studio `kills` times while `senders` people rate, then compare. `url`: its database, None for SQLite."""
    from tests.studio.running_studio import start_studio

    load = Load(_people(folder / "workspace", url, senders))
    rng = random.Random(_SEED)
    try:
        for _ in range(kills):
            with start_studio(
                folder, paint=False, authentication="accounts", limits=LIMITS, database_url=url
            ) as running:
                before, last = load.count(), time.monotonic() + PATIENCE
                load.serve_at(running.url)
                while load.count() < before + 2 * senders:
                    assert time.monotonic() < last, f"no answers were taken in: {load.tally.refused[:2]}"
                    time.sleep(0.002)
                time.sleep(rng.uniform(0, 0.3))
                running.kill()
                load.serve_at(None)
                load.tally.kills += 1
        with start_studio(folder, paint=False, authentication="accounts", limits=LIMITS, database_url=url) as running:
            load.serve_at(running.url)
            load.end()
    finally:
        load.end()
    return _compare(folder / "workspace", url, load)


def measure(*, amount: Amount) -> Section:
    """The same on both databases; without PostgreSQL's server on this machine, on SQLite alone."""
    from tests.postgresql_cluster import missing_part, running_cluster

    figures: list[Figure] = []
    lacking = missing_part()
    with ExitStack() as stack:
        urls: dict[str, str | None] = {"SQLite": None}
        if not lacking:
            durable = ("fsync=on", "full_page_writes=on", "synchronous_commit=on")
            urls["PostgreSQL"] = stack.enter_context(running_cluster(*durable)).empty()
        for name, url in urls.items():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            tally = kill_under_load(folder, url=url, kills=amount.kills, senders=amount.senders)
            assert not tally.refused, tally.refused[:3]
            figures += [
                Figure(name=f"{name}, acknowledged", value=tally.acknowledged, unit="answers"),
                Figure(name=f"{name}, sent again", value=tally.resent, unit="answers"),
                Figure(name=f"{name}, of these kept before", value=tally.known, unit="answers"),
                Figure(name=f"{name}, lost", value=len(tally.lost), unit="answers", aim="aim 0"),
                Figure(name=f"{name}, there twice", value=len(tally.doubled), unit="answers", aim="aim 0"),
            ]
    note = f"{amount.kills} kills of a real server each, {amount.senders} senders"
    return Section(title="Killed studio", figures=tuple(figures), note=f"{note}; {lacking}" if lacking else note)


def _people(workspace: Path, url: str | None, count: int) -> list[tuple[str, str]]:
    """People with a picture and a key each."""
    from redraft.studio.identity.api_keys import add_key
    from tests.store.studio_rows import paint

    made = []
    with Workspace.open(workspace, database_url=url) as space:
        for number in range(count):
            name = f"p{number}"
            account = space.people.create(name, name=name, at=time.time())
            for place in range(PICTURES):
                paint(space, f"{name} {place}", name, shade=number * PICTURES + place)
            _, secret = add_key(
                space, account, id=f"key of {name}", name="load", scopes=["rate"], within=None, expires_at=None,
                at=time.time(), actor=name,
            )  # fmt: skip
            made.append((name, secret))
    return made


def _compare(workspace: Path, url: str | None, load: Load) -> Tally:
    """What is in the database against what was acknowledged."""
    tally = load.tally
    tally.acknowledged = len(load.acknowledged)
    with Workspace.open(workspace, database_url=url) as space:
        found: dict[str, list[Any]] = {}
        awards: dict[str, int] = {}
        for account in space.people.list(limit=10_000):
            for place in range(PICTURES):
                for answer in space.answers.history(account.id, f"{account.id} {place}", form="sliders"):
                    found.setdefault(answer.id, []).append(answer)
            before = None
            while page := space.points.entries(account.id, before=before, limit=1000):
                for entry in page:
                    awards[entry.award] = awards.get(entry.award, 0) + (entry.state == "pending")
                before = page[-1].id
    tally.kept = len(found)
    for id in load.acknowledged:
        if [dict(answer.payload) for answer in found.get(id, [])] != [load.sent[id]]:
            tally.lost.append(id)
    tally.doubled = [id for id, answers in found.items() if len(answers) > 1 or awards.get(id, 0) > 1]
    return tally
