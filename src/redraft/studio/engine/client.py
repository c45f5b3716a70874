"""The engine as the web process sees it: its process, which models it holds, the live pointer it follows.

Everything here runs in the event loop. One batch is painted at a time; the next is sent when the one before has taken
its last step, so that the process need not wait for it.

A crash of the process loses nothing: what it was painting is painted once more, each picture in a batch of its own, so
that only a picture that crashes it again fails.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from redraft.core.errors import RedraftError
from redraft.store.aliases import Aliases
from redraft.studio.engine import messages
from redraft.studio.engine.keeper import Recording
from redraft.studio.engine.link import Link
from redraft.studio.engine.making import Event, Making
from redraft.studio.engine.shelf import Shelf
from redraft.studio.engine.traffic import Traffic
from redraft.studio.errors import Refused
from redraft.studio.telemetry import log

State = Literal["starting", "ready", "restarting", "failed", "closed"]
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0
"""Seconds before a crashed process is started again; doubled at each crash in a row."""
SWEEP_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class EngineStatus:
    """How the engine stands. checkpoint: what is served, "" for the base. message: what is wrong, if anything.

    pictures, seconds: what was painted so far, and how long the process spent on it.
    """

    state: State
    message: str
    checkpoint: str
    loaded: tuple[str, ...]
    waiting: int
    pid: int | None
    calibrated: bool
    pictures: int
    seconds: float


class Engine:
    """The serving engine. Needs a running event loop from `start` to `close`."""

    def __init__(
        self, spec: messages.EngineSpec, *, aliases: Aliases, recorder: Recording, now: Callable[[], float]
    ) -> None:
        self.settings = spec.settings
        self._spec, self._aliases, self._recorder, self._now = spec, aliases, recorder, now
        self._traffic = Traffic(self.settings, recorder=recorder, send=self._send)
        self._shelf = Shelf(most=self.settings.most_models)
        self._state: State = "starting"
        self._message = ""
        self._crashes = 0
        self._calibrated = False
        self._facts: messages.ModelFacts | None = None
        self._news = asyncio.Event()
        self._link: Link | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # --- for the routes ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the process; it becomes ready by itself."""
        self._tasks = [asyncio.create_task(self._traffic.keeper.run()), asyncio.create_task(self._watch())]
        self._launch()

    def ready(self) -> bool:
        """Whether requests are painted at this moment."""
        return self._state == "ready"

    @property
    def live(self) -> str:
        """The checkpoint that is served as champion, "" for the base."""
        return self._shelf.live

    def status(self) -> EngineStatus:
        """How the engine stands."""
        return EngineStatus(
            state=self._state,
            message=self._message,
            checkpoint=self._shelf.live,
            loaded=self._shelf.loaded,
            waiting=self._traffic.waiting,
            pid=None if self._link is None else self._link.pid,
            calibrated=self._calibrated,
            pictures=self._traffic.pictures,
            seconds=self._traffic.seconds,
        )

    async def facts(self, *, patience: float) -> messages.ModelFacts:
        """What is known of the model; waits up to `patience` seconds for it. Raises Refused (503)."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._facts is None and self._state != "failed":
                    await self._news.wait()
        if self._state == "failed":
            raise Refused(503, "engine_failed", f"the model cannot be served: {self._message}", retry_after=30)
        if self._facts is None:
            raise Refused(503, "starting", "the model is still being loaded: send this again soon", retry_after=5)
        return self._facts

    def check_room(self, user: str, count: int) -> None:
        """Raise Refused when so many more pictures of a person have no room: 429 for theirs, 503 for everybody's."""
        self._traffic.check_room(user, count)

    def take_on(self, making: Making) -> None:
        """Take a request on; picture i gets its seed + i. Raises Refused as `check_room`, and 503 after `close`."""
        if self._state == "closed":
            raise Refused(503, "shut_down", "the studio is shutting down: send the request again", retry_after=5)
        self._traffic.add(making)
        self._want(making.group.checkpoint)
        self._pump()
        self._traffic.tell_positions()

    def find(self, request: str, *, owner: str) -> Making | None:
        """A person's request, if it is made here or was until a short time ago."""
        making = self._traffic.find(request)
        return making if making is not None and making.request.owner == owner else None

    def cancel(self, making: Making) -> None:
        """Stop a request; pictures that are ready stay. Does nothing when it has ended."""
        self._traffic.end(making, Event(name="cancelled"))

    async def close(self) -> None:
        """End what is under way, write what is painted, end the process."""
        self._state, self._message = "closed", "the studio is shutting down"
        self._traffic.fail(
            self._traffic.unended(), "the studio was shut down: send the request again", code="shut_down"
        )
        link, self._link = self._link, None
        if link is not None:
            await link.close()
        await self._traffic.keeper.close(seconds=10)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- the process ------------------------------------------------------------------------------------------------

    def _launch(self) -> None:
        if self._state != "closed":
            self._link = Link(self._spec, on_report=self._on_report, on_gone=self._on_gone)

    def _send(self, order: messages.Order) -> None:
        """Send an order; lost while there is no process, which then learns what it needs when it is ready."""
        if self._link is not None:
            self._link.send(order)

    def _on_report(self, report: messages.Report) -> None:
        if self._state == "closed":
            return
        match report:
            case messages.Progress():
                self._traffic.on_progress(report)
            case messages.Preview():
                self._traffic.on_preview(report)
            case messages.Painted():
                self._calibrated = report.judgement.confidence is not None
                self._traffic.on_painted(report)
            case messages.Failed():
                self._traffic.on_failed(report)
            case messages.BatchDone():
                self._crashes = 0
                self._traffic.on_done(report)
                self._make_room()
            case messages.Loaded():
                self._shelf.arrived(report.checkpoint)
            case messages.NotLoaded():
                self._on_not_loaded(report)
            case messages.Ready():
                self._on_ready(report)
            case messages.Broken():
                self._state, self._message = "failed", report.message
                self._news.set()
        self._pump()

    def _on_ready(self, report: messages.Ready) -> None:
        self._facts, self._calibrated = report.facts, report.calibrated
        self._state, self._message = "ready", ""
        self._shelf.restarted(report.checkpoint)
        for checkpoint in self._traffic.needed():
            self._want(checkpoint)
        self._news.set()
        log("engine_ready", seconds=round(report.seconds, 2), checkpoint=report.checkpoint[:12])

    def _on_not_loaded(self, report: messages.NotLoaded) -> None:
        self._shelf.failed(report.checkpoint, report.message)
        self._message = f"checkpoint {report.checkpoint[:12]} cannot be loaded: {report.message}"
        log("checkpoint_not_loaded", level=logging.ERROR, checkpoint=report.checkpoint[:12])
        lost = [making for making in self._traffic.unended() if making.group.checkpoint == report.checkpoint]
        self._traffic.fail(lost, f"its model cannot be loaded: {report.message}", code="model_failed")

    def _on_gone(self, code: int | None) -> None:
        """The process has ended: start another one, and give it what this one had."""
        self._link = None
        self._shelf.gone()
        if self._state == "closed":
            return
        again = self._traffic.crashed()
        if self._state == "failed":
            pause = LONGEST_PAUSE
            message = f"the model cannot be served: {self._message}"
            self._traffic.fail(self._traffic.unended(), message, code="engine_failed")
        else:
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._crashes)
            self._state, self._message = "restarting", f"the engine ended with code {code} and is started again"
        self._crashes += 1
        log("engine_gone", level=logging.ERROR, code=code, again=again, pause=pause)
        asyncio.get_running_loop().call_later(pause, self._launch)

    def _pump(self) -> None:
        """Send the next batch if the process has nothing to do, or nearly so."""
        if self._state != "ready":
            return
        batch = self._traffic.next_batch(self._most_together)
        if batch is not None:
            self._shelf.want(batch.group.checkpoint)
            self._send(batch)
            self._traffic.tell_positions()

    def _most_together(self, group: messages.Group) -> int:
        if group.checkpoint not in self._shelf or self._facts is None:
            return 0
        return max(1, self.settings.most_pixels // self._facts.size**2)

    def _want(self, checkpoint: str) -> None:
        if self._state == "ready" and self._shelf.want(checkpoint):
            self._send(messages.Load(checkpoint=checkpoint))

    def _make_room(self) -> None:
        for checkpoint in self._shelf.drop(self._traffic.needed()):
            self._send(messages.Drop(checkpoint=checkpoint))

    # --- watching ---------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Follow the live pointer, and end requests that take too long or whose server is gone."""
        await self._end_leftovers(starting=True)
        swept = self._now()
        while True:
            await asyncio.sleep(self.settings.watch_seconds)
            if self._now() - swept > SWEEP_SECONDS:
                await self._end_leftovers(starting=False)
                swept = self._now()
            late = self._now() - self.settings.job_seconds
            old = [making for making in self._traffic.unended() if making.request.created_at < late]
            self._traffic.fail(
                old, f"it was not painted within {self.settings.job_seconds:g} s: send it again later", code="too_late"
            )
            if self._state != "ready" or self._facts is None:
                continue
            try:
                live = await asyncio.to_thread(self._aliases.current, self._facts.base)
            except RedraftError as error:
                log("alias_not_read", level=logging.WARNING, error=type(error).__name__)
            else:
                self._follow_pointer("" if live is None else live.checkpoint)

    async def _end_leftovers(self, *, starting: bool) -> None:
        try:
            ended = await asyncio.to_thread(self._recorder.end_leftovers, starting=starting)
        except RedraftError as error:
            log("leftovers_not_ended", level=logging.WARNING, error=type(error).__name__)
        else:
            if ended:
                log("leftovers_ended", requests=ended)

    def _follow_pointer(self, checkpoint: str) -> None:
        """Serve what the live pointer names, once it is loaded; until then what was served before."""
        if checkpoint != self._shelf.live and checkpoint in self._shelf:
            self._shelf.live = checkpoint
            log("engine_switched", checkpoint=checkpoint[:12])
        elif checkpoint != self._shelf.live and checkpoint not in self._shelf.refused:
            self._want(checkpoint)
