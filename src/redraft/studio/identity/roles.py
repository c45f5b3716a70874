"""Which scopes a role gives. A scope is what a route asks for; a key of a program has some of its owner's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from redraft.core.errors import UsageError, unknown_name

SCOPES: Mapping[str, str] = {
    "generate": "paint pictures and see one's own jobs",
    "read": "see one's own pictures and points",
    "rate": "answer asks, rate, compare, report",
    "account": "change one's profile, consent and keys; export and erase",
    "study": "take part in studies",
    "run": "start runs, promote, roll back, make studies",
    "moderate": "see reports and change how pictures may be shown",
    "metrics": "read the server's metrics",
    "admin": "see and change people, read the audit log",
}
"""Every scope, and what it allows."""

_MEMBER = frozenset({"generate", "read", "rate", "account", "study"})
ROLES: Mapping[str, frozenset[str]] = {
    "operator": _MEMBER | {"run", "metrics"},
    "moderator": _MEMBER | {"moderate"},
    "admin": frozenset(SCOPES),
}
"""What each role gives. An account without a role is a member's."""


def scopes_of(roles: Iterable[str]) -> frozenset[str]:
    """The scopes of a person with these roles; a role that is no longer known gives nothing."""
    return _MEMBER.union(*(ROLES.get(role, frozenset()) for role in roles))


def check_roles(roles: Iterable[str]) -> tuple[str, ...]:
    """The roles without repeats, sorted. Raises UnknownNameError."""
    chosen = tuple(sorted(set(roles)))
    for role in chosen:
        if role not in ROLES:
            raise UsageError(str(unknown_name("role", role, ROLES)))
    return chosen


def check_scopes(scopes: Iterable[str], *, within: frozenset[str]) -> tuple[str, ...]:
    """The scopes without repeats, sorted. Raises UsageError for an unknown one, or one that is not `within`."""
    chosen = tuple(sorted(set(scopes)))
    if not chosen:
        raise UsageError(f"a key needs at least one scope: choose from {', '.join(sorted(within))}")
    for scope in chosen:
        if scope not in SCOPES:
            raise UsageError(str(unknown_name("scope", scope, SCOPES)))
        if scope not in within:
            raise UsageError(f"scope {scope!r} is not yours to give: you have {', '.join(sorted(within))}")
    return chosen
