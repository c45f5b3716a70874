"""The points ledger against a model of it, reversal, clusters, and counters with a limit; on both databases."""

from __future__ import annotations

import random
from collections.abc import Callable
from multiprocessing.context import ForkContext
from multiprocessing.process import BaseProcess

import pytest
from places import Place
from studio_rows import DAY, answer, person

from redraft.core.errors import UnknownNameError
from redraft.store.points import Balance, Earned, PointEntry
from redraft.store.workspace import Workspace


def earned(award: str, user: str = "ann", *, day: str = DAY, at: float = 1.0) -> Earned:
    return Earned(award=award, user=user, day=day, at=at)


def ten(n: int) -> float:
    return 10.0 / n


def test_pending_becomes_final_or_is_reversed(space: Workspace) -> None:
    person(space, "ann")
    made = space.points.enter([earned("a"), earned("b"), earned("c")], amount=ten, reason="review")
    assert [(item.place, item.pending) for item in made] == [(1, 10.0), (2, 5.0), (3, 10 / 3)]
    assert space.points.enter([earned("a")], amount=ten, reason="review") == ()
    assert [item.award for item in space.points.unsettled(until=1.0)] == ["a", "b", "c"]
    assert space.points.unsettled(until=0.5) == ()
    settled = space.points.settle("a", amount=10.0, reason="helpful", at=2.0)
    assert space.points.settle("a", amount=99.0, reason="again", at=3.0) == settled
    space.points.settle("b", amount=0.0, reason="not informative", at=2.0)
    assert space.points.balance("ann") == Balance(final=10.0, pending=pytest.approx(10 / 3))
    space.points.reverse("a", reason="a second account", at=4.0)
    space.points.reverse("c", reason="a second account", at=4.0)
    reversed_twice = space.points.reverse("c", reason="again", at=5.0)
    assert reversed_twice.reason == "a second account"
    assert space.points.settle("c", amount=5.0, reason="too late", at=6.0) == reversed_twice
    assert space.points.balance("ann") == Balance(final=0.0, pending=pytest.approx(0.0))
    assert space.points.unsettled(until=9.0) == ()
    assert [(item.award, item.state) for item in space.points.entries("ann", limit=2)] == [
        ("c", "reversed"),
        ("a", "reversed"),
    ]


def test_names_that_are_not_there(space: Workspace) -> None:
    with pytest.raises(UnknownNameError, match="'zoe' has no enabled account: points need one"):
        space.points.enter([earned("a", "zoe")], amount=ten, reason="")
    for call in (
        lambda: space.points.settle("a", amount=1.0, reason="", at=1.0),
        lambda: space.points.reverse("a", reason="", at=1.0),
    ):
        with pytest.raises(UnknownNameError, match="award 'a' does not exist: points are entered before"):
            call()


def test_a_freed_place_is_taken_again_and_others_are_not(space: Workspace) -> None:
    person(space, "ann")
    space.points.enter([earned("a"), earned("b")], amount=ten, reason="")
    space.points.reverse("a", reason="an attacker's", at=2.0, frees_place=True)
    assert [item.place for item in space.points.enter([earned("c")], amount=ten, reason="")] == [2]
    space.points.reverse("b", reason="spam", at=2.0)
    assert [item.place for item in space.points.enter([earned("d")], amount=ten, reason="")] == [3]


def test_a_cluster_shares_one_count_a_day(space: Workspace) -> None:
    for name in ("ann", "bob", "cid"):
        person(space, name)
    space.people.set_cluster(["ann", "bob"], "c1", at=1.0)
    made = space.points.enter([earned("a"), earned("b", "bob"), earned("c", "cid")], amount=ten, reason="")
    assert [(item.pool, item.place) for item in made] == [("c1", 1), ("c1", 2), ("cid", 1)]
    space.answers.ingest([answer("x", "bob", "p")], amount=ten)
    assert space.points.entries("bob")[0].place == 3


def test_places_taken_are_those_given_less_those_freed(space: Workspace) -> None:
    """Against a plain count, over two days of a cluster whose people come and go."""
    for name in ("ann", "bob"):
        person(space, name)
    draws = random.Random(7)
    count: dict[tuple[str, str], int] = {}
    made: list[PointEntry] = []
    for step in range(150):
        kind = draws.random()
        if kind < 0.1:
            space.people.set_cluster(["ann", "bob"], draws.choice(["c1", "c2"]), at=1.0)
        elif kind < 0.6 or not made:
            day = draws.choice(["2026-11-21", "2026-11-22"])
            item = earned(f"award {step}", draws.choice(["ann", "bob"]), day=day)
            (entry,) = space.points.enter([item], amount=ten, reason="")
            count[entry.pool, day] = count.get((entry.pool, day), 0) + 1
            assert entry.place == count[entry.pool, day]
            made.append(entry)
        elif kind < 0.8:
            space.points.settle(draws.choice(made).award, amount=1.0, reason="", at=1.0)
        else:
            entry = made.pop(draws.randrange(len(made)))
            space.points.reverse(entry.award, reason="", at=1.0, frees_place=True)
            count[entry.pool, entry.day] -= 1
        assert all(space.points.taken(pool, day) == taken for (pool, day), taken in count.items())
    assert len(count) > 4
    assert space.points.taken("nobody", "2026-11-21") == 0


def test_random_histories_agree_with_a_plain_model(space: Workspace) -> None:
    person(space, "ann")
    draws = random.Random(3)
    final: dict[str, float] = {}
    pending: dict[str, float] = {}
    gone: set[str] = set()
    for step in range(60):
        award = f"award {draws.randrange(20)}"
        known = award in final or award in pending or award in gone
        if draws.random() < 0.5 or not known:
            made = space.points.enter([earned(award)], amount=lambda n: float(n), reason="")
            assert bool(made) != known
            if made:
                pending[award] = made[0].pending
        elif draws.random() < 0.5:
            space.points.settle(award, amount=float(step), reason="", at=1.0)
            if award in pending:
                del pending[award]
                final[award] = float(step)
        else:
            space.points.reverse(award, reason="", at=1.0)
            pending.pop(award, None)
            final.pop(award, None)
            gone.add(award)
        assert space.points.balance("ann") == Balance(final=sum(final.values()), pending=sum(pending.values()))
    assert final
    assert gone


def review(place: Place, name: str, barrier: object) -> None:
    with place.open() as space:
        barrier.wait()  # type: ignore[attr-defined]
        for number in range(10):
            space.answers.ingest([answer(f"{name}/{number}", "ann", f"{name}/{number}")], amount=ten)


def test_processes_that_review_for_one_person_count_every_place_once(
    place: Place, start: Callable[..., BaseProcess], fork: ForkContext
) -> None:
    with place.open() as space:
        person(space, "ann")
    barrier = fork.Barrier(4)
    processes = [start(review, place, name, barrier) for name in "abcd"]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    with place.open() as space:
        places = [item.place for item in space.points.entries("ann", limit=100)]
    assert sorted(places) == list(range(1, 41))


def test_a_counter_stops_at_its_limit(space: Workspace) -> None:
    take = lambda amount=1: space.counters.take("ann", "pictures", window=DAY, most=3, expires_at=9.0, amount=amount)  # noqa: E731
    assert [take(), take(), take(), take(), take()] == [1, 2, 3, None, None]
    space.counters.give_back("ann", "pictures", window=DAY)
    assert space.counters.count("ann", "pictures", window=DAY) == 2
    assert [take(2), take(1)] == [None, 3]
    space.counters.give_back("ann", "pictures", window=DAY, amount=99)
    assert space.counters.count("ann", "pictures", window=DAY) == 0
    assert take(4) is None
    assert space.counters.take("bob", "pictures", window=DAY, most=3, expires_at=9.0) == 1
    assert space.counters.take("ann", "pictures", window="2026-11-22", most=3, expires_at=99.0) == 1
    assert space.counters.sweep(before=10.0) == 2
    assert space.counters.count("ann", "pictures", window="2026-11-22") == 1


def grab(place: Place, barrier: object, granted: object) -> None:
    with place.open() as space:
        barrier.wait()  # type: ignore[attr-defined]
        for _ in range(8):
            taken = space.counters.take("ann", "pictures", window=DAY, most=20, expires_at=9.0)
            granted.put(taken)  # type: ignore[attr-defined]


def test_processes_that_take_together_get_what_there_is_and_no_more(
    place: Place, start: Callable[..., BaseProcess], fork: ForkContext
) -> None:
    place.open().close()
    barrier, granted = fork.Barrier(4), fork.Queue()
    processes = [start(grab, place, barrier, granted) for _ in range(4)]
    found = [granted.get(timeout=60) for _ in range(32)]
    for process in processes:
        process.join()
    assert sorted(count for count in found if count is not None) == list(range(1, 21))
    assert found.count(None) == 12
