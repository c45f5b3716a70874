"""The first person of a studio: the local one of an open studio, or the administrator who holds the one-time token.

A workspace that was open before keeps its pictures: the first administrator takes over the local person's account.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from redraft.core.errors import UsageError
from redraft.store.people import Account, People
from redraft.store.workspace import Workspace
from redraft.studio.errors import Refused
from redraft.studio.identity.passwords import check_name, check_password, hash_password

if TYPE_CHECKING:
    from redraft.studio.context import Studio

LOCAL = "local"
"""The id of the one person of an open studio."""
_MANY = 10_000


def ensure_local_person(studio: Studio) -> Account:
    """The account of the one person of an open studio, made at the first start."""
    people = studio.workspace.people
    try:
        return people.get(LOCAL)
    except UsageError:
        pass
    try:
        return people.create(LOCAL, name=_free_name(people), at=studio.now(), roles=("admin",))
    except UsageError:
        # Another process made it a moment ago.
        return people.get(LOCAL)


def administrators(workspace: Workspace) -> tuple[Account, ...]:
    """The enabled administrators who can log in; the local person of an open studio is none."""
    people = workspace.people
    found: list[Account] = []
    after = ""
    while page := people.list(after=after, limit=200):
        found += [account for account in page if "admin" in account.roles and not account.disabled]
        after = page[-1].login
    return tuple(account for account in found if account.id != LOCAL or people.password(LOCAL) is not None)


def needs_first_admin(workspace: Workspace) -> bool:
    """Whether nobody could let others in."""
    return not administrators(workspace)


def make_first_admin(studio: Studio, *, token: str, name: str, password: str) -> Account:
    """The first administrator. The token serves once; of several processes of one database, one gets it.

    Raises Refused: 409 when there is an administrator, 403 for a wrong token; UsageError for a bad name or password.
    """
    if studio.setup_token is None or not needs_first_admin(studio.workspace):
        studio.setup_token = None
        raise Refused(409, "conflict", "this studio has an administrator: ask for an invitation")
    if not hmac.compare_digest(studio.setup_token.encode(), token.encode("utf-8", "replace")):
        raise Refused(
            403, "token_forged", "this is not the token that the studio printed when it started", param="token"
        )
    kept = check_name(name)
    check_password(password, name=kept, least=studio.settings.accounts.least_password)
    hashed = hash_password(password)
    if studio.workspace.counters.take("studio", "setup", window="once", most=1, expires_at=float("inf")) is None:
        raise Refused(409, "conflict", "this studio has an administrator: ask for an invitation")
    try:
        account = _enter(studio, name=kept, hashed=hashed, at=studio.now())
    except BaseException:
        studio.workspace.counters.give_back("studio", "setup", window="once")
        raise
    studio.setup_token = None
    studio.audit("setup", actor=account.id, subject=account.id)
    return account


def _enter(studio: Studio, *, name: str, hashed: str, at: float) -> Account:
    people = studio.workspace.people
    try:
        people.get(LOCAL)
    except UsageError:
        return people.create(studio.new_id(), name=name, at=at, roles=("admin",), password=hashed)
    people.rename(LOCAL, name, at=at)
    people.set_roles(LOCAL, ("admin",), at=at)
    people.set_password(LOCAL, hashed, at=at)
    return people.get(LOCAL)


def _free_name(people: People) -> str:
    names = (LOCAL, *(f"{LOCAL} {number}" for number in range(2, _MANY)))
    return next(name for name in names if people.find(name) is None)
