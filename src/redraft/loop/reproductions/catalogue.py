"""The reproductions by name. Not their contents: one file each."""

from __future__ import annotations

from importlib import import_module

from redraft.core.errors import unknown_name
from redraft.loop.reproductions.plan import Reproduction
from redraft.loop.reproductions.study import Study

NAMES = (
    "methods",
    "draft", "rsidiff", "agsm", "grpo", "dpo", "safety", "toys",
)  # fmt: skip


STUDIES = ("hpsv2", "facets")
"""Those that compare no runs of training: stages instead of arms."""


def study(name: str) -> Study:
    """The study called `name`, one of STUDIES."""
    found: Study = import_module(f"redraft.loop.reproductions.{name}").REPRODUCTION
    return found


def reproduction(name: str) -> Reproduction:
    """The reproduction called `name`. Raises UsageError, with the nearest names, for an unknown one."""
    if name not in NAMES:
        raise unknown_name("reproduction", name, {*NAMES, *STUDIES})
    found: Reproduction = import_module(f"redraft.loop.reproductions.{name}").REPRODUCTION
    return found
