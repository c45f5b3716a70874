"""The training lease: one training at a time in a workspace. Serving never takes it. Reads no clock.

A lease is taken over when its process is dead (same machine) or its heartbeat too old (any machine). The generation
number grows at each take-over, so that a holder who lost the lease finds out at its next heartbeat.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from redraft.core.errors import BusyError, StorageError
from redraft.store.schema import LeaseRow
from redraft.store.transactions import Database

_TRAINING = "training"


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds the lease: a process of a machine, for a run. `process_start` tells it from a later one of that pid."""

    run: str
    pid: int
    host: str
    process_start: str
    acquired_at: float
    heartbeat_at: float
    generation: int


class _LostError(BusyError):
    """The lease is another's: unlike a database that is held for a moment, this does not pass."""


class TrainingLease:
    """The one training lease of a workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, *, run: str, at: float, stale_after: float = 600.0) -> Holder:
        """Take the lease for `run` in this process.

        Takes over from a dead process of this machine, and from any whose heartbeat is over `stale_after` seconds
        away from `at`. Raises BusyError naming the holder, its run and the way out; of two that race, one.
        """
        with self._database.writing() as connection:
            row = _row(connection)
            if row.pid is not None:
                holder = _record(row)
                if abs(at - holder.heartbeat_at) <= stale_after and not _dead(holder):
                    raise BusyError(_explain(holder, at=at))
            mine = Holder(
                run=run,
                pid=os.getpid(),
                host=socket.gethostname(),
                process_start=_process_start(os.getpid()),
                acquired_at=at,
                heartbeat_at=at,
                generation=row.generation + 1,
            )
            if not _replace(connection, vars(mine), generation=row.generation):
                raise BusyError(
                    f"another process took the training lease for its run at the same moment as run {run!r}: one "
                    "training at a time; wait until it ends, then try again"
                )
        return mine

    def heartbeat(self, holder: Holder, *, at: float) -> Holder:
        """Say that the holder still works. Raises BusyError when another process has taken the lease over."""
        with self._database.writing() as connection:
            if not _replace(connection, {"heartbeat_at": at}, generation=holder.generation):
                raise _LostError(
                    f"run {holder.run!r} lost the training lease: {at - holder.heartbeat_at:.0f} s after its last "
                    "heartbeat another process has taken it over; stop here and resume when that one ends"
                )
        return replace(holder, heartbeat_at=at)

    def keep(self, holder: Holder, *, clock: Callable[[], float], every: float = 30.0) -> LeaseKeeper:
        """Send a heartbeat `every` seconds from a thread until the keeper is closed; ask it whether all is well."""
        return LeaseKeeper(self, holder, clock=clock, every=every)

    def release(self, holder: Holder) -> None:
        """Give the lease back; does nothing when it was taken over meanwhile."""
        with self._database.writing() as connection:
            free = {"pid": None, "run": "", "host": "", "process_start": "", "generation": holder.generation + 1}
            _replace(connection, free, generation=holder.generation)

    def holder(self) -> Holder | None:
        """Who holds the lease, dead or alive; None when nobody does."""
        with self._database.reading() as connection:
            row = _row(connection)
        return None if row.pid is None else _record(row)


class LeaseKeeper:
    """Sends heartbeats from a thread, and remembers why when it can no longer.

    A database that cannot be used for a while is asked again at the next beat. A lost lease and any other error end
    the thread, and `check` raises them: nobody trains on unnoticed.
    """

    def __init__(
        self, lease: TrainingLease, holder: Holder, *, clock: Callable[[], float], every: float = 30.0
    ) -> None:
        self._lease = lease
        self._holder = holder
        self._clock = clock
        self._every = every
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="redraft-lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise what ended the heartbeats: BusyError when another process has taken the lease over."""
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Stop the heartbeats. The lease stays as it is."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._every):
                self._beat()
        except BaseException as error:
            self._failure = error

    def _beat(self) -> None:
        try:
            self._holder = self._lease.heartbeat(self._holder, at=self._clock())
        except _LostError:
            raise
        except (BusyError, StorageError):
            # The next beat tries again; should the lease be taken over meanwhile, that beat finds out.
            return


def _row(connection: sa.Connection) -> sa.Row[Any]:
    return connection.execute(sa.select(LeaseRow.__table__).where(LeaseRow.name == _TRAINING)).one()


def _replace(connection: sa.Connection, values: dict[str, Any], *, generation: int) -> bool:
    change = sa.update(LeaseRow).where(LeaseRow.name == _TRAINING, LeaseRow.generation == generation)
    return connection.execute(change.values(**values)).rowcount == 1


def _record(row: sa.Row[Any]) -> Holder:
    return Holder(
        run=row.run,
        pid=row.pid,
        host=row.host,
        process_start=row.process_start,
        acquired_at=row.acquired_at,
        heartbeat_at=row.heartbeat_at,
        generation=row.generation,
    )


def _explain(holder: Holder, *, at: float) -> str:
    return (
        f"run {holder.run!r} is training in this workspace (process {holder.pid} on {holder.host}, last heartbeat "
        f"{at - holder.heartbeat_at:.0f} s ago): one training at a time; wait until it ends, stop that process (its "
        "lease is then taken over), or use another workspace"
    )


def _dead(holder: Holder) -> bool:
    if holder.host != socket.gethostname():
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    # The pid answers: it may be a zombie, or a later process that was given the same number.
    return _process_start(holder.pid) != holder.process_start


def _process_start(pid: int) -> str:
    """When a process began, as Linux tells it; empty for a zombie and where there is no /proc."""
    try:
        # Fields 3 (state) and 22 (start time) of proc(5); the name before them may hold spaces and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else f"{boot}:{fields[19]}"
