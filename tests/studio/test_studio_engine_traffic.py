"""What becomes of requests when pictures fail, processes crash, disks refuse, people cancel. Starts no process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from redraft.core.errors import RedraftError, StorageError
from redraft.store.gallery import Painting
from redraft.store.requests import Request
from redraft.studio.engine.keeper import Finished
from redraft.studio.engine.making import Event, Kept, Making
from redraft.studio.engine.messages import (
    BatchDone,
    Cancel,
    Failed,
    Group,
    Judgement,
    Order,
    Paint,
    Painted,
    Pixels,
    Progress,
)
from redraft.studio.engine.settings import EngineSettings
from redraft.studio.engine.shelf import Shelf
from redraft.studio.engine.traffic import CRASHED_TWICE, Traffic
from redraft.studio.errors import Refused

GROUP = Group(checkpoint="", steps=4, guidance=1.0)


class Notebook:
    """A recorder that keeps in memory; `refuses` are the places of pictures that it cannot keep."""

    def __init__(self) -> None:
        self.ends: list[tuple[str, str]] = []
        self.refuses: set[int] = set()
        self.broken = False

    def keep(self, pictures: Sequence[Finished]) -> list[Kept | RedraftError]:
        if self.broken:
            raise ZeroDivisionError
        return [self._kept(picture) for picture in pictures]

    def _kept(self, picture: Finished) -> Kept | RedraftError:
        if picture.place in self.refuses:
            return StorageError("the disk is full: make room")
        request = picture.making.request
        painting = Painting(
            id=f"{request.id}-{picture.place}", request=request.id, owner=request.owner, picture="",
            place=picture.place, seed=0, base="", checkpoint="", created_at=0.0,
        )  # fmt: skip
        return Kept(painting=painting)

    def end(self, making: Making, state: Any) -> float:
        self.ends.append((making.request.id, state))
        return 7.0

    def end_leftovers(self, *, starting: bool) -> int:
        return 0


class Desk:
    """Traffic with a notebook and a list of orders in place of a process."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.notebook = Notebook()
        self.traffic = Traffic(
            EngineSettings(most_waiting_each=10, most_waiting=12), recorder=self.notebook, send=self.orders.append
        )

    def request(self, name: str, count: int = 2, *, owner: str = "ann") -> Making:
        request = Request(
            id=name, owner=owner, prompt="a", prompt_hash="", base="", checkpoint="", steps=4, guidance=1.0, width=64,
            height=64, count=count, parameters={"seed": 5}, created_at=0.0,
        )  # fmt: skip
        person: Any = owner
        making = Making(request=request, person=person, group=GROUP)
        self.traffic.add(making)
        return making

    def batch(self, most: int = 8) -> Paint:
        batch = self.traffic.next_batch(lambda _: most)
        assert batch is not None
        return batch

    def painted(self, batch: Paint, *places: int) -> None:
        for place in places:
            pixels = Pixels(width=1, height=1, data=b"abc")
            self.traffic.on_painted(Painted(number=batch.items[place].number, pixels=pixels, judgement=Judgement()))


def run(scene: Callable[[Desk], Awaitable[None]]) -> None:
    async def within() -> None:
        desk = Desk()
        keeping = asyncio.create_task(desk.traffic.keeper.run())
        await scene(desk)
        await desk.traffic.keeper.close(seconds=5)
        keeping.cancel()

    asyncio.run(within())


async def end_of(making: Making) -> Event:
    events = [event async for event in making.follow()]
    assert events[-1] is not None
    return events[-1]


def test_a_request_ends_when_its_last_picture_is_kept() -> None:
    async def scene(desk: Desk) -> None:
        making = desk.request("one")
        batch = desk.batch()
        assert [item.seed for item in batch.items] == [5, 6]
        assert desk.traffic.next_batch(lambda _: 8) is None
        desk.painted(batch, 1)
        desk.painted(batch, 0)
        assert (await end_of(making)).name == "finished"
        assert desk.notebook.ends == [("one", "finished")]
        assert (making.ended_at, sorted(making.kept)) == (7.0, [0, 1])

    run(scene)


def test_the_next_batch_goes_out_when_the_last_step_was_taken() -> None:
    async def scene(desk: Desk) -> None:
        desk.request("one", 2)
        desk.request("two", 2, owner="bob")
        first = desk.batch(2)
        numbers = tuple(item.number for item in first.items)
        desk.traffic.on_progress(Progress(numbers=numbers, step=3, steps=4))
        assert desk.traffic.next_batch(lambda _: 2) is None
        desk.traffic.on_progress(Progress(numbers=numbers, step=4, steps=4))
        desk.batch(2)
        # Never more than one ahead.
        assert desk.traffic.next_batch(lambda _: 2) is None
        desk.traffic.on_done(BatchDone(pictures=2, seconds=1.0))
        assert (desk.traffic.pictures, desk.traffic.seconds) == (2, 1.0)

    run(scene)


def test_a_picture_that_fails_fails_its_request_and_keeps_the_others() -> None:
    async def scene(desk: Desk) -> None:
        making, spared = desk.request("one", 2), desk.request("two", 1)
        batch = desk.batch()
        desk.traffic.on_failed(Failed(numbers=(batch.items[0].number,), message="no numbers"))
        desk.painted(batch, 1, 2)
        end = await end_of(making)
        assert (end.name, end.error, end.code) == ("failed", "no numbers", "not_painted")
        assert list(making.kept) == [1]
        assert (await end_of(spared)).name == "finished"

    run(scene)


def test_a_picture_that_cannot_be_kept_fails_its_request_with_the_reason() -> None:
    async def scene(desk: Desk) -> None:
        desk.notebook.refuses = {1}
        making = desk.request("one", 3)
        desk.painted(desk.batch(), 0, 1, 2)
        end = await end_of(making)
        assert (end.name, end.error) == ("failed", "the disk is full: make room")
        assert list(making.kept) == [0, 2]

    run(scene)


def test_a_recorder_that_breaks_ends_requests_and_not_the_server() -> None:
    async def scene(desk: Desk) -> None:
        desk.notebook.broken = True
        making = desk.request("one", 1)
        desk.painted(desk.batch(), 0)
        end = await end_of(making)
        assert end.name == "failed"
        assert "log" in end.error
        desk.notebook.broken = False
        desk.traffic.on_done(BatchDone(pictures=1, seconds=1.0))
        later = desk.request("two", 1)
        desk.painted(desk.batch(), 0)
        assert (await end_of(later)).name == "finished"

    run(scene)


def test_what_a_crash_interrupted_is_painted_again_alone_and_fails_at_the_second_crash() -> None:
    async def scene(desk: Desk) -> None:
        making = desk.request("one", 3)
        batch = desk.batch()
        desk.painted(batch, 0)  # it had been handed over before the crash
        assert desk.traffic.crashed() == 2
        second = desk.batch()
        assert [item.number for item in second.items] == [batch.items[1].number]
        assert desk.traffic.crashed() == 0
        third = desk.batch()
        assert [item.number for item in third.items] == [batch.items[2].number]
        desk.painted(third, 0)
        end = await end_of(making)
        assert (end.name, end.error) == ("failed", CRASHED_TWICE)
        assert sorted(making.kept) == [0, 2]

    run(scene)


def test_what_is_cancelled_is_not_painted_again_after_a_crash() -> None:
    async def scene(desk: Desk) -> None:
        making = desk.request("one", 2)
        batch = desk.batch()
        desk.traffic.end(making, Event(name="cancelled"))
        assert desk.orders == [Cancel(numbers=tuple(item.number for item in batch.items))]
        assert desk.traffic.crashed() == 0
        assert (await end_of(making)).name == "cancelled"
        assert desk.traffic.waiting == 0

    run(scene)


def test_the_end_that_came_first_counts() -> None:
    async def scene(desk: Desk) -> None:
        making = desk.request("one", 1)
        batch = desk.batch()
        desk.painted(batch, 0)
        desk.traffic.end(making, Event(name="cancelled"))
        desk.traffic.fail([making], "too late", code="too_late")
        assert (await end_of(making)).name == "cancelled"
        assert desk.notebook.ends == [("one", "cancelled")]

    run(scene)


def test_too_much_is_refused_and_says_when_to_come_again() -> None:
    async def scene(desk: Desk) -> None:
        desk.request("one", 8)
        with pytest.raises(Refused) as mine:
            desk.request("two", 3)
        with pytest.raises(Refused) as everybodys:
            desk.request("three", 5, owner="bob")
        assert (mine.value.status, mine.value.code) == (429, "queue_full")
        assert (everybodys.value.status, everybodys.value.code) == (503, "queue_full")
        assert (mine.value.retry_after or 0) >= 1
        assert "cancel some" in str(mine.value)
        assert desk.traffic.waiting == 8

    run(scene)


def test_who_follows_sees_places_steps_and_pictures_in_order() -> None:
    async def scene(desk: Desk) -> None:
        desk.request("first", 1, owner="bob")
        making = desk.request("one", 1)
        desk.traffic.tell_positions()
        following = asyncio.create_task(_names(making))
        await asyncio.sleep(0)
        batch = desk.batch(1)
        desk.traffic.tell_positions()
        desk.painted(batch, 0)
        desk.traffic.on_done(BatchDone(pictures=1, seconds=1.0))
        batch = desk.batch(1)
        desk.traffic.on_progress(Progress(numbers=(batch.items[0].number,), step=1, steps=4))
        assert making.state(making.request).state == "running"
        desk.painted(batch, 0)
        assert await following == ["queued 1", "queued 0", "progress 1", "picture 0", "finished 0"]

    async def _names(making: Making) -> list[str]:
        return [
            f"{event.name} {event.step or event.position or event.place}"
            async for event in making.follow()
            if event is not None
        ]

    run(scene)


def test_a_follower_that_waits_long_hears_that_it_is_alive() -> None:
    async def scene(desk: Desk) -> None:
        making = desk.request("one", 1)
        events = making.follow(every=0.01)
        assert await anext(events) is None
        await events.aclose()
        assert not making.followed

    run(scene)


def test_the_shelf_keeps_the_live_model_and_those_in_use() -> None:
    shelf = Shelf(most=2)
    shelf.restarted("base")
    assert not shelf.want("base")
    assert shelf.want("a")
    assert not shelf.want("a"), "it is being loaded already"
    for name in ("a", "b", "c"):
        shelf.want(name)
        shelf.arrived(name)
    assert shelf.drop({"a"}) == ["b", "c"]
    assert shelf.loaded == ("base", "a")
    shelf.want("d")
    shelf.failed("d", "damaged")
    assert shelf.refused == {"d": "damaged"}
    assert shelf.want("d"), "who asks again is tried again"
    assert "d" not in shelf.refused
    shelf.gone()
    assert shelf.want("base")
