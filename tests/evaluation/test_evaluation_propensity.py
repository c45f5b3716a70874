"""Answers that were not asked for at random: exact unbiasedness, invariances, and coverage where plain means fail."""

from itertools import product

import numpy as np
import pytest

from redraft.core.errors import NumericsError, UsageError
from redraft.evaluation.propensity import aipw, difference, hajek, horvitz_thompson, worst_case
from redraft.evaluation.statistics import Interval, mean_interval

NAN = float("nan")


def test_horvitz_thompson_and_aipw_are_unbiased_over_all_ways_to_ask() -> None:
    # Four pictures, every one of the 2^4 outcomes of the coins weighted by its chance: the expectation is the mean.
    truth, chance = np.array([1.0, 0.0, 3.0, 2.0]), np.array([0.2, 0.5, 0.7, 0.9])
    guess = np.array([5.0, -1.0, 0.0, 2.0])
    expected = {"ht": 0.0, "aipw": 0.0, "left": 0.0}
    for coins in product((0, 1), repeat=4):
        asked = np.array(coins, dtype=bool)
        weight = float(np.where(asked, chance, 1 - chance).prod())
        if not asked.any():
            expected["left"] += weight * (4 * 0.0)  # nobody answered: both sums are their constant part
            expected["aipw"] += weight * guess.mean()
            continue
        answers = np.where(asked, truth, NAN)
        expected["ht"] += weight * horvitz_thompson(answers, chance).value
        expected["aipw"] += weight * aipw(answers, chance, predicted=guess).value
    assert expected["ht"] == pytest.approx(truth.mean(), rel=1e-12)
    assert expected["aipw"] == pytest.approx(truth.mean(), rel=1e-12)


def test_asking_everyone_is_the_plain_mean_with_students_interval() -> None:
    # Even numbers: their kurtosis is below 3, so the degrees of freedom are people - 1, as Student's.
    answers = np.arange(40.0)
    plain, sure = mean_interval(answers), np.ones(40)
    for found in (horvitz_thompson(answers, sure), hajek(answers, sure), aipw(answers, sure, predicted=answers * 0)):
        assert (found.value, found.low, found.high) == pytest.approx((plain.value, plain.low, plain.high), rel=1e-12)


def test_hajek_shifts_with_the_scale_and_horvitz_thompson_does_not() -> None:
    answers, chance = np.array([1.0, NAN, 2.0, NAN, 4.0]), np.array([0.5, 0.5, 0.25, 0.5, 1.0])
    assert hajek(answers + 10, chance).value == pytest.approx(hajek(answers, chance).value + 10)
    assert hajek(answers, chance).value == pytest.approx((2 * 1 + 4 * 2 + 1 * 4) / 7)
    assert horvitz_thompson(answers, chance).value == pytest.approx((2 * 1 + 4 * 2 + 1 * 4) / 5)
    assert horvitz_thompson(answers + 10, chance).value != pytest.approx(horvitz_thompson(answers, chance).value + 10)


def test_perfect_predictions_leave_only_the_spread_of_the_pictures() -> None:
    truth = np.random.default_rng(1).uniform(size=200)
    answers = np.where(np.arange(200) % 4 == 0, truth, NAN)
    found, plain = aipw(answers, np.full(200, 0.25), predicted=truth), mean_interval(truth)
    assert (found.value, found.low, found.high) == pytest.approx((plain.value, plain.low, plain.high), rel=1e-12)


def test_weighted_estimates_cover_the_truth_where_the_plain_mean_does_not() -> None:
    # Asked below confidence 0.45 always, above it with 10 %; satisfaction rises with confidence. 1,000 seeds: the
    # standard error of a coverage of 95 % is 0.7 points, so 93 % is what a right interval reaches nearly always.
    hits = {"plain": 0, "hajek": 0, "aipw": 0}
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        people = np.arange(60).repeat(10)
        confidence = np.clip(rng.beta(3, 3, size=600), 0, 1)
        taste = rng.normal(0, 0.05, size=60)[people]
        truth = 0.2 + 0.7 * confidence + taste + rng.normal(0, 0.2, size=600)
        chance = np.where(confidence < 0.45, 1.0, 0.1)
        answers = np.where(rng.random(600) < chance, truth, NAN)
        target = 0.2 + 0.7 * 0.5
        found = {
            "plain": mean_interval(answers[np.isfinite(answers)]),
            "hajek": hajek(answers, chance, people=people.tolist()),
            "aipw": aipw(answers, chance, predicted=0.3 + 0.5 * confidence, people=people.tolist()),
        }
        for name, interval in found.items():
            hits[name] += interval.low <= target <= interval.high
    assert hits["aipw"] >= 930
    assert hits["hajek"] >= 930
    assert hits["plain"] < 200


def test_a_few_large_weights_widen_the_interval() -> None:
    # One answer of weight 20 among 19 of weight 1: the variance rests on one person, and Student's quantile says so.
    answers = np.append(np.tile([0.0, 1.0], 10)[:19], 1.0)
    chance = np.append(np.ones(19), 0.05)
    found = hajek(answers, chance)
    left_out = np.array([hajek(np.where(np.arange(20) == one, NAN, answers), chance).value for one in range(20)])
    error = np.sqrt(19 / 20 * ((left_out - left_out.mean()) ** 2).sum())
    assert (found.high - found.value) / error > 3  # 2.09 at 19 degrees of freedom


def test_difference_of_two_estimates() -> None:
    first = Interval(value=0.5, low=0.2, high=0.8, count=10)
    second = Interval(value=0.9, low=0.5, high=1.3, count=20)
    assert difference(first, second) == Interval(value=pytest.approx(0.4), low=pytest.approx(-0.1),
                                                 high=pytest.approx(0.9), count=30)  # fmt: skip


def test_worst_case_band() -> None:
    assert worst_case(np.array([1.0, NAN, 0.0, NAN]), lowest=0, highest=1) == (0.25, 0.75)
    with pytest.raises(UsageError, match=r"one outside 0\.\.1"):
        worst_case(np.array([2.0]), lowest=0, highest=1)


def test_wrong_input() -> None:
    answers = np.array([1.0, NAN, 0.0])
    with pytest.raises(UsageError, match=r"probability 0\.0 of an ask: it must be in \(0, 1\].*random part"):
        hajek(answers, np.array([0.5, 0.0, 0.5]))
    with pytest.raises(UsageError, match="no picture was answered"):
        hajek(np.full(3, NAN), np.full(3, 0.5))
    with pytest.raises(UsageError, match="3 answers, 2 probabilities, 3 people"):
        hajek(answers, np.full(2, 0.5))
    with pytest.raises(NumericsError, match="every eligible picture needs one"):
        aipw(answers, np.full(3, 0.5), predicted=answers)
