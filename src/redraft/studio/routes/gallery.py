"""A person's gallery: pages by facet, confidence and model; one picture; favourites; erasing a picture."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from redraft.core.errors import unknown_name
from redraft.core.records import FACETS
from redraft.store.gallery import Safety, Selection
from redraft.studio.context import StudioDep
from redraft.studio.errors import Refused
from redraft.studio.gallery_view import GalleryPicture, cursor_of, gallery_picture, read_cursor
from redraft.studio.identity.people import Person, require
from redraft.studio.routes.account_views import Body

router = APIRouter(tags=["gallery"])
Reader = Annotated[Person, Depends(require("read"))]
Rater = Annotated[Person, Depends(require("rate"))]
Owner = Annotated[Person, Depends(require("account"))]
Bound = Annotated[float | None, Query(allow_inf_nan=False)]
Word = Annotated[str | None, Query(max_length=128)]


class GalleryPage(BaseModel):
    """A part of the gallery; `next` goes into `after`, null on the last page."""

    pictures: list[GalleryPicture]
    next: str | None


class Favourite(Body):
    """Whether the picture is a favourite."""

    favourite: bool


@router.get("/api/v1/gallery")
def gallery(
    studio: StudioDep,
    who: Reader,
    order: Annotated[
        str, Query(max_length=64, description="newest, confidence or a facet, the least first")
    ] = "newest",
    low: Bound = None,
    high: Bound = None,
    model: Word = None,
    checkpoint: Word = None,
    safety: Safety | None = None,
    favourite: bool | None = None,
    answered: bool | None = None,
    form: Word = None,
    least_mark: Bound = None,
    most_mark: Bound = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    after: Annotated[str | None, Query(max_length=256)] = None,
) -> GalleryPage:
    """A page of the person's own gallery. low and high bound what it is ordered by; for the newest, the confidence."""
    if order not in ("newest", "confidence", *FACETS):
        error = unknown_name("order", order, ["newest", "confidence", *FACETS])
        raise Refused(400, "invalid_value", str(error), param="order")
    _check_words(model=model, checkpoint=checkpoint, form=form)
    marked = (form, least_mark, most_mark) != (None, None, None)
    selection = Selection(
        order=order,
        low=low,
        high=high,
        base=model,
        checkpoint=checkpoint,
        safety=safety,
        favourite=favourite,
        answered=True if answered is None and marked else answered,
        form=form,
        least_mark=least_mark,
        most_mark=most_mark,
    )
    start = None if after is None else read_cursor(after)
    page = studio.workspace.gallery.page(who.id, selection=selection, after=start, limit=limit)
    pictures = [gallery_picture(studio, exhibit) for exhibit in page.exhibits]
    return GalleryPage(pictures=pictures, next=None if page.next is None else cursor_of(page.next))


@router.get("/api/v1/gallery/{id}")
def one_picture(studio: StudioDep, who: Reader, id: str) -> GalleryPicture:
    """A picture of the person's own gallery."""
    check_id(id)
    return gallery_picture(studio, studio.workspace.gallery.get(id, owner=who.id))


@router.put("/api/v1/gallery/{id}/favourite", status_code=204)
def set_favourite(studio: StudioDep, who: Rater, id: str, body: Favourite) -> None:
    """Mark a picture as a favourite, or not."""
    check_id(id)
    studio.workspace.gallery.set_favourite(id, body.favourite, owner=who.id)


@router.delete("/api/v1/gallery/{id}", status_code=204)
def erase_picture(studio: StudioDep, who: Owner, id: str) -> None:
    """Erase a picture for good: its row, its bytes, its embedding, and what refers to it."""
    check_id(id)
    if studio.workspace.erasure.paintings([id], owner=who.id) == 0:
        raise Refused(404, "not_found", f"picture {id!r} is not in this person's gallery")
    studio.audit("erase picture", actor=who.id, subject=id)


def check_id(id: str) -> None:
    """Raises Refused (404) for what no id can be and no database can compare."""
    if len(id) > 64 or not id.isascii() or not id.isprintable():
        raise Refused(404, "not_found", f"{id[:64]!r} is no id that was given out here")


def _check_words(**words: str | None) -> None:
    for name, word in words.items():
        if word is not None and not word.isprintable():
            raise Refused(400, "invalid_value", f"{name} holds characters that no name has: remove them", param=name)
