"""`redraft worker` as it is used: waiting, moving aliases, a process for each training, started by the studio."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from answers import Call

from redraft.cli.worker import CommandTrainer
from redraft.core.errors import ConfigError, UsageError
from redraft.core.orders import PromoteOrder, TrainingOrder
from redraft.store.jobs import Job
from redraft.store.workspace import Workspace
from tests.studio.running_studio import studio_app

PATIENCE = 60.0


def until(condition: Callable[[], bool]) -> None:
    last = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < last, "it did not happen in time"
        time.sleep(0.05)


def promotion(space: Workspace, *, number: int = 1) -> Job:
    (checkpoint,) = space.checkpoints.list()
    order = PromoteOrder(base=checkpoint.lineage.base, checkpoint=checkpoint.id)
    if number == 1:
        space.people.create("ann", name="ann", at=1.0)
    job = Job(id=f"promote-{number}", owner="ann", kind="promote", payload=order.model_dump(), created_at=1.0)
    return space.jobs.enter(job)[0]


@pytest.fixture
def own(workspace: Path, tmp_path: Path) -> Path:
    shutil.copytree(workspace, tmp_path / "workspace")
    return tmp_path / "workspace"


def children_of(pid: int) -> list[int]:
    """Of all threads of a process: the worker is started by one of its own."""
    found = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for text in found for child in text.split()]


def test_once_does_one_job_or_says_that_there_is_none(call: Call, own: Path) -> None:
    assert call("worker", "--once", "-w", own, "--json").json() == {"job": None}
    with Workspace.open(own) as space:
        job = promotion(space)
    answer = call("worker", "--once", "-w", own, "--json")
    assert answer.json() == {"job": {"id": job.id, "state": "finished", "error": ""}}
    with Workspace.open(own) as space:
        live = space.aliases.current(str(job.payload["base"]))
        assert live is not None
        assert live.checkpoint == job.payload["checkpoint"]
    assert "worker: job promote-1 begun" in answer.err


def test_a_waiting_worker_is_small_works_at_once_and_ends_when_it_is_told(own: Path, tmp_path: Path) -> None:
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "redraft.cli.main", "worker", "-w", str(own)], stderr=log, start_new_session=True
    )
    try:
        with Workspace.open(own) as space:
            job = promotion(space)
            until(lambda: space.jobs.get(job.id, owner=None).state == "finished")
            # Bytes in memory: without torch, which alone is over 200 MB.
            resident = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            assert resident < 150e6
            loaded = Path(f"/proc/{process.pid}/maps").read_text()
            assert "libtorch" not in loaded
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.slow
def test_the_studio_brings_a_worker_that_trains_and_goes_with_it(own: Path, tmp_path: Path) -> None:
    """A training that is refused by its process: its job fails with the reason, and the worker goes on."""
    environment = {**os.environ, "REDRAFT_DATABASE_URL": f"sqlite:///{own / 'redraft.db'}"}
    log = (tmp_path / "log").open("wb")
    command = [sys.executable, "-m", "redraft.cli.main", "studio", "-w", str(own), "--port", "0", "--no-open"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment, start_new_session=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().decode().split(" at ")[1].split()[0]
        with httpx.Client(base_url=url, timeout=30) as client:
            # Nothing for nft: only the process that would train finds it out.
            answer = client.post("/api/v1/runs", json={"method": "nft", "pairs": "answers", "kind": "train"})
            assert answer.status_code == 202, answer.text
            id = answer.json()["id"]

            def state() -> str:
                return str(client.get(f"/api/v1/runs/{id}").json()["state"])

            until(lambda: state() in ("finished", "failed"))
            found = client.get(f"/api/v1/runs/{id}").json()
            assert found["state"] == "failed"
            assert "it does not train on finished pairs of pictures; use dpo" in found["error"]
        (worker,) = [pid for pid in children_of(process.pid) if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        # However the studio ends, its worker does not stay behind.
        process.kill()
        process.wait()
        until(lambda: not Path(f"/proc/{worker}/cmdline").exists() or is_zombie(worker))
    finally:
        if process.poll() is None:
            process.kill()
        log.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_orders_become_what_improve_would_resolve(config: Path, model: Path) -> None:
    trainer = CommandTrainer(None)
    usual = trainer.resolve("improve", TrainingOrder())
    assert (usual.model, usual.method, usual.rounds, usual.promote) == ("builtin:sd", "nft", 5, True)
    assert usual.methods["nft"]["old_guidance_scale"] == 1.05, "the house's recipe"
    assert trainer.resolve("train", TrainingOrder()).promote is False
    assert trainer.resolve("improve", TrainingOrder(promote=False)).promote is False
    assert trainer.resolve("improve", TrainingOrder(recipe="short")).rounds == 2
    told = trainer.resolve(
        "improve", TrainingOrder(method="draft-lv", rounds=2, train_steps=7, steps=9, seed=3, reward={"clip": 2.0})
    )
    assert (told.method, told.rounds, told.fit.steps, told.sampling.steps, told.seed) == ("draft-lv", 2, 7, 9, 3)
    assert told.reward == {"clip": 2.0}
    with pytest.raises(UsageError, match="method 'nfd' is unknown"):
        trainer.resolve("improve", TrainingOrder(method="nfd"))
    with pytest.raises(UsageError, match="--pairs with nft: it does not train on finished pairs"):
        trainer.resolve("improve", TrainingOrder(pairs="answers"))
    # Below the orders lies the worker's own file.
    small = CommandTrainer(config).resolve("improve", TrainingOrder(model=str(model)))
    assert (small.fit.steps, small.examine.prompts, small.model) == (6, 12, str(model))


def test_a_wrong_file_is_told_before_waiting(call: Call, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("rounds = \n")
    answer = call("worker", "-w", tmp_path / "w", "-c", tmp_path / "bad.toml")
    assert answer.code == 2
    assert "is not valid TOML" in answer.err
    with pytest.raises(ConfigError):
        CommandTrainer(tmp_path / "bad.toml")


def test_the_studio_shows_a_real_run_whole(own: Path, tmp_path: Path) -> None:
    """What `improve` left in the workspace, through the routes that read it."""
    with studio_app(tmp_path, workspace=own) as running:
        (listed,) = running.client.get("/api/v1/runs").json()["runs"]
        assert (listed["id"], listed["state"], listed["kind"]) == ("improve-0001", "finished", "improve")
        run = running.client.get("/api/v1/runs/improve-0001").json()
        curves = {curve["name"]: [step for step, _ in curve["points"]] for curve in run["curves"]}
        assert curves["loss"] == [1, 2, 3, 4, 5, 6]
        assert curves["reward"] == curves["oracle"] == curves["held-out"] == [0, 3, 6]
        assert {"oracle", "clip-heldout"} <= {metric["name"] for metric in run["metrics"]}
        assert run["verdict"] in ("promote", "hold", "reject")
        assert (run["config"]["fit.steps"], run["config"]["reward"]) == ("6", "clip=1")
        assert len(run["grid"]) == 15
        for side in ("before_url", "after_url"):
            picture = running.client.get(run["grid"][14][side])
            assert (picture.status_code, picture.content[:4]) == (200, b"\x89PNG")
        assert "<title>" in running.client.get(run["report_url"]).text
