"""Which segments of any picture, drawn or painted, are whole shapes, by the oracle's own measure of likeness.

So painted pictures, whose layouts nobody knows, teach CLIP what is there and whole. Segments are found in pixels much
as the oracle finds blobs, and held against its templates: a CLIP that learned from this has learned what the oracle
recognises, though neither its verdicts nor any facet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from redraft.world.lettering import PLATE_HEIGHT, PLATE_WIDTH
from redraft.world.shapes import COLORS, PALETTE
from redraft.world.templates import shape_agreement

SEGMENTS = 8
"""The largest of a picture; smaller ones are left out of boxes but not of the cover."""
_LIKE = 0.82
"""Correlation with a shape from which on a segment is one: of .78 to .86 the level that most often counts what the
oracle counts, on 2,000 pictures painted for this training. The weights that ship were trained with a copy of the
templates in slightly other sizes.
"""
_FULL = 0.8  # share of its box that a plate fills
_LEAST_SIDE = 7  # pixels; no shape is drawn smaller
_PLATE_SLACK = 4  # pixels


@dataclass(frozen=True, kw_only=True)
class Recognised:
    """Of N pictures and SEGMENTS segments, the largest first. there: it exists. plate: it has the size of a label.
    likeness 0..1: correlation with the shape it is most like; kind: that shape's place in NAMES. color: the paint
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
                alike = shape_agreement(mask.astype(np.float32))
                likeness[row, number], kind[row, number] = max(alike.max(), 0), alike.argmax()
    return Recognised(
        there=torch.from_numpy(there), plate=torch.from_numpy(plate), likeness=torch.from_numpy(likeness),
        kind=torch.from_numpy(kind), color=torch.from_numpy(color),
    )  # fmt: skip


def _paint(patch: NDArray[np.float32], mask: NDArray[np.bool_]) -> int:
    """The paint nearest to the median of what lies inside."""
    core = ndimage.binary_erosion(mask)
    paint = np.median(patch[core if core.sum() >= 12 else mask], axis=0)
    return int(np.abs(_paints() - paint).sum(1).argmin())


@lru_cache(maxsize=1)
def _paints() -> NDArray[np.float32]:
    return np.array([PALETTE[name] for name in COLORS], dtype=np.float32) / 255
