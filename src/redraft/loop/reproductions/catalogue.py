"""The reproductions by name. Not their contents: one file each."""

from __future__ import annotations

from importlib import import_module

from redraft.core.errors import unknown_name
from redraft.loop.reproductions.plan import Reproduction

NAMES = ("methods",)


def reproduction(name: str) -> Reproduction:
    """The reproduction called `name`. Raises UsageError, with the nearest names, for an unknown one."""
    if name not in NAMES:
        raise unknown_name("reproduction", name, set(NAMES))
    found: Reproduction = import_module(f"redraft.loop.reproductions.{name}").REPRODUCTION
    return found
