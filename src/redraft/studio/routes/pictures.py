"""The bytes of pictures, in any format and smaller sizes: for their owner, or by a signed link. Nothing else of them.

A picture that leans unsafe is served blurred. Its owner may look at it as it is, when logged in and marked adult.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from redraft.core.errors import UnknownNameError
from redraft.store.gallery import Painting
from redraft.studio.context import Studio, StudioDep
from redraft.studio.errors import Refused
from redraft.studio.identity.people import OptionalPersonDep, Person
from redraft.studio.identity.tokens import check_picture
from redraft.studio.picture_bytes import MEDIA_TYPES, USUAL_QUALITY, Format, rendered
from redraft.studio.picture_view import REVEALED, variant_of

router = APIRouter(tags=["pictures"])
CACHED_SECONDS = 3600
_HIDDEN = ("withheld", "quarantined")
_CONTENT = {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in MEDIA_TYPES.values()}


@router.get(
    "/api/v1/pictures/{id}.{form}",
    response_class=Response,
    responses={200: {"content": _CONTENT}, 304: {"description": "Not changed."}},
)
def get_picture(
    studio: StudioDep,
    who: OptionalPersonDep,
    request: Request,
    id: str,
    form: Format,
    width: Annotated[int | None, Query(ge=16, le=4096, description="at most so wide; never made larger")] = None,
    quality: Annotated[int, Query(ge=0, le=100, description="of JPEG and WebP")] = USUAL_QUALITY,
    reveal: Annotated[bool, Query(description="not blurred; for its adult owner only")] = False,
    download: Annotated[
        bool, Query(description="as a file, with prompt and seed in a PNG; for its owner only")
    ] = False,
    variant: str = "",
    expires: str = "",
    viewer: str = "",
    signature: str = "",
) -> Response:
    """The bytes of a picture of one's own, or of one that a signed link opens."""
    painting, owner = _painting(studio, id, who), True
    if painting is None:
        link = _Link(variant=variant, expires=expires, viewer=viewer, signature=signature)
        painting, owner = _by_link(studio, id, link, who, variant=variant_of(form, width)), False
    if painting.safety in _HIDDEN:
        raise _unknown(id)
    if reveal or download:
        _require_owner(painting, who if owner else None, reveal=reveal)
    # A link that reveals was signed so; the signature covers it.
    blurred = painting.blurred and not reveal and (owner or not variant.startswith(REVEALED))
    tag = f'"{painting.picture[:32]}-{variant_of(form, width)}-{quality}-{int(blurred)}{int(download)}"'
    headers = {
        "ETag": tag,
        # A blurred picture may be cleared, an open one withheld: caches ask again after a while.
        "Cache-Control": f"private, max-age={CACHED_SECONDS}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        # Whoever was given a link may show the picture in a page of their own.
        "Cross-Origin-Resource-Policy": "same-origin" if owner else "cross-origin",
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if download:
        headers["Content-Disposition"] = f'attachment; filename="{_file_name(painting)}.{form}"'
    data = studio.workspace.pictures.read(painting.picture)
    text = _facts(studio, painting) if download else None
    if form != "png" or width is not None or blurred or text:
        data = rendered(data, form=form, width=width, quality=quality, blurred=blurred, text=text)
    return Response(data, media_type=MEDIA_TYPES[form], headers=headers)


def _painting(studio: Studio, id: str, who: Person | None) -> Painting | None:
    """The painting, if it is this person's own and they may read."""
    if who is None or "read" not in who.scopes:
        return None
    try:
        return studio.workspace.gallery.get(id, owner=who.id).painting
    except UnknownNameError:
        return None


@dataclass(frozen=True, kw_only=True)
class _Link:
    """What a signed link carries; see `identity.tokens.sign_picture`."""

    variant: str
    expires: str
    viewer: str
    signature: str


def _by_link(studio: Studio, id: str, link: _Link, who: Person | None, *, variant: str) -> Painting:
    """The painting of a signed link. Raises Refused: 404 without a link, as for absent ones, 403 for a wrong one."""
    if not link.signature:
        raise _unknown(id)
    if link.variant.removeprefix(REVEALED) != variant or not re.fullmatch(r"[0-9]{1,12}", link.expires):
        raise Refused(403, "token_forged", "this link was changed: take it from the gallery again")
    check_picture(
        studio.keys,
        picture=id,
        variant=link.variant,
        expires=link.expires,
        viewer=link.viewer,
        signature=link.signature,
        at=studio.now(),
    )
    if link.viewer and (who is None or who.id != link.viewer):
        raise Refused(403, "token_foreign", "this link was given to another person: take it from your own gallery")
    found = studio.workspace.gallery.find([id])
    if not found:
        raise _unknown(id)
    return found[0]


def _require_owner(painting: Painting, owner: Person | None, *, reveal: bool) -> None:
    """Raise Refused (403) unless its owner asks, and for an unsafe picture as it is, an adult one."""
    if owner is None:
        raise Refused(403, "owner_only", "only its owner, logged in, may do this with a picture: log in first")
    if reveal and painting.blurred and not owner.account.adult and owner.via != "open":
        message = "only accounts that are marked adult may see this picture as it is: ask an administrator"
        raise Refused(403, "adults_only", message, param="reveal")


def _unknown(id: str) -> Refused:
    return Refused(404, "not_found", f"picture {id[:40]!r} is not in your gallery: it was erased, or is not yours")


def _file_name(painting: Painting) -> str:
    return f"redraft-{painting.seed}-{painting.id[:8]}"


def _facts(studio: Studio, painting: Painting) -> dict[str, str]:
    request = studio.workspace.requests.get(painting.request, owner=painting.owner)
    return {
        "prompt": request.prompt or "",
        "negative_prompt": request.negative_prompt or "",
        "seed": str(painting.seed),
        "steps": str(request.steps),
        "guidance": f"{request.guidance:g}",
        "model": f"{painting.base} {painting.checkpoint[:12]}".strip(),
    }
