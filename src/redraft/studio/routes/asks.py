"""Asks: the one that waits, putting it away, the budget, one's own log, and asks decided offline."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from redraft.core.errors import UnknownNameError
from redraft.studio.asking import ASK_SECONDS, AskView, BudgetView, ask_view, budget_view
from redraft.studio.context import StudioDep
from redraft.studio.gallery_view import cursor_of, read_cursor
from redraft.studio.identity.people import Person, require
from redraft.studio.offline_asks import Lease, OfflineDecision, SyncedDecision, lease_for, sync_decisions
from redraft.studio.routes.account_views import Body
from redraft.studio.routes.gallery import check_id
from redraft.studio.times import iso

router = APIRouter(tags=["rating"])
Rater = Annotated[Person, Depends(require("rate"))]
Operator = Annotated[Person, Depends(require("run"))]
MOST_OFFLINE = 200


class PendingAsk(BaseModel):
    """The newest ask about a picture that waits, or null. duel: a pair waits too, which /api/v1/duels/next gives."""

    ask: AskView | None
    duel: bool = False


class DecisionView(BaseModel):
    """A decision about one of the person's pictures: why they were asked, or not. coin: null where none was thrown.

    kind: "duel" for one to have two models compared; its `picture` is the pair.
    """

    id: str
    kind: str
    picture: str
    asked: bool
    probability: float
    coin: float | None
    threshold: float
    confidence: float
    weakest: str
    excluded: str
    outcome: str
    at: str


class DecisionLog(BaseModel):
    """The person's decisions, the newest first; `next` goes into `before`."""

    decisions: list[DecisionView]
    next: str | None


class AskStatistics(BaseModel):
    """How asking goes. expected: asks that the stored probabilities foretell, to compare with `asked`.

    saved: asks that a second pass made unnecessary. excluded: pictures that no coin was thrown for, by reason.
    """

    decisions: int
    eligible: int
    asked: int
    expected: float
    saved: int
    excluded: dict[str, int]
    outcomes: dict[str, int]


class Leasing(Body):
    """The pictures that are taken along; about none of them was a decision made yet."""

    pictures: Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=MOST_OFFLINE)]


class Syncing(Body):
    """Decisions made offline, in the order in which they were made."""

    lease: Annotated[str, Field(max_length=4096)]
    decisions: Annotated[list[OfflineDecision], Field(max_length=MOST_OFFLINE)]


class Synced(BaseModel):
    """What the server found for each decision, and the budget that is left."""

    decisions: list[SyncedDecision]
    budget: BudgetView


@router.get("/api/v1/asks/pending")
def pending(studio: StudioDep, who: Rater) -> PendingAsk:
    """The newest ask that was not answered, put away or expired."""
    waiting = studio.workspace.asks.open(who.id, since=studio.now() - ASK_SECONDS)
    asked = {entry.id for entry in waiting if entry.kind == "duel"}
    # Asked for is not there yet: the pair is given once both pictures are painted.
    duel = bool(asked) and any(each.id in asked for each in studio.workspace.duels.open(who.id, at=studio.now()))
    for entry in waiting:
        if entry.kind != "picture":
            continue
        try:
            exhibit = studio.workspace.gallery.get(entry.subject, owner=who.id)
        except UnknownNameError:
            continue
        if exhibit.painting.safety in ("ok", "blurred"):
            return PendingAsk(ask=ask_view(studio, entry, exhibit.painting, exhibit.request), duel=duel)
    return PendingAsk(ask=None, duel=duel)


@router.post("/api/v1/asks/{id}/decline", status_code=204)
def decline(studio: StudioDep, who: Rater, id: str) -> None:
    """Put an ask away. It has no consequence."""
    check_id(id)
    studio.workspace.asks.dismiss(id, user=who.id, at=studio.now())


@router.get("/api/v1/asks/budget")
def budget(studio: StudioDep, who: Rater) -> BudgetView:
    """How often the person may still be asked today."""
    return budget_view(studio, who.account)


@router.get("/api/v1/asks/log")
def decisions(
    studio: StudioDep,
    who: Rater,
    before: Annotated[str | None, Query(max_length=256)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DecisionLog:
    """The person's own decisions, the ones not to ask too."""
    start = None if before is None else read_cursor(before)
    found = studio.workspace.asks.of_person(who.id, before=start, limit=limit + 1)
    shown = [
        DecisionView(
            id=entry.id,
            kind=entry.kind,
            picture=entry.subject,
            asked=entry.shown_at is not None,
            probability=entry.probability,
            coin=entry.coin,
            threshold=entry.threshold,
            confidence=entry.confidence,
            weakest=entry.weakest,
            excluded=entry.excluded,
            outcome=entry.outcome,
            at=iso(entry.created_at),
        )
        for entry in found[:limit]
    ]
    last = found[limit - 1] if len(found) > limit else None
    return DecisionLog(decisions=shown, next=None if last is None else cursor_of((last.created_at, last.id)))


@router.get("/api/v1/asks/statistics")
def statistics(studio: StudioDep, _who: Operator, days: Annotated[int, Query(ge=1, le=366)] = 30) -> AskStatistics:
    """How asking goes, over everybody: what estimates speak of (eligible pictures), and what they leave out."""
    counts = studio.workspace.asks.counts(since=studio.now() - 86_400 * days)
    eligible = [count for count in counts if not count.excluded]
    left_out: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    for count in counts:
        if count.excluded:
            left_out[count.excluded] = left_out.get(count.excluded, 0) + count.decisions
        else:
            outcomes[count.outcome] = outcomes.get(count.outcome, 0) + count.decisions
    return AskStatistics(
        decisions=sum(count.decisions for count in counts),
        eligible=sum(count.decisions for count in eligible),
        asked=sum(count.decisions for count in eligible if count.outcome != "suppressed"),
        expected=sum(count.expected for count in eligible),
        saved=sum(count.saved for count in counts),
        excluded=left_out,
        outcomes=outcomes,
    )


@router.post("/api/v1/asks/lease")
def lease(studio: StudioDep, who: Rater, body: Leasing) -> Lease:
    """What a device needs to decide about these pictures by itself, with the same result as the server."""
    return lease_for(studio, who, body.pictures)


@router.post("/api/v1/asks/sync")
def sync(studio: StudioDep, who: Rater, body: Syncing) -> Synced:
    """Hand in decisions made offline: each is worked out again and charged to the budget once."""
    made = sync_decisions(studio, who, body.lease, body.decisions)
    return Synced(decisions=made, budget=budget_view(studio, who.account))
