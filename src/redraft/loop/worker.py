"""A worker: leases jobs, carries out their orders, says how far it is. Knows nothing of who entered them.

A worker that dies leaves its job leased; when its heartbeats have been missing long enough another worker claims it and
goes on with the same run, from its last finished stage. A job of a training has the id of its run, so that no record of
which run belongs to it can be lost.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from redraft.core.errors import BusyError, RedraftError, UnknownNameError
from redraft.core.orders import PromoteOrder, RollbackOrder, TrainingOrder, read_order
from redraft.core.records import Live
from redraft.loop.holding import HeldJob, Interruption
from redraft.loop.job_progress import JobProgress
from redraft.store.jobs import Job
from redraft.store.runs import Run
from redraft.store.workspace import Workspace

# A worker that waits, or moves aliases only, never imports torch.
if TYPE_CHECKING:
    from redraft.loop.config import RunConfig
    from redraft.loop.journal import Clock
    from redraft.loop.recording import Recorded

LOG = logging.getLogger("redraft.worker")
BUSY_SECONDS = 15.0
"""After so long a job that found another training in the workspace is tried again."""

_ESSENCE = ("verdict", "reasons", "checkpoint", "promoted", "stopped_by", "seconds")


class Trainer(Protocol):
    """What the command line lends the worker: from an order to a configuration, from a run to its result."""

    def resolve(self, kind: str, order: TrainingOrder) -> RunConfig:
        """The whole configuration of an order. Raises UsageError for what cannot be."""
        ...

    def work(self, workspace: Workspace, run: Run, config: RunConfig, observer: Recorded) -> Mapping[str, Any]:
        """Do the cycle, mark the run as finished or failed, and return its summary, which is JSON-able."""
        ...


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Works on the jobs of one workspace, one after another. `name` says which process it is, for people.

    beat: seconds between heartbeats. stale: seconds of silence after which a job is taken from another worker.
    stopping: when it is set, the job in progress is given back between two of its steps.
    """

    workspace: Workspace
    name: str
    trainer: Trainer
    clock: Clock
    beat: float = 2.0
    stale: float = 60.0
    stopping: threading.Event = field(default_factory=threading.Event)

    def work(self, kinds: Sequence[str]) -> Job | None:
        """Claim the next job of these kinds and bring it to an end. Returns it as it is then, None when there is none.

        What fails is the job's failure and is kept with it; only errors of the database are raised.
        """
        job = self.workspace.jobs.claim(kinds, worker=self.name, at=self.clock(), stale_after=self.stale)
        if job is None:
            return None
        LOG.info("job %s begun (attempt %d)", job.id, job.attempts)
        try:
            done = self._carry_out(job)
        except BusyError as error:
            # Somebody else has the job now: what they say about it counts.
            LOG.warning("job %s: %s", job.id, error)
            return self._as_it_is(job)
        LOG.info("job %s %s %s", done.id, done.state, done.error)
        return done

    def _carry_out(self, job: Job) -> Job:
        jobs = self.workspace.jobs
        try:
            order = read_order(job.kind, job.payload)
            if isinstance(order, TrainingOrder):
                return self._train(job, order)
            result = _shown(_move(self.workspace, order, at=self.clock()))
        except RedraftError as error:
            return jobs.finish(job, at=self.clock(), error=str(error))
        except Exception as error:
            LOG.exception("job %s", job.id)
            return jobs.finish(
                job, at=self.clock(), error=f"{type(error).__name__}: {error}; the worker's log has more"
            )
        return jobs.finish(job, at=self.clock(), result=result)

    def _train(self, job: Job, order: TrainingOrder) -> Job:
        from redraft.loop.recording import finished_rounds

        earlier = _run_of(self.workspace, job.id)
        if earlier is not None and earlier.status == "finished":
            # Its worker died between the end of the run and the end of the job.
            return self.workspace.jobs.finish(job, at=self.clock(), result=_essence(json.loads(earlier.result or "{}")))
        config = self.trainer.resolve(job.kind, order)
        rounds = finished_rounds(self.workspace, job.id)
        progress = JobProgress(job.id, rounds=config.rounds, finished=rounds)
        try:
            with self._holding(job, progress) as held:
                result = self._cycle(job, None if earlier is not None else config, progress, held)
        except Interruption as interruption:
            return self._interrupted(job, interruption)
        except _WaitError as wait:
            waiting = self.workspace.jobs.heartbeat(job, at=self.clock(), progress=_waiting(job, str(wait)))
            return self.workspace.jobs.release(waiting, at=self.clock() + BUSY_SECONDS)
        return self.workspace.jobs.finish(job, at=self.clock(), result=_essence(result))

    def _holding(self, job: Job, progress: JobProgress) -> HeldJob:
        return HeldJob(
            self.workspace.jobs, job, clock=self.clock, every=self.beat, stopping=self.stopping,
            progress=lambda: progress.now,
        )  # fmt: skip

    def _cycle(self, job: Job, config: RunConfig | None, progress: JobProgress, held: HeldJob) -> Mapping[str, Any]:
        """The run of a job, with the training lease held. Raises _WaitError when another training holds it."""
        from redraft.loop.lifecycle import begin_run, held_lease
        from redraft.loop.recording import Recorded

        space, clock = self.workspace, self.clock
        worked: list[Mapping[str, Any]] = []
        failed: list[RedraftError] = []
        try:
            with held_lease(space, job.id, clock=clock) as check:
                run, resolved = begin_run(space, job.id, config=config, kind=job.kind, clock=clock)

                def allowed() -> None:
                    held.check()
                    try:
                        check()
                    except BusyError as error:
                        raise Interruption("lease lost") from error

                try:
                    with Recorded(progress, workspace=space, run=run.name, check=allowed) as observer:
                        worked.append(self.trainer.work(space, run, resolved, observer))
                except RedraftError as error:
                    failed.append(error)
        except BusyError as error:
            # The lease: at the beginning somebody else's, at the end lost. A finished run is found at the next claim.
            raise _WaitError(str(error)) from error
        if failed:
            raise failed[0]
        return worked[0]

    def _interrupted(self, job: Job, interruption: Interruption) -> Job:
        jobs, now = self.workspace.jobs, self.clock()
        LOG.info("job %s: %s", job.id, interruption.why)
        if interruption.why == "taken over":
            return self._as_it_is(job)
        if interruption.why != "cancelled":
            return jobs.release(job, at=now)
        if _run_of(self.workspace, job.id) is not None:
            reason = f"cancelled; `redraft runs resume {job.id}` goes on with it"
            self.workspace.runs.set_status(job.id, "failed", at=now, result=json.dumps({"error": reason}))
        return jobs.finish(job, at=now, cancelled=True)

    def _as_it_is(self, job: Job) -> Job:
        """A job that is no longer this worker's; as it was claimed when whoever ordered it was erased."""
        try:
            return self.workspace.jobs.get(job.id, owner=None)
        except UnknownNameError:
            return job


class _WaitError(Exception):
    """Another training holds the workspace; the message says which."""


def _move(workspace: Workspace, order: PromoteOrder | RollbackOrder, *, at: float) -> Live:
    aliases = workspace.aliases
    if isinstance(order, RollbackOrder):
        return aliases.rollback(order.base, reason=order.reason or "rolled back in the studio", at=at)
    checkpoint = workspace.checkpoints.get(order.checkpoint).id
    return aliases.move(order.base, checkpoint, reason=order.reason or "promoted in the studio", at=at)


def _essence(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What a job says of its run; the rest is with the run, numbers that are none included, which no table takes."""
    return {name: summary[name] for name in _ESSENCE if name in summary}


def _shown(live: Live) -> dict[str, Any]:
    return {"base": live.base, "checkpoint": live.checkpoint, "reason": live.reason}


def _waiting(job: Job, message: str) -> dict[str, Any]:
    return {**job.progress, "run": job.id, "stage": "waiting", "words": message}


def _run_of(workspace: Workspace, name: str) -> Run | None:
    try:
        return workspace.runs.get(name)
    except UnknownNameError:
        return None
