"""The folders that scorers live in: the one that must have been named. It opens no file."""

from __future__ import annotations

from pathlib import Path

from redraft.core.errors import UsageError


def named_folder(place: str | Path, *, scorer: str, holds: str) -> Path:
    """The folder of a scorer.

    holds: what lies in it, for messages. Raises UsageError when none was named: "" must never become the folder that
    the program happens to run in.
    """
    if not str(place):
        raise UsageError(
            f"{scorer} needs a folder, '' is none: give the folder with {holds} in place of the name, or set "
            f"folder = '...' in [scorers.{scorer}]"
        )
    return Path(place)
