"""Which prompts of a published list are judged. Where their pictures lie in a folder stands in `pictures`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def places_within(kinds: Iterable[str]) -> tuple[int, ...]:
    """For each, how many of its kind stand before it."""
    seen: Counter[str] = Counter()
    places = []
    for kind in kinds:
        places.append(seen[kind])
        seen[kind] += 1
    return tuple(places)


def first_of_each(kinds: Iterable[str], *, limit: int | None) -> tuple[int, ...]:
    """Places of the first `limit` of each kind, in order; None: all."""
    return tuple(place for place, within in enumerate(places_within(kinds)) if limit is None or within < limit)
