"""How well a picture compresses as a JPEG: two toy rewards with a known right answer. They read no prompt.

The two rewards of DRaFT (arXiv 2309.17400) and, without a gradient, of DDPO (2305.13301).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards.fingerprints import fingerprint_of
from redraft.rewards.jpeg_codec import KILOBYTE, file_sizes, soft_round_trip
from redraft.rewards.pixels import check_pictures

Measure = Literal["distance", "kilobytes"]


class JpegConfig(Config):
    """Options of the scorers `jpeg-compressibility` and `jpeg-incompressibility`."""

    quality: int = Field(default=75, ge=1, le=95, description="of the JPEG, as Pillow counts it")
    main: Measure = Field(default="distance", description="head put first: the reward; kilobytes has no gradient")


class JpegScorer:
    """Heads `distance` and `kilobytes`, both with the sign that makes higher better for this scorer.

    distance: mean square, in 8-bit levels, of picture minus its differentiable JPEG round trip (`soft_round_trip`).
    kilobytes: size of the file that Pillow writes, in units of 1000 bytes, header included: exact, no gradient.
    Differentiable when `distance` is the main head.
    """

    Config: ClassVar[type[BaseModel]] = JpegConfig
    kind: ClassVar[str]
    sign: ClassVar[int]

    def __init__(self, *, quality: int = 75, main: Measure = "distance") -> None:
        self.name, self.quality = self.kind, quality
        self.heads: tuple[str, ...] = ("distance", "kilobytes") if main == "distance" else ("kilobytes", "distance")
        self.differentiable = main == "distance"
        self.fingerprint = fingerprint_of(self.kind, quality, self.heads)

    @classmethod
    def build(cls, config: JpegConfig, context: ModelContext) -> JpegScorer:
        """Needs no folder."""
        del context
        return cls(quality=config.quality, main=config.main)

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """Both heads, of the pictures in 8 bits. Raises UsageError for wrong pictures, NumericsError for NaN."""
        check_pictures(images.pixels, prompts, scorer=self.name)
        stored = (images.pixels.detach() * 255).round().clamp(0, 255) / 255
        columns = {
            "distance": self._distance(stored).float(),
            "kilobytes": file_sizes(stored, quality=self.quality).to(stored.device).float() / KILOBYTE,
        }
        values = self.sign * torch.stack([columns[head] for head in self.heads], dim=1)
        return Scores(
            values=values,
            names=self.heads,
            fingerprints=(self.fingerprint,) * len(self.heads),
            mask=torch.ones_like(values, dtype=torch.bool),
        )

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        """The signed distance, B, differentiable in pixels B,3,H,W. Raises UsageError where kilobytes is the reward."""
        if not self.differentiable:
            raise UsageError(
                f"scorer {self.name!r} with main='kilobytes' has no gradient, because a file's size has none: set main "
                "to 'distance', or use a method that needs scores only (nft, ddpo)"
            )
        check_pictures(pixels, prompts, scorer=self.name)
        return self.sign * self._distance(pixels)

    def _distance(self, pixels: torch.Tensor) -> torch.Tensor:
        lost = 255 * (pixels - soft_round_trip(pixels, quality=self.quality))
        return lost.square().flatten(1).mean(dim=1)


class JpegCompressibilityScorer(JpegScorer):
    """Higher for pictures that JPEG changes little, and whose file is small."""

    kind, sign = "jpeg-compressibility", -1


class JpegIncompressibilityScorer(JpegScorer):
    """Higher for pictures that JPEG changes much, and whose file is large."""

    kind, sign = "jpeg-incompressibility", 1
