"""Which pairs a participant gets: the least given first, fair order and sides, repeats turned round and late."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from redraft.core.errors import UsageError
from redraft.feedback.studies import QUESTIONS, choose_pairs


def draws(seed: int = 0):  # type: ignore[no-untyped-def]
    rng = random.Random(seed)
    return rng.randrange


def test_two_questions_are_asked_apart() -> None:
    assert list(QUESTIONS) == ["appeal", "faithfulness"]
    assert len(set(QUESTIONS.values())) == 2


def test_the_least_given_pairs_are_chosen() -> None:
    counts = {f"p{n}": n // 4 for n in range(12)}  # four each were given 0, 1 and 2 times
    given = choose_pairs(counts, wanted=6, repeats=0, draw=draws())
    chosen = {item.pair for item in given}
    assert len(given) == 6
    assert {f"p{n}" for n in range(4)} <= chosen
    assert chosen <= {f"p{n}" for n in range(8)}
    assert not any(item.again for item in given)


def test_all_pairs_are_judged_equally_often_whoever_comes() -> None:
    counts, draw = {f"p{n}": 0 for n in range(30)}, draws(1)
    for _ in range(9):
        for item in choose_pairs(counts, wanted=10, repeats=2, draw=draw):
            counts[item.pair] += not item.again
    assert set(counts.values()) == {3}


def test_repeats_come_in_the_second_half_turned_round() -> None:
    counts = {f"p{n}": 0 for n in range(20)}
    for seed in range(50):
        given = choose_pairs(counts, wanted=20, repeats=3, draw=draws(seed))
        assert len(given) == 23
        again = [(place, item) for place, item in enumerate(given) if item.again]
        assert len(again) == 3
        for place, item in again:
            (first,) = [(n, other) for n, other in enumerate(given) if other.pair == item.pair and not other.again]
            assert first[0] < 10 <= place
            assert first[1].swapped != item.swapped


def test_order_sides_and_places_are_fair() -> None:
    counts, draw = {f"p{n}": 0 for n in range(4)}, draws(2)
    places: Counter[tuple[str, int]] = Counter()
    swapped = 0
    trials = 4000
    for _ in range(trials):
        for place, item in enumerate(choose_pairs(counts, wanted=4, repeats=0, draw=draw)):
            places[item.pair, place] += 1
            swapped += item.swapped
    # Each of 16 cells is binomial(4000, 1/4), standard deviation 27: five of them are 137.
    assert all(abs(places[f"p{n}", place] - trials / 4) < 137 for n in range(4) for place in range(4))
    # 16,000 coins, standard deviation 63: five of them are 316.
    assert abs(swapped - 2 * trials) < 316


def test_fewer_pairs_than_wanted_are_all_and_never_more_repeats_than_the_first_half_holds() -> None:
    given = choose_pairs({"a": 0, "b": 5, "c": 0}, wanted=10, repeats=9, draw=draws())
    assert Counter(item.pair for item in given if not item.again) == {"a": 1, "b": 1, "c": 1}
    assert sum(item.again for item in given) == 2


@pytest.mark.parametrize(("pairs", "wanted", "repeats"), [(0, 1, 0), (3, 0, 0), (3, 1, -1)])
def test_a_study_of_nothing_is_refused(pairs: int, wanted: int, repeats: int) -> None:
    with pytest.raises(UsageError, match="a study needs at least one pair"):
        choose_pairs({str(n): 0 for n in range(pairs)}, wanted=wanted, repeats=repeats, draw=draws())
