"""Runs two works by turns of a second, each in processes of its own: both meet the same machine, fast or slow.

The speed of a machine drifts by tens of per cent within minutes; what one work takes over another would drown in that.
POSIX only: processes are frozen and thawed by signals.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Thread

TURN = 1.0
"""Seconds until the other one is let run."""


@dataclass(kw_only=True)
class Work:
    """wait: starts the work, returns when it is done. group: the process group that does it. seconds: that it ran."""

    wait: Callable[[], object]
    group: int
    seconds: float = 0.0
    done: Event = field(default_factory=Event)

    def begin(self) -> None:
        """Start it in a thread; its processes may be frozen."""
        Thread(target=self._run, daemon=True).start()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all its processes."""
        with suppress(ProcessLookupError):
            os.killpg(self.group, number)

    def _run(self) -> None:
        try:
            self.wait()
        finally:
            self.done.set()


def by_turns(works: Sequence[Work]) -> None:
    """Run works until all are done, never two at a time; fills `seconds` of each."""
    for work in works:
        work.signal(signal.SIGSTOP)
        work.begin()
    try:
        while not all(work.done.is_set() for work in works):
            for work in works:
                if not work.done.is_set():
                    _turn(work)
    finally:
        for work in works:
            work.signal(signal.SIGCONT)


def _turn(work: Work) -> None:
    began = time.perf_counter()
    work.signal(signal.SIGCONT)
    if not work.done.wait(TURN):
        work.signal(signal.SIGSTOP)
    work.seconds += time.perf_counter() - began
