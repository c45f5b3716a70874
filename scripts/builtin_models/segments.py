"""What CLIP's patches must know of any picture, drawn or painted: which pixels leave the ground, how sharply, as what.

Targets come from pixels, as those of MaskFeat (2112.09133) do: what the oracle's eye finds in them (see `recognised`).
So painted pictures, whose layouts nobody knows, teach patches too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import nn

from redraft.world.templates import NAMES
from scripts.builtin_models.layout import PATCH, PATCHES, boxes, from_patches, masks
from scripts.builtin_models.recognised import SEGMENTS, Recognised
from scripts.builtin_models.scenes import SIDE

_LEAST_SHARE = 0.08  # of a patch, for its blob to be asked about
_TOLERANCE = 0.05
_FINE = 0.03  # of a likeness


class SegmentHeads(nn.Module):
    """Linear heads on patch features of one layer: cover; edges of the segment, its likeness to a shape; sharpness."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cover, self.edges, self.sharp = nn.Linear(width, 1), nn.Linear(width, 4), nn.Linear(width, 2)
        self.alike, self.kind = nn.Linear(width, 1), nn.Linear(width, len(NAMES))
        self.whole = nn.Linear(width, 1)


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


def segment_targets(pixels: torch.Tensor, found: Recognised) -> SegmentTargets:
    """Targets of pictures N,3,64,64 in 0..1 and what was recognised of them."""
    grid = SIDE // PATCH
    each = masks(torch.from_numpy(found.named), SEGMENTS).float()
    share = each.reshape(-1, grid, PATCH, grid, PATCH, SEGMENTS).mean((2, 4)).reshape(-1, PATCHES, SEGMENTS)
    most, best = share.max(-1)
    rows = torch.arange(len(pixels))[:, None]
    return SegmentTargets(
        cover=torch.from_numpy(found.named > 0).float().reshape(-1, grid, PATCH, grid, PATCH).mean((2, 4)).flatten(1),
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
    alike = functional.smooth_l1_loss(heads.alike(patches)[held][:, 0], targets.alike[held], beta=_FINE)
    whole = functional.binary_cross_entropy_with_logits(
        heads.whole(patches)[held][:, 0], (targets.kind[held] >= 0).float()
    )
    kind = functional.cross_entropy(heads.kind(patches)[shaped], targets.kind[shaped])
    return 2 * cover + edges + sharp + 4 * alike + whole + 0.5 * kind
