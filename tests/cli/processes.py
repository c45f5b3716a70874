"""Commands as real processes that start fast: forked from a clean server that has imported the heavy packages once."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sqlite3
import sys
import time
from collections.abc import Sequence
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

HEAVY = [
    "redraft.cli.main", "redraft.cli.results", "redraft.loop.cycle", "redraft.models.families", "peft",
    "diffusers.pipelines.stable_diffusion_3.pipeline_stable_diffusion_3", "transformers.models.clip.modeling_clip",
    "alembic", "jinja2", "matplotlib.figure",
]  # fmt: skip
PATIENCE = 120.0
"""Seconds after which a test gives up waiting for a process."""


def context() -> ForkServerContext:
    """The server of this test session; its children inherit nothing else from the tests."""
    chosen = multiprocessing.get_context("forkserver")
    chosen.set_forkserver_preload(HEAVY)
    return chosen


def start(arguments: Sequence[object], log: Path, *, largest_file: int | None = None) -> ForkServerProcess:
    """Start `redraft ARGUMENTS` in a process of its own; stdout goes to `log`.out and stderr to `log`.err."""
    process = context().Process(target=_run, args=([str(part) for part in arguments], str(log), largest_file))
    process.start()
    return process


def finish(process: ForkServerProcess) -> int:
    """Wait for its end and return the exit code."""
    process.join(PATIENCE)
    assert process.exitcode is not None, "the process did not end in time"
    return process.exitcode


def _run(arguments: list[str], log: str, largest_file: int | None) -> None:
    for name, number in (("out", 1), ("err", 2)):
        os.dup2(os.open(f"{log}.{name}", os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    if largest_file is not None:
        # Beyond this size a write fails like one to a full disk (EFBIG); the signal would end the process instead.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    sys.argv = ["redraft", *arguments]
    from redraft.cli.main import run

    run()


def marks(workspace: Path, run: str) -> list[str]:
    """Everything that the run has made durable so far: entries of its ledger, and states saved while training."""
    database = workspace / "redraft.db"
    if not database.exists():
        return []
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        rows = connection.execute("select stage || ' ' || status from ledger where run = ? order by number", (run,))
        entries = [str(row[0]) for row in rows]
    except sqlite3.OperationalError:
        entries = []
    finally:
        connection.close()
    states = sorted((workspace / "runs" / run).glob("*-state.safetensors"))
    return entries + [f"{path.name} {path.stat().st_mtime_ns}" for path in states]


def wait_for_marks(process: ForkServerProcess, workspace: Path, run: str, *, more: int) -> list[str]:
    """Wait until the run has made `more` new marks; returns them. Fails when the process ends before."""
    before = set(enumerate(marks(workspace, run)))
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.exitcode is None, "the process ended before it was to be killed"
        new = [mark for place, mark in enumerate(marks(workspace, run)) if (place, mark) not in before]
        if len(new) >= more:
            return new
        time.sleep(0.002)
    raise AssertionError("no progress was seen in time")
