"""Rating sessions, and the pictures whose right answer is known (gold items), which moderators put in."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from redraft.core.errors import UsageError
from redraft.feedback.raters import check_expected
from redraft.store.raters import GoldItem
from redraft.studio.asking import AskedPicture, asked_picture
from redraft.studio.context import StudioDep
from redraft.studio.errors import Refused
from redraft.studio.identity.people import Person, require
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
    """Say what the right answer about one's own picture is. Others will be shown it now and then."""
    check_id(body.picture)
    painting = studio.workspace.gallery.get(body.picture, owner=who.id).painting
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


@router.get("/api/v1/gold/{picture}")
def gold(studio: StudioDep, _who: Moderator, picture: str) -> GoldView:
    """The known answer about a picture."""
    check_id(picture)
    item = studio.workspace.raters.gold_about(picture)
    if item is None:
        raise Refused(404, "not_found", f"no right answer is known about picture {picture!r}")
    return _view(item)


def _view(item: GoldItem) -> GoldView:
    return GoldView(
        id=item.id,
        picture=item.subject,
        form=item.form,
        expected=dict(item.expected),
        active=item.active,
        created_at=iso(item.created_at),
    )
