"""Who is asking: FastAPI dependencies that give the person of a request, or refuse. The only door to an identity.

In this order: a key in `Authorization: Bearer`, the cookie of a session, the header of a trusted proxy; in an open
studio everybody is its one person. What a client says about itself elsewhere is never believed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Request

from redraft.store.people import Account
from redraft.studio.context import Studio, StudioDep
from redraft.studio.errors import Refused
from redraft.studio.identity.addresses import client_address, peer_is_trusted
from redraft.studio.identity.api_keys import find_key
from redraft.studio.identity.external import external_account
from redraft.studio.identity.first_admin import ensure_local_person
from redraft.studio.identity.roles import SCOPES, scopes_of
from redraft.studio.identity.sessions import csrf_is_right, find_session, session_cookie

Via = Literal["open", "session", "key", "proxy"]
_SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, kw_only=True)
class Person:
    """A person as this request may act for them. credential: the id of the session or key, "" for other ways."""

    id: str
    name: str
    roles: tuple[str, ...]
    scopes: frozenset[str]
    via: Via
    credential: str
    account: Account


def optional_person(request: Request, studio: StudioDep) -> Person | None:
    """The person of a request, None when it carries no credential.

    Raises Refused: 401 for a credential that is unknown, expired or revoked, 403 for a write without the CSRF token,
    429.
    """
    who = _identify(request, studio)
    if who is not None:
        request.state.person = who.id
        if who.via != "open":
            studio.throttle.person(who.id)
    return who


async def person(who: Annotated[Person | None, Depends(optional_person)]) -> Person:
    """The person of a request. Raises Refused (401) when it has no credential, and what `optional_person` raises."""
    if who is None:
        raise Refused(401, "login_required", "log in, or send a key as `Authorization: Bearer rd_...`")
    return who


def require(scope: str) -> Callable[[Person], Awaitable[Person]]:
    """A dependency: the person of a request, who must have this scope. Refuses with 401, or 403 `missing_scope`."""
    if scope not in SCOPES:
        raise ValueError(f"{scope!r} is no scope: a route asks for one of {', '.join(SCOPES)}")

    async def allowed(who: Annotated[Person, Depends(person)]) -> Person:
        if scope not in who.scopes:
            kind = "this key" if who.via == "key" else "your account"
            raise Refused(403, "missing_scope", f"{kind} may not do this: it needs the scope {scope!r}", param=scope)
        return who

    return allowed


PersonDep = Annotated[Person, Depends(person)]
OptionalPersonDep = Annotated[Person | None, Depends(optional_person)]


def person_of(account: Account, *, via: Via, credential: str = "", scopes: frozenset[str] | None = None) -> Person:
    """The person of an account. `scopes`: those of a key, of which only the account's own remain."""
    own = frozenset(SCOPES) if via == "open" else scopes_of(account.roles)
    return Person(
        id=account.id,
        name=account.name,
        roles=account.roles,
        scopes=own if scopes is None else own & scopes,
        via=via,
        credential=credential,
        account=account,
    )


def _identify(request: Request, studio: Studio) -> Person | None:
    if studio.settings.open:
        return person_of(ensure_local_person(studio), via="open")
    address = client_address(request.scope, studio.settings)
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return _by_key(studio, secret.strip(), address)
    if request.cookies.get(session_cookie(studio.settings)):
        return _by_session(studio, request)
    header = studio.settings.proxy.user_header
    if header and peer_is_trusted(request.scope, studio.settings):
        name = request.headers.get(header, "").strip()
        return _by_proxy(studio, name) if name else None
    return None


def _by_key(studio: Studio, secret: str, address: str) -> Person:
    found = find_key(studio, secret)
    if found is None:
        studio.throttle.wrong_credential(address)
        raise Refused(401, "invalid_api_key", "this key is unknown, expired or revoked: make another one")
    key, account = found
    return person_of(account, via="key", credential=key.id, scopes=frozenset(key.scopes))


def _by_session(studio: Studio, request: Request) -> Person | None:
    found = find_session(studio, request)
    if found is None:
        return None
    session, account = found
    if request.method not in _SAFE and not csrf_is_right(session, request.headers.get("x-csrf-token")):
        raise Refused(403, "csrf", "this write lacks the page's token in X-CSRF-Token: load the page again")
    return person_of(account, via="session", credential=session.id)


def _by_proxy(studio: Studio, name: str) -> Person:
    account = external_account(studio, f"proxy:{name}", name=name, create=studio.settings.proxy.create_accounts)
    return person_of(account, via="proxy")
