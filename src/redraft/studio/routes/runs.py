"""Runs: what was trained, what is training, and ordering more. A worker does the work; here are only its orders.

Runs belong to the instance, not to a person: whoever may read sees all, whoever has the scope `run` orders and stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Path, Query
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from redraft.core.errors import UsageError
from redraft.core.orders import TrainingOrder
from redraft.studio.context import Studio, StudioDep
from redraft.studio.errors import Refused
from redraft.studio.identity.people import Person, require
from redraft.studio.job_view import ALIVE_SECONDS, sent
from redraft.studio.run_files import CurveTail, grid_picture, report_page
from redraft.studio.run_orders import allowed_models, enter_training, methods
from redraft.studio.run_views import RunDetail, RunView, Standing, run_detail, run_view, standing_of, trained_now

router = APIRouter(tags=["runs"])
LOOK_SECONDS = 1.0
"""How often a run is looked at for those who follow it."""
_REPORT_HEADERS = {
    # A page of pictures and tables: it may draw itself, and nothing else. Its words are those of prompts.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; "
    "frame-ancestors 'none'",
    "Cache-Control": "private, no-cache",
}

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("run"))]
Idempotency = Annotated[str | None, Header(max_length=128)]
Id = Annotated[str, Path(max_length=100)]


class RunPage(BaseModel):
    """Runs, the newest first. next: where the following page begins; null on the last one."""

    runs: list[RunView]
    next: str | None


class MethodOption(BaseModel):
    """A method that a run may use."""

    name: str
    title: str


class RecipeOption(BaseModel):
    """How much a run does."""

    name: str
    title: str


class RunOptions(BaseModel):
    """What a run may be told."""

    methods: list[MethodOption]
    models: list[str]
    recipes: list[RecipeOption]


class RunOrder(TrainingOrder):
    """What is to be run. `train` never moves the champion."""

    kind: Literal["improve", "train"] = "improve"


@router.get("/api/v1/runs")
def list_runs(
    studio: StudioDep,
    who: Reader,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    after: Annotated[str | None, Query(max_length=200)] = None,
) -> RunPage:
    """All runs of this instance, the newest first, with what waits to become one."""
    space, before = studio.workspace, None if after is None else _place(after)
    jobs = space.jobs.list(None, before=before, limit=limit + 1)
    runs, trained = {run.name: run for run in space.runs.list()}, trained_now(space)
    found = [Standing(job=job, run=runs.get(job.id), alive=trained == job.id) for job in jobs]
    # Runs that were ordered have the id of their job; those of the command line a number.
    ordered = space.jobs.existing(list(runs))
    own = [Standing(job=None, run=run, alive=trained == run.name) for name, run in runs.items() if name not in ordered]
    found += [item for item in own if before is None or (item.created_at, item.id) < before]
    found.sort(key=lambda item: (item.created_at, item.id), reverse=True)
    shown = found[:limit]
    return RunPage(
        runs=[run_view(item, person=who.id) for item in shown], next=_cursor(shown[-1]) if len(found) > limit else None
    )


@router.get("/api/v1/runs/options")
def get_options(studio: StudioDep, _who: Operator) -> RunOptions:
    """What a run may be told to use."""
    return RunOptions(
        methods=[MethodOption(name=name, title=title) for name, title in methods().items()],
        models=list(allowed_models(studio)),
        recipes=[
            RecipeOption(name="", title="the usual amount"),
            RecipeOption(name="short", title="less: two fifths of it"),
            RecipeOption(name="long", title="more: twice as much"),
        ],
    )


@router.post("/api/v1/runs", status_code=202)
def create_run(studio: StudioDep, who: Operator, order: RunOrder, idempotency_key: Idempotency = None) -> RunView:
    """Order a run; a worker begins it. The same Idempotency-Key again gives the first one."""
    wanted = TrainingOrder(**order.model_dump(exclude={"kind"}))
    job = enter_training(studio, who, order.kind, wanted, idempotency_key=idempotency_key)
    return run_view(standing_of(studio.workspace, job.id), person=who.id)


@router.get("/api/v1/runs/{id}")
def get_run(studio: StudioDep, who: Reader, id: Id) -> RunDetail:
    """One run with curves, examination, pictures and settings."""
    return run_detail(studio.workspace, standing_of(studio.workspace, id), person=who.id)


@router.delete("/api/v1/runs/{id}")
def stop_run(studio: StudioDep, who: Operator, id: Id) -> RunView:
    """Cancel a run that waits; ask one that works to stop between two steps. One that has ended stays as it is."""
    standing = standing_of(studio.workspace, id)
    if standing.job is None:
        if standing.alive:
            message = f"run {id!r} was started on the command line: stop its process there"
            raise Refused(409, "not_here", message)
        return run_view(standing, person=who.id)
    studio.workspace.jobs.cancel(id, owner=None, at=studio.now())
    studio.audit("order cancelled", actor=who.id, subject=id)
    return run_view(standing_of(studio.workspace, id), person=who.id)


@router.get(
    "/api/v1/runs/{id}/report",
    response_class=Response,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
def get_report(studio: StudioDep, _who: Reader, id: Id) -> Response:
    """The report of a run as a page of its own."""
    page = report_page(studio.workspace, id)
    if page is None:
        raise Refused(404, "not_found", f"run {id!r} has no report: it must end first")
    return Response(page, media_type="text/html; charset=utf-8", headers=_REPORT_HEADERS)


@router.get(
    "/api/v1/runs/{id}/grid/{place}/{side}.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}},
)
def get_grid_picture(
    studio: StudioDep,
    _who: Reader,
    id: Id,
    place: Annotated[int, Path(ge=0, le=999)],
    side: Literal["before", "after"],
) -> Response:
    """One picture of a run's grid."""
    data = grid_picture(studio.workspace, id, place=place, side=side)
    if data is None:
        raise Refused(404, "not_found", f"run {id!r} has no such picture")
    return Response(data, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


@router.get(
    "/api/v1/runs/{id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def follow_run(studio: StudioDep, who: Reader, id: Id) -> StreamingResponse:
    """Progress and new points of a run until it ends, as server-sent events; load the run first for what was before."""
    first = await asyncio.to_thread(standing_of, studio.workspace, id)
    events = _events(studio, first, person=who.id)
    return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _events(studio: Studio, standing: Standing, *, person: str) -> AsyncIterator[bytes]:
    tail, silent = CurveTail(studio.workspace, standing.id), 0.0
    # What was there at the beginning comes with the run itself.
    await asyncio.to_thread(tail.read)
    told = None
    while True:
        view = run_view(standing, person=person)
        sending = [
            sent("point", {"name": point.name, "step": point.step, "value": point.value})
            for point in await asyncio.to_thread(tail.read)
        ]
        if view.progress != told:
            sending.append(sent("progress", view.progress.model_dump(mode="json")))
            told = view.progress
        if view.state not in ("queued", "running"):
            sending.append(sent("ended", {"run": view.model_dump(mode="json")}))
        for event in sending:
            yield event
        if view.state not in ("queued", "running"):
            return
        silent = 0.0 if sending else silent + LOOK_SECONDS
        if silent >= ALIVE_SECONDS:
            silent = 0.0
            yield b": alive\n\n"
        await asyncio.sleep(LOOK_SECONDS)
        standing = await asyncio.to_thread(standing_of, studio.workspace, standing.id)


def _cursor(standing: Standing) -> str:
    return f"{standing.created_at!r}_{standing.id}"


def _place(cursor: str) -> tuple[float, str]:
    time, _, id = cursor.partition("_")
    try:
        return float(time), id
    except ValueError as error:
        raise UsageError(f"after = {cursor[:60]!r} cannot be read: give `next` of the page before") from error
