"""What CLIP's patches must know of any picture, drawn or painted: which pixels leave the ground, how sharply, as what.

Targets come from pixels, as those of MaskFeat (2112.09133) do: a threshold, connected components, and what `recognised`
says of these. So painted pictures, whose layouts nobody knows, teach patches too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from scipy import ndimage
from torch import nn

from redraft.world.templates import NAMES
from scripts.builtin_models.layout import PATCH, PATCHES, boxes, from_patches, masks
from scripts.builtin_models.recognised import SEGMENTS, Recognised
from scripts.builtin_models.scenes import SIDE

_APART, _SHARE, _NEAR = 40 / 255, 0.36, 7
"""RGB distance from the ground of what is covered, and its least share of the largest distance within so many pixels: a
blurred edge of what is dark may be further from the ground than the middle of what is pale.
"""
_SMOOTH = 0.4  # pixels
_LEAST = 9  # pixels of a segment
_LEAST_SHARE = 0.08  # of a patch, for its segment to be asked about
_TOLERANCE = 0.05


class SegmentHeads(nn.Module):
    """Linear heads on patch features of one layer: cover; edges of the segment, its likeness to a shape; sharpness."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cover, self.edges, self.sharp = nn.Linear(width, 1), nn.Linear(width, 4), nn.Linear(width, 2)
        self.alike, self.kind = nn.Linear(width, 1), nn.Linear(width, len(NAMES))


@dataclass(frozen=True, kw_only=True)
class SegmentTargets:
    """Of N pictures and P patches. cover N,P: share that is not ground. edges N,P,4: left, top, right, bottom of the
    segment that covers most, from the patch's middle, in units of two patches; known N,P: whether there is one. sharp
    N,P,2: mean and largest step of brightness. alike N,P: that segment's likeness to a shape, 0..1, NaN for plates.
    kind N,P: that shape, -1 where the segment is none.
    """

    cover: torch.Tensor
    edges: torch.Tensor
    known: torch.Tensor
    sharp: torch.Tensor
    alike: torch.Tensor
    kind: torch.Tensor


def segments(pixels: torch.Tensor) -> NDArray[np.uint8]:
    """N,64,64 of pictures N,3,64,64 in 0..1: 0 is ground, 1 the largest segment, and so on; 255 those left out."""
    ground = pixels.flatten(2).median(dim=2).values[..., None, None]
    smooth = ndimage.gaussian_filter((pixels - ground).numpy(), (0, 0, _SMOOTH, _SMOOTH))
    apart = np.linalg.norm(smooth, axis=1)
    found = np.zeros(apart.shape, dtype=np.uint8)
    for row, distance in enumerate(apart):
        covered = distance > np.maximum(_APART, _SHARE * ndimage.maximum_filter(distance, size=_NEAR))
        covered |= ndimage.binary_closing(covered)  # which alone would lose what lies on the border
        names, count = ndimage.label(covered, structure=np.ones((3, 3)))
        sizes = np.bincount(names.ravel(), minlength=count + 1)[1:]
        table = np.zeros(count + 1, dtype=np.uint8)
        for place, name in enumerate(np.argsort(-sizes, kind="stable")):
            table[name + 1] = 0 if sizes[name] < _LEAST else place + 1 if place < SEGMENTS else 255
        found[row] = table[names]
    return found


def segment_targets(pixels: torch.Tensor, named: NDArray[np.uint8], found: Recognised) -> SegmentTargets:
    """Targets of pictures N,3,64,64 in 0..1, their segments N,64,64 and what was recognised of them."""
    grid = SIDE // PATCH
    each = masks(torch.from_numpy(named), SEGMENTS).float()
    share = each.reshape(-1, grid, PATCH, grid, PATCH, SEGMENTS).mean((2, 4)).reshape(-1, PATCHES, SEGMENTS)
    most, best = share.max(-1)
    rows = torch.arange(len(pixels))[:, None]
    return SegmentTargets(
        cover=torch.from_numpy(named > 0).float().reshape(-1, grid, PATCH, grid, PATCH).mean((2, 4)).flatten(1),
        edges=from_patches(boxes(each)[rows, best]), known=most > _LEAST_SHARE, sharp=_sharpness(pixels),
        alike=torch.where(found.plate, torch.nan, found.likeness)[rows, best],
        kind=torch.where(found.whole, found.kind, -1)[rows, best],
    )  # fmt: skip


def _sharpness(pixels: torch.Tensor) -> torch.Tensor:
    grey = functional.pad(pixels.mean(1, keepdim=True), (0, 1, 0, 1), mode="replicate")
    step = ((grey[..., 1:, :-1] - grey[..., :-1, :-1]) ** 2 + (grey[..., :-1, 1:] - grey[..., :-1, :-1]) ** 2).sqrt()
    pooled = [functional.avg_pool2d(step, PATCH) * 8, functional.max_pool2d(step, PATCH) * 2]
    return torch.cat(pooled, 1).flatten(2).transpose(1, 2)


def segment_loss(heads: SegmentHeads, patches: torch.Tensor, targets: SegmentTargets) -> torch.Tensor:
    """A scalar for patch features N,P,width."""
    known = targets.known
    edges = functional.smooth_l1_loss(heads.edges(patches)[known], targets.edges[known], beta=_TOLERANCE)
    sharp = functional.smooth_l1_loss(heads.sharp(patches), targets.sharp, beta=0.1)
    cover = functional.binary_cross_entropy_with_logits(heads.cover(patches)[..., 0], targets.cover)
    held, shaped = known & ~targets.alike.isnan(), known & (targets.kind >= 0)
    alike = functional.smooth_l1_loss(heads.alike(patches)[held][:, 0], targets.alike[held], beta=0.1)
    kind = functional.cross_entropy(heads.kind(patches)[shaped], targets.kind[shaped])
    return 2 * cover + edges + sharp + 4 * alike + 0.5 * kind
