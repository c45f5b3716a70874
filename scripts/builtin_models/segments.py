"""What CLIP's patches must know of any picture, drawn or painted: which pixels leave the ground, and how sharply.

Targets come from the pixels alone, as those of MaskFeat (2112.09133) do: a threshold and connected components, nothing
that knows a shape, a colour's name or a prompt. So painted pictures, whose layouts nobody knows, teach patches too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from scipy import ndimage
from torch import nn

from scripts.builtin_models.layout import PATCH, PATCHES, boxes, from_patches, masks
from scripts.builtin_models.scenes import SIDE

SEGMENTS = 8
"""The largest of a picture; smaller ones are left out of boxes but not of the cover."""
_APART = 30 / 255  # RGB distance from the ground
_SMOOTH = 0.7  # pixels
_LEAST = 8  # pixels of a segment
_LEAST_SHARE = 0.08  # of a patch, for its segment to be asked about
_EDGE = 8.0  # pixels of room that count as 1
_TOLERANCE = 0.05
HUES = 12
"""Bins of the circle of hues, 30 degrees each."""
_COLOURED = 40 / 255  # between the largest and the least channel of a pixel, for it to have a hue
_SHOWS = 24.0  # pixels of a hue from which on it is there


class ViewHeads(nn.Module):
    """Linear heads on the pooled state before its projection, N,width: the segments of a picture together."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.frame, self.hues = nn.Linear(width, 6), nn.Linear(width, HUES)


class SegmentHeads(nn.Module):
    """Linear heads on patch features of one layer: cover, edges of the segment, sharpness."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cover, self.edges, self.sharp = nn.Linear(width, 1), nn.Linear(width, 4), nn.Linear(width, 2)


@dataclass(frozen=True, kw_only=True)
class SegmentTargets:
    """Of N pictures and P patches. cover N,P: share that is not ground. edges N,P,4: left, top, right, bottom of the
    segment that covers most, from the patch's middle, in units of two patches; known N,P: whether there is one. sharp
    N,P,2: mean and largest step of brightness. blobs N,3: how many segments, how many touch the border, and the least
    room that the others leave to it. frame N,6: room left, above, right and below of all segments' common box, and
    their centroid from the middle, right and down; any N: whether there are segments. hues N,HUES: 1 for each that they
    show.
    """

    cover: torch.Tensor
    edges: torch.Tensor
    known: torch.Tensor
    sharp: torch.Tensor
    blobs: torch.Tensor
    frame: torch.Tensor
    any: torch.Tensor
    hues: torch.Tensor


def segments(pixels: torch.Tensor) -> NDArray[np.uint8]:
    """N,64,64 of pictures N,3,64,64 in 0..1: 0 is ground, 1 the largest segment, and so on; 255 those left out."""
    ground = pixels.flatten(2).median(dim=2).values[..., None, None]
    smooth = ndimage.gaussian_filter((pixels - ground).numpy(), (0, 0, _SMOOTH, _SMOOTH))
    apart = np.linalg.norm(smooth, axis=1) > _APART
    found = np.zeros(apart.shape, dtype=np.uint8)
    for row, mask in enumerate(apart):
        names, count = ndimage.label(mask, structure=np.ones((3, 3)))
        sizes = np.bincount(names.ravel(), minlength=count + 1)[1:]
        table = np.zeros(count + 1, dtype=np.uint8)
        for place, name in enumerate(np.argsort(-sizes, kind="stable")):
            table[name + 1] = 0 if sizes[name] < _LEAST else place + 1 if place < SEGMENTS else 255
        found[row] = table[names]
    return found


def segment_targets(pixels: torch.Tensor) -> SegmentTargets:
    """Targets of pictures N,3,64,64 in 0..1."""
    named, grid = torch.from_numpy(segments(pixels)), SIDE // PATCH
    each = masks(named, SEGMENTS).float()
    share = each.reshape(-1, grid, PATCH, grid, PATCH, SEGMENTS).mean((2, 4)).reshape(-1, PATCHES, SEGMENTS)
    most, best = share.max(-1)
    rows = torch.arange(len(pixels))[:, None]
    box = boxes(each)
    there = each.flatten(1, 2).any(1)
    room = torch.minimum(box[..., :2].amin(-1), SIDE - box[..., 2:].amax(-1))
    least = torch.where(there & (room > 0), room, float(SIDE // 2)).amin(1)
    return SegmentTargets(
        cover=(named > 0).float().reshape(-1, grid, PATCH, grid, PATCH).mean((2, 4)).flatten(1),
        edges=from_patches(box[rows, best]), known=most > _LEAST_SHARE, sharp=_sharpness(pixels),
        blobs=torch.stack([
            there.sum(1) / 4, (there & (room <= 0)).sum(1) / 2, least.clamp(max=2 * _EDGE) / _EDGE
        ], 1),
        frame=_frame(named > 0), any=there.any(1), hues=_hues(pixels, named > 0),
    )  # fmt: skip


def _frame(cover: torch.Tensor) -> torch.Tensor:
    box = boxes(cover[..., None].float())[:, 0]
    place, area = torch.arange(SIDE).float(), cover.flatten(1).sum(1).clamp(min=1)
    centre = [(cover.float().sum(axis) * place).sum(1) / area - (SIDE - 1) / 2 for axis in (1, 2)]
    return torch.cat([box[:, :2], SIDE - box[:, 2:], torch.stack(centre, 1)], 1) / _EDGE


def _hues(pixels: torch.Tensor, cover: torch.Tensor) -> torch.Tensor:
    """N,HUES of covered pixels N,64,64: each pixel with a hue counts for the two bins it lies between."""
    red, green, blue = pixels.unbind(1)
    angle = torch.atan2(3**0.5 * (green - blue), 2 * red - green - blue) / (2 * torch.pi) * HUES
    counted = (cover & (pixels.amax(1) - pixels.amin(1) > _COLOURED)).float().flatten(1)
    lower = angle.floor()
    above = (angle - lower).flatten(1)
    found = torch.zeros(len(pixels), HUES)
    for step, share in ((0, 1 - above), (1, above)):
        found.scatter_add_(1, ((lower.long() + step) % HUES).flatten(1), share * counted)
    return (found / _SHOWS).clamp(max=1)


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
    return 2 * functional.binary_cross_entropy_with_logits(heads.cover(patches)[..., 0], targets.cover) + edges + sharp


def blobs_loss(head: nn.Linear, pooled: torch.Tensor, targets: SegmentTargets) -> torch.Tensor:
    """A scalar for pooled states N,width."""
    return functional.smooth_l1_loss(head(pooled), targets.blobs, beta=0.1)


def view_loss(heads: ViewHeads, pooled: torch.Tensor, targets: SegmentTargets) -> torch.Tensor:
    """A scalar for pooled states N,width."""
    known = targets.any
    frame = functional.smooth_l1_loss(heads.frame(pooled)[known], targets.frame[known], beta=0.1)
    return frame + functional.binary_cross_entropy_with_logits(heads.hues(pooled), targets.hues)
