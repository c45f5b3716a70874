"""The studio on PostgreSQL: one person's whole way through it, and two studios on one database at the same moment.

That way is gone on SQLite too, so that both are held to the same answers.
"""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from redraft.store.workspace import Workspace
from redraft.studio.times import iso
from tests.postgresql_cluster import Cluster
from tests.studio.conftest import add_people, key_of
from tests.studio.painted import (
    Member,
    answer,
    clock_of,
    decide_ask,
    member,
    new_id,
    paint,
    person_named,
    rating_studio,
)
from tests.studio.running_studio import RunningStudio, StudioApp, start_studio

ROUNDS = 12
"""Times that both studios are asked for the same at the same moment."""


@pytest.fixture
def running(tmp_path: Path, url: str | None) -> Iterator[StudioApp]:
    with rating_studio(tmp_path, database_url=url) as running:
        yield running


def ok(reply: httpx.Response) -> Any:
    assert reply.status_code < 300, reply.text
    return reply.json() if reply.content else None


def test_a_person_goes_through_the_whole_studio(running: StudioApp) -> None:
    ann, moderator = member(running), member(running, roles=("moderator",))
    asked_and_answered(running, ann)
    compared(running, ann)
    reported(running, ann, moderator)
    judged_together(running, ann, moderator)
    studied(running, ann)
    trained(running)
    taken_along_and_erased(running, ann)


def asked_and_answered(running: StudioApp, ann: Member) -> None:
    """Asks within the budget, answers by token and unasked, revised and taken back, points, the gallery's filters."""
    views = []
    for number in range(30):
        clock_of(running).forward(60)
        unlike = [float(number == place) for place in range(30)]
        (painting,) = paint(running.studio, ann.id, confidence=0.0, prompt=f"cat {number}", embedding=unlike)
        views.append((painting.id, decide_ask(running.studio, ann.person, painting.id, session="login")))
    asked = [(id, view) for id, view in views if view is not None]
    assert len(asked) == 3
    assert ok(ann.client.get("/api/v1/asks/budget"))["left"] == 0
    assert len(ok(ann.client.get("/api/v1/asks/log", params={"limit": 100}))["decisions"]) == 30
    for id, view in asked:
        sent = answer(id, token=view.token, created_at=iso(running.studio.now()))
        assert ann.client.post("/api/v1/answers", json=sent).status_code == 201
        assert ann.client.post("/api/v1/answers", json=sent).status_code == 200
        used = answer(id, token=view.token, created_at=iso(running.studio.now()))
        assert ann.client.post("/api/v1/answers", json=used).status_code == 409
    unasked = [answer(id, created_at=iso(running.studio.now())) for id, view in views if view is None]
    outcomes = ok(ann.client.post("/api/v1/answers/bulk", json={"answers": unasked}))["outcomes"]
    assert Counter(row["status"] for row in outcomes) == {"stored": 27}
    back = answer(unasked[0]["subject"], payload={}, retracted=True, revision_of=unasked[0]["id"])
    ok(ann.client.post("/api/v1/answers", json=back))
    profile = ok(ann.client.get("/api/v1/profile"))
    assert profile["points"]["pending"] > 50
    assert len(ok(ann.client.get("/api/v1/profile/points", params={"limit": 100}))["entries"]) >= 30
    page = ok(ann.client.get("/api/v1/gallery", params={"order": "semantics", "limit": 7, "answered": True}))
    assert len(page["pictures"]) == 7
    rest = {"order": "semantics", "limit": 100, "answered": True, "after": page["next"]}
    assert len(ok(ann.client.get("/api/v1/gallery", params=rest))["pictures"]) == 22
    liked = ok(ann.client.put(f"/api/v1/gallery/{views[0][0]}/favourite", json={"favourite": True}))
    assert liked is None or liked["favourite"]
    assert len(ok(ann.client.get("/api/v1/gallery", params={"favourite": True}))["pictures"]) == 1
    assert ok(ann.client.get("/api/v1/profile/rater"))["answers"] >= 29


def compared(running: StudioApp, ann: Member) -> None:
    """A duel, and an order of three."""
    paint(running.studio, ann.id, count=3)
    duel = ok(ann.client.get("/api/v1/duels/next"))["duel"]
    ok(ann.client.post("/api/v1/answers", json=answer(duel["id"], form="duel", at=running.studio.now())))
    ranking = ok(ann.client.get("/api/v1/rankings/next"))["ranking"]
    ranks = {side["picture_id"]: place for place, side in enumerate(ranking["pictures"], 1)}
    ok(ann.client.post("/api/v1/answers", json=answer(ranking["id"], form="rank", payload={"ranks": ranks})))
    assert ok(ann.client.get("/api/v1/rankings/next")) == {"ranking": None}


def reported(running: StudioApp, ann: Member, moderator: Member) -> None:
    """A picture is blurred by its owner's report, and shown again by a moderator; the audit log says so."""
    (painting,) = paint(running.studio, ann.id)
    ok(ann.client.post(f"/api/v1/gallery/{painting.id}/report", json={"text": "not nice"}))
    assert ok(ann.client.get(f"/api/v1/gallery/{painting.id}"))["safety"] == "blurred"
    (waiting,) = ok(moderator.client.get("/api/v1/reports"))["reports"]
    ok(moderator.client.post(f"/api/v1/reports/{waiting['id']}", json={"state": "refused"}))
    assert ok(ann.client.get(f"/api/v1/gallery/{painting.id}"))["safety"] == "ok"
    assert running.studio.workspace.audit.entries(limit=1)[0].action == "resolve report"


def judged_together(running: StudioApp, ann: Member, moderator: Member) -> None:
    """A critique session, in which one judges the picture of another."""
    (painting,) = paint(running.studio, moderator.id)
    room = ok(moderator.client.post("/api/v1/rooms", json={"title": "hands"}))["id"]
    ok(moderator.client.post(f"/api/v1/rooms/{room}/members", json={"names": [ann.name]}))
    ok(moderator.client.post(f"/api/v1/rooms/{room}/pictures", json={"pictures": [painting.id]}))
    assert [row["id"] for row in ok(ann.client.get(f"/api/v1/rooms/{room}"))["pictures"]] == [painting.id]
    ok(ann.client.post("/api/v1/answers", json=answer(painting.id)))


def studied(running: StudioApp, ann: Member) -> None:
    """A study is made, taken part in to its end by account and by link, and reported."""
    operator = member(running, roles=("operator",))
    pairs = [
        {
            "first": paint(running.studio, operator.id, prompt=f"dog {number}", checkpoint="c" * 64)[0].id,
            "second": paint(running.studio, operator.id, prompt=f"dog {number}")[0].id,
        }
        for number in range(3)
    ]  # fmt: skip
    study = ok(operator.client.post("/api/v1/studies", json={"title": "Dogs", "pairs": pairs, "each": 3, "repeats": 0}))
    links = ok(operator.client.post(f"/api/v1/studies/{study['id']}/invitations", json={"count": 1}))["links"]
    joined = ok(running.client.post("/api/v1/studies/join", json={"invitation": links[0].partition("=")[2]}))
    with running.program(joined["key"]) as guest:
        for client in (ann.client, guest):
            while (shown := ok(client.get(f"/api/v1/studies/{study['id']}/next"))["pair"]) is not None:
                assert client.get(shown["left"]["url"]).status_code == 200
                sent = [
                    {
                        "assignment": shown["assignment"], "question": question["name"], "choice": "left",
                        "created_at": iso(running.studio.now()),
                    }
                    for question in shown["questions"]
                ]  # fmt: skip
                outcomes = ok(client.post(f"/api/v1/studies/{study['id']}/answers", json={"answers": sent}))["outcomes"]
                assert {row["status"] for row in outcomes} == {"stored"}
    found = ok(operator.client.get(f"/api/v1/studies/{study['id']}/report"))
    assert (found["study"]["finished"], found["checks"]["left"]["value"]) == (2, 1.0)
    assert {row["answers"] for row in found["comparisons"]} == {6}


def trained(running: StudioApp) -> None:
    """A run is ordered once, and cancelled before a worker took it."""
    operator = member(running, roles=("operator",))
    order, once = {"kind": "train", "method": "nft"}, {"Idempotency-Key": "once"}
    first, second = (ok(operator.client.post("/api/v1/runs", json=order, headers=once)) for _ in range(2))
    assert first["id"] == second["id"]
    assert [row["id"] for row in ok(operator.client.get("/api/v1/runs"))["runs"]] == [first["id"]]
    assert ok(operator.client.delete(f"/api/v1/runs/{first['id']}"))["state"] == "cancelled"


def taken_along_and_erased(running: StudioApp, ann: Member) -> None:
    """Everything of the person in one file, then nothing of them."""
    counts = ok(ann.client.get("/api/v1/my-data"))["tables"]
    file = zipfile.ZipFile(io.BytesIO(ann.client.get("/api/v1/my-data/export").content))
    for table in ("answers", "ask_decisions", "gallery", "points", "requests", "duels", "embeddings"):
        assert len(file.read(f"{table}.jsonl").splitlines()) == counts[table] > 0, table
    assert all(json.loads(line)["id"] for line in file.read("gallery.jsonl").splitlines())
    receipt = ok(ann.client.post("/api/v1/my-data/erase", json={"name": ann.name}))
    assert receipt["removed"]["gallery"] == counts["gallery"]
    assert ann.client.get("/api/v1/me").status_code == 401
    assert {name for name, _ in running.studio.workspace.personal_data.rows(ann.id)} == {"audit"}


@pytest.mark.postgres
@pytest.mark.slow
def test_a_picture_is_painted_shown_and_rated_on_postgresql(tmp_path: Path, cluster: Cluster) -> None:
    url = cluster.empty()
    add_people(tmp_path / "workspace", database_url=url)
    with ExitStack() as stack:
        running = stack.enter_context(
            start_studio(tmp_path, authentication="accounts", database_url=url, engine={"threads": 1})
        )
        with client_of(running, key_of(running.url, "ann")) as ann:
            job = ok(ann.post("/api/v1/jobs", json={"prompt": "a red circle", "steps": 2, "n": 2}))
            assert ann.get(f"/api/v1/jobs/{job['id']}/events").text.count("event: picture") == 2
            pictures = ok(ann.get(f"/api/v1/jobs/{job['id']}"))["pictures"]
            assert ann.get(pictures[0]["url"]).content.startswith(b"\x89PNG")
            shown = ok(ann.get("/api/v1/gallery"))["pictures"]
            assert {row["id"] for row in shown} == {row["id"] for row in pictures}
            assert all(0 <= row["confidence"] <= 1 for row in shown)


@pytest.mark.postgres
def test_two_studios_on_one_database_keep_every_answer_once(tmp_path: Path, cluster: Cluster) -> None:
    """Two server processes are sent the same answers, and different ones with the same token, at the same moment."""
    url = cluster.empty()
    with rating_studio(tmp_path, database_url=url) as maker:
        ann = member(maker)
        secret = ann.client.headers["Authorization"].removeprefix("Bearer ")
        asks = [asked(maker, ann) for _ in range(ROUNDS)]
        plain = [paint(maker.studio, ann.id)[0].id for _ in range(ROUNDS)]
    with ExitStack() as stack:
        clients = [
            stack.enter_context(client_of(stack.enter_context(studio_at(tmp_path, url, place)), secret))
            for place in ("one", "two")
        ]
        for subject in plain:
            sent = answer(subject)
            assert sorted(at_once(clients, [sent, sent])) == [200, 201]
        for subject, token in asks:
            rivals = [answer(subject, token=token) for _ in clients]
            assert sorted(at_once(clients, rivals)) == [201, 409], "a token serves once, wherever it is handed in"
        found = ok(clients[1].get("/api/v1/answers", params={"limit": 200}))["answers"]
        assert len(found) == 2 * ROUNDS
        assert len(ok(clients[0].get("/api/v1/profile/points", params={"limit": 200}))["entries"]) == 2 * ROUNDS
    with Workspace.open(tmp_path / "workspace", database_url=url) as space:
        entries = space.points.entries(ann.id, limit=500)
    assert len({entry.award for entry in entries}) == 2 * ROUNDS
    # The places of a day are counted by both together: none is given twice.
    places = Counter((entry.day, entry.place) for entry in entries)
    assert max(places.values()) == 1


@pytest.mark.postgres
def test_two_studios_on_one_database_ask_within_one_budget(tmp_path: Path, cluster: Cluster) -> None:
    """Both decide about pictures of the same person at the same moment, 60 in all, each of which they would ask for."""
    url = cluster.empty()
    with ExitStack() as stack:
        one, two = (stack.enter_context(rating_studio(tmp_path, database_url=url)) for _ in range(2))
        ann = member(one)
        ok(ann.client.get("/api/v1/asks/budget"))
        budget = one.studio.settings.asks.daily_budget
        pictures = [paint(one.studio, ann.id, confidence=0.0)[0].id for _ in range(60)]
        with ThreadPoolExecutor(6) as threads:
            views = list(
                threads.map(
                    lambda item: decide_ask(item[0].studio, person_named(item[0].studio, ann.name), item[1]),
                    [((one, two)[number % 2], id) for number, id in enumerate(pictures)],
                )
            )  # fmt: skip
        assert sum(view is not None for view in views) == budget
        entries = one.studio.workspace.asks.of_person(ann.id, limit=100)
        assert len({entry.subject for entry in entries}) == len(entries) == 60
        assert sum(entry.outcome == "shown" for entry in entries) == budget
        assert [ok(running.program(_secret(ann)).get("/api/v1/asks/budget"))["left"] for running in (one, two)] == [
            0,
            0,
        ]


def asked(running: StudioApp, ann: Member) -> tuple[str, str]:
    """A picture and a token of an ask about it, one a day."""
    clock_of(running).forward(86_400)
    while True:
        clock_of(running).forward(60)
        (painting,) = paint(running.studio, ann.id, confidence=0.0)
        view = decide_ask(running.studio, ann.person, painting.id, session=new_id())
        if view is not None:
            return painting.id, view.token


def at_once(clients: Sequence[httpx.Client], answers: Sequence[dict[str, Any]]) -> list[int]:
    """What the clients are answered when each sends its answer at the same moment."""
    barrier = threading.Barrier(len(clients))

    def go(client: httpx.Client, sent: dict[str, Any]) -> int:
        barrier.wait(10)
        return client.post("/api/v1/answers", json=sent).status_code

    with ThreadPoolExecutor(len(clients)) as threads:
        return list(threads.map(go, clients, answers))


def studio_at(folder: Path, url: str, name: str) -> Any:
    """A server process of its own on the common workspace and database, without an engine."""
    (folder / name).mkdir()
    return start_studio(
        folder / name, paint=False, workspace=folder / "workspace", database_url=url, authentication="accounts"
    )


def client_of(running: RunningStudio, secret: str) -> httpx.Client:
    return httpx.Client(base_url=running.url, headers={"Authorization": f"Bearer {secret}"}, timeout=120)


def _secret(ann: Member) -> str:
    return str(ann.client.headers["Authorization"]).removeprefix("Bearer ")
