"""What CLIP's patches must know in the second part of its training: what lies under them, and how far it reaches.

Location-aware pretraining, as of SigLIP 2 (2502.14786) and LocCa (2403.19596), with linear heads in place of a decoder,
and how strongly a picture was worn, as in ARNIQA (2310.14918). The heads are thrown away after training.
Whole pictures: `whole`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import nn

from redraft.world import COLORS
from scripts.builtin_models.scenes import KINDS, SIDE, THINGS

PATCH = 8
PATCHES = (SIDE // PATCH) ** 2
_LEAST_SHARE = 0.08  # of a patch, for its thing to be asked about
_NOISE = 20.0  # brings noise of 0..0.05 to the size of blur in pixels
_TOLERANCE = 0.05  # of an edge, in units of two patches
_BENT = 4.0  # pixels


class LayoutHeads(nn.Module):
    """Linear heads on patch features of one layer: cover by things and strays, kind, colour, edges, bending; wear."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cover, self.kind = nn.Linear(width, 2), nn.Linear(width, len(KINDS))
        self.color, self.edges = nn.Linear(width, len(COLORS)), nn.Linear(width, 4)
        self.wear, self.bent = nn.Linear(width, 2), nn.Linear(width, 1)


@dataclass(frozen=True, kw_only=True)
class LayoutTargets:
    """Of N pictures and P patches. cover N,P,2: shares under things and under stray strokes. kind, color N,P: of what
    covers most, -1 for none. edges N,P,4: left, top, right, bottom of its visible box from the patch's middle, in units
    of two patches. known N,P: whether a thing is there. wear N,2: deviation of the blur in pixels, and of the noise.
    bent N,P: pixels by which the patch was bent aside, NaN where nobody knows.
    """

    cover: torch.Tensor
    kind: torch.Tensor
    color: torch.Tensor
    edges: torch.Tensor
    known: torch.Tensor
    wear: torch.Tensor
    bent: torch.Tensor


def layout_targets(
    things: NDArray[np.uint8], kinds: NDArray[np.int8], colors: NDArray[np.int8], *, wear: torch.Tensor,
    bent: torch.Tensor,
) -> LayoutTargets:  # fmt: skip
    """Targets of things N,64,64 whose kinds and colours N,THINGS are given."""
    count, grid = len(things), SIDE // PATCH
    each = masks(torch.from_numpy(things), THINGS).float()
    share = each.reshape(count, grid, PATCH, grid, PATCH, THINGS).mean((2, 4)).reshape(count, PATCHES, THINGS)
    most, best = share.max(-1)
    rows = torch.arange(count)[:, None]
    return LayoutTargets(
        cover=torch.stack([share[..., :-1].sum(-1), share[..., -1]], -1),
        kind=torch.from_numpy(kinds).long()[rows, best], color=torch.from_numpy(colors).long()[rows, best],
        edges=from_patches(boxes(each)[rows, best]), known=most > _LEAST_SHARE, wear=wear, bent=bent,
    )  # fmt: skip


def masks(named: torch.Tensor, count: int) -> torch.Tensor:
    """Bool N,64,64,count of uint8 N,64,64: where it is 1, 2, ... count."""
    return named[..., None] == torch.arange(1, count + 1, dtype=torch.uint8)


def boxes(each: torch.Tensor) -> torch.Tensor:
    """N,K,4: left, top and one past right and bottom of masks N,64,64,K; turned inside out where a mask is empty."""
    place = torch.arange(SIDE).float()[None, :, None]
    lines = each.amax(1), each.amax(2)
    first = [torch.where(line > 0, place, float(SIDE)).amin(1) for line in lines]
    last = [torch.where(line > 0, place + 1, 0.0).amax(1) for line in lines]
    return torch.stack([*first, *last], dim=-1)


def from_patches(box: torch.Tensor) -> torch.Tensor:
    """Boxes N,P,4 as seen from the middles of the patches, in units of two patches."""
    grid, place = SIDE // PATCH, torch.arange(PATCHES)
    middle = torch.stack([place % grid, place // grid], -1).repeat(1, 2) * PATCH + PATCH / 2
    return (box - middle) / (2 * PATCH)


def layout_loss(heads: LayoutHeads, patches: torch.Tensor, targets: LayoutTargets) -> torch.Tensor:
    """A scalar for patch features N,P,width. Edges are asked of things that have a box, not of strokes."""
    covered = functional.binary_cross_entropy_with_logits(heads.cover(patches), targets.cover) * 2
    known = targets.known
    colored, boxed = known & (targets.color >= 0), known & (targets.kind != KINDS.index("stray"))
    kind = functional.cross_entropy(heads.kind(patches)[known], targets.kind[known])
    color = functional.cross_entropy(heads.color(patches)[colored], targets.color[colored])
    edges = functional.smooth_l1_loss(heads.edges(patches)[boxed], targets.edges[boxed], beta=_TOLERANCE)
    scale = torch.tensor([1.0, _NOISE])
    wear = functional.smooth_l1_loss(heads.wear(patches.mean(1)), targets.wear * scale) * 2
    told = boxed & ~targets.bent.isnan()
    bent = functional.smooth_l1_loss(heads.bent(patches)[told][:, 0], targets.bent[told] / _BENT, beta=0.1)
    return 2 * covered + 0.5 * kind + 0.3 * color + 2 * edges + 0.2 * wear + bent
