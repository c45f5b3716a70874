"""What the picture world's examination holds back: which combinations are unseen, and which texts training may not use.

The rule is a pure function of a request and a seed, so any examination and any training set of one seed are disjoint.
It draws nothing (see `suites`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import permutations, product
from typing import Literal

from redraft.world import (
    COLORS,
    SHAPES,
    STYLES,
    WORDS,
    Combinations,
    Item,
    Relation,
    Request,
    split_combinations,
    text_of,
)  # fmt: skip
from redraft.world.requests import MAXIMUM_COUNT, OPPOSITE, RELATIONS

Combination = Literal["seen", "unseen", "mixed"]

_UNSEEN_SHARE = 4  # one in four, as of the pairs (shape, color)
_COLORLESS_TASKS = ("two_object", "counting", "position")
_MANY_MEANINGS = ("color_attr", "scene")


@dataclass(frozen=True, kw_only=True)
class Split:
    """Seen and unseen combinations of one seed.

    Coloured requests: the 16 of 64 pairs (shape, color) of `world.split_combinations`. Colourless ones: a quarter of
    the pairs of shapes (two_object), of (shape, count) and of (shape, relation, shape). A single object without colour
    combines nothing and counts as seen.
    """

    seen_pairs: Combinations
    unseen_pairs: Combinations
    unseen_meanings: frozenset[str]

    def combination(self, request: Request) -> Combination:
        """Whether everything that the request combines is seen, everything unseen, or some of each."""
        pairs = {(item.shape, item.color) for item in request.items if item.color is not None}
        if not pairs:
            return "unseen" if meaning_of(request) in self.unseen_meanings else "seen"
        if pairs <= self.unseen_pairs:
            return "unseen"
        return "mixed" if pairs & self.unseen_pairs else "seen"

    def held_out(self, request: Request, *, photo: bool) -> bool:
        """Whether the text (with or without "a photo of") is for examination only.

        Unseen combinations always are. Of the seen ones, tasks with thousands of meanings hold out half of the
        meanings. The others hold out one of the two forms of every text, so that the text is new though its meaning is
        not: the grammar has no more to give, and such prompts are counted as seen.
        """
        if self.combination(request) != "seen":
            return True
        if request.task in _MANY_MEANINGS:
            return _digest(meaning_of(request)) % 2 == 0
        return _digest(text_of(request, photo=photo)) < _digest(text_of(request, photo=not photo))


@lru_cache(maxsize=8)
def split_of(seed: int) -> Split:
    """The split of a seed."""
    seen, unseen = split_combinations(seed)
    meanings: set[str] = set()
    for task in _COLORLESS_TASKS:
        ranked = sorted(
            {meaning_of(request) for request in requests_of(task)}, key=lambda text: _digest(f"{seed} {text}")
        )
        meanings.update(ranked[: len(ranked) // _UNSEEN_SHARE])
    return Split(seen_pairs=seen, unseen_pairs=unseen, unseen_meanings=frozenset(meanings))


def meaning_of(request: Request) -> str:
    """One text for all requests that ask for the same picture: "a star and a circle" is "a circle and a star"."""
    items, relations = request.items, request.relations
    if request.task in ("two_object", "color_attr"):
        items = tuple(sorted(items, key=lambda item: (item.shape, item.color or "")))
    elif relations and relations[0].kind in ("right of", "below"):
        items = (items[1], items[0], *items[2:])
        relations = (replace(relations[0], kind=OPPOSITE[relations[0].kind]), *relations[1:])
    return text_of(replace(request, items=items, relations=relations))


@lru_cache(maxsize=16)
def requests_of(task: str) -> tuple[Request, ...]:
    """Every request of a task but scenes, of which there are nearly half a million."""
    shapes = [Item(shape=shape) for shape in SHAPES]
    colored = [Item(shape=shape, color=color) for shape, color in product(SHAPES, COLORS)]
    match task:
        case "single_object":
            return tuple(Request(task=task, items=(item,)) for item in shapes)
        case "two_object":
            return tuple(Request(task=task, items=pair) for pair in permutations(shapes, 2))
        case "counting":
            counts = range(1, MAXIMUM_COUNT + 1)
            return tuple(Request(task=task, items=(item,), count=count) for item, count in product(shapes, counts))
        case "position":
            return tuple(
                Request(task=task, items=pair, relations=(Relation(first=0, kind=kind, second=1),))
                for pair, kind in product(permutations(shapes, 2), RELATIONS)
            )
        case "colors":
            return tuple(Request(task=task, items=(item,)) for item in colored)
        case "color_attr":
            return tuple(
                Request(task=task, items=(first, second))
                for first, second in permutations(colored, 2)
                if first.shape != second.shape and first.color != second.color
            )
        case "style":
            return tuple(
                Request(task=task, items=(item,), style=style)
                for item, style in product(colored, STYLES)
                if not (style == "neon" and item.color == "black")
            )
        case "label":
            return tuple(Request(task=task, items=(item,), label=word) for item, word in product(colored, WORDS))
    raise ValueError(f"task {task!r} cannot be listed")


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
