"""What a CLIP takes a picture for, among named things: the classifier behind three toy rewards. Not a scorer.

Zero-shot classification (Radford et al. 2021): scale * cosine of the picture with "a NAME" for every name.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from redraft.core.errors import UsageError, unknown_name
from redraft.core.records import Prompt
from redraft.rewards.clip_tower import ClipTower
from redraft.world.shapes import SHAPES

NAMES: tuple[str, ...] = tuple(SHAPES)
"""The things told apart unless others are named: the shapes of the picture world."""


class ZeroShotClassifier:
    """A CLIP and K names of things. Raises UsageError for fewer than two names, or one given twice."""

    def __init__(self, tower: ClipTower, names: Sequence[str]) -> None:
        if len(set(names)) < max(len(names), 2):
            raise UsageError(
                f"a classifier among {', '.join(names) or 'nothing'}: two or more different names are needed to tell "
                "apart"
            )
        self.tower, self.names = tower, tuple(names)
        texts = tower.text_features([Prompt(text=f"{_article(name)} {name}") for name in names])
        self._texts = tower.scale * texts

    def index(self, name: str) -> int:
        """The column of a name. Raises UnknownNameError for one that is not among them."""
        if name not in self.names:
            raise unknown_name("class", name, self.names)
        return self.names.index(name)

    def logits(self, pixels: torch.Tensor) -> torch.Tensor:
        """B,K by the reference preprocessing, from pixels B,3,H,W in 0..1. No gradient."""
        return self.tower.image_features(pixels) @ self._texts.T

    def logits_differentiable(self, pixels: torch.Tensor) -> torch.Tensor:
        """B,K, differentiable in pixels B,3,H,W in 0..1."""
        features = self.tower.image_features_differentiable(pixels)
        return features @ self._texts.to(features).T


def _article(name: str) -> str:
    return "an" if name[:1].lower() in "aeiou" else "a"
