"""Writes what the engine has painted, in one thread and in order, so that the event loop never waits for the disk.

A request ends for those who follow it after its end is in the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from redraft.core.errors import RedraftError
from redraft.store.requests import RequestState
from redraft.studio.engine.making import Event, Kept, Making
from redraft.studio.engine.messages import Painted
from redraft.studio.telemetry import log

MOST_TOGETHER = 16
"""Pictures and ends that are written together: each is shown when all of these are written."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A picture that was painted and is to be kept."""

    making: Making
    number: int
    place: int
    painted: Painted


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A request that is over, with the event that says how."""

    making: Making
    event: Event


class Recording(Protocol):
    """What the studio gives the engine to write with; its methods run in a thread."""

    def keep(self, pictures: Sequence[Finished]) -> list[Kept | RedraftError]:
        """Keep pictures: for each what is in the gallery now, or why it could not be kept."""
        ...

    def end(self, making: Making, state: RequestState) -> float:
        """Enter how a request ended. Returns when. Raises RedraftError."""
        ...

    def end_leftovers(self, *, starting: bool) -> int:
        """End requests whose server is gone. Returns how many. Raises RedraftError."""
        ...


class Keeper:
    """Takes pictures and ends of requests. `on_kept` is called in the event loop for each picture."""

    def __init__(self, recorder: Recording, *, on_kept: Callable[[Finished, Kept | RedraftError], None]) -> None:
        self._recorder, self._on_kept = recorder, on_kept
        self._work: asyncio.Queue[Finished | Ended] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine-keeper")

    def put(self, item: Finished | Ended) -> None:
        """Take something to write."""
        self._work.put_nowait(item)

    async def run(self) -> None:
        """Write until cancelled; what comes in meanwhile is written together."""
        loop = asyncio.get_running_loop()
        while True:
            items = [await self._work.get()]
            while not self._work.empty() and len(items) < MOST_TOGETHER:
                items.append(self._work.get_nowait())
            # All pictures first: the end of a request comes after its pictures in any case.
            pictures = [item for item in items if isinstance(item, Finished)]
            if pictures:
                kept = await loop.run_in_executor(self._thread, self._keep, pictures)
                for picture, outcome in zip(pictures, kept, strict=True):
                    self._on_kept(picture, outcome)
            for item in items:
                if isinstance(item, Ended):
                    await loop.run_in_executor(self._thread, self._end, item)
                    item.making.tell(item.event)
            for _ in items:
                self._work.task_done()

    async def close(self, *, seconds: float) -> None:
        """Wait until everything is written, so many seconds at most."""
        try:
            await asyncio.wait_for(self._work.join(), seconds)
        except TimeoutError:
            log("keeper_late", level=logging.ERROR, waiting=self._work.qsize())
        self._thread.shutdown(wait=False)

    def _keep(self, pictures: Sequence[Finished]) -> list[Kept | RedraftError]:
        try:
            return self._recorder.keep(pictures)
        except Exception as error:
            # Whatever it is, requests must end, and the thread must go on to the next pictures.
            log("keeping_failed", level=logging.ERROR, error=type(error).__name__, pictures=len(pictures))
            message = "the picture could not be kept; the operator finds the reason in the log"
            return [error if isinstance(error, RedraftError) else RedraftError(message)] * len(pictures)

    def _end(self, item: Ended) -> None:
        state: RequestState = "finished"
        if item.event.name in ("failed", "cancelled"):
            state = "failed" if item.event.name == "failed" else "cancelled"
        try:
            item.making.ended_at = self._recorder.end(item.making, state)
        except Exception as error:
            log("request_not_ended", level=logging.ERROR, request=item.making.request.id, error=type(error).__name__)
