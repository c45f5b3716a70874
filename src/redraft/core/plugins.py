"""The one door for plug-ins: entry points. The built-in methods, scorers, backbones and suites come through it too.

Not a registry: nothing is filled by importing a file.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any, Literal

from redraft.core.errors import EnvironmentFaultError, unknown_name

Kind = Literal["method", "scorer", "backbone", "suite"]


def names(kind: Kind) -> tuple[str, ...]:
    """The sorted names of all installed plug-ins of a kind."""
    return tuple(sorted({point.name for point in entry_points(group=f"redraft.{kind}s")}))


def load(kind: Kind, name: str) -> Any:
    """The plug-in class called `name`.

    Raises UnknownNameError listing nearest and known names, EnvironmentFaultError when its import fails.
    """
    for point in entry_points(group=f"redraft.{kind}s"):
        if point.name == name:
            try:
                return point.load()
            except (ImportError, AttributeError) as error:
                raise EnvironmentFaultError(
                    f"the {kind} {name!r} is registered as {point.value!r} but cannot be imported ({error}): "
                    "install what it needs, or remove the package that registers it"
                ) from error
    raise unknown_name(kind, name, names(kind))
