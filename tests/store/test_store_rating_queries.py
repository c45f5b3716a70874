"""What the studio's rating asks of the store besides: on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redraft.core.errors import UnknownNameError
from redraft.store.asks import AskState, DecisionCount
from redraft.store.duels import Duel
from redraft.store.points import Earned
from redraft.store.workspace import Workspace
from tests.store.studio_rows import answer, ask, decision, paint, person


def test_decisions_of_a_person_page_by_page_and_by_subject(space: Workspace) -> None:
    person(space, "ann")
    person(space, "bob")
    for number in range(5):
        ask(space, decision(f"d{number}", "ann", f"picture {number}", created_at=float(number)))
    ask(space, decision("other", "bob", "picture 0", created_at=9.0))
    first = space.asks.of_person("ann", limit=3)
    assert [entry.id for entry in first] == ["d4", "d3", "d2"]
    last = first[-1]
    assert [entry.id for entry in space.asks.of_person("ann", before=(last.created_at, last.id))] == ["d1", "d0"]
    assert space.asks.decided("ann", ["picture 0", "picture 7"]) == {"picture 0"}
    assert space.asks.decided("bob", ["picture 1"]) == frozenset()
    assert space.asks.decided("ann", []) == frozenset()


def test_decisions_are_counted_with_their_probabilities_and_saved_asks(space: Workspace) -> None:
    person(space, "ann")
    made = [
        decision("asked", "ann", "p1", probability=1.0),
        decision("again", "ann", "p2", probability=0.25),
        decision("saved", "ann", "p3", first_confidence=0.1, confidence=0.9, threshold=0.4, probability=0.25,
                 outcome="suppressed", shown_at=None),
        decision("no better", "ann", "p4", first_confidence=0.1, confidence=0.3, threshold=0.4, outcome="shown"),
        decision("capped", "ann", "p5", probability=0.0, coin=None, excluded="day_cap", outcome="excluded",
                 shown_at=None),
        decision("old", "ann", "p6", created_at=-5.0),
    ]  # fmt: skip
    space.asks.decide("ann", lambda _state, _known: (AskState(threshold=0.5, changed_at=1.0), made))
    assert space.asks.counts(since=0.0) == (
        DecisionCount(excluded="", outcome="shown", decisions=3, expected=2.25, saved=0),
        DecisionCount(excluded="", outcome="suppressed", decisions=1, expected=0.25, saved=1),
        DecisionCount(excluded="day_cap", outcome="excluded", decisions=1, expected=0.0, saved=0),
    )
    assert space.asks.counts(since=100.0) == ()


def test_places_are_shared_by_accounts_that_were_joined_later(space: Workspace) -> None:
    for name in ("ann", "bob", "cleo"):
        person(space, name)
        earned = [Earned(award=f"{name} {number}", user=name, day="2026-11-21", at=1.0) for number in range(2)]
        space.points.enter(earned, amount=lambda _place: 10.0, reason="review")
    assert [space.points.shared_place(f"bob {number}") for number in range(2)] == [1, 2]
    space.people.set_cluster(["ann", "bob"], "joined", at=2.0)
    assert [space.points.shared_place(f"bob {number}") for number in range(2)] == [3, 4]
    assert [space.points.shared_place(f"cleo {number}") for number in range(2)] == [1, 2]
    with pytest.raises(UnknownNameError, match="award 'nothing' does not exist"):
        space.points.shared_place("nothing")


def test_places_taken_and_days_with_points(space: Workspace) -> None:
    person(space, "ann")
    for day, count in (("2026-11-20", 1), ("2026-11-21", 3)):
        earned = [Earned(award=f"{day} {number}", user="ann", day=day, at=1.0) for number in range(count)]
        space.points.enter(earned, amount=lambda _place: 10.0, reason="review")
    assert (space.points.taken("ann", "2026-11-21"), space.points.taken("ann", "2026-11-22")) == (3, 0)
    space.points.reverse("2026-11-21 0", reason="test", at=2.0, frees_place=True)
    assert space.points.taken("ann", "2026-11-21") == 2
    assert (space.points.active_days("ann"), space.points.active_days("bob")) == (2, 0)


def test_pairs_that_were_given(space: Workspace) -> None:
    person(space, "ann")
    person(space, "bob")
    ids = [paint(space, name, "ann", shade=shade).id for shade, name in enumerate(("a", "b", "c"))]
    duel = Duel(
        id="d1", user="ann", experiment="", prompt_hash="h", prompt=None, first="b", second="a", first_checkpoint="",
        second_checkpoint="", swapped=False, probability=1.0, issued_at=1.0, expires_at=2.0,
    )  # fmt: skip
    space.duels.issue(duel)
    space.duels.issue(replace(duel, id="d2", user="bob", first="a", second="c"))
    assert space.duels.pairs("ann", ids) == {frozenset(("a", "b"))}
    assert space.duels.pairs("ann", ["a", "c"]) == frozenset()
    assert space.duels.pairs("ann", []) == frozenset()


def test_unsafe_pictures_of_consenting_people_that_a_reviewer_has_not_judged(space: Workspace) -> None:
    for name, improve in (("ann", True), ("bob", False), ("rita", True)):
        person(space, name, improve=improve)
    values = {"unsafe": True, "safety": "blurred"}
    for number, (name, owner, change) in enumerate((
        ("hers", "ann", {}), ("judged", "ann", {}), ("withheld", "ann", {"safety": "withheld"}), ("his", "bob", {}),
        ("safe", "ann", {"unsafe": False}), ("own", "rita", {}),
    )):  # fmt: skip
        paint(space, name, owner, shade=number, created_at=float(number), **{**values, **change})
    space.answers.ingest([answer("said", "rita", "judged")])
    assert space.raters.unsafe_paintings("rita") == ("own", "hers")
    assert space.raters.unsafe_paintings("rita", limit=1) == ("own",)
    space.people.set_disabled("ann", True, at=1.0)
    assert space.raters.unsafe_paintings("rita") == ("own",)
