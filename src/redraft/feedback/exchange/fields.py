"""Takes named values of the right type out of an entry, or says what is wrong with it. Knows no format."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from redraft.core.errors import UsageError, printable


def entry(value: Any, needed: Collection[str], *, what: str) -> dict[str, Any]:
    """`value` as an object that has all `needed` keys. Raises UsageError."""
    if not isinstance(value, dict):
        raise UsageError(f"is {_named(value)}: {what} is an object{_with(needed)}")
    missing = [key for key in needed if key not in value]
    if missing:
        raise UsageError(f"lacks {', '.join(missing)}: {what} has {', '.join(needed)}; is this the right format?")
    return value


def text(value: Mapping[str, Any], key: str, default: str | None = None) -> str:
    """A text. Raises UsageError for anything else, or when it is absent and has no default."""
    found = value.get(key)
    if found is None and default is not None:
        return default
    if not isinstance(found, str) or "\0" in found:
        raise UsageError(f"{printable(key)} is {_named(found)}: it must be a text without U+0000")
    return found


def texts(value: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A list of texts that are not empty."""
    found = value.get(key)
    if not isinstance(found, list) or not all(isinstance(item, str) and item and "\0" not in item for item in found):
        raise UsageError(f"{printable(key)} is {_named(found)}: it must be a list of texts, none of them empty")
    return tuple(found)


def number(value: Mapping[str, Any], key: str) -> float:
    """A finite number, or the text of one, as CSV has it."""
    found = value.get(key)
    try:
        if isinstance(found, bool) or not isinstance(found, int | float | str):
            raise ValueError
        result = float(found)
    except (ValueError, OverflowError):
        raise UsageError(f"{printable(key)} is {_named(found)}: it must be a number") from None
    if not math.isfinite(result):
        raise UsageError(f"{printable(key)} is {result}: it must be finite; leave out what was not answered")
    return result


def numbers(value: Mapping[str, Any], key: str) -> tuple[float, ...]:
    """A list of finite numbers."""
    found = value.get(key)
    if not isinstance(found, list):
        raise UsageError(f"{printable(key)} is {_named(found)}: it must be a list of numbers")
    return tuple(number({key: item}, key) for item in found)


def optional(value: Mapping[str, Any], key: str) -> float | None:
    """A finite number, or None where nothing was answered (null, or an empty text in CSV)."""
    return None if value.get(key) in (None, "") else number(value, key)


def picture_bytes(value: Any) -> bytes | None:
    """A picture's bytes, bare or as `datasets` keeps them, {"bytes", "path"}; None where the file has none."""
    data = value.get("bytes") if isinstance(value, dict) else value
    return data if isinstance(data, bytes) and data else None


def rest(value: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """What stands in an entry besides the `known` keys."""
    return {key: item for key, item in value.items() if key not in known}


def plain(value: float) -> int | float:
    """A whole number without its fraction, as files have it."""
    return int(value) if value == int(value) else value


def listed(names: Iterable[str]) -> str:
    """Names that a file gave, in their order by letters, as `printable` shows them."""
    return ", ".join(map(printable, sorted(names)))


def _with(needed: Collection[str]) -> str:
    return f" with {', '.join(needed)}" if needed else ""


def _named(value: Any) -> str:
    shown = repr(value)
    return "absent" if value is None else f"{shown[:60]}{'...' if len(shown) > 60 else ''}"
