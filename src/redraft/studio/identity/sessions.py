"""Sessions of browsers: a secret in a cookie that scripts cannot read, and a second one that writes must repeat.

The database has the hashes of both. The cookies are bound to this host by their names where the studio is reached by
https.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from redraft.store.logins import Session
from redraft.store.people import Account
from redraft.studio.context import Studio
from redraft.studio.settings import StudioSettings

_DAY = 86_400
# A session that is in use is noted at most so often: each note is a write.
_NOTE_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class Opened:
    """The secrets of a new session, which only the browser keeps."""

    secret: str
    csrf: str
    session: Session


def hashed(secret: str) -> str:
    """The hash by which a secret of 256 random bits is known; such a one needs no salt and no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def open_session(studio: Studio, user: str, *, label: str) -> Opened:
    """A new session of a person."""
    now, accounts = studio.now(), studio.settings.accounts
    secret, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    session = Session(
        id=hashed(secret),
        user=user,
        csrf=hashed(csrf),
        label=label,
        created_at=now,
        seen_at=now,
        expires_at=now + min(accounts.idle_days, accounts.session_days) * _DAY,
    )
    studio.workspace.logins.open(session)
    return Opened(secret=secret, csrf=csrf, session=session)


def find_session(studio: Studio, request: Request) -> tuple[Session, Account] | None:
    """The session of a request's cookie and whose it is; notes that it is in use."""
    secret = request.cookies.get(session_cookie(studio.settings))
    if not secret:
        return None
    now = studio.now()
    found = studio.workspace.logins.session(hashed(secret), at=now)
    if found is None:
        return None
    session, accounts = found[0], studio.settings.accounts
    if now - session.seen_at > _NOTE_SECONDS:
        last = session.created_at + accounts.session_days * _DAY
        expires = min(now + accounts.idle_days * _DAY, last)
        studio.workspace.logins.seen(session.id, at=now, expires_at=expires)
    return found


def csrf_is_right(session: Session, given: str | None) -> bool:
    """Whether a request that changes something repeats the session's second secret."""
    return given is not None and hmac.compare_digest(session.csrf, hashed(given))


def set_cookies(response: Response, opened: Opened, settings: StudioSettings) -> None:
    """Hand the secrets of a session to the browser."""
    age = settings.accounts.session_days * _DAY
    secure = settings.secure
    response.set_cookie(
        session_cookie(settings), opened.secret, max_age=age, path="/", secure=secure, httponly=True, samesite="lax"
    )
    response.set_cookie(
        csrf_cookie(settings), opened.csrf, max_age=age, path="/", secure=secure, httponly=False, samesite="strict"
    )


def clear_cookies(response: Response, settings: StudioSettings) -> None:
    """Take the secrets of a session from the browser."""
    response.delete_cookie(session_cookie(settings), path="/", secure=settings.secure, httponly=True, samesite="lax")
    response.delete_cookie(csrf_cookie(settings), path="/", secure=settings.secure, samesite="strict")


def session_cookie(settings: StudioSettings) -> str:
    """The name of the cookie with the session's secret."""
    return "__Host-redraft_session" if settings.secure else "redraft_session"


def csrf_cookie(settings: StudioSettings) -> str:
    """The name of the cookie whose value writes repeat in X-CSRF-Token."""
    return "__Host-redraft_csrf" if settings.secure else "redraft_csrf"
