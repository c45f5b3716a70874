"""Rotational anti-correlation: how unlike a picture is to itself turned by 90 degrees. A toy reward; reads no prompt.

One of the rewards of DRaFT (arXiv 2309.17400): a goal that no prompt can name, with a known best value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import BaseModel

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards.fingerprints import fingerprint_of
from redraft.rewards.pixels import check_pictures

# Far below one 8-bit level squared (1.5e-5): it decides only where a picture is constant, and makes its score 0.
_SMALLEST_VARIANCE = 1e-8


class RotationConfig(Config):
    """The scorer `rotational-anti-correlation` has no options."""


class RotationScorer:
    """Minus the correlation of a picture's pixels with those of the picture turned by 90 degrees: -1 .. 1.

    Each colour is centred by its own mean, so that a plain colour says nothing: a constant picture, whose correlation
    is undefined, scores 0. Differentiable.
    """

    Config: ClassVar[type[BaseModel]] = RotationConfig
    differentiable = True

    def __init__(self) -> None:
        self.name = "rotational-anti-correlation"
        self.heads = (self.name,)
        self.fingerprint = fingerprint_of(self.name, 1)

    @classmethod
    def build(cls, config: RotationConfig, context: ModelContext) -> RotationScorer:
        """Needs neither options nor a folder."""
        del config, context
        return cls()

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """One head. Raises UsageError for wrong pictures or ones that are not square, NumericsError for NaN in them."""
        with torch.no_grad():
            values = self.score_pixels(images.pixels, prompts).float()[:, None]
        mask = torch.ones_like(values, dtype=torch.bool)
        return Scores(values=values, names=self.heads, fingerprints=(self.fingerprint,), mask=mask)

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        """The score, B, differentiable in pixels B,3,H,W; errors as `score`."""
        check_pictures(pixels, prompts, scorer=self.name)
        if pixels.shape[-1] != pixels.shape[-2]:
            raise UsageError(
                f"pictures of {pixels.shape[-1]} x {pixels.shape[-2]} pixels: scorer {self.name!r} turns them by 90 "
                "degrees, so they must be square; crop them"
            )
        centred = pixels - pixels.mean(dim=(2, 3), keepdim=True)
        product = (centred * torch.rot90(centred, dims=(2, 3))).flatten(1).mean(dim=1)
        # Turning keeps the variance, so the product of both deviations is the variance itself.
        return -product / (centred.square().flatten(1).mean(dim=1) + _SMALLEST_VARIANCE)
