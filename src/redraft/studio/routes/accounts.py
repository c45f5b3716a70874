"""Coming in and going out: first administrator, log in, sign up, log out. The account itself is in me.py."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from redraft import __version__
from redraft.store.people import Account
from redraft.studio.context import Studio, StudioDep
from redraft.studio.errors import Refused
from redraft.studio.identity.addresses import client_address
from redraft.studio.identity.first_admin import make_first_admin
from redraft.studio.identity.logging_in import log_in
from redraft.studio.identity.passwords import check_name, check_password, hash_password
from redraft.studio.identity.people import OptionalPersonDep, Person, person, person_of
from redraft.studio.identity.sessions import clear_cookies, csrf_cookie, open_session, set_cookies
from redraft.studio.identity.tokens import read_invitation
from redraft.studio.routes.account_views import Body, LoggedIn, Me, me_view

router = APIRouter(tags=["accounts"])
Name = Annotated[str, Field(min_length=1, max_length=128)]
Password = Annotated[str, Field(min_length=1, max_length=512)]
Token = Annotated[str, Field(min_length=1, max_length=4096)]


class SessionState(BaseModel):
    """Who is asking, and how one gets in."""

    person: Me | None
    authentication: str
    setup_needed: bool
    oidc: bool
    invitations: bool
    csrf_cookie: str
    version: str


class Setup(Body):
    """The first administrator; `token` is what the studio printed at its start."""

    token: Token
    name: Name
    password: Password


class Login(Body):
    """A name and its password."""

    name: Name
    password: Password


class SignUp(Body):
    """An account by invitation."""

    invitation: Token
    name: Name
    password: Password


@router.get("/api/v1/session")
def session(studio: StudioDep, who: OptionalPersonDep) -> SessionState:
    """Who is asking, and how one gets in. For everybody."""
    return SessionState(
        person=None if who is None else me_view(who),
        authentication="open" if studio.settings.open else "accounts",
        setup_needed=studio.setup_token is not None,
        oidc=bool(studio.settings.oidc.issuer),
        invitations=not studio.settings.open,
        csrf_cookie=csrf_cookie(studio.settings),
        version=__version__,
    )


@router.post("/api/v1/setup", status_code=201)
def setup(studio: StudioDep, body: Setup, request: Request, response: Response) -> LoggedIn:
    """Make the first administrator, once."""
    try:
        account = make_first_admin(studio, token=body.token, name=body.name, password=body.password)
    except Refused as error:
        if error.status == 403:
            studio.throttle.wrong_credential(client_address(request.scope, studio.settings))
        raise
    return enter(studio, account, request, response)


@router.post("/api/v1/login")
def login(studio: StudioDep, body: Login, request: Request, response: Response) -> LoggedIn:
    """Open a session."""
    _need_accounts(studio)
    address = client_address(request.scope, studio.settings)
    account = log_in(studio, name=body.name, password=body.password, address=address)
    studio.audit("login", actor=account.id, subject=account.id)
    return enter(studio, account, request, response)


@router.post("/api/v1/sign-up", status_code=201)
def sign_up(studio: StudioDep, body: SignUp, request: Request, response: Response) -> LoggedIn:
    """Make an account by invitation, which serves once, and open a session."""
    _need_accounts(studio)
    now = studio.now()
    invitation = read_invitation(studio.keys, body.invitation, at=now)
    name = check_name(body.name)
    check_password(body.password, name=name, least=studio.settings.accounts.least_password)
    owner, counters = f"invitation {invitation.id}", studio.workspace.counters
    expires = invitation.expires_at + 86_400
    if counters.take(owner, "sign-up", window="once", most=1, expires_at=expires) is None:
        raise Refused(409, "token_used", "this invitation was used already: ask for another one", param="invitation")
    try:
        hashed = hash_password(body.password)
        account = studio.workspace.people.create(
            studio.new_id(), name=name, at=now, roles=invitation.roles, password=hashed
        )
    except BaseException:
        # A name that is taken does not use the invitation up.
        counters.give_back(owner, "sign-up", window="once")
        raise
    studio.audit("account made", actor=account.id, subject=account.id, invitation=invitation.id)
    return enter(studio, account, request, response)


@router.post("/api/v1/logout", status_code=204)
def logout(studio: StudioDep, who: Annotated[Person, Depends(person)], response: Response) -> None:
    """End the session that asks; other ways of being known end elsewhere."""
    if who.via == "session":
        studio.workspace.logins.close(who.id, id=who.credential)
    clear_cookies(response, studio.settings)


def enter(studio: Studio, account: Account, request: Request, response: Response) -> LoggedIn:
    """Open a session for this account and hand it to the browser; nothing of an earlier session is kept."""
    opened = open_session(studio, account.id, label=browser_of(request))
    set_cookies(response, opened, studio.settings)
    who = person_of(account, via="session", credential=opened.session.id)
    return LoggedIn(person=me_view(who), csrf_token=opened.csrf)


def browser_of(request: Request) -> str:
    """A few words for a person to know a session by, such as "Firefox, Linux"; made of known words only."""
    agent = request.headers.get("user-agent", "")
    browsers = ("Edg", "Firefox", "Chrome", "Safari", "curl", "python")
    systems = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
    browser = next((name for name in browsers if name in agent), "a program")
    system = next((name for name in systems if name in agent), "")
    return ", ".join(word for word in (browser.replace("Edg", "Edge"), system) if word)


def _need_accounts(studio: Studio) -> None:
    if studio.settings.open:
        raise Refused(409, "conflict", "this studio is open: nobody needs to log in")
