"""The training lease: one holder, real killed processes, zombies, reused process numbers, stale heartbeats, races."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from multiprocessing.context import ForkContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from redraft.core.errors import BusyError, StorageError
from redraft.store.lease import Holder
from redraft.store.workspace import Workspace


def hold(folder: Path, run: str, ready: object) -> None:
    with Workspace.open(folder) as workspace:
        workspace.lease.acquire(run=run, at=100.0)
        ready.set()  # type: ignore[attr-defined]
        time.sleep(600)


def pretend(folder: Path, **values: object) -> None:
    """Change who the database says holds the lease."""
    with sqlite3.connect(folder / "redraft.db") as raw:
        for name, value in values.items():
            raw.execute(f"UPDATE leases SET {name} = ?", (value,))


def test_one_at_a_time(workspace: Workspace) -> None:
    lease = workspace.lease
    assert lease.holder() is None
    mine = lease.acquire(run="improve-0001", at=100.0)
    assert lease.holder() == mine
    assert (mine.run, mine.pid, mine.acquired_at) == ("improve-0001", os.getpid(), 100.0)
    with pytest.raises(BusyError) as caught:
        lease.acquire(run="improve-0002", at=112.0)
    message = str(caught.value)
    assert f"run 'improve-0001' is training in this workspace (process {os.getpid()} on {mine.host}" in message
    assert "last heartbeat 12 s ago" in message
    assert "wait until it ends, stop that process" in message
    lease.release(mine)
    assert lease.holder() is None
    assert lease.acquire(run="improve-0002", at=113.0).run == "improve-0002"


def test_heartbeats_keep_the_lease(workspace: Workspace) -> None:
    mine = workspace.lease.acquire(run="improve-0001", at=0.0)
    for at in (500.0, 1000.0, 1500.0):
        mine = workspace.lease.heartbeat(mine, at=at)
        assert mine.heartbeat_at == at
    with pytest.raises(BusyError):
        workspace.lease.acquire(run="improve-0002", at=2099.0)


@pytest.mark.parametrize("at", [100.0 + 601.0, 100.0 - 601.0])
def test_a_stale_heartbeat_is_taken_over_and_the_old_holder_finds_out(workspace: Workspace, at: float) -> None:
    old = workspace.lease.acquire(run="improve-0001", at=100.0)
    new = workspace.lease.acquire(run="improve-0002", at=at)
    with pytest.raises(BusyError, match=r"run 'improve-0001' lost the training lease.*stop here and resume"):
        workspace.lease.heartbeat(old, at=at)
    workspace.lease.release(old)
    assert workspace.lease.holder() == new, "the old holder cannot give back what is no longer its own"


def test_how_old_is_stale_is_the_caller_s_choice(workspace: Workspace) -> None:
    workspace.lease.acquire(run="improve-0001", at=100.0)
    with pytest.raises(BusyError):
        workspace.lease.acquire(run="improve-0002", at=110.0, stale_after=10.0)
    workspace.lease.acquire(run="improve-0002", at=110.1, stale_after=10.0)


@pytest.mark.parametrize("reaped", [True, False])
def test_a_killed_holder_is_taken_over_at_once(
    folder: Path, start: Callable[..., BaseProcess], fork: ForkContext, reaped: bool
) -> None:
    """Without `reaped` the killed process is a zombie: its number still answers to signals."""
    Workspace.open(folder).close()
    ready = fork.Event()
    process = start(hold, folder, "improve-0001", ready)
    assert ready.wait(60)
    with Workspace.open(folder) as workspace:
        with pytest.raises(BusyError, match=rf"run 'improve-0001' is training .*\(process {process.pid} on"):
            workspace.lease.acquire(run="improve-0002", at=101.0)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        if reaped:
            process.join()
        else:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            os.kill(process.pid, 0)
        taken = workspace.lease.acquire(run="improve-0002", at=101.0)
        assert workspace.lease.holder() == taken


def test_a_process_number_that_was_given_to_another_process(workspace: Workspace, folder: Path) -> None:
    old = workspace.lease.acquire(run="improve-0001", at=100.0)
    if not old.process_start:
        pytest.skip("this system does not tell when a process began")
    pretend(folder, process_start="an earlier boot:1")
    assert workspace.lease.acquire(run="improve-0002", at=101.0).generation == old.generation + 1


def test_on_another_machine_only_the_heartbeat_counts(workspace: Workspace, folder: Path) -> None:
    workspace.lease.acquire(run="improve-0001", at=100.0)
    pretend(folder, host="another-machine", pid=2**22 + 1)  # above the largest process number of Linux
    with pytest.raises(BusyError, match="on another-machine"):
        workspace.lease.acquire(run="improve-0002", at=101.0)
    workspace.lease.acquire(run="improve-0002", at=701.0)


def wait_for(condition: Callable[[], bool]) -> None:
    """At most ten seconds: the keeper beats every few milliseconds here."""
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("what was waited for did not come")


def present(workspace: Workspace) -> Holder:
    holder = workspace.lease.holder()
    assert holder is not None
    return holder


def test_a_keeper_sends_heartbeats_until_it_is_closed(workspace: Workspace) -> None:
    times = iter(range(1000, 10**9))
    mine = workspace.lease.acquire(run="improve-0001", at=0.0)
    keeper = workspace.lease.keep(mine, clock=lambda: float(next(times)), every=0.005)
    wait_for(lambda: present(workspace).heartbeat_at >= 1003.0)
    keeper.check()
    keeper.close()
    last = present(workspace).heartbeat_at
    time.sleep(0.05)
    assert present(workspace).heartbeat_at == last
    keeper.check()


def test_a_keeper_says_that_the_lease_was_lost(workspace: Workspace, folder: Path) -> None:
    mine = workspace.lease.acquire(run="improve-0001", at=0.0)
    keeper = workspace.lease.keep(mine, clock=lambda: 5.0, every=0.005)
    pretend(folder, generation=mine.generation + 1)

    def lost() -> bool:
        try:
            keeper.check()
        except BusyError as error:
            return "run 'improve-0001' lost the training lease" in str(error)
        return False

    wait_for(lost)
    keeper.close()
    with pytest.raises(BusyError, match="stop here and resume when that one ends"):
        keeper.check()


def test_a_keeper_outlives_a_database_that_fails_for_a_while(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keeper that was replaced here died at the first such failure, and nobody was told."""
    mine = workspace.lease.acquire(run="improve-0001", at=0.0)
    failures = [BusyError("held by another process"), StorageError("the disk is full"), BusyError("held again")]
    heartbeat = workspace.lease.heartbeat

    def failing(holder: Holder, *, at: float) -> Holder:
        if failures:
            raise failures.pop()
        return heartbeat(holder, at=at)

    monkeypatch.setattr(workspace.lease, "heartbeat", failing)
    keeper = workspace.lease.keep(mine, clock=lambda: 7.0, every=0.005)
    wait_for(lambda: present(workspace).heartbeat_at == 7.0)
    keeper.check()
    keeper.close()
    assert failures == []


def test_a_keeper_that_fails_for_any_other_reason_says_so(workspace: Workspace) -> None:
    def broken() -> float:
        raise ZeroDivisionError("the clock is broken")

    keeper = workspace.lease.keep(workspace.lease.acquire(run="r", at=0.0), clock=broken, every=0.005)
    keeper_failed = False
    for _ in range(1000):
        try:
            keeper.check()
        except ZeroDivisionError:
            keeper_failed = True
            break
        time.sleep(0.01)
    keeper.close()
    assert keeper_failed


def race(folder: Path, name: str, barrier: object, outcomes: object) -> None:
    with Workspace.open(folder) as workspace:
        barrier.wait()  # type: ignore[attr-defined]
        try:
            workspace.lease.acquire(run=name, at=101.0)
            outcomes.put(name)  # type: ignore[attr-defined]
        except BusyError:
            outcomes.put("busy")  # type: ignore[attr-defined]
        barrier.wait()  # type: ignore[attr-defined]  # nobody ends, and so dies, before all have tried


@pytest.mark.parametrize("dead_holder", [False, True])
def test_of_racing_processes_exactly_one_wins(
    folder: Path, start: Callable[..., BaseProcess], fork: ForkContext, dead_holder: bool
) -> None:
    Workspace.open(folder).close()
    if dead_holder:
        ready = fork.Event()
        holder = start(hold, folder, "improve-0001", ready)
        assert ready.wait(60)
        assert holder.pid is not None
        os.kill(holder.pid, signal.SIGKILL)
        holder.join()
    barrier, outcomes = fork.Barrier(6), fork.Queue()
    processes = [start(race, folder, f"run-{number}", barrier, outcomes) for number in range(6)]
    found = sorted(outcomes.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    assert found[:5] == ["busy"] * 5
    assert found[5].startswith("run-")
    with Workspace.open(folder) as workspace:
        holding = workspace.lease.holder()
    assert holding is not None
    assert holding.run == found[5]
