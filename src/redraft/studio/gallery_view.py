"""How the gallery, answers and reports look over HTTP, and the cursor of a page. Reads no database."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

from pydantic import BaseModel

from redraft.core.errors import UsageError
from redraft.store.answer_records import Answer
from redraft.store.gallery import Exhibit
from redraft.store.reports import PictureReport, ReportKind, ReportState
from redraft.studio.context import Studio
from redraft.studio.picture_view import PictureView, picture_view
from redraft.studio.times import iso, iso_or_none


class AnswerView(BaseModel):
    """An answer as its person sees it. asked: whether the studio had asked for it."""

    id: str
    kind: str
    subject: str
    form: str
    payload: dict[str, Any]
    mark: float | None
    retracted: bool
    revision_of: str | None
    asked: bool
    created_at: str
    received_at: str


class GalleryPicture(PictureView):
    """A picture with its request and the owner's own answers that count. prompt: null once it was forgotten."""

    request_id: str
    prompt: str | None
    negative_prompt: str | None
    width: int
    height: int
    steps: int
    guidance: float
    model: str
    again_of: str | None
    answers: list[AnswerView]


class ReportView(BaseModel):
    """An appeal or a report, and what came of it."""

    id: str
    picture: str
    kind: ReportKind
    text: str
    state: ReportState
    created_at: str
    resolved_at: str | None


def answer_view(answer: Answer) -> AnswerView:
    """An answer as its person sees it."""
    return AnswerView(
        id=answer.id,
        kind=answer.kind,
        subject=answer.subject,
        form=answer.form,
        payload=dict(answer.payload),
        mark=answer.mark,
        retracted=answer.retracted,
        revision_of=answer.revision_of,
        asked=answer.ask is not None,
        created_at=iso(answer.created_at),
        received_at=iso(answer.received_at),
    )


def gallery_picture(studio: Studio, exhibit: Exhibit) -> GalleryPicture:
    """What its owner sees of a painting in the gallery."""
    request = exhibit.request
    facts = {
        **picture_view(studio, exhibit.painting).model_dump(),
        "request_id": request.id,
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "width": request.width,
        "height": request.height,
        "steps": request.steps,
        "guidance": request.guidance,
        "model": request.base,
        "again_of": request.again_of,
        "answers": [answer_view(answer) for answer in exhibit.answers],
    }
    return GalleryPicture(**facts)


def report_view(report: PictureReport) -> ReportView:
    """A report as its person sees it."""
    return ReportView(
        id=report.id,
        picture=report.picture,
        kind=report.kind,
        text=report.text,
        state=report.state,
        created_at=iso(report.created_at),
        resolved_at=iso_or_none(report.resolved_at),
    )


def cursor_of(key: tuple[float, str]) -> str:
    """Where a page begins, as text. It is no secret: it only says where in the person's own list to go on."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def read_cursor(text: str) -> tuple[float, str]:
    """What `cursor_of` made. Raises UsageError for anything else."""
    try:
        at, id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if isinstance(at, bool) or not isinstance(at, int | float) or not isinstance(id, str):
            raise ValueError("another kind of cursor")
        if not math.isfinite(at) or len(id) > 64 or "\0" in id:
            raise ValueError("out of range")
        # The database refuses halves of surrogate pairs.
        id.encode()
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise UsageError(
            f"the cursor {text[:40]!r} is none: take `next` of the page before, or leave it out"
        ) from error
    return float(at), id
