"""The error for a name that the workspace does not have. Plug-ins have their own in `core.errors`."""

from __future__ import annotations

from collections.abc import Iterable

from redraft.core.errors import UnknownNameError, unknown_name


def not_here(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Build the error for a `kind` called `name`, of which the workspace has only `known`."""
    names = list(known)
    if not names:
        return UnknownNameError(
            f"{kind} {name!r} is unknown: this workspace has no {kind} yet; is it the right one (--workspace)?"
        )
    return unknown_name(kind, name, names)
