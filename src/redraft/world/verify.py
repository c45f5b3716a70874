"""Does a picture show what was asked for? Readings are held against requests, scored as GenEval does.

Objects beyond those asked for are tolerated, except when counting; style and label must be exact.
It looks at readings only; pixels are the business of `oracle`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from numpy.typing import ArrayLike

from redraft.core.errors import UsageError
from redraft.world.oracle import Reading, SeenObject, read
from redraft.world.requests import Relation, Request

POSITION_MARGIN = 6.0
"""Least distance of two centres along the axis of a relation, in pixels."""
_AXIS_SHARE = 0.5  # of the whole distance must lie along the axis, as GenEval asks


@dataclass(frozen=True, kw_only=True)
class Verification:
    """`correct` when all clauses hold; `clauses` are (name, holds) in the order of the request."""

    correct: bool
    clauses: tuple[tuple[str, bool], ...]


def verify(image: ArrayLike, request: Request) -> Verification:
    """Verify one picture (64,64,3, uint8 or floats in 0..1) against a request.

    Raises:
        UsageError: when the picture has another shape or kind of number.
    """
    return verify_reading(read(image), request)


def verify_batch(images: Iterable[ArrayLike], requests: Sequence[Request]) -> tuple[Verification, ...]:
    """Verify many pictures, each against the request at the same place.

    Raises:
        UsageError: when the numbers of pictures and requests differ, or as `verify` raises.
    """
    pictures = list(images)
    if len(pictures) != len(requests):
        raise UsageError(f"{len(pictures)} pictures for {len(requests)} requests: give one request per picture")
    return tuple(verify(picture, request) for picture, request in zip(pictures, requests, strict=True))


def verify_reading(reading: Reading, request: Request) -> Verification:
    """Verify what was read against a request; of all ways to match objects to items the best one counts."""
    clauses = _counting(reading, request) if request.task == "counting" else _matched(reading, request)
    if request.style is not None or reading.style is not None:
        clauses.append((f"style {request.style or 'flat'}", reading.style == request.style))
    if request.label is not None or reading.label_box is not None:
        clauses.append((f"label {request.label or 'none'}", reading.label == request.label))
    return Verification(correct=all(holds for _, holds in clauses), clauses=tuple(clauses))


def _counting(reading: Reading, request: Request) -> list[tuple[str, bool]]:
    item = request.items[0]
    seen = [thing for thing in reading.objects if thing.shape == item.shape]
    clauses = [(f"object {item.shape}", bool(seen)), (f"count {request.count}", len(seen) == request.count)]
    if item.color is not None:
        clauses.append(
            (f"color {item.color} {item.shape}", bool(seen) and all(thing.color == item.color for thing in seen))
        )
    return clauses


def _matched(reading: Reading, request: Request) -> list[tuple[str, bool]]:
    """Clauses under the assignment of seen objects to items that makes most of them true."""
    choices: list[list[SeenObject | None]] = [
        [thing for thing in reading.objects if thing.shape == item.shape] or [None] for item in request.items
    ]
    best: list[tuple[str, bool]] = []
    for chosen in product(*choices):
        present = [thing for thing in chosen if thing is not None]
        # One object cannot stand for two items; the later one then counts as missing.
        if len(set(map(id, present))) < len(present):
            chosen = tuple(None if thing in chosen[:index] else thing for index, thing in enumerate(chosen))
        clauses = _clauses(chosen, request)
        if not best or sum(holds for _, holds in clauses) > sum(holds for _, holds in best):
            best = clauses
    return best


def _clauses(chosen: tuple[SeenObject | None, ...], request: Request) -> list[tuple[str, bool]]:
    clauses: list[tuple[str, bool]] = []
    for item, thing in zip(request.items, chosen, strict=True):
        clauses.append((f"object {item.shape}", thing is not None))
        if item.color is not None:
            clauses.append((f"color {item.color} {item.shape}", thing is not None and thing.color == item.color))
    for relation in request.relations:
        names = f"{request.items[relation.first].shape} {relation.kind} {request.items[relation.second].shape}"
        clauses.append((f"position {names}", _holds(relation, chosen[relation.first], chosen[relation.second])))
    return clauses


def _holds(relation: Relation, first: SeenObject | None, second: SeenObject | None) -> bool:
    if first is None or second is None:
        return False
    offset = (first.center[0] - second.center[0], first.center[1] - second.center[1])
    axis = 0 if relation.kind in ("left of", "right of") else 1
    signed = offset[axis] * (-1 if relation.kind in ("left of", "above") else 1)
    whole = (offset[0] ** 2 + offset[1] ** 2) ** 0.5
    return signed >= POSITION_MARGIN and signed >= _AXIS_SHARE * whole
