"""What reviews are worth: points, tiers, perks, and when an award becomes final. Keeps no ledger and reads no clock.

The n-th review of a local day, n counted from 1 over all who share a budget, is worth 10 * exp(-0.3 * max(0, n - 5)):
five full ones, then less, 78.58 a day at most. It is pending until it has been looked at; `helpfulness` says what is
looked at, and agreement with the model is no part of it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from redraft.core.config import Config
from redraft.core.errors import NumericsError

TierName = Literal["Bronze", "Silver", "Gold", "Platinum"]
_HOUR = 3600.0


class PointsPolicy(Config):
    """The settings of points.

    enabled: off, nothing is counted whatever the preset says. full: points of a full review. full_reviews: how many of
    a day are full. decay: of each later one. flat: the amount of every review alike, in a unit of your own, in place of
    the curve (a ledger of paid raters). earliest_hours, latest_hours: after how long an award becomes final; when
    within that is secret, so that nobody can wait for it. perk_*: what perks ask for besides points.
    """

    enabled: bool = True
    full: float = Field(default=10.0, gt=0)
    full_reviews: int = Field(default=5, ge=1)
    decay: float = Field(default=0.3, gt=0)
    flat: float | None = Field(default=None, gt=0)
    earliest_hours: float = Field(default=24.0, ge=0)
    latest_hours: float = Field(default=72.0, ge=0)
    perk_age_days: float = Field(default=7.0, ge=0)
    perk_active_days: int = Field(default=3, ge=0)
    perk_weight: float = Field(default=0.5, ge=0, le=1)

    @property
    def formula(self) -> str:
        """The formula as it is shown to people."""
        if self.flat is not None:
            return f"{self.flat:g}"
        return f"{self.full:g} * exp(-{self.decay:g} * max(0, n - {self.full_reviews}))"


@dataclass(frozen=True, kw_only=True)
class Tier:
    """A tier from `points` on. more_pictures: by which share the daily quota of pictures grows."""

    name: TierName
    points: float
    perk: str
    more_pictures: float = 0.0
    toggles: bool = False
    critique: bool = False


TIERS: tuple[Tier, ...] = (
    Tier(name="Bronze", points=0, perk="a badge"),
    Tier(name="Silver", points=1_000, perk="20 % more pictures a day", more_pictures=0.2),
    Tier(
        name="Gold",
        points=10_000,
        perk="try what is not finished, such as the challenger model",
        more_pictures=0.2,
        toggles=True,
    ),
    Tier(
        name="Platinum",
        points=50_000,
        perk="open critique sessions, to which you invite others",
        more_pictures=0.2,
        toggles=True,
        critique=True,
    ),
)
"""Half-open: a tier begins at its points and ends before the next one's."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What perks look at besides points. active_days: distinct days with an answer. weight: of the rater, 0..1."""

    age_days: float
    active_days: int
    weight: float


@dataclass(frozen=True, kw_only=True)
class Review:
    """What is known of a review when its award is settled.

    stands: it was not taken back. says: how many things it states; of these `distinct` values are different ones, where
    it has more than one scale. lead_seconds: from seeing to answering, None where unknown. gold_passed: None where the
    subject has no known answer. contradiction: the same person's other answer about the subject says the opposite.
    agreement: with others' answers about it in 0..1, None where there is none. quarantined: the person's answers are
    under suspicion.
    """

    stands: bool
    says: int
    distinct: int
    lead_seconds: float | None
    gold_passed: bool | None
    contradiction: bool
    agreement: float | None
    quarantined: bool = False


@dataclass(frozen=True, kw_only=True)
class Helpfulness:
    """Whether a review counts, and why, in words for the person."""

    helpful: bool
    reason: str


# Somebody who looks at a picture cannot answer sooner than this; a duel takes people about a second.
_LEAST_SECONDS = 0.4
# Below this others see the opposite; between, people differ, and that is what we ask them for.
_LEAST_AGREEMENT = 0.15


def worth(place: int, *, policy: PointsPolicy) -> float:
    """Points of the `place`-th review of a day, counted from 1. Raises NumericsError below 1."""
    if place < 1:
        raise NumericsError(f"review number {place} of a day: they are counted from 1")
    if policy.flat is not None:
        return policy.flat
    return policy.full * math.exp(-policy.decay * max(0, place - policy.full_reviews))


def amounts(policy: PointsPolicy) -> Callable[[int], float]:
    """`worth` as the ledger takes it."""
    return lambda place: worth(place, policy=policy)


def day_limit(policy: PointsPolicy) -> float:
    """The points that no number of reviews on one day reaches: full reviews and a geometric series."""
    if policy.flat is not None:
        return math.inf
    return policy.full * policy.full_reviews + policy.full / math.expm1(policy.decay)


def tier_of(points: float) -> Tier:
    """The tier of so many final points. A reversal can leave a person below zero: still Bronze."""
    return next((tier for tier in reversed(TIERS) if points >= tier.points), TIERS[0])


def next_tier(points: float) -> Tier | None:
    """The tier after it, or None at the top."""
    following = TIERS.index(tier_of(points)) + 1
    return TIERS[following] if following < len(TIERS) else None


def perks_open(standing: Standing, *, policy: PointsPolicy) -> bool:
    """Whether the perks of a tier are granted: age, separate days and quality, which many new accounts cannot buy."""
    return (
        standing.age_days >= policy.perk_age_days
        and standing.active_days >= policy.perk_active_days
        and standing.weight >= policy.perk_weight
    )


def daily_pictures(base: int, *, points: float, standing: Standing, policy: PointsPolicy) -> int:
    """The quota of pictures a day with the perk of the tier."""
    if not perks_open(standing, policy=policy):
        return base
    return base + math.floor(base * tier_of(points).more_pictures + 1e-9)


def due_at(award: str, *, entered_at: float, secret: str, policy: PointsPolicy) -> float:
    """When a pending award is looked at. Uniform between the policy's hours, by a hash that needs the secret."""
    digest = hashlib.blake2b(f"{secret}\0{award}".encode(), digest_size=8).digest()
    share = int.from_bytes(digest, "big") / 2**64
    hours = policy.earliest_hours + share * max(0.0, policy.latest_hours - policy.earliest_hours)
    return entered_at + hours * _HOUR


def helpfulness(review: Review) -> Helpfulness:
    """Informative and consistent. Nothing here knows what the model thinks of the picture."""
    if not review.stands:
        return Helpfulness(helpful=False, reason="taken back")
    if review.quarantined:
        return Helpfulness(helpful=False, reason="held back while your answers are looked at")
    if review.gold_passed is False:
        return Helpfulness(helpful=False, reason="the answer to this one is known, and yours was another")
    if review.lead_seconds is not None and review.lead_seconds < _LEAST_SECONDS:
        return Helpfulness(helpful=False, reason="answered faster than the picture can be seen")
    if review.contradiction:
        return Helpfulness(helpful=False, reason="two of your answers about this one say the opposite")
    if review.says >= 4 and review.distinct == 1:
        return Helpfulness(helpful=False, reason="every slider stands on the same number")
    if review.agreement is not None and review.agreement < _LEAST_AGREEMENT:
        return Helpfulness(helpful=False, reason="several others saw the opposite")
    return Helpfulness(helpful=True, reason="helpful")
