"""Intervals: closed forms, coverage by simulation, and pairing."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from redraft.core.errors import NumericsError, UsageError
from redraft.core.keys import Key
from redraft.evaluation.statistics import (
    Interval,
    bootstrap_means,
    mean_interval,
    paired_interval,
    percentiles,
    spending,
    standard_error,
    stratified_mean,
    wilson_interval,
    within_bounds,
)

KEY = Key(seed=5)


def test_bootstrap_covers_the_truth() -> None:
    # Skewed differences of verdicts: -1, 0, 1 with mean 0.1. Over 400 repetitions the standard error of a coverage of
    # 95 % is 1.1 points, so +-3 points is 2.7 standard errors.
    rng = np.random.default_rng(0)
    hits = 0
    for repetition in range(400):
        difference = rng.choice([-1.0, 0.0, 1.0], size=80, p=[0.1, 0.7, 0.2])
        interval = paired_interval(difference, key=KEY.child(repetition), resamples=1000)
        hits += interval.low <= 0.1 <= interval.high
    assert abs(hits / 400 - 0.95) <= 0.03


def test_stratified_bootstrap_covers_the_mean_of_means_with_a_tiny_stratum() -> None:
    # A task of 8 prompts beside one of 60; the plain percentile bootstrap covers 90 % here (1,500 repetitions).
    rng = np.random.default_rng(1)
    strata = ["small"] * 8 + ["large"] * 60
    hits = 0
    for repetition in range(400):
        difference = np.concatenate([rng.normal(0.3, 1.0, size=8), rng.normal(-0.1, 1.0, size=60)])
        interval = paired_interval(difference, key=KEY.child(repetition), strata=strata, resamples=1000)
        hits += interval.low <= 0.1 <= interval.high
    assert abs(hits / 400 - 0.95) <= 0.03


def test_bootstrap_width_is_the_normal_one_for_many_prompts() -> None:
    difference = np.random.default_rng(2).normal(size=4000)
    interval = paired_interval(difference, key=KEY)
    half = 1.96 * standard_error(difference)
    # 10,000 resamples give the 2.5 % point to about 2 % of the half width.
    assert interval.value == pytest.approx(difference.mean())
    assert interval.high - interval.value == pytest.approx(half, rel=0.06)
    assert interval.value - interval.low == pytest.approx(half, rel=0.06)
    assert interval.count == 4000


def test_bootstrap_variance_is_students_for_few_prompts() -> None:
    values = np.array([0.0, 1.0, 5.0, 6.0])
    draws = bootstrap_means(values[:, None], key=KEY, resamples=100_000)
    # s^2 / n with n - 1 in s^2, times the squared ratio of quantiles; 100,000 draws give a variance to about 1 %.
    ratio = stats.t.ppf(0.975, 3) / stats.norm.ppf(0.975)
    assert draws.var() == pytest.approx(ratio**2 * values.var(ddof=1) / 4, rel=0.03)
    assert draws.mean() == pytest.approx(3, abs=0.03)


def test_two_prompts_prove_little() -> None:
    # One degree of freedom: the interval of 0.4 and 0.6 reaches below zero, however alike they are.
    assert paired_interval(np.array([0.4, 0.6]), key=KEY).low < 0


def test_strata_of_one_prompt_are_resampled_as_one() -> None:
    """Four prompts of four tasks are no more certain than four of one, and two tasks do not make them so."""
    values = np.array([0.0, 1.0, 5.0, 6.0])
    alone = paired_interval(values, key=KEY, strata=["a", "b", "c", "d"])
    assert alone == paired_interval(values, key=KEY)
    assert alone.low < alone.value < alone.high
    beside = paired_interval(np.append(values, [2.0, 2.0]), key=KEY, strata=["a", "b", "c", "d", "e", "e"])
    assert beside.value == pytest.approx((0 + 1 + 5 + 6 + 2) / 5)
    # All that varies are the four, whose mean has the weight 4/5.
    assert beside.high - beside.low == pytest.approx(0.8 * (alone.high - alone.low), rel=0.05)


def test_strata_of_one_prompt_cover_the_truth() -> None:
    # Tasks with means of their own and one prompt each, six of them, beside one of twenty: never too narrow.
    rng = np.random.default_rng(3)
    strata = [*"abcdef", *["large"] * 20]
    means = np.array([-0.5, 0.0, 0.2, 0.4, 0.6, 1.0])
    truth, hits = (means.sum() + 0.3) / 7, 0
    for repetition in range(400):
        values = np.concatenate([means + rng.normal(size=6), rng.normal(0.3, 1.0, size=20)])
        interval = paired_interval(values, key=KEY.child(repetition), strata=strata, resamples=1000)
        hits += interval.low <= truth <= interval.high
    assert hits / 400 >= 0.95 - 0.03


def test_spending_sums_to_the_total() -> None:
    assert sum(spending(turn, total=0.05) for turn in range(1, 10_000)) == pytest.approx(0.05, abs=1e-5)
    with pytest.raises(UsageError, match="turn 0: looks are counted from 1"):
        spending(0, total=0.05)


def test_same_key_same_interval_and_invariances() -> None:
    difference = np.random.default_rng(3).normal(size=50)
    first = paired_interval(difference, key=KEY)
    assert paired_interval(difference, key=KEY) == first
    assert paired_interval(difference, key=KEY.child("other")) != first
    shifted = paired_interval(2 * difference + 1, key=KEY)
    assert (shifted.low, shifted.high) == pytest.approx((2 * first.low + 1, 2 * first.high + 1))
    assert paired_interval(np.full(9, 0.25), key=KEY).low == pytest.approx(0.25)


def test_columns_share_their_draws() -> None:
    values = np.random.default_rng(4).normal(size=(30, 1))
    draws = bootstrap_means(np.hstack([values, 3 * values]), key=KEY, resamples=500)
    assert draws[:, 1] == pytest.approx(3 * draws[:, 0])


def test_stratified_mean_is_the_mean_of_means() -> None:
    assert stratified_mean(np.array([1.0, 0.0, 0.0]), strata=["a", "b", "b"]) == 0.5
    assert stratified_mean(np.array([1.0, 0.0, 0.0])) == pytest.approx(1 / 3)


def test_percentiles_hold_the_level() -> None:
    assert percentiles(np.arange(1001.0), level=0.9) == pytest.approx((50, 950))


def test_wilson_closed_form() -> None:
    # The bounds solve (p - share)^2 = z^2 p (1 - p) / n, Wilson's quadratic.
    z = stats.norm.ppf(0.975)
    interval = wilson_interval(7, 20)
    for bound in (interval.low, interval.high):
        assert (bound - 0.35) ** 2 == pytest.approx(z * z * bound * (1 - bound) / 20)
    assert wilson_interval(0, 10).low == 0
    assert wilson_interval(0, 10).high == pytest.approx(z * z / (10 + z * z))
    assert wilson_interval(10, 10).high == 1
    with pytest.raises(UsageError, match=r"3 successes of 2: a share needs count >= 1 and successes in 0..count"):
        wilson_interval(3, 2)


def test_means_of_bounded_values_have_bounded_intervals() -> None:
    verdicts = np.array([1.0, 0, 1, 1, np.nan])
    outside = Interval(value=0.75, low=-0.05, high=1.55, count=4)
    assert within_bounds(outside, verdicts) == wilson_interval(3, 4)
    assert within_bounds(outside, verdicts, strata=["a", "a", "a", "a", "b"]) == wilson_interval(3, 4)
    assert within_bounds(outside, verdicts, strata=["a", "a", "b", "b", "b"]) == replace(outside, low=0, high=1)
    none = within_bounds(Interval(value=0, low=0, high=0, count=8), np.zeros(8), strata=list("aaaabbbb"))
    assert none == wilson_interval(0, 8)  # never right so far is not never right
    points = within_bounds(Interval(value=75, low=-18.75, high=121.9, count=3), np.array([25.0, 100, 100]), most=100.0)
    assert (points.value, points.low, points.high) == (75, 0, 100)
    known = wilson_interval(3, 4)
    scaled = within_bounds(outside, 100 * verdicts, most=100.0)
    assert (scaled.low, scaled.high) == pytest.approx((100 * known.low, 100 * known.high))


def test_mean_interval_is_students() -> None:
    interval = mean_interval(np.array([1.0, 2.0, 3.0, 4.0]))
    expected = stats.t.interval(0.95, 3, loc=2.5, scale=stats.sem([1, 2, 3, 4]))
    assert (interval.low, interval.high) == pytest.approx(expected)


def test_bad_input_is_named() -> None:
    with pytest.raises(UsageError, match=r"1 prompts: an interval needs at least 2; examine on more prompts"):
        paired_interval(np.array([1.0]), key=KEY)
    with pytest.raises(UsageError, match="1 strata for 2 prompts: give one name per prompt"):
        paired_interval(np.zeros(2), key=KEY, strata=["a"])
    with pytest.raises(NumericsError, match=r"prompt 1 has the value \[inf\]: only finite values can be compared"):
        paired_interval(np.array([0.0, np.inf]), key=KEY)
