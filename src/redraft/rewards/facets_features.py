"""What facet heads read of a picture: a CLIP's pooled features, the state they come from, and the maps of its layers.

Pooled features are trained to forget how a picture is painted: on the built-in CLIP they explain next to nothing of
detail, ground and composition. The patches still hold it, most of all the first layer; and the state before its
projection into the space of texts, where what no text speaks of is lost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as functional

from redraft.rewards.clip_tower import ClipTower

GRID = 8
"""Maps are at most this many patches high and wide; finer ones are averaged."""
_SHARES = (0.25, 0.5, 0.75, 1.0)  # of the depth: the layers that are read besides the patches themselves
_QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
_FLOOR = 1e-3
VIEWS = (
    (0, 0), (1, 0), (0, 1), (-1, -1), (2, 2), (-2, 1), (1, -2), (-1, 2),
    (0, -1), (-1, 0), (3, -3), (-3, 3), (3, 3), (-3, -3), (4, 0), (0, 4),
)  # fmt: skip
"""Pixels down and right by which the views of a picture are moved from which its concepts are read: what a network sees
of one is right or wrong by chance where it hardly knows, and less so on average.
"""


@dataclass(frozen=True, kw_only=True)
class PictureFeatures:
    """Of B pictures. maps B,C,g,g: patches less their median, then layers, then `matched` channels D of the last layer
    in the space of texts. pooled B,D of length 1; state B,W: what is projected to it. energies B,E: logarithms of how
    far patches lie from the median. concepts B,C: what else the state tells (see `concepts`), on average over views; C
    is 0 where that is not known.
    """

    maps: torch.Tensor
    pooled: torch.Tensor
    state: torch.Tensor
    energies: torch.Tensor
    concepts: torch.Tensor

    def __len__(self) -> int:
        return len(self.pooled)

    def take(self, rows: torch.Tensor) -> PictureFeatures:
        """The rows given."""
        return PictureFeatures(**{name: values[rows] for name, values in vars(self).items()})

    def halved(self) -> PictureFeatures:
        """The same with maps in half precision, to keep thousands of them."""
        return replace(self, maps=self.maps.half())

    def without_maps(self) -> PictureFeatures:
        """The same for whoever reads vectors alone; maps have no channels."""
        return replace(self, maps=self.maps[:, :0])

    def where(self, chosen: torch.Tensor, other: PictureFeatures) -> PictureFeatures:
        """These where `chosen` B, the other ones elsewhere."""
        return PictureFeatures(**{
            name: torch.where(chosen.view(-1, *[1] * (values.ndim - 1)), values, getattr(other, name))
            for name, values in vars(self).items()
        })  # fmt: skip


def picture_features(tower: ClipTower, inputs: torch.Tensor, *, views: int) -> PictureFeatures:
    """Features of preprocessed inputs B,3,crop,crop; keeps the gradient. views: of VIEWS, for the concepts."""
    vision = tower.model.vision_model
    inputs = inputs.to(tower.device, tower.dtype)
    output = vision(pixel_values=inputs, output_hidden_states=True)
    states = output.hidden_states
    depth = len(states) - 1
    chosen = sorted({max(1, round(depth * share)) for share in _SHARES})
    patches = vision.embeddings.patch_embedding(inputs).flatten(2).transpose(1, 2).float()
    patches = patches - patches.median(dim=1, keepdim=True).values
    matched = tower.model.visual_projection(vision.post_layernorm(states[-1][:, 1:])).float()
    layers = [states[index][:, 1:].float() for index in chosen]
    matched = functional.normalize(matched, dim=-1)
    quantiles = torch.tensor(_QUANTILES, device=inputs.device)
    energies = torch.quantile(patches.abs(), quantiles, dim=1).permute(1, 0, 2).flatten(1)
    pooled = tower.model.visual_projection(output.pooler_output).float()
    state = output.pooler_output.float()
    return PictureFeatures(
        maps=_maps(torch.cat([patches, *layers, matched], dim=-1)),
        pooled=functional.normalize(pooled, dim=-1),
        state=state,
        energies=torch.log(energies + _FLOOR),
        concepts=_concepts(tower, inputs, state, views=views),
    )


def _concepts(tower: ClipTower, inputs: torch.Tensor, state: torch.Tensor, *, views: int) -> torch.Tensor:
    """B,C; state B,W: of the first view, which is the picture itself."""
    if tower.concepts is None:
        return state[:, :0]
    told = tower.concepts(state)
    for down, right in VIEWS[1:views]:
        view = moved(inputs, down=down, right=right)
        told = told + tower.concepts(tower.model.vision_model(pixel_values=view).pooler_output.float())
    return told / views


def moved(inputs: torch.Tensor, *, down: int, right: int) -> torch.Tensor:
    """Pictures B,3,H,W moved by so many pixels; where they leave, their border is repeated."""
    most = max(abs(down), abs(right))
    padded = functional.pad(inputs, (most,) * 4, mode="replicate")
    top, left = most - down, most - right
    return padded[..., top : top + inputs.shape[-2], left : left + inputs.shape[-1]]


def joined(parts: list[PictureFeatures]) -> PictureFeatures:
    """The rows of all parts, in order."""
    return PictureFeatures(**{name: torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def _maps(patches: torch.Tensor) -> torch.Tensor:
    """B,P,C to B,C,g,g."""
    side = math.isqrt(patches.shape[1])
    maps = patches.transpose(1, 2).reshape(len(patches), -1, side, side)
    return functional.adaptive_avg_pool2d(maps, GRID) if side > GRID else maps
