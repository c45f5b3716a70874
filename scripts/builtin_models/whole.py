"""What the state that CLIP pools must know in the second part of its training: the picture as a whole.

Where all that is recognised lies together, which shapes and colours there are, how many, how much is none, and how the
picture was worn, by linear heads that are kept beside it as its concepts. Single patches: `layout` and `segments`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import nn

from redraft.rewards.concepts import ConceptGroup, Concepts, Kind
from redraft.world import COLORS
from redraft.world.oracle import SHAPE_MINIMUM
from redraft.world.templates import NAMES
from scripts.builtin_models.layout import masks
from scripts.builtin_models.recognised import SEGMENTS, Recognised
from scripts.builtin_models.scenes import SIDE

MOST = 4
"""Counts end here."""
LEVELS = (0.6, 0.75, 0.8, SHAPE_MINIMUM, 0.9, 0.94)
"""Of the likeness of what is most like a shape: the state is asked whether it is above each, since it matters most
around the level from which on the oracle calls it one.
"""
_RING = 2  # pixels; the oracle's closing leaves no blob on the outermost
_FINE = 0.03  # of a likeness
_EDGE, _AREA = 8.0, 400.0  # pixels of an edge and of an area that count as 1
UNITS = 192
"""Between the state and the heads, beside their direct way."""


KINDS_OF: dict[str, Kind] = {
    "place": "number", "flags": "yes", "likeness": "number", "most": "yes", "count": "one_of", "unclear": "one_of",
    "kinds": "yes", "colors": "yes", "wear": "number",
}  # fmt: skip
"""Heads that are kept beside the CLIP as its concepts, and what their numbers are."""


class WholeHeads(nn.Module):
    """Linear heads on the pooled state before its projection, N,width, and on UNITS that look at it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.units = nn.Linear(width, UNITS)
        width += UNITS
        self.place, self.flags, self.likeness = nn.Linear(width, 7), nn.Linear(width, 3), nn.Linear(width, 3)
        self.count, self.unclear = nn.Linear(width, MOST + 1), nn.Linear(width, MOST + 1)
        self.kinds, self.colors = nn.Linear(width, len(NAMES)), nn.Linear(width, len(COLORS))
        self.wear, self.most = nn.Linear(width, 3), nn.Linear(width, len(LEVELS))

    def read(self, pooled: torch.Tensor) -> torch.Tensor:
        """What the heads read, N,width+UNITS."""
        return torch.cat([pooled, functional.gelu(self.units(pooled))], dim=-1)


def concepts_of(weights: dict[str, torch.Tensor]) -> Concepts:
    """All heads as one, from the weights of WholeHeads."""
    groups = [(name, kind, weights[f"{name}.weight"], weights[f"{name}.bias"]) for name, kind in KINDS_OF.items()]
    return Concepts(
        groups=tuple(ConceptGroup(name=name, size=len(bias), kind=kind) for name, kind, _, bias in groups),
        weight=torch.cat([weight for _, _, weight, _ in groups]), bias=torch.cat([bias for *_, bias in groups]),
        units_weight=weights["units.weight"], units_bias=weights["units.bias"],
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class WholeTargets:
    """Of N pictures. place N,7: room left, above, right and below of the common box of all recognised shapes; their
    centroid from the middle, right and down; their area. seen N: whether there are any. count, unclear N: of shapes,
    and of blobs that are none. kinds N,shapes and colors N,colours: 1 for each that is there. flags N,3: a shape
    is at the border; something is unclear; a plate. likeness N,3: the greatest, mean and least of blobs to a shape.
    wear N,3: blur, noise, bending, each about 0 to 2; NaN where nobody knows.
    """

    place: torch.Tensor
    seen: torch.Tensor
    count: torch.Tensor
    unclear: torch.Tensor
    kinds: torch.Tensor
    colors: torch.Tensor
    flags: torch.Tensor
    likeness: torch.Tensor
    wear: torch.Tensor

    def take(self, rows: torch.Tensor) -> WholeTargets:
        """The rows given."""
        return WholeTargets(**{name: values[rows] for name, values in vars(self).items()})


def whole_targets(found: Recognised, *, wear: torch.Tensor) -> WholeTargets:
    """Targets of what was recognised. wear R,3: of the first R pictures; nobody knows how the others were worn."""
    each, whole = masks(torch.from_numpy(found.named), SEGMENTS), found.whole
    shapes = (each & whole[:, None, None]).any(-1)
    rows, columns, place = shapes.any(2), shapes.any(1), torch.arange(SIDE).float()
    first = [torch.where(line, place, float(SIDE)).amin(1) for line in (columns, rows)]
    last = [torch.where(line, place + 1, 0.0).amax(1) for line in (columns, rows)]
    area = shapes.flatten(1).sum(1).float()
    centre = [(shapes.float().sum(axis) * place).sum(1) / area.clamp(min=1) - SIDE / 2 for axis in (1, 2)]
    outer = [shapes[:, :_RING], shapes[:, -_RING:], shapes[..., :_RING], shapes[..., -_RING:]]
    border = torch.cat([side.flatten(1) for side in outer], 1).any(1)
    held = found.there & ~found.plate
    mean = (found.likeness * held).sum(1) / held.sum(1).clamp(min=1)
    greatest = (found.likeness * held).amax(1)
    least = torch.where(held, found.likeness, 1.0).amin(1) * held.any(1)
    return WholeTargets(
        place=torch.stack([*first, *(SIDE - edge for edge in last), *centre, area / _AREA * _EDGE], 1) / _EDGE,
        seen=whole.any(1), count=whole.sum(1).clamp(max=MOST), unclear=found.unclear.sum(1).clamp(max=MOST),
        kinds=_present(found.kind, whole, len(NAMES)), colors=_present(found.color, whole, len(COLORS)),
        flags=torch.stack([border, found.unclear.any(1), (found.there & found.plate).any(1)], 1).float(),
        likeness=torch.stack([greatest, mean, least], 1),
        wear=torch.cat([wear, torch.full((len(mean) - len(wear), 3), torch.nan)]),
    )  # fmt: skip


def _present(names: torch.Tensor, known: torch.Tensor, count: int) -> torch.Tensor:
    found = torch.zeros(len(names), count + 1)
    return found.scatter_(1, torch.where(known, names, count), 1.0)[:, :count]


def whole_loss(heads: WholeHeads, pooled: torch.Tensor, targets: WholeTargets) -> torch.Tensor:
    """A scalar for pooled states N,width."""
    seen, worn, pooled = targets.seen, ~targets.wear.isnan().any(1), heads.read(pooled)
    asked = functional.binary_cross_entropy_with_logits
    above = (targets.likeness[:, :1] >= torch.tensor(LEVELS)).float()
    counts = functional.cross_entropy(heads.count(pooled), targets.count)
    return (
        2 * functional.smooth_l1_loss(heads.place(pooled)[seen], targets.place[seen], beta=0.1)
        + asked(heads.colors(pooled), targets.colors)
        + asked(heads.kinds(pooled), targets.kinds)
        + asked(heads.flags(pooled), targets.flags)
        + counts
        + functional.cross_entropy(heads.unclear(pooled), targets.unclear)
        + 4 * functional.smooth_l1_loss(heads.likeness(pooled), targets.likeness, beta=_FINE)
        + 2 * asked(heads.most(pooled), above)
        + functional.smooth_l1_loss(heads.wear(pooled[worn]), targets.wear[worn])
    )
