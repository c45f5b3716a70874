"""How many requests may come in a minute, counted in this process. Quotas and budgets are rows of the store instead."""

from __future__ import annotations

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from redraft.studio.errors import Refused
from redraft.studio.settings import LimitSettings


class Throttle:
    """Limits by address and by person. Raises Refused (429) with the seconds to wait."""

    def __init__(self, settings: LimitSettings) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._person = RateLimitItemPerMinute(settings.requests_per_minute)
        self._address = RateLimitItemPerMinute(settings.address_requests_per_minute)
        self._wrong = RateLimitItemPerMinute(settings.wrong_keys_per_minute)

    def address(self, address: str) -> None:
        """Count a request of an address."""
        self._take(self._address, "address", address)

    def person(self, person: str) -> None:
        """Count a request of a person."""
        self._take(self._person, "person", person)

    def wrong_credential(self, address: str) -> None:
        """Count an unknown key or token of an address; who has a right one is never kept out by it."""
        self._take(self._wrong, "credential", address)

    def _take(self, item: RateLimitItemPerMinute, kind: str, who: str) -> None:
        if not self._limiter.hit(item, kind, who):
            raise self._refused(item, kind, who)

    def _refused(self, item: RateLimitItemPerMinute, kind: str, who: str) -> Refused:
        seconds = math.ceil(self._limiter.get_window_stats(item, kind, who).reset_time - time.time())
        wait = min(max(seconds, 1), 60)
        message = f"more than {item.amount} requests in a minute: wait {wait} s"
        return Refused(429, "rate_limited", message, retry_after=wait)
