"""Clustered intervals and the block jackknife: closed forms, and coverage with people who vote often."""

import math

import numpy as np
import pytest

from redraft.core.errors import NumericsError, UsageError
from redraft.core.keys import Key
from redraft.evaluation.clusters import (
    clustered_interval,
    clustered_standard_error,
    design_effect,
    jackknife,
)
from redraft.evaluation.statistics import mean_interval, standard_error, student_quantile

KEY = Key(seed=3)


def test_one_value_a_cluster_is_the_ordinary_standard_error() -> None:
    values = np.random.default_rng(0).normal(size=50)
    assert clustered_standard_error(values, range(50)) == pytest.approx(standard_error(values), rel=1e-12)
    assert design_effect(values, range(50)) == pytest.approx(1, rel=1e-12)


def test_copies_of_a_vote_tell_nothing_new() -> None:
    # Every person gives the same vote five times: the error is that of the people, the design effect nearly five.
    people = np.random.default_rng(1).normal(size=200)
    votes, clusters = people.repeat(5), np.arange(200).repeat(5).tolist()
    assert clustered_standard_error(votes, clusters) == pytest.approx(standard_error(people), rel=1e-12)
    assert design_effect(votes, clusters) == pytest.approx(5 * 999 / (5 * 199), rel=1e-12)


def test_weights_are_repetitions() -> None:
    values, clusters = np.array([1.0, 4.0, 2.0, 0.0]), ["a", "b", "b", "c"]
    twice = np.array([1.0, 4.0, 4.0, 2.0, 0.0]), ["a", "b", "b", "b", "c"]
    weighted = clustered_interval(values, clusters, key=KEY, weights=np.array([1.0, 2.0, 1.0, 1.0]), resamples=500)
    assert weighted == clustered_interval(*twice, key=KEY, resamples=500)
    assert weighted.value == pytest.approx(11 / 5)
    assert weighted.count == 3


def test_interval_over_people_covers_where_that_over_votes_does_not() -> None:
    # 40 people with tastes of their own (sd 1), a heavy-tailed number of votes each. 300 repetitions: the standard
    # error of a coverage of 95 % is 1.3 points, so +-4 points is 3 of them.
    rng = np.random.default_rng(2)
    people_hits = vote_hits = 0
    for repetition in range(300):
        votes = 1 + rng.geometric(0.15, size=40)
        clusters = np.arange(40).repeat(votes)
        values = rng.normal(size=40)[clusters] + rng.normal(size=len(clusters))
        people = clustered_interval(values, clusters.tolist(), key=KEY.child(repetition), resamples=500)
        plain = mean_interval(values)
        people_hits += people.low <= 0 <= people.high
        vote_hits += plain.low <= 0 <= plain.high
    assert abs(people_hits / 300 - 0.95) <= 0.04
    assert vote_hits / 300 < 0.75


def test_jackknife_of_a_mean_by_single_units_is_the_standard_error() -> None:
    values = np.random.default_rng(3).normal(size=30)
    interval = jackknife(
        lambda kept: (kept * values).sum(axis=1) / kept.sum(axis=1), units=np.ones(30, dtype=bool), key=KEY, blocks=30
    )
    half = student_quantile(29, 0.95) * standard_error(values)
    assert interval.value == pytest.approx(values.mean())
    assert interval.high - interval.value == pytest.approx(half, rel=1e-9)


def test_normal_and_student_quantiles() -> None:
    assert student_quantile(math.inf, 0.95) == pytest.approx(1.959963984540054, rel=1e-12)
    assert student_quantile(1, 0.5) == pytest.approx(1, rel=1e-9)  # Cauchy: its upper quartile is 1


def test_wrong_input() -> None:
    with pytest.raises(UsageError, match="1 clusters: an interval needs at least 2 people; ask more of them"):
        clustered_interval(np.ones(3), ["a"] * 3, key=KEY)
    with pytest.raises(UsageError, match="3 values, 2 clusters, 3 weights: give one of each for every value"):
        clustered_interval(np.ones(3), ["a"] * 2, key=KEY)
    with pytest.raises(UsageError, match="at least 0 and not all 0"):
        clustered_interval(np.ones(2), ["a", "b"], key=KEY, weights=np.zeros(2))
    with pytest.raises(NumericsError, match="not finite"):
        clustered_interval(np.array([np.nan, 1.0]), ["a", "b"], key=KEY)
    with pytest.raises(UsageError, match="all values are equal"):
        design_effect(np.ones(4), ["a", "a", "b", "b"])
    with pytest.raises(UsageError, match="1 units: leaving out blocks needs at least 2"):
        jackknife(lambda kept: kept.sum(axis=1) * 1.0, units=np.array([True, False]), key=KEY)
