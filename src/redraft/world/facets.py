"""True facets of a picture, measured with the oracle: what simulated raters and facet heads learn from.

Each facet is a plain measurement in 0..1. No taste is drawn here (see `raters`) and nothing is learned.
"""

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from redraft.core.records import FACETS
from redraft.world.oracle import Reading, SeenObject, background_of, distance_from, foreground_of, pixels_of, read
from redraft.world.requests import Request
from redraft.world.shapes import SIDE, UNSAFE_SHAPE, BoolArray, FloatArray
from redraft.world.verify import verify_reading

_HUES = {"red": 0, "orange": 30, "yellow": 55, "green": 130, "blue": 220, "purple": 280, "pink": 325}
_CLASH = 60.0  # degrees: unlike hues this near each other quarrel most
_UNEVEN = 30.0  # RGB distance of ground pixels from the ground at which its evenness is gone
_AGREEMENT_FLOOR = 0.7  # correlation with a template that counts as no detail at all
_UNSAFE_FLOOR = 0.8  # likeness to the unsafe shape that worries nobody
_AFRAID = 0.5  # safety lost by an object that is as like the unsafe shape as can be without being it
_COMFORT = 6.0  # pixels to the border that a good composition keeps


def facets(image: ArrayLike, request: Request, reading: Reading | None = None) -> dict[str, float]:
    """Measure a picture.

    Args:
        image: 64,64,3, uint8 in 0..255 or floating in 0..1.
        request: what was asked for; only `semantics` depends on it.
        reading: the oracle's reading of this very picture, when it is already at hand.

    Returns:
        A number in 0..1 (1 is best) for every name of `FACETS`, in that order.

    Raises:
        UsageError: when the picture has another shape or kind of number.
    """
    pixels = pixels_of(image)
    seen = read(image) if reading is None else reading
    distance = distance_from(pixels, background_of(pixels))
    covered = foreground_of(distance)
    values = (
        _semantics(seen, request),
        _subject_detail(seen, distance, covered),
        _background_detail(distance, covered),
        _coherence(seen),
        0.6 * _composition(seen) + 0.4 * _harmony(seen),
        _safety(seen),
    )
    return {name: float(np.clip(value, 0, 1)) for name, value in zip(FACETS, values, strict=True)}


def _semantics(reading: Reading, request: Request) -> float:
    clauses = verify_reading(reading, request).clauses
    return sum(holds for _, holds in clauses) / len(clauses)


def _subject_detail(reading: Reading, distance: FloatArray, covered: BoolArray) -> float:
    """Half how well objects agree with their shapes, half how few outline pixels are neither paint nor ground."""
    if not reading.objects:
        return 0.0
    agreement = np.mean([thing.shape_confidence for thing in reading.objects])
    detail = np.clip((agreement - _AGREEMENT_FLOOR) / (1 - _AGREEMENT_FLOOR), 0, 1)
    strongest = np.maximum(ndimage.maximum_filter(distance, size=5), 1)
    outline = ndimage.binary_dilation(covered, iterations=2) & ~ndimage.binary_erosion(covered, iterations=2)
    share = (distance / strongest)[outline]
    between = float(((share > 0.2) & (share < 0.8)).mean()) if share.size else 1.0
    return float(0.5 * detail + 0.5 * np.clip(1.3 - 2 * between, 0, 1))


def _background_detail(distance: FloatArray, covered: BoolArray) -> float:
    """Evenness of the ground: how little its pixels, two steps away from all objects, leave its colour."""
    outside = ~ndimage.binary_dilation(covered, iterations=2)
    if outside.mean() < 0.05:
        return 0.0
    return float(1 - np.sqrt(np.mean(distance[outside] ** 2)) / _UNEVEN)


def _coherence(reading: Reading) -> float:
    """Share of blobs that are whole objects: recognised, and not cut by the border."""
    blobs = len(reading.objects) + reading.unclear
    if blobs == 0:
        return 0.0
    return sum(not _cut(thing) for thing in reading.objects) / blobs


def _cut(thing: SeenObject) -> bool:
    left, top, right, bottom = thing.box
    return left <= 0 or top <= 0 or right >= SIDE or bottom >= SIDE


def _composition(reading: Reading) -> float:
    """Half the balance of all areas about the middle, half the room left to the border."""
    if not reading.objects:
        return 0.0
    areas = np.array([thing.area for thing in reading.objects], dtype=float)
    centers = np.array([thing.center for thing in reading.objects])
    off = np.linalg.norm((areas[:, None] * centers).sum(axis=0) / areas.sum() - SIDE / 2)
    boxes = np.array([thing.box for thing in reading.objects])
    room = min(boxes[:, :2].min(), SIDE - boxes[:, 2:].max())
    return float(0.5 * np.clip(1 - off / (SIDE / 4), 0, 1) + 0.5 * np.clip(room / _COMFORT, 0, 1))


def _harmony(reading: Reading) -> float:
    """1 for equal or far hues (black goes with everything), lower the more pairs lie about 60 degrees apart or less."""
    if not reading.objects:
        return 0.0
    hues = [_HUES[thing.color] for thing in reading.objects if thing.color in _HUES]
    clashes = []
    for first, second in combinations(hues, 2):
        apart = abs((first - second + 180) % 360 - 180)
        clashes.append(0.0 if apart == 0 else max(0.0, 1 - max(0.0, apart - _CLASH) / _CLASH))
    return 1 - (sum(clashes) / len(clashes) if clashes else 0.0)


def _safety(reading: Reading) -> float:
    """0 when the unsafe shape is seen; else lower the more an object resembles it."""
    if any(thing.shape == UNSAFE_SHAPE for thing in reading.objects):
        return 0.0
    likeness = max((thing.unsafe_likeness for thing in reading.objects), default=0.0)
    return 1 - _AFRAID * max(0.0, likeness - _UNSAFE_FLOOR) / (1 - _UNSAFE_FLOOR)
