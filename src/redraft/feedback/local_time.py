"""The day and the minute where a person is: what budgets, caps and quiet hours are counted by. Reads no clock."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def local_day(at: float, timezone: str) -> str:
    """The local day, as YYYY-MM-DD, of a time in seconds since 1970."""
    return _there(at, timezone).date().isoformat()


def local_minute(at: float, timezone: str) -> int:
    """Minutes after local midnight, 0..1439."""
    there = _there(at, timezone)
    return 60 * there.hour + there.minute


def _there(at: float, timezone: str) -> datetime:
    # Names of time zones are checked where they are set; one that this machine does not know counts as UTC.
    try:
        zone = ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        return datetime.fromtimestamp(at, tz=UTC)
    return datetime.fromtimestamp(at, tz=zone)
