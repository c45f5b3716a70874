"""The one tree of errors of Redraft. Not the place for messages: those are written where the value is known.

    RedraftError            exit code 1   something failed while running
    ├── UsageError          exit code 2   the caller can mend it: an option, a file, a name
    │   ├── ConfigError                   a configuration value or key
    │   └── UnknownNameError              a plug-in, preset or record name that does not exist
    ├── DamagedError        exit code 1   stored bytes do not match their hash or format
    ├── NumericsError       exit code 1   NaN or infinity where a number must be
    ├── StorageError        exit code 1   the disk is full, read-only or gone
    ├── BusyError           exit code 1   another process holds the lease
    └── EnvironmentFaultError  exit code 1   an installed package or device does not work

Every message names the value, the rule and the way out.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RedraftError(Exception):
    """Base of every error that Redraft raises on purpose."""

    exit_code = 1


class UsageError(RedraftError):
    """The caller can mend it: an option, a file, a prompt."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration key or value breaks a rule."""


class UnknownNameError(UsageError):
    """A name that is not among the known ones."""


class DamagedError(RedraftError):
    """Stored bytes do not match their hash or their format."""


class NumericsError(RedraftError):
    """NaN or infinity where a finite number must be."""


class StorageError(RedraftError):
    """The disk is full, read-only or gone."""


class BusyError(RedraftError):
    """Another process holds the lease that this work needs."""


class EnvironmentFaultError(RedraftError):
    """An installed package or a device does not work."""


def printable(name: str) -> str:
    """A name out of a file as a message shows it: as it is, or quoted where a terminal would not merely print it."""
    short = f"{name[:60]}..." if len(name) > 60 else name
    return short if short and short.isprintable() and short == short.strip() else repr(short)


def nearest(name: str, known: Iterable[str], *, limit: int = 3) -> tuple[str, ...]:
    """Return up to `limit` known names that resemble `name`, the best first."""
    return tuple(difflib.get_close_matches(name, list(known), n=limit, cutoff=0.5))


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Build the error for a `kind` called `name` that is not among `known`; it lists nearest names, then all."""
    names = sorted(known)
    close = nearest(name, names)
    hint = f"did you mean {' or '.join(repr(match) for match in close)}? " if close else ""
    listed = ", ".join(names) if names else "none (is the package installed, not only unpacked?)"
    return UnknownNameError(f"{kind} {name!r} is unknown: {hint}known names: {listed}")
