"""Moving the pointer that serving follows, by hand: promote a checkpoint, roll back. A worker moves it in a moment."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header
from pydantic import BaseModel, Field

from redraft.studio.context import StudioDep
from redraft.studio.identity.people import Person, require
from redraft.studio.requesting import served_base
from redraft.studio.run_orders import enter_promotion, enter_rollback
from redraft.studio.run_views import RunView, run_view, standing_of

router = APIRouter(tags=["models"])
Operator = Annotated[Person, Depends(require("run"))]
Idempotency = Annotated[str | None, Header(max_length=128)]


class Promotion(BaseModel):
    """Which checkpoint becomes the champion: its id, four or more of its first digits, or "challenger"."""

    checkpoint: str = Field(min_length=4, max_length=64)
    reason: str = Field(default="", max_length=500)


class Rollback(BaseModel):
    """Why the champion before is served again."""

    reason: str = Field(default="", max_length=500)


@router.post("/api/v1/models/promote", status_code=202)
async def promote(studio: StudioDep, who: Operator, wish: Promotion, idempotency_key: Idempotency = None) -> RunView:
    """Order that a checkpoint be served. Follow it like a run."""
    base = await served_base(studio)
    job = enter_promotion(
        studio, who, checkpoint=wish.checkpoint, base=base, reason=wish.reason, idempotency_key=idempotency_key
    )
    return run_view(standing_of(studio.workspace, job.id), person=who.id)


@router.post("/api/v1/models/rollback", status_code=202)
async def roll_back(studio: StudioDep, who: Operator, wish: Rollback, idempotency_key: Idempotency = None) -> RunView:
    """Order that the champion before this one be served. Follow it like a run."""
    base = await served_base(studio)
    job = enter_rollback(studio, who, base=base, reason=wish.reason, idempotency_key=idempotency_key)
    return run_view(standing_of(studio.workspace, job.id), person=who.id)
