"""A person's own account: name, consent, how to be asked, preferences, password, sessions."""

from __future__ import annotations

import json
import zoneinfo
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from redraft.core.errors import UsageError
from redraft.store.people import Asking, Consent
from redraft.studio.context import StudioDep
from redraft.studio.errors import Refused
from redraft.studio.identity.addresses import client_address
from redraft.studio.identity.logging_in import log_in
from redraft.studio.identity.passwords import check_name, check_password, hash_password
from redraft.studio.identity.people import Person, PersonDep, person_of, require
from redraft.studio.routes.account_views import (
    Body,
    LoggedIn,
    Me,
    Minute,
    SessionList,
    me_view,
    session_view,
)
from redraft.studio.routes.accounts import Name, Password, enter

router = APIRouter(tags=["accounts"])
Owner = Annotated[Person, Depends(require("account"))]
_MOST_PREFERENCES = 16_384
_MOST_LEVELS = 16


class ConsentChange(Body):
    """What the person agrees to; what is left out stays."""

    improve: bool | None = None
    share: bool | None = None
    unsafe: bool | None = None


class AskingChange(Body):
    """How the person wants to be asked; what is left out stays. Quiet hours are minutes after local midnight."""

    less: bool = False
    opted_out: bool = False
    quiet_from: Minute | None = None
    quiet_until: Minute | None = None
    timezone: Annotated[str, Field(max_length=64)] = "UTC"


class Change(Body):
    """What of the account is to change; what is left out stays."""

    name: Name | None = None
    consent: ConsentChange | None = None
    asking: AskingChange | None = None
    preferences: dict[str, Any] | None = None


class NewPassword(Body):
    """The password of now, and the one to come."""

    old: Password
    new: Password


class Ended(BaseModel):
    """How many sessions ended."""

    ended: int


@router.get("/api/v1/me")
def me(who: PersonDep) -> Me:
    """The person who asks."""
    return me_view(who)


@router.patch("/api/v1/me")
def change_me(studio: StudioDep, who: Owner, body: Change) -> Me:
    """Change the person's own account."""
    # All is looked at before the first of it is written.
    name = None if body.name is None else check_name(body.name)
    asking = None if body.asking is None else _asking(who.account.asking, body.asking)
    preferences = None if body.preferences is None else _preferences(who.account.preferences, body.preferences)
    people, now = studio.workspace.people, studio.now()
    if name is not None and name != who.name:
        people.rename(who.id, name, at=now)
    if body.consent is not None:
        given = {key: value for key, value in body.consent.model_dump().items() if value is not None}
        consent: Consent = replace(who.account.consent, **given)
        people.set_consent(who.id, consent, at=now)
        studio.audit("consent", actor=who.id, subject=who.id, **vars(consent))
    if asking is not None:
        people.set_asking(who.id, asking, at=now)
    if preferences is not None:
        people.set_preferences(who.id, preferences, at=now)
    account = people.get(who.id)
    return me_view(replace(person_of(account, via=who.via, credential=who.credential), scopes=who.scopes))


@router.post("/api/v1/me/password")
def change_password(studio: StudioDep, who: Owner, body: NewPassword, request: Request, response: Response) -> LoggedIn:
    """Change the password. Every session ends, and this browser gets a new one."""
    if who.via != "session":
        raise Refused(403, "missing_scope", "only who has logged in with the password may change it: log in first")
    check_password(body.new, name=who.name, least=studio.settings.accounts.least_password)
    account = log_in(studio, name=who.name, password=body.old, address=client_address(request.scope, studio.settings))
    studio.workspace.people.set_password(account.id, hash_password(body.new), at=studio.now())
    studio.audit("password", actor=account.id, subject=account.id)
    return enter(studio, account, request, response)


@router.get("/api/v1/me/sessions")
def sessions(studio: StudioDep, who: Owner) -> SessionList:
    """The person's sessions."""
    found = studio.workspace.logins.sessions(who.id, at=studio.now())
    return SessionList(data=[session_view(session, current=who.credential) for session in found])


@router.delete("/api/v1/me/sessions")
def end_sessions(studio: StudioDep, who: Owner) -> Ended:
    """End all of the person's sessions but the one that asks."""
    return Ended(ended=studio.workspace.logins.close(who.id, but=who.credential))


@router.delete("/api/v1/me/sessions/{id}", status_code=204)
def end_session(studio: StudioDep, who: Owner, id: str) -> None:
    """End one of the person's sessions."""
    if studio.workspace.logins.close(who.id, id=id) == 0:
        raise Refused(404, "not_found", "this is not one of your sessions, or it has ended")


def _asking(now: Asking, change: AskingChange) -> Asking:
    asking = replace(now, **change.model_dump(exclude_unset=True))
    if (asking.quiet_from is None) != (asking.quiet_until is None):
        raise UsageError("quiet_from and quiet_until go together: send both, or null for both")
    if asking.timezone not in zoneinfo.available_timezones():
        raise UsageError(f"timezone {asking.timezone!r} is unknown: it must be one such as Europe/Berlin")
    return asking


def _preferences(now: Mapping[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    merged = {name: value for name, value in {**now, **change}.items() if value is not None}
    if _deeper(merged, _MOST_LEVELS):
        raise UsageError(f"preferences hold more than {_MOST_LEVELS} lists and objects within each other: flatten them")
    try:
        text = json.dumps(merged, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        # JSON can spell it, and no answer could: the person would never see their own account again.
        raise UsageError("preferences hold half a surrogate pair, which is no text: leave it out") from error
    except ValueError as error:
        raise UsageError("preferences hold a number that is not finite: leave it out") from error
    if len(text) > _MOST_PREFERENCES:
        raise UsageError(f"preferences take {len(text):,} bytes, at most {_MOST_PREFERENCES:,} are kept: store less")
    return merged


def _deeper(value: Any, most: int) -> bool:
    """Whether more than `most` lists and objects stand within each other."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return parts is not None and (most == 0 or any(_deeper(part, most - 1) for part in parts))
