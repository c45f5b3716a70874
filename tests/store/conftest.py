"""Real workspaces, real processes and a real small disk for the tests of the store."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from places import Place

from redraft.core.records import Lineage
from redraft.store.workspace import Workspace
from tests.postgresql_cluster import Cluster


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    with Workspace.open(folder) as opened:
        yield opened


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, folder: Path) -> Place:
    """Where a workspace is: a test that takes this runs on both databases."""
    if request.param == "sqlite":
        return Place(folder=folder, url=None)
    cluster: Cluster = request.getfixturevalue("cluster")
    return Place(folder=folder, url=cluster.empty())


@pytest.fixture
def space(place: Place) -> Iterator[Workspace]:
    """An open workspace, once on each database."""
    with place.open() as opened:
        yield opened


@pytest.fixture
def lineage() -> Lineage:
    return Lineage(
        parent="",
        base="builtin:sd",
        method="nft",
        config='{"seed": 7}',
        data_hash="d" * 64,
        reward_fingerprints=("oracle:1", "clip:2"),
        code_version="0.1.0",
        seed=7,
        run="improve-0001",
    )


@pytest.fixture
def fork() -> ForkContext:
    """Makes barriers, events and queues for the processes of `start`.

    Forked children share the parent's imports, so a test with six processes takes a fraction of a second. No test has
    a workspace open while it forks: a SQLite connection must not be carried into another process.
    """
    return multiprocessing.get_context("fork")


@pytest.fixture
def start(fork: ForkContext) -> Iterator[Callable[..., BaseProcess]]:
    """Start a process that runs a function; whatever is left at the end of the test is killed."""
    processes: list[BaseProcess] = []

    def begin(target: Callable[..., object], *arguments: object) -> BaseProcess:
        process = fork.Process(target=target, args=arguments)
        process.start()
        processes.append(process)
        return process

    yield begin
    for process in processes:
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)
        process.join()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)
