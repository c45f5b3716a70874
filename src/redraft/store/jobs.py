"""Jobs: work that one process enters and another leases: claim, heartbeat, progress, cancel, finish. Runs nothing.

A worker that dies leaves its job running with an old heartbeat; the next claim takes it over, or ends it when it was
tried as often as it may be. `lease` grows at each claim, so that a worker that lost a job finds out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import sqlalchemy as sa

from redraft.core.errors import BusyError, UnknownNameError
from redraft.store.schema_work import JobRow
from redraft.store.transactions import Database
from redraft.store.upsert import insert, scalars_in

JobState = Literal["queued", "running", "finished", "failed", "cancelled"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job. payload, progress and result are JSON-able. cancelling: its worker was asked to stop.

    A job is not begun before `not_before`. priority: the greater goes first. most_attempts: after so many claims whose
    worker died it has failed.
    """

    id: str
    owner: str
    kind: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0
    state: JobState = "queued"
    attempts: int = 0
    most_attempts: int = 3
    lease: int = 0
    worker: str = ""
    cancelling: bool = False
    progress: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    idempotency_key: str | None = None
    not_before: float = 0.0
    created_at: float
    started_at: float | None = None
    heartbeat_at: float | None = None
    finished_at: float | None = None


class Jobs:
    """The jobs of a workspace. Owners see and cancel their own; workers need the lease that they were given."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enter(self, job: Job) -> tuple[Job, bool]:
        """Enter a job. Returns it and True, or the earlier one with its owner and idempotency key and False."""
        values = {**vars(job), **{name: dict(getattr(job, name)) for name in ("payload", "progress", "result")}}
        with self._database.writing() as connection:
            statement = insert(connection, JobRow).values(**values)
            if job.idempotency_key is not None:
                statement = statement.on_conflict_do_nothing(index_elements=["owner", "idempotency_key"])
            if connection.scalar(statement.returning(JobRow.id)) is not None:
                return job, True
            same = (JobRow.owner == job.owner, JobRow.idempotency_key == job.idempotency_key)
            return _record(connection.execute(sa.select(JobRow.__table__).where(*same)).one()), False

    def claim(self, kinds: Sequence[str], *, worker: str, at: float, stale_after: float = 120.0) -> Job | None:
        """Lease the next job of these kinds to `worker`, or None when there is nothing to do.

        First come those whose worker was silent for over `stale_after` seconds, then by priority, the owner with the
        fewest running jobs, and age. Of several workers that claim at the same moment each gets another job.
        """
        with self._database.writing() as connection:
            _bury(connection, at=at, stale_after=stale_after)
            running = sa.select(sa.func.count()).select_from(other := sa.alias(JobRow.__table__))
            running = running.where(other.c.owner == JobRow.owner, other.c.state == "running")
            stale = sa.and_(JobRow.state == "running", JobRow.heartbeat_at < at - stale_after)
            ready = sa.and_(JobRow.state == "queued", JobRow.not_before <= at)
            query = sa.select(JobRow.__table__).where(JobRow.kind.in_(kinds), sa.or_(ready, stale))
            order = (
                JobRow.state.desc(),
                JobRow.priority.desc(),
                running.scalar_subquery(),
                JobRow.created_at,
                JobRow.id,
            )
            # SKIP LOCKED: a job that another worker is just claiming is passed over, not waited for.
            row = connection.execute(
                query.order_by(*order).limit(1).with_for_update(skip_locked=True, of=JobRow)
            ).one_or_none()
            if row is None:
                return None
            values = {"state": "running", "worker": worker, "lease": row.lease + 1, "attempts": row.attempts + 1}
            times = {"started_at": row.started_at if row.started_at is not None else at, "heartbeat_at": at}
            change = sa.update(JobRow).where(JobRow.id == row.id).values(**values, **times)
            return _record(connection.execute(change.returning(*JobRow.__table__.columns)).one())

    def heartbeat(self, job: Job, *, at: float, progress: Mapping[str, Any] | None = None) -> Job:
        """Say that the worker of a claimed job still works, and how far it is. The answer tells if it is to stop.

        Raises BusyError when the job was taken over or ended by someone else: stop working on it.
        """
        values: dict[str, Any] = {"heartbeat_at": at}
        if progress is not None:
            values["progress"] = dict(progress)
        return self._as_holder(job, values)

    def finish(
        self, job: Job, *, at: float, result: Mapping[str, Any] | None = None, error: str = "", cancelled: bool = False
    ) -> Job:
        """End a claimed job: finished with a result, failed with an error, or cancelled because it was asked to stop.

        Raises BusyError when the job was taken over or ended by someone else; then nothing changes.
        """
        state: JobState = "cancelled" if cancelled else "failed" if error else "finished"
        return self._as_holder(job, {"state": state, "result": dict(result or {}), "error": error, "finished_at": at})

    def release(self, job: Job, *, at: float) -> Job:
        """Give a claimed job back, to be begun again by another worker: this one is stopping. Raises BusyError."""
        attempts = {"attempts": job.attempts - 1, "not_before": at}
        return self._as_holder(job, {"state": "queued", "worker": "", "heartbeat_at": None, **attempts})

    def waiting(self, kinds: Sequence[str], *, at: float, stale_after: float = 120.0) -> int:
        """How many jobs of these kinds a worker could claim now. Locks nothing."""
        stale = sa.and_(JobRow.state == "running", JobRow.heartbeat_at < at - stale_after)
        ready = sa.and_(JobRow.state == "queued", JobRow.not_before <= at)
        count = sa.select(sa.func.count()).where(JobRow.kind.in_(kinds), sa.or_(ready, stale))
        with self._database.reading() as connection:
            return connection.scalar(count) or 0

    def cancel(self, id: str, *, owner: str | None, at: float) -> Job:
        """Cancel an owner's job: at once when it waits, otherwise its worker is asked to stop. An ended one stays.

        `owner` None: whoever's it is, for operators. Raises UnknownNameError, the same for absent jobs and those of
        others.
        """
        mine = _whose(id, owner)
        with self._database.writing() as connection:
            waiting = sa.update(JobRow).where(*mine, JobRow.state == "queued")
            connection.execute(waiting.values(state="cancelled", finished_at=at))
            connection.execute(sa.update(JobRow).where(*mine, JobRow.state == "running").values(cancelling=True))
            return _one(connection, *mine, id=id)

    def get(self, id: str, *, owner: str | None) -> Job:
        """An owner's job (None: whoever's it is). Raises UnknownNameError, the same for absent jobs and others'."""
        with self._database.reading() as connection:
            return _one(connection, *_whose(id, owner), id=id)

    def position(self, id: str, *, owner: str) -> int | None:
        """How many jobs wait before an owner's one, or None when it does not wait. Raises UnknownNameError."""
        with self._database.reading() as connection:
            job = _one(connection, JobRow.id == id, JobRow.owner == owner, id=id)
            if job.state != "queued":
                return None
            older = sa.tuple_(JobRow.created_at, JobRow.id) < sa.tuple_(sa.literal(job.created_at), sa.literal(id))
            before = sa.or_(JobRow.priority > job.priority, sa.and_(JobRow.priority == job.priority, older))
            count = sa.select(sa.func.count()).select_from(JobRow).where(JobRow.state == "queued", before)
            return connection.scalar(count) or 0

    def list(self, owner: str | None, *, before: tuple[float, str] | None = None, limit: int = 50) -> tuple[Job, ...]:
        """An owner's jobs (None: everybody's, for administrators), the newest first.

        `before` is (created_at, id) of the last one of the page before.
        """
        query = sa.select(JobRow.__table__)
        if owner is not None:
            query = query.where(JobRow.owner == owner)
        order = (JobRow.created_at, JobRow.id)
        if before is not None:
            query = query.where(sa.tuple_(*order) < sa.tuple_(*map(sa.literal, before)))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(*(column.desc() for column in order)).limit(limit))
            return tuple(_record(row) for row in rows)

    def existing(self, ids: Sequence[str]) -> frozenset[str]:
        """Which of these ids are jobs."""
        with self._database.reading() as connection:
            return frozenset(scalars_in(connection, sa.select(JobRow.id), JobRow.id, ids))

    def _as_holder(self, job: Job, values: Mapping[str, Any]) -> Job:
        held = (JobRow.id == job.id, JobRow.lease == job.lease, JobRow.state == "running")
        with self._database.writing() as connection:
            change = sa.update(JobRow).where(*held).values(**values).returning(*JobRow.__table__.columns)
            row = connection.execute(change).one_or_none()
        if row is None:
            raise BusyError(
                f"job {job.id} ({job.kind}) is no longer this worker's: it was silent too long and another worker took "
                "it over, or it has ended; stop working on it"
            )
        return _record(row)


def _bury(connection: sa.Connection, *, at: float, stale_after: float) -> None:
    """End silent jobs that are not to be tried again: too often already, or their owner wanted them to stop."""
    silent = (JobRow.state == "running", JobRow.heartbeat_at < at - stale_after)
    stopped = sa.update(JobRow).where(*silent, JobRow.cancelling)
    connection.execute(stopped.values(state="cancelled", finished_at=at))
    tried = sa.update(JobRow).where(*silent, JobRow.attempts >= JobRow.most_attempts)
    error = "every worker that began this job fell silent: look into its log, then enter the job again"
    connection.execute(tried.values(state="failed", error=error, finished_at=at))


def _whose(id: str, owner: str | None) -> tuple[sa.ColumnElement[bool], ...]:
    return (JobRow.id == id,) if owner is None else (JobRow.id == id, JobRow.owner == owner)


def _one(connection: sa.Connection, *conditions: sa.ColumnElement[bool], id: str) -> Job:
    row = connection.execute(sa.select(JobRow.__table__).where(*conditions)).one_or_none()
    if row is None:
        raise UnknownNameError(f"job {id!r} is not among the jobs of this person")
    return _record(row)


def _record(row: sa.Row[Any]) -> Job:
    return Job(**{**row._asdict(), "state": cast(JobState, row.state)})
