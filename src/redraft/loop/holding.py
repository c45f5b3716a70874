"""Holding a job while it is worked on: heartbeats from a thread, progress with them, and why to stop. Does no work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from redraft.core.errors import BusyError, StorageError, UnknownNameError
from redraft.store.jobs import Job, Jobs

if TYPE_CHECKING:
    from redraft.loop.journal import Clock

Why = Literal["cancelled", "taken over", "stopping", "lease lost"]


class Interruption(BaseException):
    """Ends a cycle between two steps. Not an Exception, so that nothing on the way takes it for the run's failure."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


class HeldJob:
    """A claimed job. Use as a context manager: inside the block heartbeats go out, each with the present progress."""

    def __init__(
        self,
        jobs: Jobs,
        job: Job,
        *,
        clock: Clock,
        every: float,
        stopping: threading.Event,
        progress: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._jobs, self._job, self._clock, self._every = jobs, job, clock, every
        self._stopping, self._progress = stopping, progress
        self._closed = threading.Event()
        self._why: Why | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._beat, name="redraft-job", daemon=True)

    def check(self) -> None:
        """Raise Interruption when the work is to end: the job was cancelled or taken over, or this process stops.

        What ended the heartbeats otherwise is raised as it is: nobody works on unnoticed.
        """
        if self._failure is not None:
            raise self._failure
        if self._why is not None:
            raise Interruption(self._why)
        if self._stopping.is_set():
            raise Interruption("stopping")

    def __enter__(self) -> HeldJob:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._closed.set()
        self._thread.join()

    def _beat(self) -> None:
        try:
            while self._why is None and not self._closed.wait(self._every):
                self._why = self._heartbeat()
        except BaseException as error:
            self._failure = error

    def _heartbeat(self) -> Why | None:
        """Send one; says why the work is to end, if it is."""
        try:
            held = self._jobs.heartbeat(self._job, at=self._clock(), progress=self._progress())
        except StorageError:
            # The disk or the server may be back at the next beat; if not, another worker takes over.
            return None
        except BusyError:
            # So says a database that was held too long, too.
            return None if self._still_mine() else "taken over"
        return "cancelled" if held.cancelling else None

    def _still_mine(self) -> bool:
        try:
            found = self._jobs.get(self._job.id, owner=None)
        except (BusyError, StorageError):
            return True
        except UnknownNameError:
            # Whoever ordered it was erased.
            return False
        return (found.lease, found.state) == (self._job.lease, "running")
