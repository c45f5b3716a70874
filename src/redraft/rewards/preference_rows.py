"""Answers from a JSONL file, one `core.feedback.Preference` a line. Fits nothing; other formats are imported first.

    {"prompt": "a red star", "pictures": ["a.png", "b.png"], "kind": "pair", "answer": [1, 0], "rater": "anna"}

Names of pictures are paths from the folder of the file. `rater` and `weight` may be left out; `origin`, which
imports add, is not read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redraft.core.errors import UsageError, nearest
from redraft.core.feedback import Preference
from redraft.rewards.preference_pictures import FilePictures

_NEEDED = ("prompt", "pictures", "kind", "answer")
_KEYS = (*_NEEDED, "rater", "weight", "origin")


def read_preferences(path: Path) -> tuple[Preference, ...]:
    """The answers of a file, in order.

    Raises UsageError, naming file, line, rule and way out, when the file cannot be read or is empty, or for the first
    line that is not an answer; nothing is left out in silence.
    """
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"answers {str(path)!r} cannot be read ({error}): give a UTF-8 JSONL file") from error
    records = [_record(line, where=f"{path} line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not records:
        raise UsageError(f"{path} holds no answer: give one JSON object a line, with {', '.join(_NEEDED)}")
    return tuple(records)


def picture_files(records: Sequence[Preference], *, folder: Path) -> tuple[FilePictures, dict[str, int]]:
    """The distinct pictures of the answers, and the row of each name. Raises UsageError for one that is missing."""
    names = list(dict.fromkeys(name for record in records for name in record.pictures))
    paths = [folder / name for name in names]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise UsageError(
            f"{len(missing)} of {len(paths)} pictures are missing, {missing[0]!r} first: names of pictures are paths "
            "from the folder of the answers"
        )
    return FilePictures(paths=paths), {name: row for row, name in enumerate(names)}


def _record(line: str, *, where: str) -> Preference:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise UsageError(f"{where} is no JSON ({error}): give one JSON object a line") from error
    if not isinstance(row, dict):
        raise UsageError(f"{where} is a JSON {type(row).__name__}: give an object with {', '.join(_NEEDED)}")
    missing, unknown = [key for key in _NEEDED if key not in row], [key for key in row if key not in _KEYS]
    if missing or unknown:
        close = nearest(unknown[0], _KEYS) if unknown else ()
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        wrong = f"lacks {', '.join(missing)}" if missing else f"has the unknown key {unknown[0]!r}{hint}"
        raise UsageError(f"{where} {wrong}: an answer has {', '.join(_NEEDED)}, and may have rater and weight")
    if not _texts(row["pictures"]) or not _numbers(row["answer"]) or not _numbers([row.get("weight", 1.0)]):
        raise UsageError(f"{where}: pictures must be a list of texts, answer a list of numbers and weight a number")
    if not isinstance(row["prompt"], str) or not isinstance(row.get("rater", ""), str):
        raise UsageError(f"{where}: prompt and rater must be texts")
    try:
        return Preference(
            prompt=row["prompt"], pictures=tuple(row["pictures"]), kind=row["kind"],
            answer=tuple(float(value) for value in row["answer"]), rater=row.get("rater", ""),
            weight=float(row.get("weight", 1.0)),
        )  # fmt: skip
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)


def _numbers(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, int | float) for item in value)
