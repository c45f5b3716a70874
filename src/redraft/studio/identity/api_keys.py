"""Keys of programs: a secret that is shown once and kept as its hash, with scopes. Answers no request."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from redraft.store.logins import ApiKey
from redraft.store.people import Account
from redraft.store.workspace import Workspace
from redraft.studio.context import Studio
from redraft.studio.errors import Refused
from redraft.studio.identity.passwords import check_name
from redraft.studio.identity.roles import check_scopes, scopes_of
from redraft.studio.identity.sessions import hashed

_MARK = "rd_"
_SHOWN = 9
_MOST_KEYS = 100
_NOTE_SECONDS = 300


def add_key(
    workspace: Workspace,
    account: Account,
    *,
    id: str,
    name: str,
    scopes: Sequence[str],
    within: frozenset[str] | None,
    expires_at: float | None,
    at: float,
    actor: str,
) -> tuple[ApiKey, str]:
    """Make a key and its secret, which nobody sees again. `within`: the scopes of who makes it, None: the account's.

    Raises UsageError for a bad name or a scope that is not theirs to give, Refused (409) when there are too many keys.
    """
    own = scopes_of(account.roles)
    chosen = check_scopes(scopes, within=own if within is None else within)
    if sum(key.revoked_at is None for key in workspace.logins.keys(account.id)) >= _MOST_KEYS:
        raise Refused(409, "conflict", f"there are {_MOST_KEYS} keys: revoke one that is no longer used")
    secret = _MARK + secrets.token_urlsafe(32)
    key = ApiKey(
        id=id,
        user=account.id,
        name=check_name(name),
        prefix=secret[:_SHOWN],
        scopes=chosen,
        created_at=at,
        expires_at=expires_at,
    )
    workspace.logins.add_key(key, hash=hashed(secret))
    workspace.audit.append("key made", actor=actor, subject=id, detail={"scopes": list(chosen)}, at=at)
    return key, secret


def find_key(studio: Studio, secret: str) -> tuple[ApiKey, Account] | None:
    """The key with this secret and whose it is; notes that it is in use."""
    now = studio.now()
    found = studio.workspace.logins.key(hashed(secret), at=now)
    if found is not None and now - (found[0].used_at or 0.0) > _NOTE_SECONDS:
        studio.workspace.logins.used(found[0].id, at=now)
    return found
