"""Rating sessions, and the pictures whose right answer is known (gold items), which moderators put in."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from redraft.core.errors import UsageError
from redraft.feedback.raters import check_expected
from redraft.store.gallery import Painting
from redraft.store.raters import GoldItem, GoldRecord
from redraft.studio.asking import AskedPicture, asked_picture
from redraft.studio.context import Studio, StudioDep
from redraft.studio.errors import Refused
from redraft.studio.gallery_view import cursor_of, read_cursor
from redraft.studio.identity.people import Person, require
from redraft.studio.picture_view import THUMBNAIL, picture_url
from redraft.studio.reviewing import next_review
from redraft.studio.routes.account_views import Body
from redraft.studio.routes.gallery import check_id
from redraft.studio.times import iso

router = APIRouter(tags=["rating"])
Rater = Annotated[Person, Depends(require("rate"))]
Moderator = Annotated[Person, Depends(require("moderate"))]


class ReviewView(BaseModel):
    """A picture to rate; the token goes back with the answer."""

    token: str
    form: str
    picture: AskedPicture


class NextReview(BaseModel):
    """The picture to rate, or null when everything is rated."""

    review: ReviewView | None


class Gold(Body):
    """A picture of one's own whose right answer is known: by field a value, or {"least": x, "most": y}."""

    picture: Annotated[str, Field(max_length=64)]
    form: Annotated[str, Field(max_length=32)]
    expected: dict[str, Any]
    active: bool = True


class GoldView(BaseModel):
    """A gold item."""

    id: str
    picture: str
    form: str
    expected: dict[str, Any]
    active: bool
    created_at: str


class GoldRecordView(GoldView):
    """A gold item with its words and its picture. answers: that were judged, of which so many passed."""

    prompt: str | None
    thumbnail_url: str
    answers: int
    passed: int


class GoldPage(BaseModel):
    """Gold items, the newest first; `next` goes into `before`, null at the end."""

    gold: list[GoldRecordView]
    next: str | None


@router.get("/api/v1/reviews/next")
def review(studio: StudioDep, who: Rater) -> NextReview:
    """The next picture of a rating session. Costs no budget of asks."""
    found = next_review(studio, who)
    if found is None:
        return NextReview(review=None)
    picture = asked_picture(studio, found.painting, found.request, revealed=found.revealed)
    return NextReview(review=ReviewView(token=found.token, form=found.form, picture=picture))


@router.put("/api/v1/gold", status_code=201)
def put_gold(studio: StudioDep, who: Moderator, body: Gold) -> GoldView:
    """Say what the right answer about one's own picture is. Others will be shown it now and then.

    What is known already any moderator may change or retire.
    """
    check_id(body.picture)
    painting = _painting(studio, who, body.picture)
    if painting.safety != "ok" or painting.unsafe:
        raise Refused(409, "conflict", "this picture leans unsafe: everybody is shown gold items; choose another")
    try:
        form = studio.settings.preset.form(body.form)
        if form.kind != "picture":
            raise UsageError(f"the form {form.name!r} compares pictures: a known answer is about one; choose another")
        check_expected(form, body.expected)
    except UsageError as error:
        raise Refused(400, "invalid_value", str(error), param="expected") from None
    item = GoldItem(
        id=studio.new_id(),
        kind="picture",
        subject=body.picture,
        form=body.form,
        expected=body.expected,
        active=body.active,
        created_at=studio.now(),
    )
    studio.workspace.raters.put_gold(item)
    studio.audit("gold", actor=who.id, subject=body.picture, active=body.active)
    kept = studio.workspace.raters.gold_about(body.picture)
    return _view(kept or item)


@router.get("/api/v1/gold")
def gold_items(
    studio: StudioDep,
    _who: Moderator,
    before: Annotated[str | None, Query(max_length=256)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> GoldPage:
    """Every picture with a known answer, retired ones too, and how people did."""
    start = None if before is None else read_cursor(before)
    found = studio.workspace.raters.gold_records(before=start, limit=limit + 1)
    last = found[limit - 1].item if len(found) > limit else None
    return GoldPage(
        gold=[_record(studio, record) for record in found[:limit]],
        next=None if last is None else cursor_of((last.created_at, last.id)),
    )


@router.get("/api/v1/gold/{picture}")
def gold(studio: StudioDep, _who: Moderator, picture: str) -> GoldView:
    """The known answer about a picture."""
    check_id(picture)
    item = studio.workspace.raters.gold_about(picture)
    if item is None:
        raise Refused(404, "not_found", f"no right answer is known about picture {picture!r}")
    return _view(item)


def _painting(studio: Studio, who: Person, picture: str) -> Painting:
    """One's own, or one that others are shown already. Raises UnknownNameError."""
    if studio.workspace.raters.gold_about(picture) is not None:
        for painting in studio.workspace.gallery.find([picture]):
            return painting
    return studio.workspace.gallery.get(picture, owner=who.id).painting


def _record(studio: Studio, record: GoldRecord) -> GoldRecordView:
    return GoldRecordView(
        **_view(record.item).model_dump(),
        prompt=record.prompt,
        thumbnail_url=picture_url(studio, record.item.subject, form="webp", width=THUMBNAIL),
        answers=record.answers,
        passed=record.passed,
    )


def _view(item: GoldItem) -> GoldView:
    return GoldView(
        id=item.id,
        picture=item.subject,
        form=item.form,
        expected=dict(item.expected),
        active=item.active,
        created_at=iso(item.created_at),
    )
