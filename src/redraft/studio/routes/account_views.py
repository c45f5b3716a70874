"""How accounts, keys and sessions look over HTTP. Has no routes; says nothing of secrets."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from redraft.store.logins import ApiKey, Session
from redraft.store.people import Account, Asking, Consent
from redraft.studio.identity.people import Person
from redraft.studio.times import iso, iso_or_none

Minute = Annotated[int, Field(ge=0, lt=1440)]
Text = Annotated[str, Field(max_length=4096)]


class Body(BaseModel):
    """What a client sends: a field that is not known is an error, so that a misspelt one is not lost silently."""

    model_config = ConfigDict(extra="forbid")


class ConsentView(BaseModel):
    """What the person agreed to."""

    improve: bool
    share: bool
    unsafe: bool


class AskingView(BaseModel):
    """How the person wants to be asked; quiet hours are minutes after local midnight."""

    less: bool
    opted_out: bool
    quiet_from: int | None
    quiet_until: int | None
    timezone: str


class Me(BaseModel):
    """A person to themselves."""

    id: str
    name: str
    roles: list[str]
    scopes: list[str]
    adult: bool
    trained_reviewer: bool
    consent: ConsentView
    asking: AskingView
    preferences: dict[str, Any]
    via: str
    created_at: str


class LoggedIn(BaseModel):
    """A new session: its secret is in a cookie, the token for writes here and in another one."""

    person: Me
    csrf_token: str


class SessionView(BaseModel):
    """A session, for the person to know it by."""

    id: str
    label: str
    created_at: str
    seen_at: str
    expires_at: str
    current: bool


class SessionList(BaseModel):
    """A person's sessions, the newest first."""

    data: list[SessionView]


class KeyView(BaseModel):
    """A key without its secret."""

    id: str
    name: str
    prefix: str
    scopes: list[str]
    created_at: str
    used_at: str | None
    expires_at: str | None
    revoked_at: str | None


class NewKeyView(KeyView):
    """A new key; nobody sees its secret again."""

    secret: str


class KeyList(BaseModel):
    """A person's keys, revoked ones too, the oldest first."""

    data: list[KeyView]


class UserView(BaseModel):
    """An account as administrators see it."""

    id: str
    name: str
    roles: list[str]
    disabled: bool
    adult: bool
    trained_reviewer: bool
    created_at: str


class UserList(BaseModel):
    """A page of accounts; `next` goes into `after`."""

    data: list[UserView]
    next: str | None


def me_view(who: Person) -> Me:
    """A person to themselves."""
    account = who.account
    return Me(
        id=who.id,
        name=who.name,
        roles=list(who.roles),
        scopes=sorted(who.scopes),
        adult=account.adult,
        trained_reviewer=account.trained_reviewer,
        consent=consent_view(account.consent),
        asking=asking_view(account.asking),
        preferences=dict(account.preferences),
        via=who.via,
        created_at=iso(account.created_at),
    )


def consent_view(consent: Consent) -> ConsentView:
    """The same in the words of the API."""
    return ConsentView(**vars(consent))


def asking_view(asking: Asking) -> AskingView:
    """The same in the words of the API."""
    return AskingView(**vars(asking))


def session_view(session: Session, *, current: str) -> SessionView:
    """A session; `current` is the id of the one that asks."""
    return SessionView(
        id=session.id,
        label=session.label,
        created_at=iso(session.created_at),
        seen_at=iso(session.seen_at),
        expires_at=iso(session.expires_at),
        current=session.id == current,
    )


def key_view(key: ApiKey) -> KeyView:
    """A key without its secret."""
    return KeyView(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        scopes=list(key.scopes),
        created_at=iso(key.created_at),
        used_at=iso_or_none(key.used_at),
        expires_at=iso_or_none(key.expires_at),
        revoked_at=iso_or_none(key.revoked_at),
    )


def user_view(account: Account) -> UserView:
    """An account as administrators see it."""
    return UserView(
        id=account.id,
        name=account.name,
        roles=list(account.roles),
        disabled=account.disabled,
        adult=account.adult,
        trained_reviewer=account.trained_reviewer,
        created_at=iso(account.created_at),
    )
