"""What the state that CLIP pools must know in the second part of its training: the picture as a whole.

Where all objects lie together, which shapes and colours there are, how many, and how the picture was worn, by linear
heads that are thrown away after training. Single patches: `layout`. Nothing here is a facet; no oracle takes part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import nn

from redraft.world import COLORS
from scripts.builtin_models.layout import masks
from scripts.builtin_models.scenes import KINDS, SIDE, THINGS

OBJECTS = 4
_PLATE, _STRAY = KINDS.index("plate"), KINDS.index("stray")
_EDGE, _AREA = 8.0, 400.0  # pixels of an edge and of an area that count as 1


class WholeHeads(nn.Module):
    """Linear heads on the pooled state before its projection, N,width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.place, self.count, self.flags = nn.Linear(width, 7), nn.Linear(width, OBJECTS + 1), nn.Linear(width, 3)
        self.kinds, self.colors = nn.Linear(width, _PLATE), nn.Linear(width, len(COLORS))
        self.wear = nn.Linear(width, 3)


@dataclass(frozen=True, kw_only=True)
class WholeTargets:
    """Of N pictures. place N,7: room left, above, right and below of all objects' common box; their centroid from the
    middle, right and down; their area. seen N: whether there are any. count N. kinds N,shapes and colors N,colours: 1
    for each that is there. flags N,3: an object touches the border; strays; a plate. wear R,3 of the first R pictures:
    blur, noise, bending, each about 0 to 2.
    """

    place: torch.Tensor
    seen: torch.Tensor
    count: torch.Tensor
    kinds: torch.Tensor
    colors: torch.Tensor
    flags: torch.Tensor
    wear: torch.Tensor


def whole_targets(
    things: NDArray[np.uint8], kinds: NDArray[np.int8], colors: NDArray[np.int8], *, wear: torch.Tensor
) -> WholeTargets:
    """Targets of things N,64,64 whose kinds and colours N,THINGS are given."""
    each = masks(torch.from_numpy(things), THINGS)
    kind, color = torch.from_numpy(kinds).long(), torch.from_numpy(colors).long()
    is_object = (kind >= 0) & (kind < _PLATE)
    there = each.flatten(1, 2).any(1)
    objects = (each & is_object[:, None, None]).any(-1)
    rows, columns, place = objects.any(2), objects.any(1), torch.arange(SIDE).float()
    first = [torch.where(line, place, float(SIDE)).amin(1) for line in (columns, rows)]
    last = [torch.where(line, place + 1, 0.0).amax(1) for line in (columns, rows)]
    area = objects.flatten(1).sum(1).float()
    centre = [(objects.float().sum(axis) * place).sum(1) / area.clamp(min=1) - SIDE / 2 for axis in (1, 2)]
    border = torch.cat([objects[:, 0], objects[:, -1], objects[:, :, 0], objects[:, :, -1]], 1).any(1)
    flags = [border, (there & (kind == _STRAY)).any(1), (there & (kind == _PLATE)).any(1)]
    return WholeTargets(
        place=torch.stack([*first, *(SIDE - edge for edge in last), *centre, area / _AREA * _EDGE], 1) / _EDGE,
        seen=objects.flatten(1).any(1), count=(there & is_object).sum(1),
        kinds=_present(kind, there & is_object, _PLATE), colors=_present(color, there & is_object, len(COLORS)),
        flags=torch.stack(flags, 1).float(), wear=wear,
    )  # fmt: skip


def _present(names: torch.Tensor, known: torch.Tensor, count: int) -> torch.Tensor:
    found = torch.zeros(len(names), count + 1)
    return found.scatter_(1, torch.where(known, names, count), 1.0)[:, :count]


def whole_loss(heads: WholeHeads, pooled: torch.Tensor, targets: WholeTargets) -> torch.Tensor:
    """A scalar for pooled states N,width."""
    seen = targets.seen
    asked = functional.binary_cross_entropy_with_logits
    return (
        2 * functional.smooth_l1_loss(heads.place(pooled)[seen], targets.place[seen], beta=0.1)
        + asked(heads.colors(pooled), targets.colors)
        + asked(heads.kinds(pooled), targets.kinds)
        + asked(heads.flags(pooled), targets.flags)
        + 0.3 * functional.cross_entropy(heads.count(pooled), targets.count)
        + functional.smooth_l1_loss(heads.wear(pooled[: len(targets.wear)]), targets.wear)
    )
