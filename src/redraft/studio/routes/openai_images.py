"""The OpenAI Images API: what clients of that API send works here unchanged. Our own additions are in `x_redraft`."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import StreamingResponse

from redraft.studio.context import Studio, StudioDep
from redraft.studio.engine.making import ENDS, Event, Kept, Making
from redraft.studio.engine.messages import Pixels
from redraft.studio.errors import Refused, body_of
from redraft.studio.identity.people import Person, require
from redraft.studio.job_view import ALIVE_SECONDS, JobView, MadePicture, job_view, made_picture, sent
from redraft.studio.openai_schema import (
    ANSWERED,
    EFFORT,
    Extras,
    GenerationAnswer,
    GenerationBody,
    PictureData,
    RequestFacts,
    ServedModel,
    ServedModels,
    StreamedEvent,
    Usage,
)
from redraft.studio.picture_bytes import USUAL_QUALITY, Format, png_of, rendered
from redraft.studio.picture_view import picture_url
from redraft.studio.requesting import PATIENCE, Taken, Wish, engine_of, served_models, take_on
from redraft.studio.trying import trying

router = APIRouter(tags=["openai"])
LOOK_SECONDS = 1.0
"""How often it is looked whether the client of a request that takes long is still there."""

Maker = Annotated[Person, Depends(require("generate"))]


@router.get("/v1/models")
async def list_models(studio: StudioDep, who: Maker) -> ServedModels:
    """The names that requests of this person may give as their model."""
    facts = await engine_of(studio).facts(patience=PATIENCE)
    tries = await asyncio.to_thread(trying, studio, who)
    found = await asyncio.to_thread(served_models, studio, facts, challenger=tries.on)
    return ServedModels(data=[ServedModel(id=name, created=int(since)) for name, since in found])


@router.get("/v1/models/{model:path}")
async def get_model(studio: StudioDep, who: Maker, model: str) -> ServedModel:
    """One of them."""
    listed = await list_models(studio, who)
    found = next((entry for entry in listed.data if entry.id == model), None)
    if found is None:
        names = ", ".join(entry.id for entry in listed.data)
        raise Refused(404, "model_not_found", f"model {model[:80]!r} is not served here: {names}", param="model")
    return found


@router.post(
    "/v1/images/generations",
    response_model=GenerationAnswer,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def generate(
    studio: StudioDep,
    who: Maker,
    request: Request,
    body: GenerationBody,
    idempotency_key: Annotated[str | None, Header(max_length=128)] = None,
) -> Any:
    """Paint pictures and answer when they are ready, or stream what there is until then."""
    taken = await take_on(studio, who, _wish(body, idempotency_key))
    if body.stream:
        events = _streamed(studio, taken, body)
        return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
    if taken.making is not None:
        await _until_the_end(studio, taken.making, request)
    view = await asyncio.to_thread(job_view, studio, taken.request, taken.making)
    _require_finished(view)
    return await asyncio.to_thread(_answer, studio, view, body)


def _wish(body: GenerationBody, idempotency_key: str | None) -> Wish:
    if body.background == "transparent":
        message = "background 'transparent': pictures here have no transparency; send 'opaque' or 'auto'"
        raise Refused(400, "invalid_value", message, param="background")
    if body.partial_images and not body.stream:
        message = f"partial_images = {body.partial_images} without stream: set stream to true, or leave it out"
        raise Refused(400, "invalid_value", message, param="partial_images")
    extras = body.x_redraft or Extras()
    return Wish(
        prompt=body.prompt,
        negative_prompt=extras.negative_prompt,
        model=body.model or "champion",
        count=1 if body.n is None else body.n,
        size=body.size or "auto",
        steps=extras.steps,
        effort=EFFORT[body.quality or "auto"],
        guidance=extras.guidance,
        seed=extras.seed,
        critique=extras.critique,
        previews=bool(body.stream and body.partial_images),
        again_of=extras.again_of,
        ask=extras.ask,
        source="openai",
        idempotency_key=idempotency_key,
    )


async def _until_the_end(studio: Studio, making: Making, request: Request) -> None:
    """Wait for a request; one whose client has gone is cancelled."""
    clock = asyncio.get_running_loop().time
    looked = clock()
    async for _ in making.follow(every=LOOK_SECONDS):
        if clock() - looked >= LOOK_SECONDS:
            looked = clock()
            if await request.is_disconnected():
                engine_of(studio).cancel(making)


def _require_finished(view: JobView) -> None:
    if view.state == "finished":
        return
    if view.state == "cancelled":
        raise Refused(409, "cancelled", "the request was cancelled before it was finished: send it again")
    if view.state == "failed" and view.error is not None:
        raise Refused(500, view.error.code, f"the pictures could not be made: {view.error.message}")
    raise Refused(409, "in_progress", "this Idempotency-Key belongs to a request that is still made: ask again later")


def _answer(studio: Studio, view: JobView, body: GenerationBody) -> GenerationAnswer:
    data = []
    for picture in view.pictures:
        if body.response_format == "url":
            path = picture_url(studio, picture.id, form=body.output_format or "png")
            data.append(PictureData(url=f"{studio.settings.url}{path}", x_redraft=picture))
        else:
            data.append(PictureData(b64_json=_base64(studio, picture, body), x_redraft=picture))
    return GenerationAnswer(
        created=int(studio.now()),
        data=data,
        output_format=body.output_format or "png",
        quality=_quality(body),
        size=f"{view.width}x{view.height}",
        x_redraft=RequestFacts(
            job=view.id,
            model=view.model,
            base=view.base,
            checkpoint=view.checkpoint,
            seed=view.seed,
            steps=view.steps,
            guidance=view.guidance,
        ),
    )


def _quality(body: GenerationBody) -> str:
    asked = body.quality or "auto"
    return ANSWERED.get(asked, asked)


def _base64(studio: Studio, picture: MadePicture, body: GenerationBody) -> str:
    """The picture in the format that was asked for; blurred where it leans unsafe."""
    (painting,) = studio.workspace.gallery.find([picture.id])
    data = studio.workspace.pictures.read(painting.picture)
    return _encoded(data, body, blurred=painting.blurred)


def _encoded(data: bytes, body: GenerationBody, *, blurred: bool = False) -> str:
    form: Format = body.output_format or "png"
    if form != "png" or blurred:
        quality = USUAL_QUALITY if body.output_compression is None else body.output_compression
        data = rendered(data, form=form, quality=quality, blurred=blurred)
    return base64.b64encode(data).decode()


# --- streaming ------------------------------------------------------------------------------------------------------


async def _streamed(studio: Studio, taken: Taken, body: GenerationBody) -> AsyncIterator[bytes]:
    """Previews and pictures as they come. A client that goes away cancels its request."""
    making = taken.making
    if making is None:
        view = await asyncio.to_thread(job_view, studio, taken.request, None)
        for picture in view.pictures:
            yield await asyncio.to_thread(_completed, studio, picture, body, view.width)
        return
    previews: dict[int, int] = {}
    try:
        async with contextlib.aclosing(making.follow(every=ALIVE_SECONDS)) as events:
            async for event in events:
                if event is None:
                    yield b": alive\n\n"
                elif event.name == "preview" and _wanted(event, previews, body):
                    number = previews[event.place] = previews.get(event.place, 0) + 1
                    yield await asyncio.to_thread(_partial, studio, event, body, taken.request.width, number - 1)
                elif event.name == "picture":
                    assert event.picture is not None
                    yield await asyncio.to_thread(_kept, studio, event.picture, body, taken.request.width)
                elif event.name in ENDS and event.name != "finished":
                    words = event.error or "the request was cancelled before it was finished: send it again"
                    yield sent("error", body_of(500, words, code=event.code or event.name))
    finally:
        if making.end is None and studio.engine is not None:
            studio.engine.cancel(making)


def _wanted(event: Event, previews: dict[int, int], body: GenerationBody) -> bool:
    """Whether a preview is sent: at most `partial_images`, spread over the steps."""
    most, made = body.partial_images or 0, previews.get(event.place, 0)
    return event.pixels is not None and made < most and event.step * (most + 1) >= event.steps * (made + 1)


def _partial(studio: Studio, event: Event, body: GenerationBody, edge: int, index: int) -> bytes:
    assert isinstance(event.pixels, Pixels)
    streamed = StreamedEvent(
        type="image_generation.partial_image",
        b64_json=_encoded(png_of(event.pixels), body),
        partial_image_index=index,
        created_at=int(studio.now()),
        output_format=body.output_format or "png",
        quality=_quality(body),
        size=f"{edge}x{edge}",
    )
    return sent(streamed.type, streamed.model_dump(mode="json", exclude_none=True))


def _kept(studio: Studio, kept: Kept, body: GenerationBody, edge: int) -> bytes:
    return _completed(studio, made_picture(studio, kept), body, edge)


def _completed(studio: Studio, picture: MadePicture, body: GenerationBody, edge: int) -> bytes:
    streamed = StreamedEvent(
        type="image_generation.completed",
        b64_json=_base64(studio, picture, body),
        created_at=int(studio.now()),
        output_format=body.output_format or "png",
        quality=_quality(body),
        size=f"{edge}x{edge}",
        usage=Usage(),
        x_redraft=picture,
    )
    return sent(streamed.type, {**streamed.model_dump(mode="json", exclude={"partial_image_index"})})
