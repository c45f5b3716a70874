"""Which models are served, which was when, and how sure they were of their pictures. Moves no pointer."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from redraft.core.records import Live
from redraft.store.aliases import ALIASES, Alias
from redraft.studio.context import Studio, StudioDep
from redraft.studio.identity.people import Person, require
from redraft.studio.requesting import PATIENCE, checkpoint_of, engine_of
from redraft.studio.times import iso
from redraft.studio.trying import trying

router = APIRouter(tags=["models"])
DAY = 86_400.0

Reader = Annotated[Person, Depends(require("read"))]


class LiveView(BaseModel):
    """Where an alias points since `at`. name: "base", or the first digits of the checkpoint."""

    alias: Alias
    checkpoint: str
    name: str
    reason: str
    at: str


class ServingView(BaseModel):
    """What the engine does. waiting: pictures of all people."""

    state: Literal["starting", "ready", "restarting", "failed", "closed"]
    message: str
    checkpoint: str
    loaded: list[str]
    waiting: int
    calibrated: bool


class ModelsView(BaseModel):
    """The models of this studio, and what a request may ask of them.

    may_try: whether this person may paint with what was never champion, such as the challenger.
    """

    base: str
    champion: LiveView | None
    challenger: LiveView | None
    previous: LiveView | None
    serving: ServingView
    sizes: list[str]
    steps: int
    guidance: float
    most_steps: int
    most_guidance: float
    most_pictures: int
    longest_prompt: int
    may_try: bool


class HistoryView(BaseModel):
    """Every move of an alias, the newest first."""

    history: list[LiveView]


class Bin(BaseModel):
    """Pictures with a confidence from low to high: how many, how many were rated, how many of these badly."""

    low: float
    high: float
    pictures: int
    answered: int
    low_marks: int


class HistogramView(BaseModel):
    """How sure a model was of everybody's pictures, and where people disagreed."""

    base: str
    checkpoint: str
    form: str
    bins: list[Bin]


class PromptRepeats(BaseModel):
    """One prompt, unnamed: how often it was requested, and how many of these were to do it again."""

    requests: int
    again: int


class RepeatsView(BaseModel):
    """The prompts that were to be done again most often, the worst first, and how many there were in all of these."""

    repeats: list[PromptRepeats]
    requests: int
    again: int


@router.get("/api/v1/models")
async def get_models(studio: StudioDep, who: Reader) -> ModelsView:
    """What is served now."""
    engine = engine_of(studio)
    facts = await engine.facts(patience=PATIENCE)
    status, limits = engine.status(), studio.settings.engine
    lives = await asyncio.to_thread(_lives, studio, facts.base)
    tries = await asyncio.to_thread(trying, studio, who)
    return ModelsView(
        base=facts.base,
        champion=lives["champion"],
        challenger=lives["challenger"],
        previous=lives["previous"],
        serving=ServingView(
            state=status.state,
            message=status.message,
            checkpoint=status.checkpoint,
            loaded=list(status.loaded),
            waiting=status.waiting,
            calibrated=status.calibrated,
        ),
        sizes=[f"{facts.size}x{facts.size}"],
        steps=facts.steps,
        guidance=facts.guidance,
        most_steps=limits.most_steps,
        most_guidance=limits.most_guidance,
        most_pictures=limits.most_pictures,
        longest_prompt=limits.longest_prompt,
        may_try=tries.on,
    )


@router.get("/api/v1/models/history")
async def get_history(studio: StudioDep, _who: Reader) -> HistoryView:
    """Which model was served when, and why it was changed."""
    facts = await engine_of(studio).facts(patience=PATIENCE)
    entries = await asyncio.to_thread(studio.workspace.aliases.history, facts.base)
    return HistoryView(history=[_view(entry) for entry in reversed(entries)])


@router.get("/api/v1/models/repeats")
def get_repeats(
    studio: StudioDep,
    _who: Reader,
    days: Annotated[int, Query(ge=1, le=3650)] = 30,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> RepeatsView:
    """Whether few prompts cause most of the requests to do it again. No prompt is told."""
    found = studio.workspace.requests.repeats(since=studio.now() - days * DAY, limit=limit)
    return RepeatsView(
        repeats=[PromptRepeats(requests=row.requests, again=row.again) for row in found],
        requests=sum(row.requests for row in found),
        again=sum(row.again for row in found),
    )


@router.get("/api/v1/models/{model}/histogram")
async def get_histogram(
    studio: StudioDep,
    _who: Reader,
    model: str,
    form: Annotated[str, Query(max_length=64)] = "thumbs",
    low_mark: Annotated[
        float, Query(ge=0, le=100, allow_inf_nan=False, description="a mark at most so good is bad")
    ] = 0.0,
    bins: Annotated[int, Query(ge=1, le=50)] = 20,
    days: Annotated[int | None, Query(ge=1, le=3650)] = None,
) -> HistogramView:
    """The confidence of a model's pictures in equal bins of 0..1, with the share of bad ratings."""
    facts = await engine_of(studio).facts(patience=PATIENCE)
    checkpoint = await asyncio.to_thread(checkpoint_of, studio, model, facts)
    since = float("-inf") if days is None else studio.now() - days * DAY
    rows = await asyncio.to_thread(
        studio.workspace.gallery.histogram,
        facts.base,
        checkpoint,
        form=form,
        low_mark=low_mark,
        bins=bins,
        since=since,
    )
    found = [
        Bin(low=place / bins, high=(place + 1) / bins, pictures=row[0], answered=row[1], low_marks=row[2])
        for place, row in enumerate(rows)
    ]
    return HistogramView(base=facts.base, checkpoint=checkpoint, form=form, bins=found)


def _lives(studio: Studio, base: str) -> dict[str, LiveView | None]:
    found = {name: studio.workspace.aliases.current(base, name) for name in ALIASES}
    return {name: None if live is None else _view(live) for name, live in found.items()}


def _view(live: Live) -> LiveView:
    return LiveView(
        alias=cast(Alias, live.alias),
        checkpoint=live.checkpoint,
        name=live.checkpoint[:12] or "base",
        reason=live.reason,
        at=iso(live.at),
    )
