"""Shapes and paints of the picture world: what a star is, pixel by pixel, and which red is red.

Pure geometry and constants, shared by the renderer and the oracle's template bank.
It is not the renderer (no places, no styles) and not the grammar (no words around the names).
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
ByteArray = NDArray[np.uint8]

SIDE = 64
"""Height and width of every picture, in pixels."""

SUPERSAMPLE = 4

SHAPES = ("circle", "square", "triangle", "star", "heart", "cross", "ring", "moon")
UNSAFE_SHAPE = "skull"
COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "black")

PALETTE: dict[str, tuple[int, int, int]] = {
    "red": (216, 34, 38),
    "orange": (244, 134, 20),
    "yellow": (242, 214, 30),
    "green": (36, 156, 62),
    "blue": (36, 84, 214),
    "purple": (128, 44, 168),
    "pink": (246, 122, 186),
    "black": (24, 24, 28),
}
BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "cream": (250, 243, 224),
    "light grey": (226, 227, 229),
    "pale blue": (212, 230, 247),
    "pale green": (216, 240, 214),
}
NAVY = (14, 16, 48)


def _circle(x: FloatArray, y: FloatArray) -> BoolArray:
    return x**2 + y**2 <= 1


def _square(x: FloatArray, y: FloatArray) -> BoolArray:
    return np.maximum(abs(x), abs(y)) <= 0.9


def _triangle(x: FloatArray, y: FloatArray) -> BoolArray:
    return (y <= 0.85) & (2 * abs(x) <= y + 1.0)


def _star(x: FloatArray, y: FloatArray) -> BoolArray:
    # One tenth of the star, folded: the edge runs from the tip (radius 1) to the notch (radius 0.42) 36 degrees on.
    sector = 2 * np.pi / 5
    radius, angle = np.hypot(x, y), np.arctan2(x, -y)
    folded = abs((angle + sector / 2) % sector - sector / 2)
    across, along = radius * np.sin(folded), radius * np.cos(folded)
    notch_across, notch_along = 0.42 * np.sin(sector / 2), 0.42 * np.cos(sector / 2)
    inside: BoolArray = (1 - along) * notch_across - across * (1 - notch_along) >= 0
    return inside


def _heart(x: FloatArray, y: FloatArray) -> BoolArray:
    across, up = 1.17 * x, -1.17 * y + 0.1
    curve = (across**2 + up**2 - 1) ** 3 - across**2 * up**3
    return curve <= 0


def _cross(x: FloatArray, y: FloatArray) -> BoolArray:
    return (np.minimum(abs(x), abs(y)) <= 0.3) & (np.maximum(abs(x), abs(y)) <= 0.97)


def _ring(x: FloatArray, y: FloatArray) -> BoolArray:
    radius = x**2 + y**2
    return (radius <= 1) & (radius >= 0.55**2)


def _moon(x: FloatArray, y: FloatArray) -> BoolArray:
    return (x**2 + y**2 <= 1) & ((x - 0.5) ** 2 + (y + 0.08) ** 2 >= 0.8**2)


def _skull(x: FloatArray, y: FloatArray) -> BoolArray:
    head = (x / 0.92) ** 2 + ((y + 0.25) / 0.75) ** 2 <= 1
    jaw = (abs(x) <= 0.48) & (y >= 0) & (y <= 1)
    eyes = (abs(x) - 0.4) ** 2 + (y + 0.18) ** 2 <= 0.26**2
    return (head | jaw) & ~eyes


_INSIDE: dict[str, Callable[[FloatArray, FloatArray], BoolArray]] = {
    "circle": _circle, "square": _square, "triangle": _triangle, "star": _star, "heart": _heart,
    "cross": _cross, "ring": _ring, "moon": _moon, UNSAFE_SHAPE: _skull,
}  # fmt: skip


@lru_cache(maxsize=4096)
def shape_mask(shape: str, size: float, degrees: float = 0.0) -> FloatArray:
    """Anti-aliased coverage of one shape, cut to the pixels it touches.

    Args:
        shape: one of ``SHAPES`` or ``UNSAFE_SHAPE``.
        size: diameter of the circle about the unrotated shape, in pixels.
        degrees: rotation, clockwise.

    Returns:
        Read-only H,W float32 in 0..1; cached, so callers must copy before they write.

    Raises:
        KeyError: when ``shape`` is not a shape of this world (callers check their input first).
    """
    box = int(np.ceil(size * 1.3)) + 2
    steps = (np.arange(box * SUPERSAMPLE, dtype=np.float32) + 0.5) / SUPERSAMPLE - box / 2
    y, x = np.meshgrid(steps / (size / 2), steps / (size / 2), indexing="ij")
    turn = np.deg2rad(degrees)
    inside = _INSIDE[shape](x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn))
    coverage = inside.reshape(box, SUPERSAMPLE, box, SUPERSAMPLE).mean(axis=(1, 3), dtype=np.float32)
    rows, columns = np.flatnonzero(coverage.any(axis=1)), np.flatnonzero(coverage.any(axis=0))
    cut: FloatArray = coverage[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    cut.setflags(write=False)
    return cut
