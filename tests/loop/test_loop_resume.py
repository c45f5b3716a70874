"""Stages that are done are not done again; a run that went on is the run that was never stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from small_cycles import config_for, improve

from redraft.core.errors import BusyError, DamagedError, UsageError
from redraft.loop.journal import Journal, Packed, digest_of
from redraft.loop.lifecycle import held_lease, next_run
from redraft.loop.observer import Silent
from redraft.store.workspace import Workspace


class CutError(Exception):
    """Stands for whatever ends a run in the middle."""


class Stopping(Silent):
    """An observer that ends the run at a training step."""

    def __init__(self, at: int) -> None:
        self.at, self.stages = at, []

    def stage(self, name: str, detail: str) -> None:
        self.stages.append(name)

    def training(self, step: int, total: int, loss: float) -> None:
        if step == self.at:
            raise CutError


class Listening(Stopping):
    """An observer that remembers the stages."""

    def __init__(self) -> None:
        super().__init__(-1)


def test_a_run_that_failed_in_training_goes_on_to_the_same_checkpoint(model: Path, tmp_path: Path) -> None:
    config = config_for(model, rounds=2, fit={"steps": 5}, tripwires={"most_drift": 100.0})
    whole = improve(tmp_path / "whole", config)
    with pytest.raises(CutError):
        improve(tmp_path / "cut", config, observer=Stopping(5))
    with Workspace.open(tmp_path / "cut") as space:
        assert space.runs.get("improve-0001").status == "failed"
    listening = Listening()
    resumed = improve(tmp_path / "cut", None, observer=listening)
    # The identifier hashes weights and lineage, the digest of the last training (with its probes and log) included.
    assert resumed.checkpoint.id == whole.checkpoint.id
    assert resumed.rounds[-1].log == whole.rounds[-1].log
    assert torch.equal(resumed.after.pixels, whole.after.pixels)
    assert resumed.report == whole.report
    # Round 1 was collected before the cut and not again; only round 2 collects.
    assert listening.stages.count("collect") == 1


def test_a_run_killed_after_it_promoted_itself_does_not_start_from_itself(model: Path, tmp_path: Path) -> None:
    config = config_for(model, tripwires={"most_drift": 100.0})
    first = improve(tmp_path, config)
    base = first.checkpoint.lineage.base
    with Workspace.open(tmp_path) as space:
        # As if the process had been killed between moving the champion and marking the run as finished.
        space.aliases.move(base, first.checkpoint.id, reason="proven", at=50.0)
        space.runs.set_status(first.run, "running", at=51.0)
    again = improve(tmp_path, None)
    assert again.run == first.run
    assert again.checkpoint.id == first.checkpoint.id
    assert again.checkpoint.lineage.parent == ""
    # A new run starts from that champion.
    listening = Listening()
    second = improve(tmp_path, config, observer=listening)
    assert second.checkpoint.lineage.parent == first.checkpoint.id
    assert torch.equal(second.before.pixels, first.after.pixels)


def test_a_stage_is_made_once_and_anew_for_other_inputs(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> Packed:
        made.append(len(made))
        return Packed(tensors={"x": torch.arange(3.0) + len(made)}, facts={"third": 1 / 3, "none": None})

    with Workspace.open(tmp_path) as space:
        space.runs.create("train-0002", kind="train", config="{}", at=0.0)
        with pytest.raises(UsageError, match=r"to resume with `redraft improve` .* or name one with --run"):
            next_run(space, resume=True, kind="improve", run=None)  # that of another command is not taken up unasked
        assert next_run(space, resume=True, kind="improve", run="train-0002") == "train-0002"
        space.runs.create("improve-0001", kind="improve", config="{}", at=0.0)
        journal = Journal(workspace=space, run="improve-0001", seed=0, clock=lambda: 1.0)
        first, digest = journal.stage("stage", make, inputs={"a": "1"})
        again, same = journal.stage("stage", make, inputs={"a": "1"})
        assert (len(made), same) == (1, digest)
        assert torch.equal(first.tensors["x"], again.tensors["x"])
        assert again.facts == {"third": 1 / 3, "none": None}
        _, other = journal.stage("stage", make, inputs={"a": "2"})
        assert (len(made), other == digest) == (2, False)
        assert journal.load_state("state") is None
        path = space.stage_files.path("improve-0001", "stage.safetensors")
        path.write_bytes(path.read_bytes()[:-1] + b"\x07")
        with pytest.raises(DamagedError, match="damaged"):
            journal.stage("stage", make, inputs={"a": "2"})


def test_hashes_of_values_do_not_depend_on_the_order_of_keys() -> None:
    assert digest_of({"a": 1, "b": [2]}) == digest_of({"b": [2], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})


def test_the_lease_is_held_for_the_named_run_and_given_back(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as space:
        name = next_run(space, resume=False, kind="train", run=None)
        assert name == "train-0001"
        with held_lease(space, name, clock=lambda: 5.0):
            holder: Any = space.lease.holder()
            assert holder.run == "train-0001"
            with pytest.raises(BusyError, match="run 'train-0001' is training in this workspace"):
                space.lease.acquire(run="other", at=6.0)
        assert space.lease.holder() is None
        with pytest.raises(UsageError, match="no unfinished run to resume"):
            next_run(space, resume=True, kind="improve", run=None)
        space.runs.create("improve-0001", kind="improve", config="{}", at=0.0)
        assert next_run(space, resume=True, kind="improve", run=None) == "improve-0001"
        space.runs.set_status("improve-0001", "finished", at=1.0)
        with pytest.raises(UsageError, match="is finished: there is nothing to resume"):
            next_run(space, resume=True, kind="improve", run="improve-0001")
        with pytest.raises(UsageError, match="improve-0001"):
            next_run(space, resume=True, kind="improve", run="improve-001")
