"""CLIP similarity: the cosine between picture and prompt, by any CLIPModel folder. It says nothing of beauty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards.clip_tower import ClipTower, open_tower
from redraft.rewards.fingerprints import fingerprint_of
from redraft.rewards.long_texts import LongTexts
from redraft.rewards.pixels import check_pictures
from redraft.rewards.scorer_folders import named_folder

AGREEMENT = 1e-3
"""Most that score and score_pixels differ in cosine at the CLIP's own picture size: 0.1 on the usual scale of 100."""
AGREEMENT_RESIZED = 5e-3
"""The same for pictures that have to be resized: Pillow rounds to 8 bits after each of its two passes."""


class ClipSimilarityConfig(Config):
    """Options of the scorer `clip`."""

    name: str = Field(default="clip", min_length=1, description="name of the scorer and of its head")
    vocabulary: str = Field(default="", description="folder of the tokenizer; empty: the same folder")
    long_texts: LongTexts = Field(default="truncate", description="refuse, truncate or windows")
    batch: int = Field(default=64, ge=1, description="pictures at once")


class ClipSimilarityScorer:
    """Cosine of CLIP features, -1..1 (Radford et al. 2021): CLIPScore without its factor, and without its clamp, which
    would stop the gradient below 0.

    Differentiable: `score_pixels` lies within AGREEMENT (AGREEMENT_RESIZED) of `score`.
    """

    Config: ClassVar[type[BaseModel]] = ClipSimilarityConfig
    differentiable = True

    def __init__(self, tower: ClipTower, *, name: str = "clip") -> None:
        self.tower, self.name = tower, name
        self.heads = (name,)
        self.fingerprint = fingerprint_of("clip-similarity", tower.fingerprint)

    @classmethod
    def build(cls, config: ClipSimilarityConfig, context: ModelContext) -> ClipSimilarityScorer:
        """Open the CLIPModel at `context.folder`; errors as `open_tower` raises them."""
        tower = open_tower(
            named_folder(context.folder, scorer=config.name, holds="the CLIPModel"),
            device=context.device,
            dtype=context.dtype,
            batch=config.batch,
            long_texts=config.long_texts,
            vocabulary=config.vocabulary,
        )
        return cls(tower, name=config.name)

    @property
    def truncated(self) -> int:
        """How many texts were cut to the tokenizer's maximum so far."""
        return self.tower.truncated

    def image_features(self, images: Images) -> torch.Tensor:
        """B,D float32 of length 1: for diversity and Frechet distances."""
        check_pictures(images.pixels, [Prompt(text="")] * len(images), scorer=self.name)
        return self.tower.image_features(images.pixels)

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """One head named as the scorer. Raises UsageError for wrong pictures, NumericsError for NaN in them."""
        check_pictures(images.pixels, prompts, scorer=self.name)
        features = self.tower.image_features(images.pixels)
        cosine = (features * self.tower.text_features(prompts)).sum(-1, keepdim=True)
        mask = torch.ones_like(cosine, dtype=torch.bool)
        return Scores(values=cosine, names=self.heads, fingerprints=(self.fingerprint,), mask=mask).require_finite()

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        """The cosine, B, differentiable in pixels B,3,H,W in 0..1; errors as `score`."""
        check_pictures(pixels, prompts, scorer=self.name)
        features = self.tower.image_features_differentiable(pixels)
        return (features * self.tower.text_features(prompts).to(features.dtype)).sum(-1)
