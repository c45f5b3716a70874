"""The one JSON object for a picture, wherever it appears: jobs, gallery, asks, duels. Reads no database."""

from __future__ import annotations

from pydantic import BaseModel

from redraft.store.gallery import Painting, Safety
from redraft.studio.context import Studio
from redraft.studio.identity.tokens import sign_picture
from redraft.studio.picture_bytes import Format
from redraft.studio.times import iso

REVEALED = "revealed-"
"""Before a variant: the link opens the picture as it is, though it is blurred for others."""
THUMBNAIL = 256
"""Width of a thumbnail in pixels, at most."""


class PictureView(BaseModel):
    """A picture of a person. `terms`: each 0..1, higher is better; "unsafe" is 1 - the probability of being unsafe.

    confidence: the least of them, null where the picture was not scored. blurred: the bytes at `url` are, and
    `safety_reason` says why. url, thumbnail_url: signed, good for an hour.
    """

    id: str
    job: str
    place: int
    seed: int
    base: str
    checkpoint: str
    confidence: float | None
    weakest: str
    terms: dict[str, float]
    facets: dict[str, float]
    unsafe: bool
    blurred: bool
    safety: Safety
    safety_reason: str
    favourite: bool
    url: str
    thumbnail_url: str
    created_at: str


def picture_view(studio: Studio, painting: Painting) -> PictureView:
    """What its owner sees of a painting."""
    return PictureView(
        id=painting.id,
        job=painting.request,
        place=painting.place,
        seed=painting.seed,
        base=painting.base,
        checkpoint=painting.checkpoint,
        confidence=painting.confidence,
        weakest=painting.weakest,
        terms=dict(painting.terms),
        facets=dict(painting.facets),
        unsafe=painting.unsafe,
        blurred=painting.blurred,
        safety=painting.safety,
        safety_reason=painting.safety_reason,
        favourite=painting.favourite,
        url=picture_url(studio, painting.id),
        thumbnail_url=picture_url(studio, painting.id, form="webp", width=THUMBNAIL),
        created_at=iso(painting.created_at),
    )


def variant_of(form: str, width: int | None) -> str:
    """What a signature is for: the format, and the width if it is made smaller."""
    return form if width is None else f"{form}-{width}"


def picture_url(
    studio: Studio, id: str, *, form: Format = "png", width: int | None = None, revealed: bool = False
) -> str:
    """A path that opens a picture for whoever has it, for a limited time. revealed: never blurred, for reviewers."""
    expires_at = studio.now() + 60 * studio.settings.retention.picture_url_minutes
    variant = variant_of(form, width)
    query = sign_picture(
        studio.keys, picture=id, variant=f"{REVEALED}{variant}" if revealed else variant, expires_at=expires_at
    )
    size = "" if width is None else f"width={width}&"
    return f"/api/v1/pictures/{id}.{form}?{size}{query}"
