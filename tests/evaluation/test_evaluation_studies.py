"""The table of a study: shares by hand, intervals over people, checks; coverage by simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.evaluation.statistics import wilson_interval
from redraft.evaluation.studies import Choice, checks, preferences, steadiness, steady_only

KEY = Key(seed=5)


def choice(
    person: str, pair: int, first: bool, *, question: str = "appeal", left: bool = True, again: bool = False
) -> Choice:
    return Choice(
        person=person, pair=pair, first="new", second="old", question=question, chose_first=first, chose_left=left,
        again=again,
    )  # fmt: skip


def test_shares_and_counts_by_hand() -> None:
    choices = [
        choice("ann", 0, True), choice("ann", 1, True), choice("ann", 0, False, question="faithfulness"),
        choice("bob", 0, True), choice("bob", 2, False),
        # A second showing does not count again.
        choice("bob", 2, True, again=True),
    ]  # fmt: skip
    appeal, faithfulness = preferences(choices, key=KEY)
    assert (appeal.question, appeal.preferred, appeal.people, appeal.answers, appeal.pairs) == ("appeal", 0.75, 2, 4, 3)
    assert appeal.low is not None
    assert appeal.high is not None
    assert 0 <= appeal.low <= 0.75 <= appeal.high <= 1
    assert (faithfulness.preferred, faithfulness.low, faithfulness.high) == (0.0, None, None)
    assert faithfulness.winner == "unclear", "one person proves nothing"
    assert preferences([], key=KEY) == ()


def test_systems_and_questions_are_told_apart() -> None:
    other = [replace(choice("ann", n, False), first="a", second="b") for n in range(3)]
    rows = preferences([*other, *(choice("ann", n, True) for n in range(3))], key=KEY)
    assert [(row.first, row.preferred) for row in rows] == [("a", 0.0), ("new", 1.0)]


def test_few_people_of_one_mind_do_not_make_a_certainty() -> None:
    """Resampling three people who all said the same gives an interval without width; Wilson's at n = 3 holds."""
    choices = [choice(person, pair, True) for person in "abc" for pair in range(50)]
    (row,) = preferences(choices, key=KEY)
    assert row.preferred == 1.0
    assert row.low == pytest.approx(wilson_interval(3, 3).low)
    assert row.low == pytest.approx(0.4385, abs=1e-4)
    assert row.winner == "unclear"
    many = [choice(f"p{n}", pair, True) for n in range(12) for pair in range(5)]
    assert preferences(many, key=KEY)[0].winner == "first"
    assert preferences([replace(c, chose_first=False) for c in many], key=KEY)[0].winner == "second"


def test_the_interval_holds_the_truth_though_people_differ() -> None:
    """20 people with tastes of their own (Beta(2, 2) around 0.5), 20 answers each: an interval over answers would be
    far too narrow. Nominal 95 %; of 200 studies a binomial's five standard deviations are 7.7 points."""
    rng = np.random.default_rng(0)
    held = naive = 0
    trials = 200
    for trial in range(trials):
        tastes = rng.beta(2, 2, size=20)
        chosen = rng.random((20, 20)) < tastes[:, None]
        choices = [choice(f"p{n}", pair, bool(chosen[n, pair])) for n in range(20) for pair in range(20)]
        (row,) = preferences(choices, key=KEY.child(trial))
        assert row.low is not None
        assert row.high is not None
        held += row.low <= 0.5 <= row.high
        plain = wilson_interval(int(chosen.sum()), chosen.size)
        naive += plain.low <= 0.5 <= plain.high
    assert held / trials > 0.95 - 0.077
    assert naive / trials < 0.75, "the naive interval would have done: this tested nothing"


def test_checks_tell_steady_eyes_from_clicking_left() -> None:
    steady = [choice("ann", n, n % 2 == 0, left=n % 3 == 0, again=again) for n in range(6) for again in (False, True)]
    # Bob always clicks left: of a pair turned round he says the opposite.
    lazy = [choice("bob", n, not again, left=True, again=again) for n in range(6) for again in (False, True)]
    found = checks([*steady, *lazy], key=KEY)
    assert found.repeats == 12
    assert found.steady is not None
    assert found.steady.value == 0.5
    assert found.left is not None
    assert found.left.value == pytest.approx((2 + 6) / 12)
    assert steadiness([*steady, *lazy]) == {"ann": 1.0, "bob": 0.0}
    kept = steady_only([*steady, *lazy, choice("eve", 0, True)], least=0.6)
    assert {item.person for item in kept} == {"ann", "eve"}, "who had no repeats stays"
    with pytest.raises(UsageError, match="a steadiness of 60 is no share"):
        steady_only(steady, least=60)


def test_agreement_is_krippendorffs_alpha_where_it_has_a_meaning() -> None:
    alike = [choice(person, n, n % 2 == 0) for person in "abc" for n in range(8)]
    ((name, alpha),) = checks(alike, key=KEY).agreement
    assert (name, alpha.value, alpha.count) == ("appeal", 1.0, 8)
    assert checks([choice("a", 0, True), choice("b", 1, True)], key=KEY).agreement == ()
    empty = checks([], key=KEY)
    assert (empty.repeats, empty.steady, empty.left, empty.agreement) == (0, None, None, ())
