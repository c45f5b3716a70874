"""Wrong captions, as scraped data has them: one thing of a request is changed, so that its picture no longer fits.

Used to make the base model's training captions noisy and to test that the oracle tells near misses apart.
It changes records only; nothing is drawn here.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from redraft.world.requests import MAXIMUM_COUNT, OPPOSITE, Item, Relation, Request
from redraft.world.shapes import COLORS, SHAPES


def corrupt_request(request: Request, rng: np.random.Generator) -> Request:
    """Change one thing: a colour, a shape, the count, a relation, colours swapped, an object, style or label dropped.

    Args:
        request: what is right.
        rng: the only source of randomness.

    Returns:
        A request whose pictures never satisfy `request`.
    """
    options: list[Callable[[Request, np.random.Generator], Request]] = [_other_shape]
    if any(item.color is not None for item in request.items):
        options.append(_other_color)
    if len({item.color for item in request.items} - {None}) > 1:
        options.append(_swapped_colors)
    if request.task == "counting":
        options += [_other_count, _other_count]
    if request.relations and len(set(request.items)) == len(request.items):
        options += [_swapped_relation, _swapped_relation]
    if len(request.items) > 1:
        options.append(_dropped_item)
    if request.style is not None or request.label is not None:
        options += [_plain, _plain]
    return options[rng.integers(len(options))](request, rng)


def _with_item(request: Request, index: int, item: Item) -> Request:
    return replace(request, items=(*request.items[:index], item, *request.items[index + 1 :]))


def _other_shape(request: Request, rng: np.random.Generator) -> Request:
    used = {item.shape for item in request.items}
    others = [shape for shape in SHAPES if shape not in used]
    index = int(rng.integers(len(request.items)))
    return _with_item(request, index, replace(request.items[index], shape=others[rng.integers(len(others))]))


def _other_color(request: Request, rng: np.random.Generator) -> Request:
    used = {item.color for item in request.items} | ({"black"} if request.style == "neon" else set())
    others = [color for color in COLORS if color not in used]
    colored = [index for index, item in enumerate(request.items) if item.color is not None]
    index = colored[rng.integers(len(colored))]
    return _with_item(request, index, replace(request.items[index], color=others[rng.integers(len(others))]))


def _swapped_colors(request: Request, _: np.random.Generator) -> Request:
    colors = [item.color for item in request.items]
    rolled = (*colors[1:], colors[0])
    items = tuple(replace(item, color=color) for item, color in zip(request.items, rolled, strict=True))
    return replace(request, items=items)


def _other_count(request: Request, rng: np.random.Generator) -> Request:
    others = [count for count in range(1, MAXIMUM_COUNT + 1) if count != request.count]
    return replace(request, count=others[rng.integers(len(others))])


def _swapped_relation(request: Request, rng: np.random.Generator) -> Request:
    """Turn round the relation of a position, or in a scene either the one across or the two of the third object."""
    turned = {0} if request.task == "position" or rng.random() < 0.5 else {1, 2}
    relations = tuple(
        replace(relation, kind=OPPOSITE[relation.kind]) if index in turned else relation
        for index, relation in enumerate(request.relations)
    )
    return replace(request, relations=relations)


def _dropped_item(request: Request, rng: np.random.Generator) -> Request:
    """Leave one object out: a scene becomes a position, every other request one object."""
    if request.task == "scene":
        first: Relation = request.relations[0]
        return Request(task="position", items=request.items[:2], relations=(first,))
    return _one(request.items[int(rng.integers(len(request.items)))])


def _plain(request: Request, _: np.random.Generator) -> Request:
    """Forget the style or the label."""
    return _one(request.items[0])


def _one(item: Item) -> Request:
    return Request(task="colors" if item.color is not None else "single_object", items=(item,))
