"""A person's keys for programs. A secret is shown once."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from redraft.studio.context import StudioDep
from redraft.studio.identity.api_keys import add_key
from redraft.studio.identity.people import Person, require
from redraft.studio.routes.account_views import Body, KeyList, NewKeyView, key_view

router = APIRouter(tags=["accounts"])
Owner = Annotated[Person, Depends(require("account"))]


class NewKey(Body):
    """A key to be made; it can do no more than its owner, and no more than who makes it."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    scopes: Annotated[list[str], Field(min_length=1, max_length=32)]
    expires_in_days: Annotated[int, Field(ge=1, le=3650)] | None = None


@router.get("/api/v1/keys")
def keys(studio: StudioDep, who: Owner) -> KeyList:
    """The person's keys."""
    return KeyList(data=[key_view(key) for key in studio.workspace.logins.keys(who.id)])


@router.post("/api/v1/keys", status_code=201)
def create_key(studio: StudioDep, who: Owner, body: NewKey) -> NewKeyView:
    """Make a key."""
    now, days = studio.now(), body.expires_in_days
    key, secret = add_key(
        studio.workspace,
        who.account,
        id=studio.new_id(),
        name=body.name,
        scopes=body.scopes,
        within=who.scopes,
        expires_at=None if days is None else now + days * 86_400,
        at=now,
        actor=who.id,
    )
    return NewKeyView(**key_view(key).model_dump(), secret=secret)


@router.delete("/api/v1/keys/{id}", status_code=204)
def revoke_key(studio: StudioDep, who: Owner, id: str) -> None:
    """Revoke one of the person's keys; at once and for good."""
    studio.workspace.logins.revoke(who.id, id=id, at=studio.now())
    studio.audit("key revoked", actor=who.id, subject=id)
