"""The oracle's eye for shapes and words: banks of templates, and how well a patch agrees with them.

Templates come from the same geometry as the renderer's masks, in several sizes and rotations.
It finds no objects in a picture (see `oracle`); it only names a patch that was cut out.
"""

from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from redraft.world.lettering import PLATE_HEIGHT, PLATE_WIDTH, WORDS, plate_of
from redraft.world.shapes import SHAPES, UNSAFE_SHAPE, FloatArray, shape_mask

GRID = 20
"""Every patch is resampled to 20x20 before it is compared."""

RIM = 0.1
"""Share of the longer side that is left empty around a patch."""

NAMES = (*SHAPES, UNSAFE_SHAPE)

_SIZES = (14, 17, 22, 30)
_TURNS = (-8, -4, 0, 4, 8)
_BLURS = (0.0, 0.9)  # pixels; words are compared sharp and soft


def shape_agreement(coverage: FloatArray) -> NDArray[np.float32]:
    """Agreement of a coverage patch with every shape.

    Args:
        coverage: H,W float in 0..1, cut to the object's box.

    Returns:
        One correlation per shape of `NAMES`, -1..1: the best over sizes and rotations.
    """
    patch = _centered(_squared(coverage))
    bank = _shape_bank()
    return np.asarray((bank @ patch).reshape(len(NAMES), -1).max(axis=1))


def word_agreement(grey: FloatArray, center: tuple[int, int]) -> NDArray[np.float32]:
    """Agreement of a label with every word of `WORDS`.

    Args:
        grey: H,W float, any range: the picture.
        center: (row, column) of the first pixel after the middle of the plate.

    Returns:
        One correlation per word, -1..1: the best over shifts of one pixel, sharp and soft letters. Taken inside
        the plate's border, so that the border does not count as a letter.
    """
    height, width = PLATE_HEIGHT - 4, PLATE_WIDTH - 4
    patches = []
    for down, right in product((-1, 0, 1), repeat=2):
        top, left = center[0] - height // 2 + down, center[1] - width // 2 + right
        if 0 <= top <= grey.shape[0] - height and 0 <= left <= grey.shape[1] - width:
            patches.append(_centered(grey[top : top + height, left : left + width]))
    if not patches:
        return np.zeros(len(WORDS), dtype=np.float32)
    agreement = _word_bank() @ np.stack(patches, axis=1)
    return np.asarray(agreement.reshape(len(WORDS), -1).max(axis=1))


@lru_cache(maxsize=1)
def _shape_bank() -> FloatArray:
    rows = [_centered(_squared(shape_mask(name, size, turn))) for name in NAMES for size in _SIZES for turn in _TURNS]
    return np.stack(rows)


@lru_cache(maxsize=1)
def _word_bank() -> FloatArray:
    plates = [ndimage.gaussian_filter(plate_of(word), blur) for word in WORDS for blur in _BLURS]
    return np.stack([_centered(plate[2:-2, 2:-2]) for plate in plates])


def _squared(coverage: FloatArray) -> FloatArray:
    """Resample to the grid with the longer side filling it, so that a shape keeps its proportions."""
    height, width = coverage.shape
    side = max(height, width)
    # A rim of ground all round: without it a square would be one even patch, and an even patch correlates with nothing.
    side += 2 * max(1, round(side * RIM))
    return np.asarray(_weights(height, GRID, side) @ coverage @ _weights(width, GRID, side).T, dtype=np.float32)


def _centered(patch: FloatArray) -> FloatArray:
    flat = patch.ravel().astype(np.float32)
    flat = flat - flat.mean()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-6), dtype=np.float32)


@lru_cache(maxsize=4096)
def _weights(length: int, cells: int, span: int) -> FloatArray:
    """Area resampling as a matrix (cells,length): `length` pixels lie centred in a span cut into equal cells.

    Cells beyond the pixels are 0.
    """
    offset = (span - length) / 2
    edges = np.linspace(0, span, cells + 1) - offset
    starts = np.arange(length)
    overlap = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    return np.asarray(np.clip(overlap, 0, None) * cells / span, dtype=np.float32)
