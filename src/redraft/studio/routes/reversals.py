"""Taking points back: by a moderator, with a reason that the person reads. Decides nothing by itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from redraft.studio.context import StudioDep
from redraft.studio.identity.people import Person, require
from redraft.studio.routes.account_views import Body
from redraft.studio.routes.gallery import check_id

router = APIRouter(tags=["profile"])
Moderator = Annotated[Person, Depends(require("moderate"))]


class Reversal(Body):
    """Why an award is taken back, in words for the person."""

    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]


@router.post("/api/v1/points/{award}/reverse", status_code=204)
def reverse(studio: StudioDep, who: Moderator, award: str, body: Reversal) -> None:
    """Take an award back, pending or final, and give back its place in the day's count, so that nobody loses by it."""
    check_id(award)
    entry = studio.workspace.points.reverse(award, reason=body.reason.strip(), at=studio.now(), frees_place=True)
    studio.audit("reverse points", actor=who.id, subject=award, user=entry.user)
