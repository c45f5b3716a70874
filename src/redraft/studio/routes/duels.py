"""Duels and rankings: the next pair, the next pictures to put in order. The answers go to /api/v1/answers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from redraft.feedback.forms import COMPARISON_RULES
from redraft.store.gallery import Exhibit
from redraft.studio.context import Studio, StudioDep
from redraft.studio.duelling import next_duel
from redraft.studio.identity.people import Person, require
from redraft.studio.picture_view import picture_url
from redraft.studio.ranking import next_ranking
from redraft.studio.times import iso

router = APIRouter(tags=["rating"])
Rater = Annotated[Person, Depends(require("rate"))]


class Side(BaseModel):
    """A picture without a word of which model made it."""

    picture_id: str
    url: str
    width: int
    height: int


class DuelView(BaseModel):
    """A pair as it lies."""

    id: str
    prompt: str | None
    left: Side
    right: Side
    rules: list[str]
    expires_at: str


class NextDuel(BaseModel):
    """The pair to judge, or null when every pair was given."""

    duel: DuelView | None


class RankingView(BaseModel):
    """Pictures to put in order, in random order. id: the subject of the answer."""

    id: str
    prompt: str | None
    pictures: list[Side]
    rules: list[str]


class NextRanking(BaseModel):
    """The pictures to put in order, or null."""

    ranking: RankingView | None


@router.get("/api/v1/duels/next")
def duel(studio: StudioDep, who: Rater, experiment: Annotated[str | None, Query(max_length=64)] = None) -> NextDuel:
    """A pair drawn uniformly from those the person was not given yet; the one that is open comes again."""
    drawn = next_duel(studio, who, experiment=experiment)
    if drawn is None:
        return NextDuel(duel=None)
    return NextDuel(
        duel=DuelView(
            id=drawn.duel.id,
            prompt=drawn.duel.prompt,
            left=_side(studio, drawn.left),
            right=_side(studio, drawn.right),
            rules=list(COMPARISON_RULES),
            expires_at=iso(drawn.duel.expires_at),
        )
    )


@router.get("/api/v1/rankings/next")
def ranking(studio: StudioDep, who: Rater) -> NextRanking:
    """The pictures of one request, drawn uniformly from the requests with three or more that were not ranked yet."""
    drawn = next_ranking(studio, who)
    if drawn is None:
        return NextRanking(ranking=None)
    id, exhibits = drawn
    return NextRanking(
        ranking=RankingView(
            id=id,
            prompt=exhibits[0].request.prompt,
            pictures=[_side(studio, exhibit) for exhibit in exhibits],
            rules=list(COMPARISON_RULES),
        )
    )


def _side(studio: Studio, exhibit: Exhibit) -> Side:
    return Side(
        picture_id=exhibit.painting.id,
        url=picture_url(studio, exhibit.painting.id),
        width=exhibit.request.width,
        height=exhibit.request.height,
    )
