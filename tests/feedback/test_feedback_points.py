"""Points: the table C12, tiers, perks, when an award is settled, and what makes a review helpful."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from redraft.core.errors import NumericsError
from redraft.feedback.points import (
    TIERS,
    PointsPolicy,
    Review,
    Standing,
    daily_pictures,
    day_limit,
    due_at,
    helpfulness,
    next_tier,
    perks_open,
    tier_of,
    worth,
)

POLICY = PointsPolicy()
KNOWN = Standing(age_days=30, active_days=9, weight=0.8)
GOOD = Review(
    stands=True, says=6, distinct=3, lead_seconds=6.0, gold_passed=None, contradiction=False, agreement=None
)  # fmt: skip


def test_c12_the_table_of_a_day() -> None:
    # notes/algorithms.md 6.8, from 10 * exp(-0.3 * max(0, n - 5)); to 1e-3.
    expected = [10, 10, 10, 10, 10, 7.408, 5.488, 4.066, 3.012, 2.231, 1.653, 1.225, 0.907]
    assert [worth(n, policy=POLICY) for n in range(1, 14)] == pytest.approx(expected, abs=1e-3)
    assert sum(worth(n, policy=POLICY) for n in range(1, 11)) == pytest.approx(72.205, abs=1e-2)


def test_c12_no_number_of_reviews_passes_the_days_limit() -> None:
    assert day_limit(POLICY) == pytest.approx(78.583, abs=1e-3)
    total = math.fsum(worth(n, policy=POLICY) for n in range(1, 1000))
    assert total == pytest.approx(day_limit(POLICY), abs=1e-9)
    assert math.fsum(worth(n, policy=POLICY) for n in range(1, 100)) < day_limit(POLICY)


def test_c12_days_to_each_tier() -> None:
    # At least 13, 128 and 637 days: notes/algorithms.md 6.8.
    assert [math.ceil(tier.points / day_limit(POLICY)) for tier in TIERS[1:]] == [13, 128, 637]


def test_a_review_before_the_first_is_an_error() -> None:
    with pytest.raises(NumericsError, match="review number 0 of a day: they are counted from 1"):
        worth(0, policy=POLICY)


def test_paid_raters_get_the_same_for_every_answer() -> None:
    paid = PointsPolicy(flat=0.08)
    assert {worth(n, policy=paid) for n in (1, 6, 500)} == {0.08}
    assert paid.formula == "0.08"
    assert day_limit(paid) == math.inf


@pytest.mark.parametrize(
    ("points", "name", "after"),
    [
        (-5, "Bronze", "Silver"), (0, "Bronze", "Silver"), (999.999, "Bronze", "Silver"), (1000, "Silver", "Gold"),
        (9_999, "Silver", "Gold"), (10_000, "Gold", "Platinum"), (50_000, "Platinum", None), (1e9, "Platinum", None),
    ],
)  # fmt: skip
def test_tiers_are_half_open(points: float, name: str, after: str | None) -> None:
    assert tier_of(points).name == name
    following = next_tier(points)
    assert (following.name if following else None) == after


def test_silver_paints_a_fifth_more_and_only_who_is_known() -> None:
    assert daily_pictures(100, points=999, standing=KNOWN, policy=POLICY) == 100
    assert daily_pictures(100, points=1000, standing=KNOWN, policy=POLICY) == 120
    assert daily_pictures(5, points=1000, standing=KNOWN, policy=POLICY) == 6
    for new in ({"age_days": 6.9}, {"active_days": 2}, {"weight": 0.49}):
        standing = replace(KNOWN, **new)
        assert not perks_open(standing, policy=POLICY)
        assert daily_pictures(100, points=1000, standing=standing, policy=POLICY) == 100


def test_awards_are_settled_at_a_secret_time_between_24_and_72_hours() -> None:
    hours = [(due_at(f"award {n}", entered_at=1000.0, secret="s", policy=POLICY) - 1000.0) / 3600 for n in range(400)]
    assert 24 <= min(hours) < 26
    assert 70 < max(hours) <= 72
    # Uniform on 48 hours: the mean of 400 has a standard error of 0.69.
    assert sum(hours) / 400 == pytest.approx(48, abs=3 * 0.69)
    again = due_at("award 1", entered_at=1000.0, secret="s", policy=POLICY)
    assert again == 1000.0 + hours[1] * 3600
    assert again != due_at("award 1", entered_at=1000.0, secret="other", policy=POLICY)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stands": False}, "taken back"),
        ({"gold_passed": False}, "the answer to this one is known"),
        ({"lead_seconds": 0.1}, "faster than the picture can be seen"),
        ({"contradiction": True}, "say the opposite"),
        ({"distinct": 1}, "every slider stands on the same number"),
        ({"agreement": 0.05}, "several others saw the opposite"),
        ({"quarantined": True}, "held back"),
    ],
)
def test_what_makes_a_review_unhelpful_is_said_in_words(change: dict[str, object], words: str) -> None:
    found = helpfulness(replace(GOOD, **change))
    assert not found.helpful
    assert words in found.reason


@pytest.mark.parametrize(
    "change",
    [{}, {"gold_passed": True}, {"agreement": 0.4}, {"says": 1, "distinct": 1}, {"lead_seconds": None}],
)
def test_an_informative_and_consistent_review_is_helpful(change: dict[str, object]) -> None:
    assert helpfulness(replace(GOOD, **change)).helpful


def test_helpfulness_cannot_depend_on_the_model() -> None:
    """Nothing that the model predicted reaches the rule: it has no such argument."""
    assert set(Review.__dataclass_fields__) == {
        "stands", "says", "distinct", "lead_seconds", "gold_passed", "contradiction", "agreement", "quarantined",
    }  # fmt: skip
