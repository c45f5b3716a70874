"""A request while it is made: which pictures are still to come, what has happened, who follows it. In memory only.

Those who follow late get at once where it stands. Lives in the event loop; the database is written elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from redraft.store.gallery import Painting
from redraft.store.requests import Request, RequestState
from redraft.studio.engine.messages import Group, Pixels

if TYPE_CHECKING:
    from redraft.studio.asking import AskView
    from redraft.studio.identity.people import Person

EventName = Literal["queued", "progress", "preview", "picture", "finished", "failed", "cancelled"]
ENDS: tuple[EventName, ...] = ("finished", "failed", "cancelled")
Ask = Literal["auto", "offline", "never"]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A picture that is in the gallery, and the ask that came with it, if any."""

    painting: Painting
    ask: AskView | None = None


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to a request; which fields count depends on its name.

    queued: position. progress: step of steps. preview: the same, place and pixels. picture: place and picture. failed:
    error and code.
    """

    name: EventName
    position: int = 0
    step: int = 0
    steps: int = 0
    place: int = 0
    pixels: Pixels | None = None
    picture: Kept | None = None
    error: str = ""
    code: str = ""


@dataclass(kw_only=True, eq=False)
class Making:
    """One request. person: who asked, as the routes know them. pending: the pictures to come, number -> place.

    session: the session that asks are counted in. previews: whether pictures are shown while they are painted. faults:
    why pictures were lost. ending: its end is being written. ended_at: when that was done.
    """

    request: Request
    person: Person
    group: Group
    ask: Ask = "auto"
    session: str = ""
    previews: bool = True
    pending: dict[int, int] = field(default_factory=dict)
    kept: dict[int, Kept] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    ending: bool = False
    end: Event | None = None
    ended_at: float | None = None
    _last: dict[tuple[EventName, int], Event] = field(default_factory=dict)
    _followers: set[asyncio.Queue[Event]] = field(default_factory=set)

    @property
    def followed(self) -> bool:
        """Whether somebody follows it at this moment."""
        return bool(self._followers)

    @property
    def standing(self) -> Event | None:
        """The last of what is known of its place in the queue or its steps."""
        return self._last.get(("progress", 0)) or self._last.get(("queued", 0))

    def tell(self, event: Event) -> None:
        """Say that something happened. Nothing happens after the end."""
        if self.end is not None:
            return
        if event.name == "picture" and event.picture is not None:
            self.kept[event.place] = event.picture
            self._last.pop(("preview", event.place), None)
        if event.name in ENDS:
            self.end = event
            self._last.clear()
        else:
            self._last[event.name, event.place] = event
        for follower in self._followers:
            follower.put_nowait(event)

    async def follow(self, *, every: float | None = None) -> AsyncGenerator[Event | None]:
        """All events from where it stands, the end last. every: give None after so many seconds without an event."""
        news: asyncio.Queue[Event] = asyncio.Queue()
        for event in sorted(self._last.values(), key=lambda event: event.name != "progress"):
            news.put_nowait(event)
        if self.end is not None:
            for place, picture in sorted(self.kept.items()):
                news.put_nowait(Event(name="picture", place=place, picture=picture))
            news.put_nowait(self.end)
        self._followers.add(news)
        try:
            while True:
                try:
                    event = await asyncio.wait_for(news.get(), every)
                except TimeoutError:
                    yield None
                    continue
                yield event
                if event.name in ENDS:
                    return
        finally:
            self._followers.discard(news)

    def state(self, request: Request) -> Request:
        """The row of the request as it stands now."""
        if self.end is not None:
            state: RequestState = self.end.name  # type: ignore[assignment]
            return replace(request, state=state, finished_at=self.ended_at)
        running = ("progress", 0) in self._last or bool(self.kept)
        return replace(request, state="running" if running else "queued")
