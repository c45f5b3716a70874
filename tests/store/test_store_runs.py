"""Runs, their ledger and their files: order, append-only, damage, concurrent writers."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable
from multiprocessing.context import ForkContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from redraft.core.errors import DamagedError, UnknownNameError, UsageError
from redraft.store.ledger import Entry
from redraft.store.workspace import Workspace

RUN = "improve-0001"


@pytest.fixture
def run(workspace: Workspace) -> str:
    return workspace.runs.create(RUN, kind="improve", config="{}", at=1.0).name


def append(workspace: Workspace, stage: str, status: str, *, at: float = 1.0, run: str = RUN) -> Entry:
    return workspace.ledger.append(
        run,
        stage,
        status=status,  # type: ignore[arg-type]
        inputs={"prompts": "a" * 64},
        outputs={"pictures": "b" * 64} if status == "finished" else {},
        seed=2**62,
        at=at,
    )


def test_runs_are_kept_with_their_configuration(workspace: Workspace) -> None:
    assert workspace.runs.fresh_name("improve") == "improve-0001"
    config = '{"seed": 7, "text": "ä\\u0000"}'
    made = workspace.runs.create("improve-0001", kind="improve", config=config, at=1.5)
    assert (made.status, made.result, made.config) == ("running", "", config)
    assert workspace.runs.get("improve-0001") == made
    assert workspace.runs.fresh_name("train") == "train-0002"
    workspace.runs.create("train-0002", kind="train", config="{}", at=2.0)
    assert [item.name for item in workspace.runs.list()] == ["improve-0001", "train-0002"]


def test_status_and_the_latest_unfinished_run(workspace: Workspace) -> None:
    assert workspace.runs.latest_unfinished() is None
    for number, kind in enumerate(("improve", "train", "improve"), 1):
        workspace.runs.create(f"{kind}-{number:04d}", kind=kind, config="{}", at=float(number))
    finished = workspace.runs.set_status("improve-0003", "finished", at=9.0, result='{"verdict": "hold"}')
    assert (finished.status, finished.result, finished.created_at, finished.changed_at) == (
        "finished",
        '{"verdict": "hold"}',
        3.0,
        9.0,
    )
    workspace.runs.set_status("train-0002", "failed", at=9.0, result='{"error": "NaN"}')
    latest, latest_improve = workspace.runs.latest_unfinished(), workspace.runs.latest_unfinished(kind="improve")
    assert latest is not None
    assert latest.name == "train-0002"
    assert latest_improve is not None
    assert latest_improve.name == "improve-0001"
    workspace.runs.set_status("improve-0001", "finished", at=9.0)
    assert workspace.runs.latest_unfinished(kind="improve") is None


def test_names_of_runs(workspace: Workspace, run: str) -> None:
    with pytest.raises(UsageError, match=r"a run 'improve-0001' exists already: resume it"):
        workspace.runs.create(run, kind="improve", config="{}", at=2.0)
    for name in ("", "../up", "a/b", "Ä", ".hidden", "x" * 101):
        with pytest.raises(UsageError, match="cannot be the name of a run: use up to 100 of a-z"):
            workspace.runs.create(name, kind="improve", config="{}", at=2.0)
    for call in (workspace.runs.get, lambda name: workspace.runs.set_status(name, "failed", at=1.0)):
        with pytest.raises(UnknownNameError, match=r"run 'improve-001' is unknown: did you mean 'improve-0001'\?"):
            call("improve-001")


def test_the_ledger_keeps_entries_in_order(workspace: Workspace, run: str) -> None:
    assert workspace.ledger.entries(run) == ()
    assert workspace.ledger.last_finished(run) is None
    stages = [("collect", "started"), ("collect", "finished"), ("train", "started"), ("train", "finished")]
    made = [append(workspace, *stage, at=float(number)) for number, stage in enumerate(stages)]
    made.append(append(workspace, "examine", "started", at=-5.0))  # a clock that was set back changes no order
    assert workspace.ledger.entries(run) == tuple(made)
    assert [entry.number for entry in made] == [1, 2, 3, 4, 5]
    assert made[1].outputs == {"pictures": "b" * 64}
    assert made[1].seed == 2**62
    assert workspace.ledger.last_finished(run) == made[3]
    assert workspace.ledger.last_finished(run, stage="collect") == made[1]
    assert workspace.ledger.last_finished(run, stage="examine") is None


def test_the_ledger_of_an_unknown_run(workspace: Workspace, run: str) -> None:
    with pytest.raises(UnknownNameError, match=r"run 'imprve' is unknown: did you mean 'improve-0001'\?"):
        append(workspace, "collect", "started", run="imprve")
    assert workspace.ledger.entries(run) == ()


@pytest.mark.parametrize("statement", ["UPDATE ledger SET seed = 0", "DELETE FROM ledger"])
def test_the_database_refuses_to_change_the_ledger(
    workspace: Workspace, run: str, folder: Path, statement: str
) -> None:
    made = append(workspace, "collect", "finished")
    with (
        pytest.raises(sqlite3.IntegrityError, match="ledger is append-only"),
        sqlite3.connect(folder / "redraft.db") as raw,
    ):
        raw.execute(statement)
    assert workspace.ledger.entries(run) == (made,)


def write_ledger(folder: Path, name: str) -> None:
    with Workspace.open(folder) as workspace:
        for number in range(15):
            append(workspace, f"{name}/{number}", "finished")


def test_concurrent_processes_open_and_write_without_loss(folder: Path, start: Callable[..., BaseProcess]) -> None:
    with Workspace.open(folder) as workspace:
        workspace.runs.create(RUN, kind="improve", config="{}", at=1.0)
    processes = [start(write_ledger, folder, name) for name in "abcd"]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    with Workspace.open(folder) as workspace:
        entries = workspace.ledger.entries(RUN)
    assert [entry.number for entry in entries] == list(range(1, 61))
    for name in "abcd":
        mine = [entry.stage for entry in entries if entry.stage.startswith(name)]
        assert mine == [f"{name}/{number}" for number in range(15)]


def open_at_once(folder: Path, name: str, barrier: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    with Workspace.open(folder) as workspace:
        workspace.runs.create(name, kind="improve", config="{}", at=1.0)


def test_processes_that_make_one_workspace_at_the_same_moment(
    folder: Path, start: Callable[..., BaseProcess], fork: ForkContext
) -> None:
    barrier = fork.Barrier(5)
    processes = [start(open_at_once, folder, f"run-{name}", barrier) for name in "abcde"]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 5
    with Workspace.open(folder) as workspace:
        assert sorted(item.name for item in workspace.runs.list()) == [f"run-{name}" for name in "abcde"]


def test_threads_share_a_workspace(workspace: Workspace, run: str) -> None:
    threads = [
        threading.Thread(target=lambda: [append(workspace, "collect", "started") for _ in range(10)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.number for entry in workspace.ledger.entries(run)] == list(range(1, 41))


def test_stage_files_are_replaced_and_verified(workspace: Workspace, folder: Path) -> None:
    files = workspace.stage_files
    assert files.names(RUN) == ()
    first = files.save(RUN, "train-1/state.safetensors", b"one")
    second = files.save(RUN, "train-1/state.safetensors", b"two")
    files.save(RUN, "report.html", b"<html>")
    assert second == hashlib.sha256(b"two").hexdigest()
    assert files.load(RUN, "train-1/state.safetensors", expected=second) == b"two"
    assert files.load(RUN, "train-1/state.safetensors") == b"two"
    assert files.names(RUN) == ("report.html", "train-1/state.safetensors")
    assert files.path(RUN, "report.html") == folder / "runs" / RUN / "report.html"
    with pytest.raises(DamagedError, match=rf"state\.safetensors is damaged.*must be {first}, but is {second}"):
        files.load(RUN, "train-1/state.safetensors", expected=first)
    files.remove(RUN, "report.html")
    files.remove(RUN, "report.html")
    with pytest.raises(DamagedError, match=r"report\.html is gone; put back a copy"):
        files.load(RUN, "report.html")


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../other/file", "a/../../b", ".hidden", "a/.b", "a\\b"])
def test_stage_files_stay_in_their_folder(workspace: Workspace, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a run's file: use a relative path"):
        workspace.stage_files.save(RUN, name, b"")
    with pytest.raises(UsageError, match="cannot be the name of a run"):
        workspace.stage_files.save("../up", "file", b"")
