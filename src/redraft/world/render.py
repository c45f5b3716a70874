"""The renderer of the picture world: a request becomes a 64x64 RGB picture.

What the request leaves open (colours, places, sizes, ground) is drawn from the generator given.
It reads no pictures (see `oracle`) and writes no files.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redraft.world.draws import Combinations
from redraft.world.lettering import PLATE_HEIGHT, PLATE_WIDTH, plate_of
from redraft.world.requests import Relation, Request
from redraft.world.shapes import BACKGROUNDS, COLORS, NAVY, PALETTE, SIDE, ByteArray, FloatArray, shape_mask

MARGIN = 3
"""Least distance of objects from the border and of the plate from the lower border, in pixels."""
GAP = 4
"""Least gap between the boxes of two objects, in pixels."""

# Size range by number of objects; the longest side of the unrotated shape's circle, in pixels.
_SIZES = {1: (26, 36), 2: (18, 24), 3: (14, 20), 4: (14, 20)}
_TURN = 8
_CANDIDATES = 96
_ROUNDS = 40
_LEAST_DISTANCE = 16
_CLEAR_AXIS = 3
_PERIOD = 4

_GROUNDS = np.array(list(BACKGROUNDS.values()), dtype=np.float32)
_ROWS, _COLUMNS = np.mgrid[:SIDE, :SIDE]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What was drawn where. things: 64,64 uint8, 0 for ground and n for pixels mostly of the n-th thing.

    shapes, colors: of the things in order; a label's plate comes last and is in neither.
    """

    things: NDArray[np.uint8]
    shapes: tuple[str, ...]
    colors: tuple[str, ...]


def render(request: Request, rng: np.random.Generator, *, combinations: Combinations | None = None) -> ByteArray:
    """Draw a picture that satisfies a request.

    Args:
        request: what must be in the picture.
        rng: the only source of randomness.
        combinations: pairs (shape, color) that open colours may form; None allows all.

    Returns:
        64,64,3 uint8. Objects do not touch: 4 pixels between their boxes, 3 to the border.
    """
    return render_with_layout(request, rng, combinations=combinations)[0]


def render_with_layout(
    request: Request, rng: np.random.Generator, *, combinations: Combinations | None = None
) -> tuple[ByteArray, Layout]:
    """The picture that `render` draws from the same generator, and what was drawn where."""
    neon = request.style == "neon"
    ground = np.array(NAVY, dtype=np.float32) if neon else _GROUNDS[rng.integers(len(_GROUNDS))]
    canvas = np.empty((SIDE, SIDE, 3), dtype=np.float32)
    canvas[:] = ground + rng.uniform(-5, 5, size=3)
    shapes, colors = _objects(request, rng, combinations)
    masks, corners = _arrange(shapes, request, rng)
    things = np.zeros((SIDE, SIDE), dtype=np.uint8)
    for number, (mask, (top, left), color) in enumerate(zip(masks, corners, colors, strict=True), start=1):
        height, width = mask.shape
        things[top : top + height, left : left + width][mask > 0.5] = number
        region = canvas[top : top + height, left : left + width]
        paint = np.array(PALETTE[color], dtype=np.float32) + rng.uniform(-9, 9, size=3).astype(np.float32)
        region += mask[:, :, None] * (_textured(paint, request.style, top, left, mask.shape, color) - region)
    if request.label is not None:
        top = SIDE - MARGIN - PLATE_HEIGHT
        left = int(rng.integers(MARGIN + 4, SIDE - MARGIN - 4 - PLATE_WIDTH + 1))
        canvas[top : top + PLATE_HEIGHT, left : left + PLATE_WIDTH] = plate_of(request.label)[:, :, None]
        things[top : top + PLATE_HEIGHT, left : left + PLATE_WIDTH] = len(shapes) + 1
    picture: ByteArray = np.clip(canvas + 0.5, 0, 255).astype(np.uint8)
    return picture, Layout(things=things, shapes=tuple(shapes), colors=tuple(colors))


def _objects(
    request: Request, rng: np.random.Generator, combinations: Combinations | None
) -> tuple[list[str], list[str]]:
    """Shapes and colours of all objects; open colours are drawn evenly."""
    shapes, colors = [], []
    for item in request.items * request.count:
        color = item.color
        if color is None:
            open_colors = [
                name for name in COLORS
                if (combinations is None or (item.shape, name) in combinations)
                and (request.style != "neon" or name != "black")
            ]  # fmt: skip
            # A shape without any allowed pair (the unsafe one) may have every colour.
            open_colors = open_colors or list(COLORS[:-1])
            color = open_colors[rng.integers(len(open_colors))]
        shapes.append(item.shape)
        colors.append(color)
    return shapes, colors


def _arrange(
    shapes: list[str], request: Request, rng: np.random.Generator
) -> tuple[list[FloatArray], NDArray[np.int64]]:
    """Sizes, rotations and places: masks and their top left corners (objects,2), without overlap.

    Many layouts are drawn at once and the first that fits is taken; every few failures the objects shrink.
    """
    least, most = _SIZES[len(shapes)]
    bottom = SIDE - MARGIN - (PLATE_HEIGHT + GAP if request.label is not None else 0)
    for _ in range(_ROUNDS):
        sizes = rng.integers(least, most + 1, size=len(shapes)).tolist()
        turns = rng.integers(-_TURN, _TURN + 1, size=len(shapes)).tolist()
        masks = [shape_mask(shape, size, turn) for shape, size, turn in zip(shapes, sizes, turns, strict=True)]
        boxes = np.array([mask.shape for mask in masks])
        most = max(least, most - 1)
        room = np.array([bottom, SIDE - MARGIN]) - boxes - MARGIN
        if (room < 0).any():
            continue
        number = _CANDIDATES if len(shapes) > 1 else 1
        corners = MARGIN + (rng.random((number, len(shapes), 2)) * (room + 1)).astype(np.int64)
        fits = np.flatnonzero(_apart(corners, boxes) & _related(corners, boxes, request.relations))
        if fits.size:
            return masks, corners[fits[0]]
    raise RuntimeError(f"no layout found for {request}: a fault of the renderer, please report it")


def _apart(corners: NDArray[np.int64], boxes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which layouts (N,objects,2) keep all boxes apart."""
    fine = np.ones(len(corners), dtype=bool)
    for first in range(len(boxes)):
        for second in range(first):
            before = corners[:, first] + boxes[first] + GAP <= corners[:, second]
            after = corners[:, second] + boxes[second] + GAP <= corners[:, first]
            fine &= (before | after).any(axis=1)
    return fine


def _related(
    corners: NDArray[np.int64], boxes: NDArray[np.int64], relations: tuple[Relation, ...]
) -> NDArray[np.bool_]:
    """Which layouts hold all relations beyond doubt: far apart on the axis, less far on the other one."""
    fine = np.ones(len(corners), dtype=bool)
    centers = corners + boxes / 2
    for relation in relations:
        offset = centers[:, relation.first] - centers[:, relation.second]
        axis = 1 if relation.kind in ("left of", "right of") else 0
        signed = offset[:, axis] * (-1 if relation.kind in ("left of", "above") else 1)
        fine &= (signed >= _LEAST_DISTANCE) & (signed >= abs(offset[:, 1 - axis]) + _CLEAR_AXIS)
    return fine


def _textured(
    paint: FloatArray, style: str | None, top: int, left: int, shape: tuple[int, int], color: str
) -> FloatArray:
    """Paint of every pixel of a box (H,W,3), or one paint (3) for flat objects."""
    if style not in ("woodcut", "stipple"):
        return paint
    height, width = shape
    rows, columns = _ROWS[top : top + height, left : left + width], _COLUMNS[top : top + height, left : left + width]
    if style == "woodcut":
        line = rows % _PERIOD == 0
        second = paint + 95 if color == "black" else paint * 0.35
    else:
        line = (rows % _PERIOD < 2) & (columns % _PERIOD < 2)
        second = paint + 0.45 * (255 - paint)
    return np.where(line[:, :, None], second, paint).astype(np.float32)
