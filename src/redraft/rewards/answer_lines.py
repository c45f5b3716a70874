"""JSONL files of answers, line by line, and the pictures that answers name. What an answer is, the caller says."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from redraft.core.errors import UsageError
from redraft.rewards.preference_pictures import FilePictures

Said = TypeVar("Said")


class Shown(Protocol):
    """An answer about pictures, by name."""

    @property
    def pictures(self) -> tuple[str, ...]:
        """Their names."""
        ...


def read_answers(path: Path, read: Callable[[Any], Said | None], *, holds: str) -> tuple[Said, ...]:
    """What `read` makes of the JSON of each line, in order; where it makes None of one, that says nothing.

    read: raises UsageError for a value that is no answer. holds: what a line should hold, for messages. Raises
    UsageError, naming file, line, rule and way out, when the file cannot be read or is empty, or for the first line
    that is no answer; nothing is left out in silence.
    """
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"answers {str(path)!r} cannot be read ({error}): give a UTF-8 JSONL file") from error
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(read(_value(line)))
        except UsageError as error:
            raise UsageError(f"{path} line {number}: {error}") from error
    if not found:
        raise UsageError(f"{path} holds no answer: give one JSON object a line, with {holds}")
    return tuple(said for said in found if said is not None)


def picture_files(answers: Sequence[Shown], *, folder: Path) -> tuple[FilePictures, dict[str, int]]:
    """The distinct pictures of answers, and the row of each name. Raises UsageError for one that is missing."""
    names = list(dict.fromkeys(name for answer in answers for name in answer.pictures))
    paths = [folder / name for name in names]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise UsageError(
            f"{len(missing)} of {len(paths)} pictures are missing, {missing[0]!r} first: names of pictures are paths "
            "from the folder of the answers"
        )
    return FilePictures(paths=paths), {name: row for row, name in enumerate(names)}


def _value(line: str) -> Any:
    try:
        return json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UsageError(f"no JSON ({error}): give one JSON object a line") from error
    except ValueError as error:  # Python reads no whole number of more than some thousand digits
        raise UsageError("a number with thousands of digits: none that is asked for is so large; mend it") from error
