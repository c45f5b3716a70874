"""Pictures to order: enter a request, follow it, cancel it. One's own only; others' are as if they were not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from redraft.core.errors import UsageError
from redraft.store.requests import Request
from redraft.studio.context import Studio, StudioDep
from redraft.studio.engine.making import Ask, Making
from redraft.studio.identity.people import Person, require
from redraft.studio.job_view import JobView, job_events, job_view, past_events
from redraft.studio.requesting import Wish, engine_of, take_on

router = APIRouter(tags=["jobs"])
ELSEWHERE_SECONDS = 1.0
"""How often the database is asked about a job that another process makes."""

Maker = Annotated[Person, Depends(require("generate"))]
Reader = Annotated[Person, Depends(require("read"))]
Idempotency = Annotated[str | None, Header(max_length=128)]


class JobWish(BaseModel):
    """What is to be painted; what is left out is the model's own value. ask: "never" or "offline" asks nothing here."""

    prompt: str
    negative_prompt: str = ""
    model: str = "champion"
    n: int = 1
    size: str = "auto"
    steps: int | None = None
    guidance: float | None = None
    seed: int | None = None
    critique: bool = Field(default=False, description="paint again, before showing, what the model is not sure of")
    again_of: str | None = Field(default=None, description="the job that this one repeats because it did not please")
    ask: Ask = "auto"


class JobPage(BaseModel):
    """Jobs, the newest first. next: where the following page begins; null on the last one."""

    jobs: list[JobView]
    next: str | None


@router.post("/api/v1/jobs", status_code=202)
async def create_job(studio: StudioDep, who: Maker, wish: JobWish, idempotency_key: Idempotency = None) -> JobView:
    """Enter a request. The same Idempotency-Key again gives the first one."""
    taken = await take_on(
        studio,
        who,
        Wish(
            prompt=wish.prompt,
            negative_prompt=wish.negative_prompt,
            model=wish.model,
            count=wish.n,
            size=wish.size,
            steps=wish.steps,
            guidance=wish.guidance,
            seed=wish.seed,
            critique=wish.critique,
            again_of=wish.again_of,
            ask=wish.ask,
            source="api",
            idempotency_key=idempotency_key,
        ),
    )
    return await asyncio.to_thread(job_view, studio, taken.request, taken.making)


@router.get("/api/v1/jobs")
async def list_jobs(
    studio: StudioDep, who: Reader, limit: Annotated[int, Query(ge=1, le=200)] = 50, cursor: str | None = None
) -> JobPage:
    """One's own jobs, the newest first."""
    before = None if cursor is None else _place(cursor)
    rows = await asyncio.to_thread(studio.workspace.requests.list, who.id, before=before, limit=limit + 1)
    shown = rows[:limit]
    jobs = [await asyncio.to_thread(job_view, studio, row, _making(studio, row)) for row in shown]
    return JobPage(jobs=jobs, next=_cursor(shown[-1]) if len(rows) > limit else None)


@router.get("/api/v1/jobs/{id}")
async def get_job(studio: StudioDep, who: Reader, id: str) -> JobView:
    """One of one's own jobs."""
    row = await asyncio.to_thread(studio.workspace.requests.get, id, owner=who.id)
    return await asyncio.to_thread(job_view, studio, row, _making(studio, row))


@router.delete("/api/v1/jobs/{id}")
async def cancel_job(studio: StudioDep, who: Maker, id: str) -> JobView:
    """Cancel one of one's own jobs; pictures that are ready stay. One that has ended stays as it is."""
    row = await asyncio.to_thread(studio.workspace.requests.get, id, owner=who.id)
    making = _making(studio, row)
    if making is not None:
        engine_of(studio).cancel(making)
        async for _ in making.follow():
            pass
    return await asyncio.to_thread(job_view, studio, row, making)


@router.get(
    "/api/v1/jobs/{id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def follow_job(studio: StudioDep, who: Reader, id: str) -> StreamingResponse:
    """The events of one of one's own jobs until it ends, as server-sent events."""
    row = await asyncio.to_thread(studio.workspace.requests.get, id, owner=who.id)
    making = _making(studio, row)
    events = _elsewhere(studio, row) if making is None else job_events(studio, making)
    return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _elsewhere(studio: Studio, row: Request) -> AsyncIterator[bytes]:
    """A job that ended, or that another process makes: the database is asked until it has ended."""
    while row.state in ("queued", "running"):
        yield b": alive\n\n"
        await asyncio.sleep(ELSEWHERE_SECONDS)
        row = await asyncio.to_thread(studio.workspace.requests.get, row.id, owner=row.owner)
    for event in await asyncio.to_thread(lambda: list(past_events(studio, row))):
        yield event


def _making(studio: Studio, row: Request) -> Making | None:
    return None if studio.engine is None else studio.engine.find(row.id, owner=row.owner)


def _cursor(row: Request) -> str:
    return f"{row.created_at!r}_{row.id}"


def _place(cursor: str) -> tuple[float, str]:
    time, _, id = cursor.partition("_")
    try:
        return float(time), id
    except ValueError as error:
        raise UsageError(f"cursor {cursor[:60]!r} cannot be read: give `next` of the page before") from error
