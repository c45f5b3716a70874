"""The folders that scorers live in, and how a card names another one that it needs. It opens no file."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from redraft.core.errors import UsageError


def named_folder(place: str | Path, *, scorer: str, holds: str, is_a_name: bool = False) -> Path:
    """The folder of a scorer.

    holds: what lies in it, for messages. is_a_name: whether the folder itself can be given where a scorer's name is
    asked for, because its card tells which scorer it is of. Raises UsageError when none was named: "" must never become
    the folder that the program happens to run in.
    """
    if not str(place):
        way = f"give the folder with {holds} itself, or " if is_a_name else ""
        what = "it" if is_a_name else f"the folder with {holds}"
        raise UsageError(
            f"{scorer} needs a folder, '' is none: {way}set folder = '...' in [scorers.{scorer}] to {what}"
        )
    return Path(place)


def stored_place(needed: Path, *, folder: Path) -> str:
    """What the card in `folder` says of another folder that it needs: the way there from `folder`, so that both can be
    moved together; the absolute path where they have nothing but the root in common. `found_place` reads it.
    """
    here, there = folder.resolve(), needed.resolve()
    try:
        common = Path(os.path.commonpath([here, there]))
    except ValueError:  # two drives
        return str(there)
    return str(there) if common == Path(common.anchor) else Path(os.path.relpath(there, here)).as_posix()


def stored_clip(clip: Path | None, *, folder: Path) -> str:
    """`stored_place` of a CLIP folder; "" for the one that ships, which None means too."""
    return "" if clip is None or clip.resolve() == builtin_clip().resolve() else stored_place(clip, folder=folder)


def found_place(stored: str, *, folder: Path) -> str:
    """The folder that `stored_place` named; "" stays "".

    Older cards name the way from the folder that the fit ran in: it is taken where no folder lies at the other one.
    """
    if not stored or Path(stored).is_absolute():
        return stored
    beside = folder / stored
    return str(beside if beside.is_dir() or not Path(stored).is_dir() else Path(stored))


def builtin_clip() -> Path:
    """The folder of the CLIP that ships."""
    return Path(str(files("redraft"))) / "builtin" / "clip"
