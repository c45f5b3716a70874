"""Answers: kept once, revised but never overwritten, owned, with points; on both databases."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import sqlalchemy as sa
from studio_rows import DAY, answer, ask, decision, paint, person, uuid7

from redraft.core.errors import UnknownNameError
from redraft.store import answer_records
from redraft.store.answer_records import REFUSALS, Answer, Outcome
from redraft.store.raters import Quality
from redraft.store.schema_feedback import AnswerRow
from redraft.store.workspace import Workspace


def statuses(outcomes: tuple[Outcome, ...]) -> list[str]:
    return [outcome.refusal or outcome.status for outcome in outcomes]


def ids(answers: tuple[Answer, ...]) -> list[str]:
    return [item.id for item in answers]


def test_an_answer_comes_back_as_it_was_given(space: Workspace) -> None:
    person(space, "ann")
    given = answer(
        "a",
        "ann",
        "picture-1",
        payload={"semantics": 0, "text": "naïve 猫 \U0001f408", "nested": [1, {"x": None}]},
        mark=0.25,
        lead_ms=7800,
        device="phone",
        version="0.2.0",
        token="token-1",
    )
    assert space.answers.ingest([given]) == (Outcome(id=given.id, status="stored", first=True),)
    kept = space.answers.get(given.id, user="ann")
    assert kept == replace(given, number=kept.number)
    assert kept.number > 0


def test_sending_again_changes_nothing(space: Workspace) -> None:
    person(space, "ann")
    first, second = answer("a", "ann", "picture-1"), answer("b", "ann", "picture-2")
    assert statuses(space.answers.ingest([first, second, first])) == ["stored", "stored", "known"]
    # What the server adds may differ; the same events come again in another order.
    assert statuses(space.answers.ingest([second, replace(first, received_at=99.0)])) == ["known", "known"]
    assert ids(space.answers.of_person("ann")) == [second.id, first.id]
    assert space.answers.get(first.id, user="ann").received_at == 11.0


def test_a_batch_keeps_its_order_and_every_digit(space: Workspace) -> None:
    person(space, "ann")
    batch = [
        answer(f"{number}", "ann", f"p{number % 7}", created_at=1.7e9 + number / 3, mark=number / 7, lead_ms=number)
        for number in range(200)
    ]
    assert statuses(space.answers.ingest(batch, amount=amount)) == ["stored"] * 200
    kept = list(reversed(space.answers.of_person("ann", limit=1000)))
    assert [replace(item, number=0) for item in kept] == batch, "numbers grow in the order of the batch"
    assert {item.id for item in space.answers.standing("ann", [f"p{place}" for place in range(7)])} == {
        item.id for item in batch[-7:]
    }
    assert statuses(space.answers.ingest(batch, amount=amount)) == ["known"] * 200


def test_a_batch_that_breaks_off_leaves_nothing(space: Workspace) -> None:
    person(space, "ann")
    ask(space, decision("ask", "ann", "p"))
    batch = [answer("a", "ann", "p", ask="ask"), answer("b", "ann", "q", token="t")]

    def broken(n: int) -> float:
        raise RuntimeError("in the midst of it")

    with pytest.raises(RuntimeError, match="in the midst of it"):
        space.answers.ingest(batch, amount=broken)
    assert space.answers.of_person("ann") == ()
    assert space.points.entries("ann") == ()
    assert space.answers.standing("ann", ["p", "q"]) == ()
    assert space.asks.get("ask", user="ann").outcome == "shown"
    assert statuses(space.answers.ingest(batch, amount=amount)) == ["stored", "stored"]
    assert space.asks.get("ask", user="ann").outcome == "answered"
    assert [entry.place for entry in space.points.entries("ann")] == [2, 1]


def test_an_ask_is_resolved_by_its_first_answer(space: Workspace) -> None:
    person(space, "ann")
    for name in ("one", "two"):
        ask(space, decision(name, "ann", name))
    first, second = answer("a", "ann", "one", ask="one", received_at=20.0), answer("b", "ann", "two", ask="two")
    later = answer("c", "ann", "one", ask="one", received_at=30.0, revision_of=first.id)
    space.answers.ingest([first, second, later])
    space.answers.ingest([answer("d", "ann", "two", ask="two", received_at=40.0)])
    asked = [space.asks.get(name, user="ann") for name in ("one", "two")]
    assert [(item.outcome, item.resolved_at) for item in asked] == [("answered", 20.0), ("answered", 11.0)]


def test_each_answer_of_a_batch_has_its_own_outcome(space: Workspace) -> None:
    person(space, "ann")
    person(space, "bob")
    ask(space, decision("ask", "bob", "p"))
    space.answers.ingest([answer("bobs", "bob", "p"), answer("spent", "bob", "q", token="t")])
    person(space, "eve")
    space.people.set_disabled("eve", True, at=1.0)
    batch = [
        answer("good", "ann", "p"),
        replace(answer("x", "ann", "p"), id="not-a-uuid"),
        replace(answer("x", "ann", "p"), id="0190b5d4-7e4a-4c1e-8000-000000000000"),
        replace(answer("x", "ann", "p"), id=uuid7("x").upper()),
        answer("null", "ann", "p", payload={"text": ["a\0b"]}),
        answer("surrogate", "ann", "p", device="\ud83d"),
        answer("long", "ann", "p" * 65),
        answer("not a number", "ann", "p", payload={"semantics": math.nan}),
        answer("infinite", "ann", "p", mark=math.inf),
        answer("huge", "ann", "p", lead_ms=2**31),
        answer("bobs", "ann", "p"),
        answer("good", "ann", "p", payload={"semantics": 1}),
        answer("nobody", "zoe", "p"),
        answer("disabled", "eve", "p"),
        answer("foreign", "ann", "p", ask="ask"),
        answer("other subject", "bob", "q", ask="ask", form="thumbs"),
        answer("absent ask", "bob", "p", ask="never made"),
        answer("revising", "ann", "p", revision_of=uuid7("bobs")),
        answer("spent again", "ann", "r", token="t"),
        answer("fresh", "ann", "r", token="u"),
        answer("twice in one batch", "ann", "s", token="u"),
        answer("asked", "bob", "p", ask="ask", form="thumbs"),
    ]
    expected = ["stored", *["bad_id"] * 3, *["bad_value"] * 6, "id_taken", "id_taken", "no_account", "no_account"]
    expected += ["foreign_ask", "foreign_ask", "foreign_ask", "foreign_revision", "token_used", "stored", "token_used"]
    assert statuses(space.answers.ingest(batch)) == [*expected, "stored"]
    assert set(expected) - {"stored"} == set(REFUSALS), "every refusal is shown here"
    assert ids(space.answers.of_person("ann")) == [uuid7("fresh"), uuid7("good")]
    assert space.asks.get("ask", user="bob").outcome == "answered"
    assert space.asks.get("ask", user="bob").resolved_at == 11.0


def test_the_longest_texts_are_those_of_the_table() -> None:
    lengths = {name: getattr(column.type, "length", None) for name, column in AnswerRow.__table__.columns.items()}
    assert {name: length for name, length in lengths.items() if length and name != "id"} == answer_records._LENGTHS


def test_of_revisions_the_last_counts_and_all_are_kept(space: Workspace) -> None:
    person(space, "ann")
    first = answer("a", "ann", "p", mark=1.0)
    second = answer("b", "ann", "p", mark=0.0, revision_of=first.id)
    other = answer("c", "ann", "p", form="thumbs")
    assert [item.first for item in space.answers.ingest([first, second, other])] == [True, False, True]
    assert ids(space.answers.standing("ann", ["p", "q"])) == [second.id, other.id]
    assert ids(space.answers.history("ann", "p", form="sliders")) == [first.id, second.id]
    # Without naming what it revises, a person's later answer counts as well: two devices, one opinion.
    third = answer("d", "ann", "p")
    space.answers.ingest([third])
    assert ids(space.answers.standing("ann", ["p"])) == [other.id, third.id]


@pytest.mark.parametrize("together", [True, False])
def test_revisions_may_arrive_in_any_order(space: Workspace, together: bool) -> None:
    person(space, "ann")
    for order in itertools.permutations(range(4)):
        subject = "".join(map(str, order))
        chain = [answer(f"{subject}/0", "ann", subject)]
        for place in range(1, 4):
            chain.append(answer(f"{subject}/{place}", "ann", subject, revision_of=chain[-1].id, mark=float(place)))
        arriving = [chain[place] for place in order]
        for batch in [arriving] if together else [[item] for item in arriving]:
            assert statuses(space.answers.ingest(batch)) == ["stored"] * len(batch)
        standing = space.answers.standing("ann", [subject])
        assert ids(standing) == [chain[3].id], order
        assert standing[0].mark == 3.0


def test_a_circle_of_revisions_has_an_end(space: Workspace) -> None:
    person(space, "ann")
    itself = answer("a", "ann", "p", revision_of=uuid7("a"))
    one, two = answer("b", "ann", "q", revision_of=uuid7("c")), answer("c", "ann", "q", revision_of=uuid7("b"))
    space.answers.ingest([itself, one, two])
    assert ids(space.answers.standing("ann", ["p", "q"])) == [itself.id, two.id]


def test_a_retracted_answer_counts_nowhere_and_can_be_given_again(space: Workspace) -> None:
    person(space, "ann")
    space.answers.ingest([answer("a", "ann", "p")])
    space.answers.ingest([answer("b", "ann", "p", retracted=True, payload={}, revision_of=uuid7("a"))])
    assert space.answers.standing("ann", ["p"]) == ()
    assert space.answers.about("p") == ()
    assert space.answers.evidence() == ()
    assert len(space.answers.history("ann", "p", form="sliders")) == 2
    space.answers.ingest([answer("c", "ann", "p")])
    assert ids(space.answers.standing("ann", ["p"])) == [uuid7("c")]


def test_nobody_finds_another_s_answers(space: Workspace) -> None:
    person(space, "ann")
    person(space, "bob")
    space.answers.ingest([answer("a", "ann", "p"), answer("b", "bob", "p")])
    with pytest.raises(UnknownNameError) as foreign:
        space.answers.get(uuid7("a"), user="bob")
    with pytest.raises(UnknownNameError) as absent:
        space.answers.get(uuid7("z"), user="bob")
    assert str(foreign.value).replace(uuid7("a"), "") == str(absent.value).replace(uuid7("z"), "")
    assert ids(space.answers.standing("bob", ["p"])) == [uuid7("b")]
    assert ids(space.answers.history("bob", "p", form="sliders")) == [uuid7("b")]
    assert ids(space.answers.of_person("bob")) == [uuid7("b")]
    assert ids(space.answers.about("p")) == [uuid7("a"), uuid7("b")]


def test_a_person_s_answers_page_by_page(space: Workspace) -> None:
    person(space, "ann")
    space.answers.ingest([answer(number, "ann", f"p{number}") for number in range(7)])
    pages, before = [], None
    while page := space.answers.of_person("ann", before=before, limit=3):
        pages.append(ids(page))
        before = page[-1].number
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [id for page in pages for id in page] == [uuid7(number) for number in reversed(range(7))]


def test_evidence_is_of_consenting_people_and_knows_how_it_came_about(space: Workspace) -> None:
    for name, improve, share in (("ann", True, True), ("bob", True, False), ("cid", False, True), ("dan", True, True)):
        person(space, name, improve=improve, share=share)
        paint(space, f"picture of {name}", name)
    asked = decision("ask", "ann", "picture of ann", probability=0.02, confidence=0.9)
    ask(space, asked)
    space.raters.set_quality(Quality(user="bob", weight=0.5, evidence={"gold": 3}, at=1.0))
    space.answers.ingest(
        [
            answer("a", "ann", "picture of ann", ask="ask"),
            answer("b", "bob", "picture of bob", form="thumbs"),
            answer("c", "cid", "picture of cid"),
            answer("d", "dan", "picture of dan"),
        ]
    )
    space.people.set_disabled("dan", True, at=2.0)
    found = space.answers.evidence()
    assert [item.answer.id for item in found] == [uuid7("a"), uuid7("b")]
    assert [(item.probability, item.confidence, item.policy) for item in found] == [(0.02, 0.9, "v1"), (None, None, "")]
    assert [(item.weight, item.shareable) for item in found] == [(1.0, True), (0.5, False)]
    assert [item.answer.id for item in space.answers.evidence(after=found[0].answer.number)] == [uuid7("b")]
    assert [item.answer.id for item in space.answers.evidence(limit=1)] == [uuid7("a")]
    assert [item.answer.id for item in space.answers.evidence(forms=["thumbs"])] == [uuid7("b")]
    assert [item.answer.id for item in space.answers.evidence(released=True)] == [uuid7("a")]


def amount(n: int) -> float:
    """Points of the n-th review of a day, from the project's design, section 9."""
    return 10 * math.exp(-0.3 * max(0, n - 5))


def test_first_answers_earn_points_by_their_place_in_the_day(space: Workspace) -> None:
    person(space, "ann")
    batch = [answer(number, "ann", f"p{number}") for number in range(4)]
    batch += [answer("revision", "ann", "p0"), answer("tomorrow", "ann", "t", day="2026-11-22")]
    space.answers.ingest(batch, amount=amount)
    space.answers.ingest([answer(number, "ann", f"p{number}") for number in range(7)], amount=amount)
    entries = space.points.entries("ann")
    today = [(item.place, item.pending) for item in reversed(entries) if item.day == DAY]
    assert today == [(n, amount(n)) for n in range(1, 8)], "resent and revised answers earn nothing"
    assert [(item.place, item.pending) for item in entries if item.day == "2026-11-22"] == [(1, 10.0)]
    # 5 full ones, two of the decay (7.408 and 5.488: the design's table), one of the next day.
    assert space.points.balance("ann").pending == pytest.approx(50 + 7.408 + 5.488 + 10, abs=1e-3)
    assert space.points.balance("ann").final == 0


@pytest.mark.parametrize("statement", ["UPDATE answers SET subject = 'x'", "UPDATE points SET final = 1e6"])
def test_the_database_refuses_to_change_what_was_given(space: Workspace, statement: str) -> None:
    person(space, "ann")
    space.answers.ingest([answer("a", "ann", "p")], amount=amount)
    with pytest.raises(Exception, match="is append-only") as refused, space.database.writing() as connection:
        connection.execute(sa.text(statement))
    assert "append-only" in str(refused.value)
    assert space.answers.get(uuid7("a"), user="ann").subject == "p"
