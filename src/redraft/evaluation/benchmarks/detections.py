"""Detections as plain records, and their geometry: overlap, which ones are kept, and how two boxes stand to each other.

No network here (see `detector`). Image coordinates: x grows to the right, y grows downward.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from redraft.core.tensors import Images

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""

RELATIONS = ("left of", "right of", "above", "below")
_AGAINST = 1e-3  # pixels: what is nearer than this to no offset has no direction


@dataclass(frozen=True, kw_only=True)
class Detection:
    """One object that a detector saw: its name, how sure it is (0..1), its box, and its mask H,W if it has one."""

    name: str
    score: float
    box: Box
    mask: NDArray[np.bool_] | None = field(default=None, compare=False, repr=False)


class Detector(Protocol):
    """Finds objects. `names`: all it knows; fingerprint: of weights, preprocessing and names."""

    names: tuple[str, ...]
    fingerprint: str

    def detect(self, images: Images, *, above: float) -> tuple[tuple[Detection, ...], ...]:
        """For each of B pictures the detections with a score > `above`, the surest first."""
        ...


def overlap(first: Box, second: Box) -> float:
    """Intersection over union with pixels counted inclusively, so that a box from 0 to 9 is 10 wide; 0 without area."""
    shared = _area(_shared(first, second))
    union = _area(first) + _area(second) - shared
    return shared / union if union else 0.0


def duplicates(first: Box, second: Box, *, limit: float = 0.9) -> bool:
    """Whether two boxes overlap, or one lies in the other, by more than `limit` (T2I-CompBench++'s rule)."""
    shared = _area(_shared(first, second))
    return any(part and shared / part > limit for part in (_area(first), _area(second))) or (
        overlap(first, second) > limit
    )


def keep(
    detections: Sequence[Detection], *, above: float, most: int, overlap_limit: float = 1.0
) -> dict[str, tuple[Detection, ...]]:
    """The detections of each name that count, the surest first; names without any are not there.

    A score must be above `above`, at most `most` of a name are looked at, and of those one that overlaps a surer one
    of its name by `overlap_limit` or more is dropped. An overlap_limit of 1 drops none, not even exact copies.
    """
    kept: dict[str, tuple[Detection, ...]] = {}
    for name in dict.fromkeys(item.name for item in detections):
        candidates = [item for item in detections if item.name == name and item.score > above]
        candidates = sorted(candidates, key=lambda item: -item.score)[:most]
        chosen: list[Detection] = []
        for item in candidates:
            if overlap_limit == 1 or all(overlap(item.box, other.box) < overlap_limit for other in chosen):
                chosen.append(item)
        if chosen:
            kept[name] = tuple(chosen)
    return kept


def relations(first: Box, second: Box, *, slack: float = 0.1) -> frozenset[str]:
    """How `first` stands to `second`: none, one or two of RELATIONS.

    The offset of the centres is shortened in each direction by `slack` times the summed extents of both boxes, then
    divided by the length of the whole offset; a component beyond 0.5 is a relation. Boxes with one centre have none.
    """
    offsets, revised = [], []
    for axis in (0, 1):
        offset = (first[axis] + first[axis + 2]) / 2 - (second[axis] + second[axis + 2]) / 2
        extents = abs(first[axis + 2] - first[axis]) + abs(second[axis + 2] - second[axis])
        offsets.append(offset)
        revised.append(math.copysign(max(abs(offset) - slack * extents, 0.0), offset))
    if max(abs(part) for part in revised) < _AGAINST:
        return frozenset()
    across, down = (part / math.hypot(*offsets) for part in revised)
    holds = (across < -0.5, across > 0.5, down < -0.5, down > 0.5)
    return frozenset(name for name, true in zip(RELATIONS, holds, strict=True) if true)


def _shared(first: Box, second: Box) -> Box:
    return (
        max(first[0], second[0]),
        max(first[1], second[1]),
        min(first[2], second[2]),
        min(first[3], second[3]),
    )


def _area(box: Box) -> float:
    return max(box[2] - box[0] + 1, 0) * max(box[3] - box[1] + 1, 0)
