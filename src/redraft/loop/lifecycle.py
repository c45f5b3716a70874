"""A run's life around its cycle: the training lease, a name, a status that says how it ended. No stage is here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from redraft.core.config import build
from redraft.core.errors import UsageError
from redraft.loop.config import RunConfig
from redraft.loop.journal import Clock
from redraft.store.runs import Run
from redraft.store.workspace import Workspace

HEARTBEAT_SECONDS = 30.0


def next_run(workspace: Workspace, *, resume: bool, kind: str, run: str | None) -> str:
    """The name of the run that is about to begin, or of the one to resume: `run`, or the kind's latest unfinished one.

    Raises UsageError when there is nothing to resume, UnknownNameError for a run that does not exist.
    """
    if not resume:
        return workspace.runs.fresh_name(kind)
    entry = workspace.runs.latest_unfinished(kind=kind) if run is None else workspace.runs.get(run)
    if entry is None:
        raise UsageError(
            f"there is no unfinished run to resume with `redraft {kind}` in this workspace: start one without "
            "--resume, or name one with --run (`redraft runs list` shows all)"
        )
    if entry.status == "finished":
        raise UsageError(f"run {entry.name!r} is finished: there is nothing to resume; see `redraft runs show`")
    return entry.name


@contextmanager
def held_lease(workspace: Workspace, run: str, *, clock: Clock) -> Iterator[Callable[[], None]]:
    """Hold the training lease for `run` within the block, which is given a check that raises when it was lost.

    Raises BusyError, naming the holder and its run, when another process trains in this workspace; and at the end of
    the block when another process has taken the lease over meanwhile.
    """
    holder = workspace.lease.acquire(run=run, at=clock())
    keeper = workspace.lease.keep(holder, clock=clock, every=HEARTBEAT_SECONDS)
    try:
        yield keeper.check
        keeper.check()
    finally:
        keeper.close()
        workspace.lease.release(holder)


def begin_run(
    workspace: Workspace, run: str, *, config: RunConfig | None, kind: str, clock: Clock
) -> tuple[Run, RunConfig]:
    """Create `run` for `config`, or with None go on with it, with the configuration it was started with.

    The name comes from `next_run`, and the lease is held. Raises UsageError when such a run was created or finished
    between that call and the lease.
    """
    if config is not None:
        text = json.dumps(config.model_dump(mode="json"), sort_keys=True)
        return workspace.runs.create(run, kind=kind, config=text, at=clock()), config
    entry = workspace.runs.get(next_run(workspace, resume=True, kind=kind, run=run))
    workspace.runs.set_status(entry.name, "running", at=clock())
    return entry, build(RunConfig, json.loads(entry.config), source=f"the configuration of run {entry.name}")


@contextmanager
def learning_run(
    workspace: Workspace, *, people: Iterable[str], config: Mapping[str, Any], clock: Clock
) -> Iterator[Callable[[str], None]]:
    """A run of kind "reward", which learns from the answers of `people`: noted first, so that an erasure can name it.

    It trains no model that paints, so no lease is held. It ends as `finish_run` says.
    """
    name = workspace.runs.fresh_name("reward")
    workspace.runs.create(name, kind="reward", config=json.dumps(config, sort_keys=True), at=clock())
    workspace.answers.note_training(name, people)
    with finish_run(workspace, name, clock=clock) as finished:
        yield finished


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
