"""Runs over HTTP: ordered, listed, followed, stopped; reports and pictures; promotions. A real worker moves aliases."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from redraft.core import plugins
from redraft.core.orders import MOVES, TRAININGS
from redraft.core.records import Lineage
from redraft.loop.worker import Worker
from redraft.methods.presets import PRESETS
from redraft.store.workspace import Workspace
from redraft.studio.run_orders import MOST_WAITING
from tests.store.studio_rows import png
from tests.studio.running_studio import Clock, StudioApp, accounts_app, studio_app

METRIC = {"incumbent": 0.5, "candidate": 0.6, "difference": 0.1, "low": 0.02, "high": 0.18, "unit": "share"}
RESULT = {
    "verdict": "promote", "reasons": ["better"], "stopped_by": None, "checkpoint": "c" * 64, "promoted": True,
    "metrics": {"oracle": {**METRIC, "role": "oracle"}, "empty": {**METRIC, "low": float("nan"), "role": "unseen"}},
}  # fmt: skip


@pytest.fixture
def running(tmp_path: Path) -> Iterator[StudioApp]:
    with studio_app(tmp_path, clock=Clock()) as running:
        yield running


def space_of(running: StudioApp) -> Workspace:
    return running.studio.workspace


def ordered(running: StudioApp, **wish: Any) -> dict[str, Any]:
    answer = running.client.post("/api/v1/runs", json=wish)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def finished_run(space: Workspace, name: str, *, at: float = 100.0) -> None:
    """A run as the command line leaves it."""
    config = {"model": "builtin:sd", "method": "nft", "rounds": 3, "reward": {"clip": 1.0}, "fit": {"steps": 4}}
    space.runs.create(name, kind="improve", config=json.dumps(config), at=at)
    space.ledger.append(name, "incumbent", status="finished", inputs={}, outputs={}, seed=0, at=at + 1)
    points = [{"name": "loss", "step": step, "value": 1 / step} for step in range(1, 1201)]
    # The last line was cut by a kill; step 2 was done again after it.
    lines = [json.dumps(point) for point in (*points, {"name": "loss", "step": 2, "value": 7.0})]
    space.stage_files.save(name, "curves.jsonl", ("\n".join(lines) + '\n{"name": "lo').encode())
    space.stage_files.save(name, "examined.json", json.dumps({"grid": ["a red <b>cat</b>"], "prompts": []}).encode())
    space.stage_files.save(name, "grid/0-before.png", png(1))
    space.stage_files.save(name, "grid/0-after.png", png(2))
    space.stage_files.save(name, "report.html", b"<html><style>p{}</style>report</html>")
    space.runs.set_status(name, "finished", at=at + 50, result=json.dumps(RESULT))


def test_a_run_is_ordered_once_and_waits_for_a_worker(running: StudioApp) -> None:
    key = {"Idempotency-Key": "k"}
    first = running.client.post("/api/v1/runs", json={"method": "draft-lv", "recipe": "short"}, headers=key)
    assert first.status_code == 202, first.text
    run = first.json()
    assert run["id"].startswith("improve-")
    assert (run["kind"], run["state"], run["title"], run["mine"]) == (
        "improve",
        "queued",
        "draft-lv on builtin:sd",
        True,
    )
    assert run["progress"] == {"stage": "waiting", "share": 0.0, "words": "waits for a worker"}
    assert (run["started_at"], run["finished_at"], run["verdict"], run["cancelling"]) == (None, None, None, False)
    again = running.client.post("/api/v1/runs", json={"method": "draft-lv", "recipe": "short"}, headers=key)
    assert again.json() == run
    job = space_of(running).jobs.get(run["id"], owner="local")
    assert (job.kind, job.payload["method"], job.payload["recipe"]) == ("improve", "draft-lv", "short")
    (entry,) = [entry for entry in space_of(running).audit.entries() if entry.action == "order"]
    assert (entry.actor, entry.subject) == ("local", run["id"])


@pytest.mark.parametrize(
    ("wish", "param", "words"),
    [
        ({"method": "nfd"}, "method", "did you mean 'nft'"),
        ({"model": "/etc"}, "model", "known names: builtin:sd, builtin:sd3"),
        ({"reward": {"clipp": 1}}, "reward", "did you mean 'clip'"),
        ({"reward": {"/tmp/reward": 1}}, "reward./tmp/reward.[key]", "pattern"),
        ({"facets": "oracles"}, "facets", "did you mean 'oracle'"),
        ({"pairs": "pairs.jsonl"}, "pairs", "answers"),
        ({"rounds": 0}, "rounds", "greater than or equal to 1"),
        ({"prompts": "/etc/passwd"}, "prompts", "Extra inputs are not permitted"),
        ({"kind": "promote"}, "kind", "improve"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_by_name(running: StudioApp, wish: Any, param: str, words: str) -> None:
    answer = running.client.post("/api/v1/runs", json=wish)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param
    assert words in answer.json()["error"]["message"]
    assert space_of(running).jobs.list(None) == ()


def test_so_many_runs_may_wait(running: StudioApp) -> None:
    for _ in range(MOST_WAITING):
        ordered(running)
    answer = running.client.post("/api/v1/runs", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "queue_full")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_finished_run_is_shown_whole(running: StudioApp) -> None:
    space = space_of(running)
    finished_run(space, "improve-0001")
    (listed,) = running.client.get("/api/v1/runs").json()["runs"]
    found = running.client.get("/api/v1/runs/improve-0001").json()
    assert {name: found[name] for name in listed} == listed
    assert (listed["state"], listed["verdict"], listed["reasons"], listed["mine"]) == (
        "finished", "promote", ["better"], False,
    )  # fmt: skip
    assert listed["progress"]["share"] == 1.0
    (curve,) = found["curves"]
    steps = [step for step, _ in curve["points"]]
    assert len(steps) == 400
    assert steps == sorted(set(steps))
    assert (steps[0], steps[-1]) == (1, 1200)
    assert found["metrics"] == [{"name": "oracle", **METRIC, "role": "oracle"}], "a row without numbers is left out"
    assert found["config"] == {
        "model": "builtin:sd", "method": "nft", "rounds": "3", "reward": "clip=1", "fit.steps": "4",
    }  # fmt: skip
    assert [stage["stage"] for stage in found["stages"]] == ["incumbent"]
    assert (found["checkpoint"], found["promoted"], found["resumed"]) == ("c" * 64, True, 0)
    (cell,) = found["grid"]
    assert cell["prompt"] == "a red <b>cat</b>"
    for side, shade in (("before", 1), ("after", 2)):
        picture = running.client.get(cell[f"{side}_url"])
        assert (picture.status_code, picture.headers["content-type"], picture.content) == (200, "image/png", png(shade))
    report = running.client.get(found["report_url"])
    assert report.status_code == 200
    assert report.text.startswith("<html>")
    policy = report.headers["Content-Security-Policy"]
    assert "sandbox" in policy
    assert "script" not in policy, "no script is allowed: default-src is 'none'"
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize(
    "path",
    [
        "improve-9999", "..%2f..%2fredraft.db", "improve-0001/grid/0/middle.png", "improve-0001/grid/7/before.png",
        "improve-0001/grid/-1/before.png", ".hidden", "improve-9999/report", "improve-9999/events", "%00/report",
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_found(running: StudioApp, path: str) -> None:
    finished_run(space_of(running), "improve-0001")
    answer = running.client.get(f"/api/v1/runs/{path}")
    assert answer.status_code in (400, 404), answer.text
    assert answer.json()["error"]["message"]


def test_the_list_merges_orders_and_runs_and_pages_through_them(running: StudioApp) -> None:
    space = space_of(running)
    clock = running.studio.clock
    assert isinstance(clock, Clock)
    names = []
    for number in range(3):
        clock.forward(10)
        finished_run(space, f"improve-000{number}", at=clock.at)
        clock.forward(10)
        names += [f"improve-000{number}", ordered(running)["id"]]
    found: list[str] = []
    after = None
    while True:
        page = running.client.get(
            "/api/v1/runs", params={"limit": 2, **({} if after is None else {"after": after})}
        ).json()
        found += [run["id"] for run in page["runs"]]
        after = page["next"]
        if after is None:
            break
        assert len(page["runs"]) == 2
    assert found == names[::-1]
    assert running.client.get("/api/v1/runs", params={"after": "x"}).status_code == 400


def test_a_run_of_the_command_line_that_died_says_how_to_go_on(running: StudioApp) -> None:
    space = space_of(running)
    space.runs.create("improve-0001", kind="improve", config="{}", at=1.0)
    found = running.client.get("/api/v1/runs/improve-0001").json()
    assert (found["state"], found["error"]) == (
        "failed", "its process ended before the run did: `redraft runs resume improve-0001` goes on with it",
    )  # fmt: skip
    holder = space.lease.acquire(run="improve-0001", at=time.time())
    assert running.client.get("/api/v1/runs/improve-0001").json()["state"] == "running"
    answer = running.client.delete("/api/v1/runs/improve-0001")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_here")
    space.lease.release(holder)
    assert running.client.delete("/api/v1/runs/improve-0001").json()["state"] == "failed"


def test_a_waiting_run_is_cancelled_and_a_working_one_is_asked_to_stop(running: StudioApp) -> None:
    first, second = ordered(running), ordered(running, kind="train")
    assert second["id"].startswith("train-")
    assert running.client.delete(f"/api/v1/runs/{first['id']}").json()["state"] == "cancelled"
    space = space_of(running)
    job = space.jobs.claim(TRAININGS, worker="w", at=running.studio.now())
    assert job is not None
    assert job.id == second["id"]
    progress = {"run": job.id, "stage": "train", "share": 0.25, "words": "step 1 of 4"}
    space.jobs.heartbeat(job, at=running.studio.now(), progress=progress)
    asked = running.client.delete(f"/api/v1/runs/{job.id}").json()
    assert (asked["state"], asked["cancelling"]) == ("running", True)
    assert asked["progress"] == {"stage": "train", "share": 0.25, "words": "step 1 of 4"}
    space.jobs.finish(job, at=running.studio.now(), cancelled=True)
    ended = running.client.get(f"/api/v1/runs/{job.id}").json()
    assert (ended["state"], ended["cancelling"], ended["error"]) == ("cancelled", False, "")


def events(client: TestClient, id: str) -> list[tuple[str, Any]]:
    """All events until the stream ends."""
    found = []
    answer = client.get(f"/api/v1/runs/{id}/events")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    for block in answer.text.split("\n\n"):
        if block.startswith("event: "):
            name, data = block.removeprefix("event: ").split("\ndata: ")
            found.append((name, json.loads(data)))
    return found


def test_a_run_is_followed_to_its_end(running: StudioApp, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    from redraft.studio.routes import runs

    monkeypatch.setattr(runs, "LOOK_SECONDS", 0.02)
    space, id = space_of(running), ordered(running)["id"]
    job = space.jobs.claim(TRAININGS, worker="w", at=running.studio.now())
    assert job is not None
    space.stage_files.save(id, "curves.jsonl", b'\n{"name":"loss","step":1,"value":0.5}\n')

    def work() -> None:
        for step in (2, 3):
            time.sleep(0.15)
            line = json.dumps({"name": "loss", "step": step, "value": 1 / step})
            with space.stage_files.path(id, "curves.jsonl").open("a") as file:
                file.write(line[:9])
                file.flush()
                time.sleep(0.05)
                file.write(line[9:] + "\n")
            words = {"run": id, "stage": "train", "share": step / 10, "words": f"step {step} of 3"}
            space.jobs.heartbeat(job, at=running.studio.now(), progress=words)
        time.sleep(0.1)
        space.jobs.finish(job, at=running.studio.now(), result={"verdict": "hold", "reasons": ["unclear"]})

    thread = threading.Thread(target=work)
    thread.start()
    found = events(running.client, id)
    thread.join()
    # What was there before the connection comes with the run, not with the stream.
    assert [data["step"] for name, data in found if name == "point"] == [2, 3]
    assert [data["words"] for name, data in found if name == "progress"][:3] == ["", "step 2 of 3", "step 3 of 3"]
    name, last = found[-1]
    assert (name, last["run"]["state"], last["run"]["verdict"]) == ("ended", "finished", "hold")
    # Somebody who comes after the end is told at once.
    assert [name for name, _ in events(running.client, id)] == ["progress", "ended"]


def test_a_checkpoint_is_promoted_and_taken_back_by_a_worker(running: StudioApp) -> None:
    space = space_of(running)
    lineage = Lineage(
        parent="", base="builtin:sd", method="nft", config="{}", data_hash="d", reward_fingerprints=(),
        code_version="0", seed=0, run="improve-0001",
    )  # fmt: skip
    one, two = (space.checkpoints.put(data, kind="lora", lineage=lineage, at=1.0).id for data in (b"one", b"two"))
    space.aliases.move("builtin:sd", two, alias="challenger", reason="held", at=2.0)
    worker = Worker(workspace=space, name="w", trainer=None, clock=running.studio.now)  # type: ignore[arg-type]

    def champion() -> str:
        live = space.aliases.current("builtin:sd")
        return "" if live is None else live.checkpoint

    for checkpoint, expected in ((one[:6], one), ("challenger", two)):
        answer = running.client.post("/api/v1/models/promote", json={"checkpoint": checkpoint, "reason": "I like it"})
        assert answer.status_code == 202, answer.text
        assert answer.json()["title"] == f"promote {expected[:12]}"
        assert champion() != expected
        worker.work(MOVES)
        assert champion() == expected
        assert running.client.get(f"/api/v1/runs/{answer.json()['id']}").json()["state"] == "finished"
    answer = running.client.post("/api/v1/models/rollback", json={"reason": "worse"})
    assert (answer.status_code, answer.json()["title"]) == (202, "roll back builtin:sd")
    worker.work(MOVES)
    assert champion() == one
    space.aliases.rollback("builtin:sd", reason="", at=9.0)
    answer = running.client.post("/api/v1/models/rollback", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "nothing_to_roll_back")
    absent = running.client.post("/api/v1/models/promote", json={"checkpoint": "ffffffff"})
    assert (absent.status_code, absent.json()["error"]["param"]) == (404, "checkpoint")


def test_members_see_runs_and_order_none(tmp_path: Path) -> None:
    with accounts_app(tmp_path) as running:
        finished_run(space_of(running), "improve-0001")
        with running.browser("ada") as ada, running.browser("ann") as ann:
            id = ada.post("/api/v1/runs", json={}).json()["id"]
            seen = ann.get("/api/v1/runs").json()["runs"]
            assert {run["id"]: run["mine"] for run in seen} == {id: False, "improve-0001": False}
            assert ann.get("/api/v1/runs/improve-0001").status_code == 200
            for refused in (ann.post("/api/v1/runs", json={}), ann.delete(f"/api/v1/runs/{id}")):
                assert (refused.status_code, refused.json()["error"]["param"]) == (403, "run")
            assert ada.get(f"/api/v1/runs/{id}").json()["mine"] is True
            # Another operator may stop it.
            running.add("oscar", roles=("operator",))
            with running.browser("oscar") as oscar:
                assert oscar.delete(f"/api/v1/runs/{id}").json()["state"] == "cancelled"


def test_no_name_or_id_of_a_person_is_in_a_run(tmp_path: Path) -> None:
    with accounts_app(tmp_path) as running, running.browser("ada") as ada, running.browser("ann") as ann:
        id = ada.post("/api/v1/runs", json={}).json()["id"]
        account = running.studio.workspace.people.find("ada")
        assert account is not None
        for text in (ann.get("/api/v1/runs").text, ann.get(f"/api/v1/runs/{id}").text):
            assert account.id not in text
            assert '"ada"' not in text


def test_the_options_are_what_orders_take(running: StudioApp) -> None:
    options = running.client.get("/api/v1/runs/options").json()
    assert options["methods"][0]["name"] == "nft"
    titles = {method["name"]: method["title"] for method in options["methods"]}
    assert titles.keys() == {*plugins.names("method"), *PRESETS}
    # What redraft ships is called by what it does, and no two are called the same.
    assert [name for name, title in titles.items() if name == title or title.startswith("plug-in")] == []
    assert len(set(titles.values())) == len(titles)
    assert options["models"] == ["builtin:sd", "builtin:sd3"]
    for recipe in options["recipes"]:
        assert ordered(running, recipe=recipe["name"])["state"] == "queued"
