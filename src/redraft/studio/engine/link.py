"""One engine process and the pipe to it. Carries orders there and reports back; decides nothing.

The two ends of the pipe are served by threads, so that neither a full pipe nor a busy engine stops the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from redraft.studio.engine.messages import EngineSpec, Order, Report, Stop
from redraft.studio.engine.process import main

GRACE_SECONDS = 5.0
Value = TypeVar("Value")


class Link:
    """Starts a process when it is made. `on_report` and `on_gone` (with its exit code) are called in the event loop."""

    def __init__(
        self, spec: EngineSpec, *, on_report: Callable[[Report], None], on_gone: Callable[[int | None], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_report, self._on_gone = on_report, on_gone
        # A fork would copy the threads' locks, and what torch and CUDA hold.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=main, args=(spec, theirs), name="redraft-engine", daemon=True)
        self._process.start()
        theirs.close()
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        threading.Thread(target=self._write, name="engine-orders", daemon=True).start()
        threading.Thread(target=self._read, name="engine-reports", daemon=True).start()

    @property
    def pid(self) -> int | None:
        """The process id of the engine."""
        return self._process.pid

    def send(self, order: Order) -> None:
        """Send an order; lost when the process is gone, which `on_gone` tells."""
        self._orders.put(order)

    async def close(self) -> None:
        """Ask the process to end, and make it end."""
        self.send(Stop())
        await asyncio.to_thread(self._process.join, GRACE_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            await asyncio.to_thread(self._process.join, GRACE_SECONDS)
        self._orders.put(None)

    def _write(self) -> None:
        while (order := self._orders.get()) is not None:
            try:
                self._pipe.send(order)
            except (BrokenPipeError, OSError):
                return

    def _read(self) -> None:
        while True:
            try:
                report = self._pipe.recv()
            except (EOFError, OSError):
                break
            self._call(self._on_report, report)
        self._process.join(GRACE_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._orders.put(None)
        self._call(self._on_gone, self._process.exitcode)

    def _call(self, function: Callable[[Value], None], value: Value) -> None:
        # The loop may be closed already when the whole program ends.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, value)
