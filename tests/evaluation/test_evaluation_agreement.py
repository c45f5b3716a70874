"""Agreement: Krippendorff's own worked example, closed forms, and rank correlations against their definitions."""

import numpy as np
import pytest

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.evaluation.agreement import krippendorff_alpha, rank_correlation

KEY = Key(seed=11)
N = float("nan")
# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section D: four observers, twelve units.
WORKED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
        [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
    ]
)


@pytest.mark.parametrize(("metric", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_the_published_example(metric: str, published: float) -> None:
    found = krippendorff_alpha(WORKED, key=KEY, metric=metric, resamples=200)  # type: ignore[arg-type]
    assert found.value == pytest.approx(published, abs=5e-4)
    assert found.low < found.value < found.high
    assert found.count == 11  # the twelfth unit has one rating


def test_perfect_agreement_and_perfect_disagreement() -> None:
    same = np.array([[0.0, 1.0, 2.0, 1.0], [0.0, 1.0, 2.0, 1.0]])
    assert krippendorff_alpha(same, key=KEY, resamples=50).value == pytest.approx(1)
    # Two raters who always differ on two values: observed 1, expected 2 n0 n1 / (n (n - 1)) with n = 8, n0 = n1 = 4.
    opposite = np.array([[0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0]])
    expected = 1 - 1 / (2 * 4 * 4 / (8 * 7))
    assert krippendorff_alpha(opposite, key=KEY, resamples=50).value == pytest.approx(expected)


def test_alpha_does_not_depend_on_names_or_order() -> None:
    turned = WORKED[::-1, ::-1]
    assert krippendorff_alpha(turned, key=KEY, resamples=20).value == pytest.approx(
        krippendorff_alpha(WORKED, key=KEY, resamples=20).value
    )
    scaled = krippendorff_alpha(10 - 3 * WORKED, key=KEY, metric="interval", resamples=20).value
    assert scaled == pytest.approx(krippendorff_alpha(WORKED, key=KEY, metric="interval", resamples=20).value)
    cubed = krippendorff_alpha(WORKED**3, key=KEY, metric="ordinal", resamples=20).value
    assert cubed == pytest.approx(krippendorff_alpha(WORKED, key=KEY, metric="ordinal", resamples=20).value)


def test_rank_correlations_by_their_definitions() -> None:
    first, second = np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([1.0, 3.0, 2.0, 5.0, 4.0])
    # Spearman: 1 - 6 sum d^2 / (n (n^2 - 1)) = 1 - 24 / 120; Kendall: (8 - 2) / 10.
    assert rank_correlation(first, second, key=KEY, resamples=100).value == pytest.approx(0.8)
    assert rank_correlation(first, second, key=KEY, kind="kendall", resamples=100).value == pytest.approx(0.6)
    assert rank_correlation(first, -(second**3), key=KEY, resamples=100).value == pytest.approx(-0.8)


def test_interval_of_a_correlation_covers_it() -> None:
    # Normal pairs with correlation 0.5: Spearman's rho is 6/pi asin(r/2) = 0.4826. 100 repetitions of n = 80; the
    # standard error of the coverage is 2.2 points, and the percentile bootstrap is a point or two short.
    truth, hits = 6 / np.pi * np.arcsin(0.25), 0
    for repetition in range(100):
        rng = np.random.default_rng(repetition)
        first = rng.normal(size=80)
        second = 0.5 * first + np.sqrt(0.75) * rng.normal(size=80)
        found = rank_correlation(first, second, key=KEY.child(repetition), resamples=120)
        hits += found.low <= truth <= found.high
    assert hits / 100 >= 0.87


def test_wrong_input() -> None:
    with pytest.raises(UsageError, match="every rating is 1: alpha needs at least two different values"):
        krippendorff_alpha(np.ones((2, 3)), key=KEY)
    with pytest.raises(UsageError, match="0 units have two or more ratings"):
        krippendorff_alpha(np.array([[1.0, N], [N, 2.0]]), key=KEY)
    with pytest.raises(UsageError, match="one row a rater, one column a unit"):
        krippendorff_alpha(np.ones(3), key=KEY)
    with pytest.raises(UsageError, match="a rank correlation needs at least 3 pairs"):
        rank_correlation(np.ones(2), np.ones(2), key=KEY)
    with pytest.raises(UsageError, match="there is no order to compare"):
        rank_correlation(np.ones(3), np.arange(3.0), key=KEY)
    with pytest.raises(UsageError, match="leave out pairs that lack one"):
        rank_correlation(np.array([1.0, N, 2.0]), np.arange(3.0), key=KEY)
