"""Prompts that say the same: word for word, or nearly. It names them; which is dropped is decided by the order given.

Near duplicates are found exactly, without random hashing: by the prefix filter of set similarity joins (Chaudhuri et
al. 2006; Bayardo et al. 2007), which compares a text only with those that share one of its rarest word pairs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from redraft.core.errors import ConfigError
from redraft.prompts import vocabulary
from redraft.prompts.wording import normalised

NEAR = 0.85
"""Similarity from which a text is a near duplicate: one word may differ from 24 words on, (25 - 2) / (25 + 2) pairs."""

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Duplicate:
    """That a text says what the earlier text number `of` says. `similarity` is 1 when word for word."""

    of: int
    similarity: float
    exact: bool


def find_duplicates(texts: Sequence[str], *, threshold: float = NEAR) -> dict[int, Duplicate]:
    """Texts that repeat an earlier one that is none itself, by their number.

    Similarity is Jaccard's of the sets of neighbouring word pairs (ends count as words): order matters, so "a horse
    left of a man" is not "a man left of a horse". Texts that differ in a colour, a number, a place or a negation are
    never near duplicates. threshold: in (0, 1]; at 1 near duplicates have the same word pairs.

    Raises ConfigError for another threshold.
    """
    if not 0 < threshold <= 1:
        raise ConfigError(f"threshold={threshold}: near duplicates need a similarity above 0 and at most 1")
    found: dict[int, Duplicate] = {}
    first: dict[str, int] = {}
    distinct: list[int] = []
    forms = [normalised(text) for text in texts]
    for number, form in enumerate(forms):
        earlier = first.setdefault(form, number)
        if earlier == number:
            distinct.append(number)
        else:
            found[number] = Duplicate(of=earlier, similarity=1.0, exact=True)
    near = _near_duplicates([forms[number] for number in distinct], threshold)
    translated = {distinct[place]: (distinct[of], similarity) for place, (of, similarity) in near.items()}
    for number, (of, similarity) in translated.items():
        found[number] = Duplicate(of=of, similarity=similarity, exact=False)
    # Who repeats a near duplicate word for word repeats what that one repeats.
    return {
        number: Duplicate(of=translated[entry.of][0], similarity=translated[entry.of][1], exact=False)
        if entry.of in translated
        else entry
        for number, entry in sorted(found.items())
    }


def similarity_of(first: str, second: str) -> float:
    """Jaccard similarity of the word pairs of two texts, 0 to 1; 0 if they differ in a telling word."""
    one, other = normalised(first).split(), normalised(second).split()
    return _jaccard(_pairs(one), _pairs(other)) if _telling(one) == _telling(other) else 0.0


def _near_duplicates(forms: Sequence[str], threshold: float) -> dict[int, tuple[int, float]]:
    """Place -> (place of the kept text, similarity), for texts that are distinct word for word."""
    words = [form.split() for form in forms]
    pairs = [_pairs(entry) for entry in words]
    telling = [_telling(entry) for entry in words]
    frequency = Counter(pair for entry in pairs for pair in entry)
    index: dict[Pair, list[int]] = {}
    near: dict[int, tuple[int, float]] = {}
    for place, entry in enumerate(pairs):
        # Two sets with Jaccard >= t share at least ceil(t * size) pairs of either, so their rarest pairs meet.
        rarest = sorted(entry, key=lambda pair: (frequency[pair], pair))
        prefix = rarest[: len(entry) - math.ceil(threshold * len(entry) - 1e-9) + 1]
        candidates = sorted({other for pair in prefix for other in index.get(pair, ())})
        alike = [(_jaccard(entry, pairs[c]), -c) for c in candidates if telling[c] == telling[place]]
        similarity, earlier = max(alike, default=(0.0, 0))
        if similarity >= threshold - 1e-9:
            near[place] = (-earlier, similarity)
            continue
        for pair in prefix:
            index.setdefault(pair, []).append(place)
    return near


def _pairs(words: Sequence[str]) -> frozenset[Pair]:
    ends = ["", *words, ""]
    return frozenset(pairwise(ends))


def _telling(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for word in words if word in vocabulary.TELLING_WORDS or word.isdigit())


def _jaccard(first: frozenset[Pair], second: frozenset[Pair]) -> float:
    shared = len(first & second)
    return shared / (len(first) + len(second) - shared)
