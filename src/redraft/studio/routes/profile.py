"""One's own profile: points and tier, how each award came about, what one's answers weigh, one's taste."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from redraft.feedback.local_time import local_day
from redraft.feedback.points import Tier, next_tier, tier_of, worth
from redraft.feedback.raters import report
from redraft.studio.asking import BudgetView, budget_view
from redraft.studio.context import Studio, StudioDep
from redraft.studio.identity.people import Person, require
from redraft.studio.quota import daily_quota, perks_granted
from redraft.studio.rewarding import has_perks, points_policy, reward_of
from redraft.studio.settling import record_of
from redraft.studio.tasting import ENOUGH, taste_of
from redraft.studio.times import iso
from redraft.studio.trying import trying

router = APIRouter(tags=["profile"])
Reader = Annotated[Person, Depends(require("read"))]
Owner = Annotated[Person, Depends(require("account"))]


class PointsView(BaseModel):
    """final counts for tiers; pending becomes final, or not, one to three days after the answer."""

    final: float
    pending: float


class TierView(BaseModel):
    """A tier. open: whether its perks are granted to the person yet."""

    name: str
    begins: float
    perks: list[str]
    open: bool


class NextTier(BaseModel):
    """The tier after it."""

    name: str
    begins: float


class TodayView(BaseModel):
    """Today's reviews, and what the next one is worth."""

    reviews: int
    next_worth: float
    formula: str


class QuotaView(BaseModel):
    """Pictures a day, without and with the tier's perk."""

    daily: int
    with_tier: int


class TryingView(BaseModel):
    """Painting with what was never champion. allowed: the tier allows it. on: it is switched on, by a preference."""

    allowed: bool
    on: bool


class ProfileView(BaseModel):
    """The person's profile. points, tier, next_tier and today are null where this studio has none."""

    reward: str
    points: PointsView | None
    tier: TierView | None
    next_tier: NextTier | None
    today: TodayView | None
    quota: QuotaView
    asks: BudgetView
    trying: TryingView


class PointEntryView(BaseModel):
    """One event of an award. award: the id of the answer. reason: in words, for the person."""

    id: int
    award: str
    state: str
    pending: float
    final: float
    place: int
    day: str
    reason: str
    at: str


class PointEntries(BaseModel):
    """The person's entries, the newest first; `next` goes into `before`."""

    entries: list[PointEntryView]
    next: int | None


class GoldCount(BaseModel):
    """How many pictures with a known answer the person was shown, and how many were answered so."""

    seen: int
    passed: int


class RaterView(BaseModel):
    """What the person's answers weigh, and why, in words."""

    weight: float
    answers: int
    gold: GoldCount
    agreement: float | None
    spread: float | None
    median_seconds: float | None
    notes: list[str]


class TasteView(BaseModel):
    """What the person's marks tell. likes: by facet, its mean in liked pictures less that in the others."""

    answers: int
    likes: dict[str, float]
    fitted: bool
    enough: bool


@router.get("/api/v1/profile")
def profile(studio: StudioDep, who: Reader) -> ProfileView:
    """Points, tier, quota and budget of the person."""
    reward = reward_of(studio.settings)
    balance = studio.workspace.points.balance(who.id)
    tier, following = tier_of(balance.final), next_tier(balance.final)
    shows_tier = reward in ("points", "badge", "tier")
    return ProfileView(
        reward=reward,
        points=PointsView(final=balance.final, pending=balance.pending) if reward in ("points", "ledger") else None,
        tier=_tier(studio, who, tier) if shows_tier else None,
        next_tier=NextTier(name=following.name, begins=following.points) if shows_tier and following else None,
        today=_today(studio, who) if reward in ("points", "ledger") else None,
        quota=QuotaView(daily=studio.settings.limits.daily_pictures, with_tier=daily_quota(studio, who)),
        asks=budget_view(studio, who.account),
        trying=TryingView(**vars(trying(studio, who))),
    )


@router.get("/api/v1/profile/points")
def points(
    studio: StudioDep,
    who: Reader,
    before: Annotated[int | None, Query(ge=1, lt=2**53)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PointEntries:
    """How each award came about: entered, made final or taken back, with the reason."""
    found = studio.workspace.points.entries(who.id, before=before, limit=limit + 1)
    shown = [
        PointEntryView(
            id=entry.id,
            award=entry.award,
            state=entry.state,
            pending=entry.pending,
            final=entry.final,
            place=entry.place,
            day=entry.day,
            reason=entry.reason,
            at=iso(entry.at),
        )
        for entry in found[:limit]
    ]
    return PointEntries(entries=shown, next=found[limit - 1].id if len(found) > limit else None)


@router.get("/api/v1/profile/rater")
def rater(studio: StudioDep, who: Reader) -> RaterView:
    """What the person's answers weigh in training and statistics, worked out now."""
    found = report(record_of(studio, who.id), policy=studio.settings.raters)
    return RaterView(
        weight=found.weight,
        answers=found.answers,
        gold=GoldCount(seen=found.gold_seen, passed=found.gold_passed),
        agreement=found.agreement,
        spread=found.spread,
        median_seconds=found.median_seconds,
        notes=list(found.notes),
    )


@router.get("/api/v1/profile/taste")
def taste(studio: StudioDep, who: Reader) -> TasteView:
    """What the person's own marks tell about their taste."""
    found = taste_of(studio, who)
    return TasteView(answers=found.answers, likes=found.likes, fitted=found.fitted, enough=found.answers >= ENOUGH)


@router.delete("/api/v1/profile/taste", status_code=204)
def forget_taste(studio: StudioDep, who: Owner) -> None:
    """Forget the fitted vector of the person's taste."""
    studio.workspace.people.set_profile(who.id, None, at=studio.now())
    studio.audit("forget taste", actor=who.id, subject=who.id)


def _tier(studio: Studio, who: Person, tier: Tier) -> TierView:
    perks = [tier.perk] if has_perks(studio.settings) or tier.name == "Bronze" else []
    return TierView(name=tier.name, begins=tier.points, perks=perks, open=perks_granted(studio, who))


def _today(studio: Studio, who: Person) -> TodayView:
    policy = points_policy(studio.settings)
    pool = who.account.cluster or who.id
    reviews = studio.workspace.points.taken(pool, local_day(studio.now(), who.account.asking.timezone))
    return TodayView(reviews=reviews, next_worth=worth(reviews + 1, policy=policy), formula=policy.formula)
