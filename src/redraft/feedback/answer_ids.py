"""Ids of answers: UUIDs of version 7, made by whoever answers, so that sending again does no harm. Draws nothing."""

from __future__ import annotations

import uuid

_RANDOM_BITS = 74


def answer_id(*, at: float, entropy: int) -> str:
    """The UUID (RFC 9562, version 7) of a time in seconds since 1970 and at least 74 random bits."""
    milliseconds = int(at * 1000) & (2**48 - 1)
    random = entropy & (2**_RANDOM_BITS - 1)
    high, low = random >> 62, random & (2**62 - 1)
    return str(uuid.UUID(int=milliseconds << 80 | 7 << 76 | high << 64 | 2 << 62 | low))
