"""False captions that are nearly true: one thing of a request changed so that no picture of it fits the new request.

The opposite of `corrupt`, whose changed requests never give pictures of the old one: here pictures of the old request
never satisfy the changed one. It changes records only; nothing is drawn here.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

import numpy as np

from redraft.core.errors import UsageError
from redraft.world.lettering import WORDS
from redraft.world.requests import MAXIMUM_COUNT, OPPOSITE, STYLES, Item, Request
from redraft.world.shapes import COLORS, SHAPES

Thing = TypeVar("Thing")


def hard_negatives(request: Request, rng: np.random.Generator, *, count: int) -> tuple[Request, ...]:
    """`count` different requests that no picture of `request` satisfies, each one change away from it.

    First another count, another colour (or two colours swapped) or the opposite relation, in turn and as many as there
    are; then another shape, style or label word.

    Raises:
        UsageError: when there are fewer than `count`; every request has at least seven.
    """
    hard = [list(_counts(request)), list(_colors(request)), list(_relations(request))]
    chosen = _in_turn([_shuffled(kind, rng) for kind in _shuffled(hard, rng)])
    chosen += _shuffled(list(_others(request)), rng)
    if len(chosen) < count:
        raise UsageError(
            f"{count} false captions of one picture: this request has {len(chosen)} that differ in one thing; ask for "
            "fewer"
        )
    return tuple(chosen[:count])


def _shuffled(things: list[Thing], rng: np.random.Generator) -> list[Thing]:
    return [things[index] for index in rng.permutation(len(things))]


def _in_turn(kinds: list[list[Request]]) -> list[Request]:
    """One of each kind, then the second of each, and so on."""
    longest = max(len(kind) for kind in kinds)
    return [kind[place] for place in range(longest) for kind in kinds if place < len(kind)]


def _counts(request: Request) -> Iterator[Request]:
    """Another number of the same objects; a single object becomes two to four of them."""
    if request.task in ("counting", "single_object", "colors"):
        for count in range(1, MAXIMUM_COUNT + 1):
            if count != request.count:
                yield Request(task="counting", items=request.items, count=count)


def _colors(request: Request) -> Iterator[Request]:
    """One colour that the request does not name in place of one that it does, or two colours exchanged."""
    used = {item.color for item in request.items}
    if request.style == "neon":
        used.add("black")
    for index, item in enumerate(request.items):
        # An object of the same shape whose colour is open could have the new one.
        if item.color is None or any(other.shape == item.shape and other.color is None for other in request.items):
            continue
        for color in COLORS:
            if color not in used:
                yield _with_item(request, index, replace(item, color=color))
    if request.task == "color_attr":
        first, second = request.items
        if None not in used and first.color != second.color and first.shape != second.shape:
            items = (replace(first, color=second.color), replace(second, color=first.color))
            yield replace(request, items=items)


def _relations(request: Request) -> Iterator[Request]:
    """The opposite relation; in a scene the one across, the two of the third object, or all three."""
    if not request.relations or not _distinguishable(request.items):
        return
    whole = tuple(range(len(request.relations)))
    for turned in dict.fromkeys(((0,), whole[1:], whole)):
        if turned:
            relations = tuple(
                replace(relation, kind=OPPOSITE[relation.kind]) if index in turned else relation
                for index, relation in enumerate(request.relations)
            )
            yield replace(request, relations=relations)


def _others(request: Request) -> Iterator[Request]:
    """Another shape, style or label word."""
    used = {item.shape for item in request.items}
    for index, item in enumerate(request.items):
        for shape in SHAPES:
            if shape not in used:
                yield _with_item(request, index, replace(item, shape=shape))
    if request.style is not None:
        for style in STYLES:
            black = any(item.color == "black" for item in request.items)
            if style != request.style and not (style == "neon" and black):
                yield replace(request, style=style)
    if request.label is not None:
        for word in WORDS:
            if word != request.label:
                yield replace(request, label=word)


def _distinguishable(items: tuple[Item, ...]) -> bool:
    """Whether no object could stand for another: all differ in shape, or in a colour that both name."""
    pairs = [(items[one], items[other]) for one in range(len(items)) for other in range(one)]
    return all(
        one.shape != other.shape or (None not in (one.color, other.color) and one.color != other.color)
        for one, other in pairs
    )


def _with_item(request: Request, index: int, item: Item) -> Request:
    return replace(request, items=(*request.items[:index], item, *request.items[index + 1 :]))
