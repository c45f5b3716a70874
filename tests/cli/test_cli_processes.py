"""Real processes: killed and resumed, two at once, on a full disk."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from processes import finish, start, wait_for_marks

from redraft.store.workspace import Workspace

KILLS = 5


def weights(folder: Path) -> tuple[str, bytes]:
    """The identifier and the bytes of the only checkpoint of a workspace."""
    with Workspace.open(folder) as space:
        (checkpoint,) = space.checkpoints.list()
        return checkpoint.id, space.checkpoints.read(checkpoint.id)


def test_killed_at_five_random_moments_and_resumed_the_weights_are_the_same(long_config: Path, tmp_path: Path) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    assert finish(start(["improve", "-w", undisturbed, "-c", long_config], tmp_path / "a")) == 0
    rng = random.Random(20260)
    command: list[object] = ["improve", "-w", killed, "-c", long_config]
    seen: list[str] = []
    for _ in range(KILLS):
        process = start(command, tmp_path / "b")
        # The moment: some durable steps further than the last one came, then a little more.
        seen += wait_for_marks(process, killed, "improve-0001", more=rng.randint(1, 4))
        time.sleep(rng.uniform(0, 0.03))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        assert finish(process) == -signal.SIGKILL
        command = ["improve", "-w", killed, "--resume"]
    # The kills fell into training, too: a state that was saved there was there at a kill.
    assert any("train-state" in mark for mark in seen)
    assert finish(start([*command, "--json"], tmp_path / "last")) == 0
    summary = json.loads((tmp_path / "last.out").read_text())
    assert summary["run"] == "improve-0001"
    with Workspace.open(killed) as space:
        (run,) = space.runs.list()
        assert (run.name, run.status) == ("improve-0001", "finished")
        started = [entry.stage for entry in space.ledger.entries(run.name) if entry.status == "started"]
        assert len(started) > len(set(started)), "no stage was cut in the middle: this tested nothing"
    # Equal weights, and an equal identifier: it hashes the lineage with it, probes and log of the training included.
    assert weights(killed) == weights(undisturbed)


def test_a_second_training_in_a_workspace_is_turned_away(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    first = start(["improve", "-w", folder, "-c", config, "--train-steps", 60], tmp_path / "first")
    wait_for_marks(first, folder, "improve-0001", more=1)
    code = finish(start(["improve", "-w", folder, "-c", config, "--json"], tmp_path / "second"))
    assert first.exitcode is None, "the first run ended before the second one tried: give it more steps"
    assert code == 1
    assert (tmp_path / "second.out").read_text() == ""
    message = (tmp_path / "second.err").read_text()
    assert "error: run 'improve-0001' is training in this workspace" in message
    assert f"process {first.pid} on " in message
    assert "wait until it ends, stop that process" in message
    assert "or use another workspace" in message
    assert finish(first) == 0
    with Workspace.open(folder) as space:
        assert [(run.name, run.status) for run in space.runs.list()] == [("improve-0001", "finished")]


def test_a_full_disk_is_said_and_the_run_goes_on_when_there_is_room(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    # The pictures of a collection are 20 * 4 * 3 * 64 * 64 = 983,040 bytes, more than a file may have here; the
    # database is smaller.
    large = tmp_path / "large.toml"
    large.write_text(config.read_text().replace("prompts = 4", "prompts = 20", 1))
    with Workspace.open(folder):
        pass
    size = (folder / "redraft.db").stat().st_size
    if size > 900_000:
        pytest.fail(f"the empty database has {size} bytes: choose more pictures, so that only they do not fit")
    full = start(["improve", "-w", folder, "-c", large], tmp_path / "full", largest_file=950_000)
    assert finish(full) == 1
    message = (tmp_path / "full.err").read_text()
    assert "error: " in message
    assert "round-0-collect.safetensors needs" in message
    assert "the disk or its quota is full" in message
    assert "then resume" in message
    with Workspace.open(folder) as space:
        assert space.runs.get("improve-0001").status == "failed"
        assert space.lease.holder() is None
    assert not list(folder.rglob("*.partial"))
    assert finish(start(["improve", "-w", folder, "--resume"], tmp_path / "resumed")) == 0
    with Workspace.open(folder) as space:
        assert space.runs.get("improve-0001").status == "finished"
