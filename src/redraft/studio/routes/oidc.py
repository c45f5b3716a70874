"""Single sign-on: to the identity provider and back, with a signed ticket in a cookie meanwhile."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse

from redraft.studio.context import Studio, StudioDep
from redraft.studio.errors import Refused
from redraft.studio.identity.external import external_account
from redraft.studio.identity.oidc import TICKET_SECONDS, Ticket, identify, login_url, new_ticket
from redraft.studio.identity.tokens import pack, unpack
from redraft.studio.routes.accounts import enter

router = APIRouter(tags=["accounts"])
_COOKIE = "redraft_sign_on"
_PATH = "/api/v1/oidc"
_RESPONSES = {302: {"description": "On to the identity provider."}, 303: {"description": "Back to the page."}}


@router.get(f"{_PATH}/login", status_code=302, response_class=RedirectResponse, responses={302: _RESPONSES[302]})
def begin(studio: StudioDep) -> RedirectResponse:
    """Send the browser to the identity provider."""
    _need_sign_on(studio)
    ticket = new_ticket(at=studio.now())
    response = RedirectResponse(login_url(studio.settings.oidc, ticket, back=_back(studio)), 302)
    response.set_cookie(
        _COOKIE,
        pack(studio.keys, "sign-on", asdict(ticket)),
        max_age=TICKET_SECONDS,
        path=_PATH,
        secure=studio.settings.secure,
        httponly=True,
        samesite="lax",
    )
    return response


@router.get(f"{_PATH}/callback", status_code=303, response_class=RedirectResponse, responses={303: _RESPONSES[303]})
def finish(
    studio: StudioDep,
    request: Request,
    code: Annotated[str, Query(max_length=4096)] = "",
    state: Annotated[str, Query(max_length=256)] = "",
) -> RedirectResponse:
    """Take the browser back from the identity provider and open a session."""
    _need_sign_on(studio)
    kept = request.cookies.get(_COOKIE, "")
    if not code or not kept:
        raise Refused(403, "sign_on_failed", "the sign-on was given up, or not begun in this browser: begin again")
    ticket = Ticket(**unpack(studio.keys, "sign-on", kept))
    settings = studio.settings.oidc
    identity = identify(settings, ticket, code=code, state=state, back=_back(studio), at=studio.now())
    external = f"oidc:{settings.issuer}#{identity.subject}"
    account = external_account(studio, external, name=identity.name, create=settings.create_accounts)
    studio.audit("login", actor=account.id, subject=account.id)
    response = RedirectResponse("/", 303)
    enter(studio, account, request, response)
    response.delete_cookie(_COOKIE, path=_PATH)
    return response


def _back(studio: Studio) -> str:
    return f"{studio.settings.url}{_PATH}/callback"


def _need_sign_on(studio: Studio) -> None:
    if not studio.settings.oidc.issuer:
        raise Refused(404, "not_found", "single sign-on is not set up here: configure oidc.issuer")
