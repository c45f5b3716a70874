"""Times at the HTTP surface: ISO 8601 in UTC outside, seconds since 1970 inside. Reads no clock."""

from __future__ import annotations

from datetime import UTC, datetime

from redraft.core.errors import UsageError


def iso(at: float) -> str:
    """`2026-11-21T10:00:00.250Z` for a time in seconds since 1970; milliseconds are kept."""
    return datetime.fromtimestamp(at, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_or_none(at: float | None) -> str | None:
    """The same, None staying None."""
    return None if at is None else iso(at)


def parse_iso(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 time that names its offset. Raises UsageError."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            raise ValueError("no offset")
        return found.timestamp()
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"the time {text[:40]!r} cannot be read: it must be ISO 8601 with an offset, as 2026-11-21T10:00:00Z"
        ) from error
