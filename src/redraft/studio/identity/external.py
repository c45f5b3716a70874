"""Accounts of people whom a trusted proxy or an identity provider has identified. Checks no signature."""

from __future__ import annotations

import secrets

from redraft.core.errors import UsageError
from redraft.store.people import Account
from redraft.studio.context import Studio
from redraft.studio.errors import Refused
from redraft.studio.identity.passwords import check_name


def external_account(studio: Studio, external: str, *, name: str, create: bool) -> Account:
    """The account of whom another service calls `external`, made under about this name if it is new and `create`.

    Raises Refused (403) when it is new and may not be made, or is disabled; UsageError for an unusable name.
    """
    people = studio.workspace.people
    account = people.find_external(external)
    if account is None:
        if not create:
            raise Refused(403, "no_account", "you have no account here: ask the administrator for one")
        account = _make(studio, external, check_name(name))
    if account.disabled:
        raise Refused(403, "no_account", "your account here is disabled: ask the administrator")
    return account


def _make(studio: Studio, external: str, name: str) -> Account:
    people = studio.workspace.people
    # Somebody else may have the name: an account is never taken over because names are alike.
    chosen = name if people.find(name) is None else f"{name[:57]} {secrets.token_hex(3)}"
    try:
        account = people.create(studio.new_id(), name=chosen, at=studio.now(), external=external)
    except UsageError:
        found = people.find_external(external)
        if found is None:
            raise
        return found
    studio.audit("account made", actor=account.id, subject=account.id)
    return account
