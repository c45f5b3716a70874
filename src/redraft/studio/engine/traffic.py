"""The requests that the engine has: what waits, what is being painted, what became of each picture. Starts no process.

Lives in the event loop. Orders to the process go through `send`; what is to be written goes to the keeper.
"""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from redraft.core.errors import RedraftError
from redraft.studio.engine import messages
from redraft.studio.engine.fair_queue import FairQueue, QueueFullError, Waiting
from redraft.studio.engine.keeper import Ended, Finished, Keeper, Recording
from redraft.studio.engine.making import Event, Kept, Making
from redraft.studio.engine.settings import EngineSettings
from redraft.studio.errors import Refused

REMEMBERED = 1000
"""Requests that have ended and can still be followed from their beginning."""
CRASHED_TWICE = "it crashed the engine twice: use other words, fewer steps or another seed"


@dataclass(kw_only=True)
class _Flight:
    """A batch that the process has. nearly: it took its last step, and is only decoded and judged."""

    pictures: dict[int, Waiting]
    nearly: bool = False


class Traffic:
    """pictures, seconds: what was painted so far, and how long the process spent on it."""

    def __init__(
        self, settings: EngineSettings, *, recorder: Recording, send: Callable[[messages.Order], None]
    ) -> None:
        self.keeper = Keeper(recorder, on_kept=self._on_kept)
        self.pictures, self.seconds = 0, 0.0
        self._queue = FairQueue(most=settings.most_waiting, most_each=settings.most_waiting_each)
        self._send = send
        self._makings: OrderedDict[str, Making] = OrderedDict()
        self._flights: list[_Flight] = []
        self._numbers = itertools.count(1)

    # --- requests ---------------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Pictures of all people that wait."""
        return len(self._queue)

    def check_room(self, user: str, count: int) -> None:
        """Raise Refused when so many more pictures of a person have no room: 429 for theirs, 503 for everybody's."""
        try:
            self._queue.check_room(user, count)
        except QueueFullError as full:
            seconds = self._seconds_until(full.waiting)
            words = f"{full.waiting} pictures wait and at most {full.most} may: come again in {seconds} s"
            if full.whose == "person":
                raise Refused(429, "queue_full", f"of yours {words}, or cancel some", retry_after=seconds) from full
            raise Refused(503, "queue_full", f"of all people together {words}", retry_after=seconds) from full

    def add(self, making: Making) -> None:
        """Take a request on; picture i gets its seed + i. Raises Refused as `check_room`."""
        request = making.request
        self.check_room(request.owner, request.count)
        seed, pictures = int(request.parameters["seed"]), []
        for place in range(request.count):
            number = next(self._numbers)
            making.pending[number] = place
            item = messages.Item(
                number=number,
                prompt=request.prompt or "",
                negative_prompt=request.negative_prompt or "",
                seed=seed + place,
                preview=making.previews,
            )
            pictures.append(Waiting(user=request.owner, job=request.id, group=making.group, item=item))
        self._queue.put(pictures)
        self._makings[request.id] = making
        ended = [id for id, each in self._makings.items() if each.end is not None]
        for id in ended[: max(0, len(ended) - REMEMBERED)]:
            del self._makings[id]

    def find(self, request: str) -> Making | None:
        """A request by its id."""
        return self._makings.get(request)

    def unended(self) -> list[Making]:
        """The requests that are under way."""
        return [making for making in self._makings.values() if not making.ending]

    def needed(self) -> set[str]:
        """The checkpoints of all pictures that wait or are painted."""
        flying = {picture.group.checkpoint for flight in self._flights for picture in flight.pictures.values()}
        return self._queue.checkpoints() | flying

    def end(self, making: Making, event: Event) -> None:
        """End a request: its pictures that wait or are painted are no longer wanted. Nothing ends twice."""
        if making.ending:
            return
        making.ending = True
        self._queue.remove(lambda picture: picture.job == making.request.id)
        flying = tuple(number for flight in self._flights for number in flight.pictures if number in making.pending)
        if flying:
            self._send(messages.Cancel(numbers=flying))
        making.pending.clear()
        self.keeper.put(Ended(making=making, event=event))

    def fail(self, makings: Iterable[Making], message: str, *, code: str) -> None:
        """End requests because they cannot be made."""
        for making in makings:
            self.end(making, Event(name="failed", error=message, code=code))

    def tell_positions(self) -> None:
        """Tell those who follow a waiting request how many pictures come before it."""
        for making in self.unended():
            if making.followed or making.standing is None:
                position = self._queue.position(making.request.id)
                if position is not None:
                    making.tell(Event(name="queued", position=position))

    # --- batches ----------------------------------------------------------------------------------------------------

    def next_batch(self, most: Callable[[messages.Group], int]) -> messages.Paint | None:
        """The batch to send now, None while the process has enough to do. `most`: as `FairQueue.take` wants it."""
        if self._flights and not (len(self._flights) == 1 and self._flights[0].nearly):
            return None
        batch = self._queue.take(most)
        if not batch:
            return None
        self._flights.append(_Flight(pictures={picture.item.number: picture for picture in batch}))
        return messages.Paint(group=batch[0].group, items=tuple(picture.item for picture in batch))

    def on_progress(self, report: messages.Progress) -> None:
        """A batch took a step."""
        if self._flights and report.step == report.steps:
            self._flights[0].nearly = True
        told = {id(making): making for making in map(self._making_of, report.numbers) if making is not None}
        for making in told.values():
            making.tell(Event(name="progress", step=report.step, steps=report.steps))

    def on_preview(self, report: messages.Preview) -> None:
        """A picture can be seen while it is painted."""
        making = self._making_of(report.number)
        if making is not None and report.number in making.pending:
            place, pixels = making.pending[report.number], report.pixels
            making.tell(Event(name="preview", place=place, step=report.step, steps=report.steps, pixels=pixels))

    def on_painted(self, report: messages.Painted) -> None:
        """A picture is ready."""
        picture = self._landed(report.number)
        making = None if picture is None else self._makings.get(picture.job)
        if making is not None and report.number in making.pending:
            place = making.pending[report.number]
            self.keeper.put(Finished(making=making, number=report.number, place=place, painted=report))

    def on_failed(self, report: messages.Failed) -> None:
        """Pictures could not be painted."""
        for number in report.numbers:
            picture = self._landed(number)
            if picture is not None:
                self._lose(picture, report.message)

    def on_done(self, report: messages.BatchDone) -> None:
        """A batch is over."""
        if self._flights:
            self._flights.pop(0)
        self.pictures += report.pictures
        self.seconds += report.seconds

    def crashed(self) -> int:
        """The process is gone. What it had waits again, alone; what was alone before is lost. Returns how many wait."""
        flights, self._flights = self._flights, []
        again: list[Waiting] = []
        for picture in (picture for flight in flights for picture in flight.pictures.values()):
            if picture.alone:
                self._lose(picture, CRASHED_TWICE)
            elif picture.item.number in getattr(self._makings.get(picture.job), "pending", ()):
                again.append(replace(picture, alone=True))
        self._queue.put_back(again)
        return len(again)

    # --- ends of pictures -------------------------------------------------------------------------------------------

    def _on_kept(self, finished: Finished, outcome: Kept | RedraftError) -> None:
        making = finished.making
        if isinstance(outcome, RedraftError):
            making.faults.append(str(outcome))
        else:
            making.tell(Event(name="picture", place=finished.place, picture=outcome))
        self._settle(making, finished.number)

    def _lose(self, picture: Waiting, message: str) -> None:
        making = self._makings.get(picture.job)
        if making is not None and picture.item.number in making.pending:
            making.faults.append(message)
            self._settle(making, picture.item.number)

    def _settle(self, making: Making, number: int) -> None:
        """A picture of a request is there or lost; end the request when it was the last."""
        if making.pending.pop(number, None) is None or making.pending:
            return
        if making.faults:
            faults = "; ".join(dict.fromkeys(making.faults))
            self.fail([making], faults, code="not_painted")
        else:
            self.end(making, Event(name="finished"))

    def _landed(self, number: int) -> Waiting | None:
        found = (flight.pictures.pop(number, None) for flight in self._flights)
        return next((picture for picture in found if picture is not None), None)

    def _making_of(self, number: int) -> Making | None:
        found = (flight.pictures[number] for flight in self._flights if number in flight.pictures)
        picture = next(found, None)
        return None if picture is None else self._makings.get(picture.job)

    def _seconds_until(self, waiting: int) -> int:
        each = self.seconds / self.pictures if self.pictures else 0.1
        return max(1, math.ceil(each * waiting / 2))
