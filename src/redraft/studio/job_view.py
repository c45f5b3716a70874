"""The JSON object for a request that is or was made, and its events as server-sent ones. Makes nothing."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any, Literal

from pydantic import BaseModel

from redraft.store.requests import Request
from redraft.studio.asking import AskView
from redraft.studio.context import Studio
from redraft.studio.engine.making import ENDS, Event, Kept, Making
from redraft.studio.picture_bytes import preview_of
from redraft.studio.picture_view import PictureView, picture_view
from redraft.studio.times import iso, iso_or_none

ALIVE_SECONDS = 15.0
"""Silence after which a comment is sent, so that nothing on the way takes the connection for dead."""
GAVE_UP = "it was not finished when its server stopped: send it again"


class MadePicture(PictureView):
    """A picture with the question that comes with it, if one does."""

    ask: AskView | None = None


class JobFault(BaseModel):
    """Why a job failed."""

    message: str
    code: str


class JobView(BaseModel):
    """A request of one person. Picture i has the seed `seed` + i.

    position: pictures that are painted before its first one, null when it does not wait. step: of `steps`.
    """

    id: str
    state: Literal["queued", "running", "finished", "failed", "cancelled"]
    prompt: str | None
    negative_prompt: str
    model: str
    base: str
    checkpoint: str
    n: int
    width: int
    height: int
    steps: int
    guidance: float
    seed: int
    critique: bool
    again_of: str | None
    position: int | None
    step: int | None
    pictures: list[MadePicture]
    error: JobFault | None
    created_at: str
    finished_at: str | None


def job_view(studio: Studio, request: Request, making: Making | None) -> JobView:
    """How a request stands. Without its making its pictures are those of the gallery, and its state is the row's."""
    fault = None
    if making is not None:
        request = making.state(request)
        pictures = [made_picture(studio, kept) for _, kept in sorted(making.kept.items())]
        if making.end is not None and making.end.name == "failed":
            fault = JobFault(message=making.end.error, code=making.end.code)
    else:
        paintings = studio.workspace.gallery.of_request(request.id, owner=request.owner)
        pictures = [made_picture(studio, Kept(painting=painting)) for painting in paintings]
        if request.state == "failed":
            fault = JobFault(message=GAVE_UP if not pictures else "some of its pictures failed", code="failed")
    standing = None if making is None else making.standing
    return JobView(
        id=request.id,
        state=request.state,
        prompt=request.prompt,
        negative_prompt=request.negative_prompt or "",
        model=str(request.parameters.get("model", "champion")),
        base=request.base,
        checkpoint=request.checkpoint,
        n=request.count,
        width=request.width,
        height=request.height,
        steps=request.steps,
        guidance=request.guidance,
        seed=int(request.parameters.get("seed", 0)),
        critique=bool(request.parameters.get("critique", False)),
        again_of=request.again_of,
        position=standing.position if standing is not None and standing.name == "queued" else None,
        step=standing.step if standing is not None and standing.name == "progress" else None,
        pictures=pictures,
        error=fault,
        created_at=iso(request.created_at),
        finished_at=iso_or_none(request.finished_at),
    )


def made_picture(studio: Studio, kept: Kept) -> MadePicture:
    """A picture that has just been made."""
    return MadePicture(**picture_view(studio, kept.painting).model_dump(), ask=kept.ask)


async def job_events(studio: Studio, making: Making) -> AsyncIterator[bytes]:
    """The events of a request from where it stands to its end, as text/event-stream."""
    async for event in making.follow(every=ALIVE_SECONDS):
        if event is None:
            yield b": alive\n\n"
        elif event.name in ENDS:
            yield sent(event.name, {"job": job_view(studio, making.request, making).model_dump(mode="json")})
        else:
            yield sent(event.name, await asyncio.to_thread(_data, studio, event))


def sent(name: str, data: Any) -> bytes:
    """One server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def past_events(studio: Studio, request: Request) -> Iterable[bytes]:
    """What is left to say of a request that has ended."""
    view = job_view(studio, request, None)
    for picture in view.pictures:
        yield sent("picture", {"place": picture.place, "picture": picture.model_dump(mode="json")})
    yield sent(view.state, {"job": view.model_dump(mode="json")})


def _data(studio: Studio, event: Event) -> dict[str, Any]:
    if event.name == "queued":
        return {"position": event.position}
    if event.name == "progress":
        return {"step": event.step, "steps": event.steps}
    if event.name == "preview" and event.pixels is not None:
        image = base64.b64encode(preview_of(event.pixels)).decode()
        steps = {"place": event.place, "step": event.step, "steps": event.steps}
        return {**steps, "image": f"data:image/webp;base64,{image}"}
    assert event.picture is not None
    return {"place": event.place, "picture": made_picture(studio, event.picture).model_dump(mode="json")}
