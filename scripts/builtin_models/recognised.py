"""What the oracle sees in any picture, drawn or painted: its blobs, and how like a shape each of them is.

So painted pictures, whose layouts nobody knows, teach CLIP what is there and whole. A CLIP that learned from this has
learned to see as the oracle sees, though it was shown neither its verdicts nor any facet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from redraft.world.oracle import SHAPE_MINIMUM, background_of, blobs_of, color_of, distance_from, pixels_of
from redraft.world.shapes import COLORS

SEGMENTS = 8
"""The largest blobs of a picture; smaller ones are left out of boxes but not of the cover."""
LEFT_OUT = 255


@dataclass(frozen=True, kw_only=True)
class Recognised:
    """Of N pictures and SEGMENTS blobs, the largest first. named N,64,64 uint8: 0 is ground, 1 the largest blob, and so
    on, LEFT_OUT those beyond the last. there: it exists. plate: it is a label. likeness 0..1: correlation with the
    shape it is most like, 0 where it has no object's size; kind: that shape's place in NAMES. color: its paint's place
    in COLORS.
    """

    named: NDArray[np.uint8]
    there: torch.Tensor
    plate: torch.Tensor
    likeness: torch.Tensor
    kind: torch.Tensor
    color: torch.Tensor

    @property
    def whole(self) -> torch.Tensor:
        """N,SEGMENTS: blobs that are shapes."""
        return self.there & ~self.plate & (self.likeness >= SHAPE_MINIMUM)

    @property
    def unclear(self) -> torch.Tensor:
        """N,SEGMENTS: blobs that are none."""
        return self.there & ~self.plate & (self.likeness < SHAPE_MINIMUM)


def recognised(pixels: torch.Tensor) -> Recognised:
    """Of pictures N,3,64,64 in 0..1."""
    shape = (len(pixels), SEGMENTS)
    named = np.zeros((len(pixels), *pixels.shape[2:]), dtype=np.uint8)
    there, plate = (np.zeros(shape, dtype=bool) for _ in range(2))
    likeness, kind, color = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=int), np.zeros(shape, dtype=int)
    for row, picture in enumerate(pixels.permute(0, 2, 3, 1).numpy()):
        image = pixels_of(picture)
        background = background_of(image)
        distance = distance_from(image, background)
        blobs = sorted(blobs_of(image, distance), key=lambda blob: -blob.mask.sum())
        for number, blob in enumerate(blobs):
            box = slice(blob.box[1], blob.box[3]), slice(blob.box[0], blob.box[2])
            named[row][box][blob.mask] = number + 1 if number < SEGMENTS else LEFT_OUT
            if number < SEGMENTS:
                there[row, number], plate[row, number] = True, blob.plate
                color[row, number] = COLORS.index(color_of(blob.mask, image[box], distance[box], background))
                if blob.agreement is not None:
                    likeness[row, number], kind[row, number] = max(blob.agreement.max(), 0), blob.agreement.argmax()
    return Recognised(
        named=named, there=torch.from_numpy(there), plate=torch.from_numpy(plate),
        likeness=torch.from_numpy(likeness), kind=torch.from_numpy(kind), color=torch.from_numpy(color),
    )  # fmt: skip
