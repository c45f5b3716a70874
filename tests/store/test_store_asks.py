"""Decisions to ask: kept whole with the state they leave, one at a time for each person; on both databases."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from multiprocessing.context import ForkContext
from multiprocessing.process import BaseProcess

import pytest
from places import Place
from studio_rows import answer, ask, decision, paint, person

from redraft.core.errors import UnknownNameError
from redraft.store.asks import AskState, Decided
from redraft.store.workspace import Workspace


def test_a_decision_and_the_state_it_leaves_come_back_whole(space: Workspace) -> None:
    person(space, "ann")
    assert space.asks.state("ann") is None
    suppressed = decision(
        "d1",
        "ann",
        "p1",
        coin=0.123456789012345,
        probability=1 / 3,
        first_confidence=0.2,
        outcome="suppressed",
        shown_at=None,
        session="s",
    )
    excluded = decision("d2", "ann", "p2", coin=None, probability=0.0, excluded="quiet hours", outcome="excluded")
    state = AskState(
        threshold=-0.01,
        day="2026-11-21",
        asked_today=2,
        pictures_today=30,
        session="s",
        asked_in_session=1,
        pictures=301,
        recent=(40, 0, 12),
        changed_at=5.0,
    )
    given: list[AskState | None] = []

    def rule(before: AskState | None, known: Collection[str]) -> Decided:
        given.append(before)
        assert known == frozenset()
        return state, [suppressed, excluded]

    assert space.asks.decide("ann", rule) == (suppressed, excluded)
    assert space.asks.state("ann") == state
    assert space.asks.log() == (suppressed, excluded)
    assert space.asks.get("d1", user="ann") == suppressed
    space.asks.decide("ann", lambda before, _known: (given.append(before) or replace(state, threshold=0.5), []))
    assert given == [None, state]
    changed = space.asks.state("ann")
    assert changed is not None
    assert changed.threshold == 0.5


def test_a_rule_that_fails_leaves_nothing(space: Workspace) -> None:
    person(space, "ann")

    def rule(_state: AskState | None, _known: Collection[str]) -> Decided:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        space.asks.decide("ann", rule)
    assert space.asks.state("ann") is None
    with pytest.raises(UnknownNameError, match="'zoe' has no enabled account: nobody there can be asked"):
        space.asks.decide("zoe", rule)


def test_decisions_made_offline_are_charged_once(space: Workspace) -> None:
    person(space, "ann")
    offline = [decision(f"d{number}", "ann", f"p{number}", offline=True) for number in range(3)]

    def sync(state: AskState | None, known: Collection[str]) -> Decided:
        fresh = [item for item in offline if item.id not in known]
        before = AskState(threshold=0.5, changed_at=0.0) if state is None else state
        return replace(before, asked_today=before.asked_today + len(fresh)), fresh

    ids = [item.id for item in offline]
    assert len(space.asks.decide("ann", sync, ids=ids[:2])) == 3
    assert len(space.asks.decide("ann", sync, ids=ids)) == 0
    state = space.asks.state("ann")
    assert state is not None
    assert state.asked_today == 3
    assert len(space.asks.log()) == 3


def test_what_becomes_of_an_ask(space: Workspace) -> None:
    person(space, "ann")
    person(space, "bob")
    for number in range(4):
        ask(space, decision(f"d{number}", "ann", f"p{number}", created_at=float(number)))
    space.asks.dismiss("d1", user="ann", at=20.0)
    space.answers.ingest([answer("a", "ann", "p2", ask="d2"), answer("b", "ann", "p1", ask="d1")])
    space.asks.dismiss("d2", user="ann", at=30.0)
    assert space.asks.expire(before=1.0, at=40.0) == 1
    outcomes = [(item.outcome, item.resolved_at) for item in space.asks.log()]
    assert outcomes == [("expired", 40.0), ("answered", 11.0), ("answered", 11.0), ("shown", None)]
    assert [item.id for item in space.asks.open("ann", since=0.0)] == ["d3"]
    assert space.asks.open("ann", since=3.5) == ()
    assert space.asks.open("bob", since=0.0) == ()
    for call in (
        lambda: space.asks.get("d3", user="bob"),
        lambda: space.asks.dismiss("d3", user="bob", at=1.0),
        lambda: space.asks.get("d9", user="ann"),
    ):
        with pytest.raises(UnknownNameError, match="is not among the asks of this person"):
            call()


def test_the_log_is_read_page_by_page(space: Workspace) -> None:
    person(space, "ann")
    person(space, "bob")
    for number in range(10):
        ask(space, decision(f"d{9 - number}", ("ann", "bob")[number % 2], "p", created_at=float(number // 3)))
    found: list[tuple[float, str]] = []
    while page := space.asks.log(after=found[-1] if found else (-1.0, ""), limit=4):
        found += [(item.created_at, item.id) for item in page]
    assert found == sorted(found)
    assert len(found) == 10
    assert len(space.asks.log(until=2.0)) == 6


def test_embeddings_of_what_a_person_was_asked_about(space: Workspace) -> None:
    person(space, "ann")
    person(space, "bob")
    for name, owner in (("p1", "ann"), ("p2", "ann"), ("p3", "ann"), ("q1", "bob")):
        paint(space, name, owner)
        space.gallery.put_embedding(name, owner=owner, fingerprint="clip:1", data=name.encode())
    ask(space, decision("d1", "ann", "p1", created_at=1.0))
    ask(space, decision("d2", "ann", "p2", created_at=2.0))
    ask(space, decision("d3", "ann", "p3", created_at=3.0, outcome="suppressed", shown_at=None))
    ask(space, decision("d4", "bob", "q1", created_at=3.0))
    assert space.asks.asked_embeddings("ann", fingerprint="clip:1", since=0.0) == (b"p2", b"p1")
    assert space.asks.asked_embeddings("ann", fingerprint="clip:1", since=1.5) == (b"p2",)
    assert space.asks.asked_embeddings("ann", fingerprint="clip:2", since=0.0) == ()


def spend(place: Place, name: str, barrier: object, asked: object) -> None:
    """Decide ten times, as a rule that allows three asks in all."""
    with place.open() as space:
        barrier.wait()  # type: ignore[attr-defined]
        for number in range(10):
            made = decision(f"{name}/{number}", "ann", f"{name}/{number}")

            def rule(state: AskState | None, _known: Collection[str], made: object = made) -> Decided:
                before = AskState(threshold=0.5, changed_at=1.0) if state is None else state
                if before.asked_today >= 3:
                    return replace(before, pictures_today=before.pictures_today + 1), []
                counted = replace(before, asked_today=before.asked_today + 1, pictures_today=before.pictures_today + 1)
                return counted, [made]  # type: ignore[list-item]

            asked.put(len(space.asks.decide("ann", rule)))  # type: ignore[attr-defined]


def test_processes_that_decide_for_one_person_never_overspend(
    place: Place, start: Callable[..., BaseProcess], fork: ForkContext
) -> None:
    with place.open() as space:
        person(space, "ann")
    barrier, asked = fork.Barrier(4), fork.Queue()
    processes = [start(spend, place, name, barrier, asked) for name in "abcd"]
    assert sum(asked.get(timeout=60) for _ in range(40)) == 3
    for process in processes:
        process.join()
    with place.open() as space:
        state = space.asks.state("ann")
        assert state is not None
        assert (state.asked_today, state.pictures_today) == (3, 40)
        assert len(space.asks.log()) == 3
