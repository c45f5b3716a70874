"""How far the pictures of one prompt lie apart, differentiably: a term against collapse to one picture.

The two kinds that DRaFT's appendix tried (arXiv 2309.17400): embeddings that differ, and a perceptual distance. Not a
reward: it says nothing of a single picture. The paper found neither satisfactory; the weight is 0 by default.
"""

from __future__ import annotations

import itertools
from typing import Literal

import torch
import torch.nn.functional as functional

from redraft.core.errors import UsageError
from redraft.core.protocols import PictureFeatures, Scorer

DiversityKind = Literal["embedding", "perceptual"]


def require_features(reward: Scorer, *, method: str) -> PictureFeatures:
    """The features that the reward sees pictures by. Raises UsageError when it has none."""
    tower = getattr(reward, "tower", None)
    if not isinstance(tower, PictureFeatures):
        raise UsageError(
            f"{method} with a diversity term compares pictures by the features of its reward, but {reward.name!r} has "
            "none: use a scorer on a CLIP ('clip', 'heads', a fitted reward, or a blend with one of them), or set "
            "diversity_weight to 0"
        )
    return tower


def diversity(pixels: torch.Tensor, *, features: PictureFeatures, kind: DiversityKind, count: int) -> torch.Tensor:
    """Mean distance of two different pictures of one prompt, averaged over prompts: a scalar with a graph, 0 or more.

    pixels B,3,H,W: `count` pictures of each prompt in a row. Raises UsageError unless they divide so, and count >= 2.
    """
    if count < 2 or len(pixels) % count:
        raise UsageError(
            f"diversity of {len(pixels)} pictures in groups of {count}: two or more pictures of each prompt are needed"
        )
    if kind == "embedding":
        embeddings = features.image_features_differentiable(pixels)
        return embedding_distance(embeddings.reshape(-1, count, *embeddings.shape[1:]))
    maps = features.image_maps_differentiable(pixels)
    return perceptual_distance([layer.reshape(-1, count, *layer.shape[1:]) for layer in maps])


def embedding_distance(embeddings: torch.Tensor) -> torch.Tensor:
    """Mean over prompts and pairs of 1 - cosine, of embeddings P,M,D of length 1: 0..2."""
    pairs = _pairs(embeddings.shape[1])
    return torch.stack([1 - (embeddings[:, a] * embeddings[:, b]).sum(-1) for a, b in pairs]).mean()


def perceptual_distance(maps: list[torch.Tensor]) -> torch.Tensor:
    """LPIPS (Zhang et al. 1801.03924, eq. 1) with all weights 1: mean over prompts and pairs.

    maps: for each layer P,M,D,height,width. Features are brought to length 1 along D; squared distances are averaged
    over places and then over layers: 0..4.
    """
    total = torch.zeros((), device=maps[0].device, dtype=maps[0].dtype)
    for layer in maps:
        unit = functional.normalize(layer, dim=2, eps=1e-10)
        pairs = _pairs(layer.shape[1])
        total = total + torch.stack([(unit[:, a] - unit[:, b]).square().sum(1).mean() for a, b in pairs]).mean()
    return total / len(maps)


def _pairs(count: int) -> list[tuple[int, int]]:
    return list(itertools.combinations(range(count), 2))
