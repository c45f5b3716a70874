"""Making accounts, giving roles, shutting out: the same for the page and the command line. Asks nobody who they are.

The last enabled administrator stays one, so that a studio is never left without.
"""

from __future__ import annotations

from collections.abc import Sequence

from redraft.store.people import Account
from redraft.store.workspace import Workspace
from redraft.studio.errors import Refused
from redraft.studio.identity.first_admin import administrators
from redraft.studio.identity.passwords import check_name, check_password, hash_password
from redraft.studio.identity.roles import check_roles


def add_person(
    workspace: Workspace,
    *,
    id: str,
    name: str,
    password: str | None,
    roles: Sequence[str],
    least_password: int,
    at: float,
    actor: str,
) -> Account:
    """A new account. Raises UsageError for a bad or taken name, a short password, an unknown role."""
    kept, chosen = check_name(name), check_roles(roles)
    hashed = None
    if password is not None:
        check_password(password, name=kept, least=least_password)
        hashed = hash_password(password)
    account = workspace.people.create(id, name=kept, at=at, roles=chosen, password=hashed)
    workspace.audit.append("account made", actor=actor, subject=id, detail={"roles": list(chosen)}, at=at)
    return account


def set_roles(workspace: Workspace, account: Account, roles: Sequence[str], *, at: float, actor: str) -> None:
    """Replace a person's roles. Raises UsageError for an unknown one, Refused (409) for the last administrator."""
    chosen = check_roles(roles)
    if "admin" not in chosen:
        _keep_one_admin(workspace, account)
    workspace.people.set_roles(account.id, chosen, at=at)
    workspace.audit.append("roles", actor=actor, subject=account.id, detail={"roles": list(chosen)}, at=at)


def set_disabled(workspace: Workspace, account: Account, disabled: bool, *, at: float, actor: str) -> None:
    """Shut a person out with sessions and keys, or let them in. Raises Refused (409) for the last administrator."""
    if disabled:
        _keep_one_admin(workspace, account)
    workspace.people.set_disabled(account.id, disabled, at=at)
    action = "account disabled" if disabled else "account enabled"
    workspace.audit.append(action, actor=actor, subject=account.id, detail={}, at=at)


def set_password(
    workspace: Workspace, account: Account, password: str, *, least_password: int, at: float, actor: str
) -> None:
    """Replace a person's password; their sessions end. Raises UsageError for one that is too short."""
    check_password(password, name=account.name, least=least_password)
    workspace.people.set_password(account.id, hash_password(password), at=at)
    workspace.audit.append("password", actor=actor, subject=account.id, detail={}, at=at)


def _keep_one_admin(workspace: Workspace, account: Account) -> None:
    if [other.id for other in administrators(workspace)] == [account.id]:
        raise Refused(
            409, "conflict", f"{account.name!r} is the only administrator: make somebody else one first", param="roles"
        )
