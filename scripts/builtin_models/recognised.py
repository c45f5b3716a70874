"""Which segments of any picture, drawn or painted, are whole shapes: their masks held against those that are drawn.

So painted pictures, whose layouts nobody knows, teach CLIP what is there and whole. Masks are matched by correlation,
as the oracle does it; it takes no part but for one level: neither its readings nor its templates are used, and no facet
is known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from redraft.world.lettering import PLATE_HEIGHT, PLATE_WIDTH
from redraft.world.shapes import COLORS, PALETTE, SHAPES, UNSAFE_SHAPE, shape_mask
from scripts.builtin_models.scenes import SIDE

SEGMENTS = 8
"""The largest of a picture; smaller ones are left out of boxes but not of the cover."""
SHAPE_NAMES = (*SHAPES, UNSAFE_SHAPE)
_GRID = 20  # cells to which masks are brought
_RIM = 0.1  # share of a mask's longer side that is left empty around it: without it a square would be one even patch
_SIZES, _TURNS = (13.0, 18.0, 26.0), (-8.0, -4.0, 0.0, 4.0, 8.0)
_LIKE = 0.82
"""Correlation with a shape from which on a segment is one: of .78 to .86 the level that most often counts what the
oracle counts, on 2,000 pictures painted for this training (in 89 % of those from noise, 98 % of those painted over).
"""
_FULL = 0.8  # share of its box that a plate fills
_LEAST_SIDE = 7  # pixels; no shape is drawn smaller
_PLATE_SLACK = 4  # pixels


@dataclass(frozen=True, kw_only=True)
class Recognised:
    """Of N pictures and SEGMENTS segments, the largest first. there: it exists. plate: it has the size of a label.
    likeness 0..1: correlation with the shape it is most like; kind: that shape's place in SHAPE_NAMES. color: the paint
    of COLORS that its middle is nearest to.
    """

    there: torch.Tensor
    plate: torch.Tensor
    likeness: torch.Tensor
    kind: torch.Tensor
    color: torch.Tensor

    @property
    def whole(self) -> torch.Tensor:
        """N,SEGMENTS: segments that are shapes."""
        return self.there & ~self.plate & (self.likeness >= _LIKE)

    @property
    def unclear(self) -> torch.Tensor:
        """N,SEGMENTS: segments that are none."""
        return self.there & ~self.plate & (self.likeness < _LIKE)


def recognised(pixels: torch.Tensor, segments: NDArray[np.uint8]) -> Recognised:
    """Of pictures N,3,64,64 in 0..1 and their segments N,64,64 (see `segments.segments`)."""
    shape = (len(pixels), SEGMENTS)
    there, plate = (np.zeros(shape, dtype=bool) for _ in range(2))
    likeness, kind, color = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=int), np.zeros(shape, dtype=int)
    pictures = pixels.permute(0, 2, 3, 1).numpy()
    masks: list[NDArray[np.float32]] = []
    places: list[tuple[int, int]] = []
    for row, named in enumerate(segments):
        for number, box in enumerate(ndimage.find_objects(named, max_label=SEGMENTS)):
            if box is None:
                continue
            mask = named[box] == number + 1
            there[row, number] = True
            height, width = mask.shape
            plate[row, number] = (
                abs(height - PLATE_HEIGHT) <= _PLATE_SLACK and abs(width - PLATE_WIDTH) <= _PLATE_SLACK
                and ndimage.binary_fill_holes(mask).mean() > _FULL
            )  # fmt: skip
            color[row, number] = _paint(pictures[row][box], mask)
            if max(height, width) >= _LEAST_SIDE:
                masks.append(_squared(mask))
                places.append((row, number))
    if masks:
        alike = _correlation(np.stack(masks))
        rows, numbers = zip(*places, strict=True)
        likeness[rows, numbers], kind[rows, numbers] = alike.max(1).clip(0), alike.argmax(1)
    return Recognised(
        there=torch.from_numpy(there), plate=torch.from_numpy(plate), likeness=torch.from_numpy(likeness),
        kind=torch.from_numpy(kind), color=torch.from_numpy(color),
    )  # fmt: skip


def _paint(patch: NDArray[np.float32], mask: NDArray[np.bool_]) -> int:
    """The paint nearest to the median of what lies inside."""
    core = ndimage.binary_erosion(mask)
    paint = np.median(patch[core if core.sum() >= 12 else mask], axis=0)
    return int(np.abs(_paints() - paint).sum(1).argmin())


def _correlation(masks: NDArray[np.float32]) -> NDArray[np.float32]:
    """N,shapes: of masks as `_squared` gives them with each shape in its likest size and turn."""
    found: NDArray[np.float32] = (masks @ _bank().T).reshape(len(masks), len(SHAPE_NAMES), -1).max(-1)
    return found


@lru_cache(maxsize=1)
def _bank() -> NDArray[np.float32]:
    drawn = [shape_mask(name, size, turn) for name in SHAPE_NAMES for size in _SIZES for turn in _TURNS]
    return np.stack([_squared(mask) for mask in drawn])


@lru_cache(maxsize=1)
def _paints() -> NDArray[np.float32]:
    return np.array([PALETTE[name] for name in COLORS], dtype=np.float32) / 255


def _squared(mask: NDArray[Any]) -> NDArray[np.float32]:
    """A mask cut to its box, amid a square, brought to _GRID cells a side by area; flat, of mean 0 and length 1."""
    longer = max(mask.shape)
    side = longer + 2 * max(1, round(longer * _RIM))
    canvas = np.zeros((side, side), dtype=np.float32)
    top, left = (side - mask.shape[0]) // 2, (side - mask.shape[1]) // 2
    canvas[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    flat: NDArray[np.float32] = (_weights(side) @ canvas @ _weights(side).T).ravel()
    flat = flat - flat.mean()
    return flat / max(float(np.linalg.norm(flat)), 1e-6)


@lru_cache(maxsize=2 * SIDE)
def _weights(side: int) -> NDArray[np.float32]:
    edges = np.linspace(0, side, _GRID + 1)
    first = np.arange(side)
    covered = np.minimum(edges[1:, None], first + 1) - np.maximum(edges[:-1, None], first)
    found: NDArray[np.float32] = (np.clip(covered, 0, None) * _GRID / side).astype(np.float32)
    return found
