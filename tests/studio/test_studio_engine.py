"""The engine behind a running server: jobs, previews, fairness, cancelling, hot reload under load, a killed process."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from redraft.core.records import Lineage
from redraft.store.workspace import Workspace
from tests.studio.conftest import PaintingStudio

WISH = {"prompt": "a red star", "steps": 2, "ask": "never"}


def events_of(client: httpx.Client, job: str) -> Iterator[tuple[str, dict[str, Any]]]:
    with client.stream("GET", f"/api/v1/jobs/{job}/events") as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))


def made(client: httpx.Client, **wish: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/jobs", json={**WISH, **wish})
    assert answer.status_code == 202, answer.text
    return finished(client, answer.json()["id"])


def finished(client: httpx.Client, job: str) -> dict[str, Any]:
    *_, (_, last) = events_of(client, job)
    found: dict[str, Any] = last["job"]
    return found


def pixels(client: httpx.Client, picture: dict[str, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(client.get(picture["url"]).content)).convert("RGB")).astype(int)


def test_the_web_process_never_loads_torch(painting: PaintingStudio) -> None:
    made_by = painting.client("ann")
    assert made(made_by)["state"] == "finished"
    maps = Path(f"/proc/{painting.running.process.pid}/maps")
    if not maps.exists():
        pytest.skip("what a process has loaded is read from /proc, which is not here")
    assert "libtorch" not in maps.read_text()
    children = Path(f"/proc/{painting.running.process.pid}/task/{painting.running.process.pid}/children")
    engines = [pid for pid in children.read_text().split() if "libtorch" in Path(f"/proc/{pid}/maps").read_text()]
    assert len(engines) == 1, "the engine process, and nothing else, holds torch"


def test_a_job_from_its_beginning_to_its_end(painting: PaintingStudio) -> None:
    with painting.client("ann") as ann:
        wish = {**WISH, "steps": 6, "n": 2, "seed": 5, "negative_prompt": "a ring"}
        job = ann.post("/api/v1/jobs", json=wish).json()
        assert (job["n"], job["steps"], job["seed"], job["base"], job["width"]) == (2, 6, 5, "builtin:sd", 64)
        events = list(events_of(ann, job["id"]))
        names = [name for name, _ in events]
        assert names[-3:] == ["picture", "picture", "finished"]
        assert {"progress", "preview"} <= set(names)
        steps = [data["step"] for name, data in events if name == "progress"]
        assert steps == sorted(steps)
        assert steps[-1] == 6
        assert all(data["image"].startswith("data:image/webp;base64,") for name, data in events if name == "preview")
        last = events[-1][1]["job"]
        assert (last["state"], last["error"], [picture["seed"] for picture in last["pictures"]]) == (
            "finished", None, [5, 6]
        )  # fmt: skip
        assert last["finished_at"] > last["created_at"]
        # Who follows late gets pictures and end at once; the list and the job itself say the same.
        late = [name for name, _ in events_of(ann, job["id"])]
        assert late == ["picture", "picture", "finished"]
        assert ann.get(f"/api/v1/jobs/{job['id']}").json() == last
        assert ann.get("/api/v1/jobs").json()["jobs"][0] == last


def test_jobs_come_page_by_page(painting: PaintingStudio) -> None:
    with painting.client("cleo") as cleo:
        ids = [made(cleo, seed=seed)["id"] for seed in range(3)]
        first = cleo.get("/api/v1/jobs", params={"limit": 2}).json()
        second = cleo.get("/api/v1/jobs", params={"limit": 2, "cursor": first["next"]}).json()
        assert [job["id"] for job in first["jobs"] + second["jobs"]] == ids[::-1]
        assert second["next"] is None
        assert cleo.get("/api/v1/jobs", params={"cursor": "x"}).status_code == 400


def test_jobs_and_pictures_of_others_are_as_if_they_were_not_there(painting: PaintingStudio) -> None:
    with painting.client("ann") as ann, painting.client("bob") as bob:
        job = made(ann)
        (picture,) = job["pictures"]
        absent = bob.get("/api/v1/jobs/nothing")
        for answer in (
            bob.get(f"/api/v1/jobs/{job['id']}"),
            bob.get(f"/api/v1/jobs/{job['id']}/events"),
            bob.delete(f"/api/v1/jobs/{job['id']}"),
        ):
            assert answer.status_code == absent.status_code == 404
            assert answer.json()["error"]["code"] == absent.json()["error"]["code"]
        path = picture["url"].split("?")[0]
        assert bob.get(path).status_code == 404
        assert ann.get(path).status_code == 200
        assert bob.post("/api/v1/jobs", json={**WISH, "again_of": job["id"]}).status_code == 404


def test_pictures_in_other_sizes_and_formats(painting: PaintingStudio) -> None:
    with painting.client("ann") as ann:
        (picture,) = made(ann)["pictures"]
        path = f"/api/v1/pictures/{picture['id']}"
        small = ann.get(f"{path}.webp", params={"width": 32})
        image = Image.open(io.BytesIO(small.content))
        assert (small.headers["content-type"], image.format, image.size) == ("image/webp", "WEBP", (32, 32))
        assert ann.get(f"{path}.png", params={"width": 512}).content == ann.get(f"{path}.png").content or (
            Image.open(io.BytesIO(ann.get(f"{path}.png", params={"width": 512}).content)).size == (64, 64)
        )
        tag = small.headers["etag"]
        assert ann.get(f"{path}.webp", params={"width": 32}, headers={"If-None-Match": tag}).status_code == 304
        saved = ann.get(f"{path}.png", params={"download": True})
        assert "attachment" in saved.headers["content-disposition"]
        assert Image.open(io.BytesIO(saved.content)).text["prompt"] == WISH["prompt"]  # type: ignore[attr-defined]
        assert not Image.open(io.BytesIO(ann.get(f"{path}.png").content)).info
        assert ann.get(f"{path}.bmp").status_code == 400
        signed = picture["url"]
        with httpx.Client(base_url=painting.running.url) as nobody:
            assert nobody.get(signed).status_code == 200
            assert nobody.get(f"{signed}&width=32").status_code == 403
            assert nobody.get(f"{signed}&download=true").status_code == 403
            assert nobody.get(f"{path}.png").status_code == 404


def test_a_seed_gives_the_same_picture_alone_and_in_company(painting: PaintingStudio) -> None:
    with painting.client("ann") as ann:
        alone = made(ann, seed=11, steps=5)
        with ThreadPoolExecutor(6) as pool:
            jobs = list(pool.map(lambda seed: made(ann, seed=seed, steps=5, prompt="a red star"), [11, *range(20, 25)]))
        again = made(ann, seed=10, n=2, steps=5)
        first = pixels(ann, alone["pictures"][0])
        # One 8-bit level: batches of other sizes are summed in another order.
        assert np.abs(first - pixels(ann, jobs[0]["pictures"][0])).max() <= 1
        assert np.abs(first - pixels(ann, again["pictures"][1])).max() <= 1
        assert np.abs(first - pixels(ann, jobs[1]["pictures"][0])).max() > 50


def test_one_picture_is_not_kept_waiting_by_forty(painting: PaintingStudio) -> None:
    with painting.client("ann") as ann, painting.client("bob") as bob:
        jobs = [
            ann.post("/api/v1/jobs", json={**WISH, "steps": 10, "n": 10, "seed": seed}).json()["id"]
            for seed in range(4)
        ]
        late = bob.post("/api/v1/jobs", json={**WISH, "steps": 10}).json()
        assert late["position"] is None or late["position"] <= 4
        assert finished(bob, late["id"])["state"] == "finished"
        states = [ann.get(f"/api/v1/jobs/{job}").json()["state"] for job in jobs]
        # Bob came last, and 40 pictures in batches of 4 were before him.
        assert "finished" not in states[2:], states
        for job in jobs:
            ann.delete(f"/api/v1/jobs/{job}")


def test_cancelling_ends_what_waits_and_what_is_painted(painting: PaintingStudio) -> None:
    with painting.client("ann") as ann:
        long = ann.post("/api/v1/jobs", json={**WISH, "steps": 100, "n": 8}).json()["id"]
        waiting = ann.post("/api/v1/jobs", json={**WISH, "steps": 100, "n": 8}).json()["id"]
        events = events_of(ann, long)
        next(data for name, data in events if name == "progress")
        began = time.monotonic()
        cancelled = [ann.delete(f"/api/v1/jobs/{job}").json() for job in (waiting, long)]
        assert [job["state"] for job in cancelled] == ["cancelled", "cancelled"]
        assert [name for name, _ in events][-1] == "cancelled"
        after = made(ann)
        assert after["state"] == "finished"
        # 16 pictures of 100 steps take over 30 s on one core; the batch is left at its next step.
        assert time.monotonic() - began < 15
        assert ann.delete(f"/api/v1/jobs/{after['id']}").json()["state"] == "finished"


def test_what_the_models_page_reads(painting: PaintingStudio) -> None:
    with painting.client("ann") as ann:
        first = made(ann)
        made(ann, again_of=first["id"])
        models = ann.get("/api/v1/models").json()
        assert (models["base"], models["sizes"], models["steps"]) == ("builtin:sd", ["64x64"], 10)
        assert models["serving"]["state"] == "ready"
        assert models["serving"]["calibrated"]
        histogram = ann.get("/api/v1/models/base/histogram", params={"bins": 4}).json()
        assert [(each["low"], each["high"]) for each in histogram["bins"]] == [
            (0, 0.25),
            (0.25, 0.5),
            (0.5, 0.75),
            (0.75, 1),
        ]
        assert sum(each["pictures"] for each in histogram["bins"]) > 0
        repeats = ann.get("/api/v1/models/repeats").json()
        assert repeats["again"] >= 1
        assert repeats["requests"] > repeats["again"]
        assert ann.get("/api/v1/models/nothing/histogram").status_code == 404


def tiny_checkpoint(space: Workspace, *, data: str = "") -> str:
    """A LoRA of builtin:sd that changes its pictures."""
    import torch

    from redraft.core.keys import Key
    from redraft.models.checkpoints import encode
    from redraft.models.load import open_backbone

    backbone = open_backbone("builtin:sd")
    backbone.train_lora(rank=2, alpha=2.0, seed_key=Key(seed=1))
    changed = {
        name: value + 0.2 * Key(seed=2).child(name).normal(value.shape) for name, value in backbone.trainable().items()
    }
    with torch.no_grad():
        backbone.load_parameters(changed)
    lineage = Lineage(
        parent="", base="builtin:sd", method="test", config="{}", data_hash=data, reward_fingerprints=(),
        code_version="0", seed=0, run="test",
    )  # fmt: skip
    return space.checkpoints.put(encode(backbone.weights()), kind="lora", lineage=lineage, at=time.time()).id


@pytest.mark.slow
def test_the_live_pointer_moves_under_load_and_no_request_is_lost(painting: PaintingStudio) -> None:
    with Workspace.open(painting.running.workspace) as space, painting.client("ann") as ann:
        base = pixels(ann, made(ann, seed=3, steps=5)["pictures"][0])
        checkpoint = tiny_checkpoint(space)
        outcomes: list[dict[str, Any]] = []
        stop = threading.Event()

        def load() -> None:
            with painting.client("bob") as bob:
                while not stop.is_set():
                    outcomes.append(made(bob, n=2))

        threads = [threading.Thread(target=load) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            space.aliases.move("builtin:sd", checkpoint, reason="test", at=time.time())
            deadline = time.monotonic() + 60
            while ann.get("/api/v1/models").json()["serving"]["checkpoint"] != checkpoint:
                assert time.monotonic() < deadline, "the new champion was not served"
                time.sleep(0.05)
            new = made(ann, seed=3, steps=5)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert new["checkpoint"] == checkpoint
        assert np.abs(base - pixels(ann, new["pictures"][0])).max() > 10
        assert {job["state"] for job in outcomes} == {"finished"}
        assert all(len(job["pictures"]) == 2 for job in outcomes)
        # The base can still be asked for by name, and gives what it gave.
        old = made(ann, seed=3, steps=5, model="base")
        assert np.abs(base - pixels(ann, old["pictures"][0])).max() <= 1
        assert made(ann, model=checkpoint[:12])["checkpoint"] == checkpoint
        space.aliases.rollback("builtin:sd", reason="test", at=time.time())
        began = time.monotonic()
        while made(ann)["checkpoint"]:
            assert time.monotonic() < began + 10, "a rollback takes under ten seconds"
        history = ann.get("/api/v1/models/history").json()["history"]
        assert {entry["name"] for entry in history} == {"base", checkpoint[:12]}


def test_champion_and_challenger_paint_a_pair_for_who_consents(painting: PaintingStudio) -> None:
    with Workspace.open(painting.running.workspace) as space, painting.client("cleo") as cleo:
        checkpoint = tiny_checkpoint(space, data="never champion")
        space.aliases.move("builtin:sd", checkpoint, alias="challenger", reason="test", at=time.time())
        refused = cleo.post("/api/v1/jobs", json={**WISH, "model": "challenger"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "perk_missing")
        assert not cleo.get("/api/v1/models").json()["may_try"]
        assert "challenger" not in {entry["id"] for entry in cleo.get("/v1/models").json()["data"]}
        made(cleo, n=4, ask="auto")
        assert cleo.get("/api/v1/duels/next", params={"experiment": f"trial base {checkpoint[:12]}"}).json() == {
            "duel": None
        }
        assert cleo.patch("/api/v1/me", json={"consent": {"improve": True}}).status_code == 200
        # The first pictures of a person are followed by no question.
        for _ in range(2):
            made(cleo, n=4, ask="auto")
        deadline, duel = time.monotonic() + 60, None
        while duel is None:
            assert time.monotonic() < deadline, "no pair was given"
            time.sleep(0.1)
            query = {"experiment": f"trial base {checkpoint[:12]}"}
            duel = cleo.get("/api/v1/duels/next", params=query).json()["duel"]
        assert duel["prompt"] == WISH["prompt"]
        data = [cleo.get(duel[side]["url"]) for side in ("left", "right")]
        assert [answer.status_code for answer in data] == [200, 200]
        kept = space.duels.get(duel["id"], user="cleo" * 8)
        laid = [id for id in (kept.first, kept.second) if id is not None]
        first, second = (space.gallery.get(id, owner=kept.user, trials=True) for id in laid)
        assert (first.painting.checkpoint, second.painting.checkpoint) == ("", checkpoint)
        assert first.painting.seed == second.painting.seed
        assert data[0].content != data[1].content
        shown = cleo.get("/api/v1/gallery").json()["pictures"]
        assert not {first.painting.id, second.painting.id} & {item["id"] for item in shown}
        space.aliases.move("builtin:sd", "", alias="challenger", reason="the test is over", at=time.time())


def test_a_checkpoint_that_cannot_be_loaded_fails_its_own_requests_only(painting: PaintingStudio) -> None:
    with Workspace.open(painting.running.workspace) as space, painting.client("ann") as ann:
        lineage = Lineage(
            parent="", base="builtin:sd", method="test", config="{}", data_hash="x", reward_fingerprints=(),
            code_version="0", seed=1, run="test",
        )  # fmt: skip
        broken = space.checkpoints.put(b"no weights", kind="lora", lineage=lineage, at=time.time()).id
        # What was never champion is for operators, and for those who switched it on.
        assert ann.post("/api/v1/jobs", json={**WISH, "model": broken}).status_code == 403
        space.people.set_roles("ann" * 8, ("operator",), at=time.time())
        failed = made(ann, model=broken)
        space.people.set_roles("ann" * 8, (), at=time.time())
        assert failed["state"] == "failed"
        assert failed["error"]["code"] == "model_failed"
        assert "no checkpoint" in failed["error"]["message"]
        assert made(ann)["state"] == "finished"


@pytest.mark.slow
def test_a_killed_engine_is_started_again_and_loses_nothing(painting: PaintingStudio) -> None:
    children = Path(f"/proc/{painting.running.process.pid}/task/{painting.running.process.pid}/children")
    if not children.exists():
        pytest.skip("the engine's process id is read from /proc, which is not here")
    with painting.client("ann") as ann, painting.client("bob") as bob:
        jobs = [
            ann.post("/api/v1/jobs", json={**WISH, "steps": 30, "n": 3, "seed": seed}).json()["id"] for seed in (1, 2)
        ]
        other = bob.post("/api/v1/jobs", json={**WISH, "steps": 30}).json()["id"]
        events = events_of(ann, jobs[0])
        next(data for name, data in events if name == "progress")
        engine = next(
            pid for pid in children.read_text().split() if "libtorch" in Path(f"/proc/{pid}/maps").read_text()
        )
        os.kill(int(engine), signal.SIGKILL)
        deadline = time.monotonic() + 10
        while painting.running.client.get("/ready").status_code == 200:
            assert time.monotonic() < deadline, "readiness must tell that nothing is painted"
        assert painting.running.client.get("/health").status_code == 200
        accepted = ann.post("/api/v1/jobs", json=WISH)
        assert accepted.status_code == 202, "requests wait for the new process"
        *_, (name, last) = events
        assert name == "finished"
        assert [picture["seed"] for picture in last["job"]["pictures"]] == [1, 2, 3]
        for client, job in ((ann, jobs[1]), (bob, other), (ann, accepted.json()["id"])):
            assert finished(client, job)["state"] == "finished"
