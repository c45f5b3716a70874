"""A run's life around its cycle: the training lease, a name, a status that says how it ended. No stage is here."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redraft.core.config import build
from redraft.core.errors import UsageError
from redraft.loop.config import RunConfig
from redraft.loop.journal import Clock
from redraft.store.runs import Run
from redraft.store.workspace import Workspace

HEARTBEAT_SECONDS = 30.0


@contextmanager
def held_lease(workspace: Workspace, *, clock: Clock) -> Iterator[Callable[[str], None]]:
    """Hold the training lease within the block. The callable it yields does nothing but name the run for messages.

    Raises BusyError when another process trains in this workspace.
    """
    name = workspace.runs.fresh_name("run")
    holder = workspace.lease.acquire(run=name, at=clock())
    stop = threading.Event()

    def beat() -> None:
        present = holder
        while not stop.wait(HEARTBEAT_SECONDS):
            present = workspace.lease.heartbeat(present, at=clock())

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield lambda _: None
    finally:
        stop.set()
        thread.join()
        workspace.lease.release(holder)


def begin_run(
    workspace: Workspace, config: RunConfig | None, *, kind: str, run: str | None, clock: Clock
) -> tuple[Run, RunConfig]:
    """Create a run for `config`, or with None find the one to resume, with the configuration it was started with.

    Raises UsageError when there is nothing to resume, UnknownNameError for a run that does not exist.
    """
    if config is not None:
        text = json.dumps(config.model_dump(mode="json"), sort_keys=True)
        return workspace.runs.create(workspace.runs.fresh_name(kind), kind=kind, config=text, at=clock()), config
    entry = workspace.runs.latest_unfinished() if run is None else workspace.runs.get(run)
    if entry is None:
        raise UsageError("there is no unfinished run to resume in this workspace: start one without --resume")
    if entry.status == "finished":
        raise UsageError(f"run {entry.name!r} is finished: there is nothing to resume; see `redraft runs show`")
    workspace.runs.set_status(entry.name, "running", at=clock())
    return entry, build(RunConfig, json.loads(entry.config), source=f"the configuration of run {entry.name}")


@contextmanager
def finish_run(workspace: Workspace, name: str, *, clock: Clock) -> Iterator[Callable[[str], None]]:
    """Mark the run finished when the yielded callable was given its result, failed when the block raises."""
    results: list[str] = []
    try:
        yield results.append
    except Exception as error:
        workspace.runs.set_status(name, "failed", at=clock(), result=json.dumps({"error": str(error)}))
        raise
    if results:
        workspace.runs.set_status(name, "finished", at=clock(), result=results[0])
