"""Raters: agreement with others, gold items, what a person weighs and why, copies of one program."""

from __future__ import annotations

import random
from itertools import accumulate
from math import comb
from typing import Any

import pytest

from redraft.core.errors import UsageError
from redraft.feedback.forms import FORMS
from redraft.feedback.raters import (
    Overlap,
    RaterPolicy,
    Record,
    agreement_of,
    check_expected,
    contradicts,
    mean_agreement,
    passes,
    report,
    same_hands,
    side_evidence,
)

POLICY = RaterPolicy()


@pytest.mark.parametrize(
    ("form", "mine", "other", "agreement"),
    [
        ("sliders", {"semantics": 7, "safety": 10}, {"semantics": 7, "safety": 10}, 1.0),
        ("sliders", {"semantics": 0}, {"semantics": 10}, 0.0),
        ("sliders", {"semantics": 8, "safety": 10}, {"semantics": 5, "coherence": 0}, 0.7),
        ("sliders", {"semantics": 8}, {"coherence": 8}, None),
        ("thumbs", {"up": True}, {"up": True}, 1.0),
        ("thumbs", {"up": True}, {"up": False}, 0.0),
        ("stars", {"stars": 5}, {"stars": 4}, 0.75),
        ("rank", {"ranks": {"a": 1, "b": 2, "c": 3}}, {"ranks": {"a": 1, "b": 2, "c": 3}}, 1.0),
        ("rank", {"ranks": {"a": 1, "b": 2, "c": 3}}, {"ranks": {"a": 3, "b": 2, "c": 1}}, 0.0),
        ("rank", {"ranks": {"a": 1, "b": 2}}, {"ranks": {"a": 1, "b": 1}}, 0.5),
        ("rank", {"ranks": {"a": 1, "b": 1}}, {"ranks": {"a": 1, "b": 1}}, 1.0),
        ("duel", {"choice": "left"}, {"choice": "left"}, None),
    ],
)
def test_agreement_of_two_people(
    form: str, mine: dict[str, Any], other: dict[str, Any], agreement: float | None
) -> None:
    found = agreement_of(Overlap(form=form, mine=mine, other=other))
    assert found == (None if agreement is None else pytest.approx(agreement))
    # It is the same from the other's side.
    assert agreement_of(Overlap(form=form, mine=other, other=mine)) == found


def test_a_new_rater_weighs_half_and_grows_towards_one() -> None:
    weights = [report(Record(answers=n, gold_seen=0, gold_passed=0), policy=POLICY).weight for n in (0, 20, 10_000)]
    assert weights == pytest.approx([0.5, 0.75, 1.0], abs=1e-3)


def test_one_failed_gold_item_has_no_consequence_and_two_have() -> None:
    clean = report(Record(answers=20, gold_seen=3, gold_passed=3), policy=POLICY)
    once = report(Record(answers=20, gold_seen=3, gold_passed=2), policy=POLICY)
    twice = report(Record(answers=20, gold_seen=3, gold_passed=1), policy=POLICY)
    assert clean.weight == once.weight == pytest.approx(0.75)
    assert twice.weight == pytest.approx(0.75 * 2 / 5)
    assert "2 of 3 pictures with a known answer were answered otherwise: x 0.40" in twice.notes


def test_each_thing_that_lowers_a_weight_is_told() -> None:
    opposite = Overlap(form="thumbs", mine={"up": True}, other={"up": False})
    lazy = Record(
        answers=20, gold_seen=0, gold_passed=0, overlaps=(opposite,) * 5, sliders=((5,) * 6,) * 5, leads=(0.1,) * 5
    )  # fmt: skip
    found = report(lazy, policy=POLICY)
    assert found.weight == 0
    assert [note.split(":")[0] for note in found.notes] == [
        "20 answers",
        "others who saw the same agree by 0%",
        "the sliders nearly always stand on the same number",
        "answered faster than pictures can be seen",
    ]


def test_few_signs_are_no_proof() -> None:
    opposite = Overlap(form="thumbs", mine={"up": True}, other={"up": False})
    few = Record(
        answers=20, gold_seen=0, gold_passed=0, overlaps=(opposite,) * 4, sliders=((5,) * 6,) * 4, leads=(0.1,)
    )
    found = report(few, policy=POLICY)
    assert found.weight == pytest.approx(0.75)
    assert found.agreement == 0.0
    assert found.spread is None


def test_answers_without_overlap_have_no_agreement() -> None:
    assert mean_agreement(()) is None
    assert mean_agreement((Overlap(form="duel", mine={}, other={}),)) is None


def test_two_answers_that_say_the_opposite() -> None:
    assert contradicts(("thumbs", {"up": True}), ("sliders", {"semantics": 0, "coherence": 1}))
    assert contradicts(("stars", {"stars": 5}), ("thumbs", {"up": False}))
    assert not contradicts(("thumbs", {"up": True}), ("sliders", {"semantics": 5}))
    assert not contradicts(("thumbs", {"up": True}), ("duel", {"choice": "left"}))


@pytest.mark.parametrize(
    ("form", "expected", "payload", "passed"),
    [
        ("sliders", {"semantics": {"least": 7}}, {"semantics": 8}, True),
        ("sliders", {"semantics": {"least": 7}}, {"semantics": 6}, False),
        ("sliders", {"semantics": {"least": 2, "most": 4}}, {"semantics": 5}, False),
        ("sliders", {"semantics": {"least": 7}}, {"safety": 10}, False),
        ("thumbs", {"up": False}, {"up": False}, True),
        ("duel", {"choice": "right"}, {"choice": "tie"}, False),
    ],
)
def test_known_answers(form: str, expected: dict[str, Any], payload: dict[str, Any], passed: bool) -> None:
    check_expected(FORMS[form], expected)
    assert passes(FORMS[form], expected=expected, payload=payload) is passed


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({}, "expects nothing"),
        ({"beauty": 7}, "'beauty' is no field of the form 'sliders'"),
        ({"semantics": {}}, "is empty"),
        ({"semantics": {"least": 11}}, "whole numbers from 0 to 10"),
        ({"semantics": {"about": 7}}, "whole numbers from 0 to 10"),
    ],
)
def test_an_impossible_known_answer_is_refused(expected: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check_expected(FORMS["sliders"], expected)


def test_copies_of_one_program_are_found_and_people_are_not() -> None:
    program = [{"semantics": (7 * n) % 11} for n in range(12)]
    answers: dict[str, list[dict[str, int]]] = {f"copy {n}": list(program) for n in range(100)}
    answers["anna"] = [{"semantics": (3 * n + 1) % 11} for n in range(12)]
    answers["new"] = program[:5]
    answers |= {f"lazy {n}": [{"semantics": 10}] * 12 for n in range(3)}
    (group,) = same_hands(answers, policy=POLICY)
    assert group == {f"copy {n}" for n in range(100)}


def test_evidence_of_sides_is_a_martingale_for_who_looks_at_the_pictures() -> None:
    # E over all 2^n sequences of fair coins is 1 for every n: sum of binomial(n, l) / 2^n * E(l, n - l).
    for count in range(12):
        mean = sum(comb(count, left) / 2**count * side_evidence(left, count - left) for left in range(count + 1))
        assert mean == pytest.approx(1.0, rel=1e-12)
    # Closed form for always one side: 2^n / (n + 1).
    assert side_evidence(11, 0) == side_evidence(0, 11) == pytest.approx(2**11 / 12)
    assert side_evidence(5000, 0) > 1e300


def test_honest_people_are_hardly_ever_held_back_however_often_one_looks() -> None:
    # 2,000 people of 400 fair coins, looked at after each: at most 1 % may ever reach 100 (three standard errors: 0.7).
    rng, alarms = random.Random(5), 0
    for _ in range(2000):
        lefts = list(accumulate(rng.getrandbits(1) for _ in range(400)))
        alarms += any(side_evidence(left, n - left) >= 100 for n, left in enumerate(lefts, 1))
    assert alarms / 2000 <= 0.01 + 0.007


@pytest.mark.parametrize(("sides", "factor"), [((6, 0), 1.0), ((8, 0), 0.25), ((0, 11), 0.0), ((40, 40), 1.0)])
def test_who_answers_by_the_side_weighs_less_and_is_told(sides: tuple[int, int], factor: float) -> None:
    plain = report(Record(answers=20, gold_seen=0, gold_passed=0), policy=POLICY)
    found = report(Record(answers=20, gold_seen=0, gold_passed=0, sides=sides), policy=POLICY)
    assert found.weight == pytest.approx(plain.weight * factor)
    assert (len(found.notes) > len(plain.notes)) == (factor < 1)
    if factor == 0:
        assert "11 of 11 duels were decided for the right picture" in found.notes[-1]


def test_sliders_besides_the_six_count_like_them() -> None:
    mine, other = {"semantics": 8, "temporal_coherence": 2, "text": "hm"}, {"semantics": 8, "temporal_coherence": 7}
    assert agreement_of(Overlap(form="sliders", mine=mine, other=other)) == pytest.approx(0.75)
