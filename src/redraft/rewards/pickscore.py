"""PickScore: scale * cosine of a CLIP fine-tuned on people's choices (yuvalkirstain/PickScore, arXiv 2305.01569).

The released folder is a CLIPModel of transformers without a tokenizer; the one of open_clip's ViT-H/14 belongs to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards.clip_similarity import ClipSimilarityScorer
from redraft.rewards.clip_tower import ClipTower, open_tower
from redraft.rewards.fingerprints import fingerprint_of
from redraft.rewards.long_texts import LongTexts
from redraft.rewards.scorer_folders import named_folder


class PickScoreConfig(Config):
    """Options of the scorer `pickscore`."""

    name: str = Field(default="pickscore", min_length=1, description="name of the scorer and of its head")
    vocabulary: str = Field(default="", description="folder of the tokenizer; empty: the same folder")
    long_texts: LongTexts = Field(default="truncate", description="refuse, truncate (as published) or windows")
    batch: int = Field(default=32, ge=1, description="pictures at once")


class PickScoreScorer(ClipSimilarityScorer):
    """scale * cosine, about 18..24 with the released weights, whose scale is about 100. Differentiable.

    The probability that people prefer one of two pictures of a prompt is sigmoid(difference). `score` and
    `score_pixels` agree within scale * clip_similarity.AGREEMENT (AGREEMENT_RESIZED).
    """

    Config: ClassVar[type[BaseModel]] = PickScoreConfig

    def __init__(self, tower: ClipTower, *, name: str = "pickscore") -> None:
        super().__init__(tower, name=name)
        self.fingerprint = fingerprint_of("pickscore", tower.fingerprint)

    @classmethod
    def build(cls, config: PickScoreConfig, context: ModelContext) -> PickScoreScorer:  # type: ignore[override]
        """Open the CLIPModel at `context.folder`; errors as `open_tower` raises them."""
        tower = open_tower(
            named_folder(context.folder, scorer=config.name, holds="PickScore's CLIPModel"),
            device=context.device,
            dtype=context.dtype,
            batch=config.batch,
            long_texts=config.long_texts,
            vocabulary=config.vocabulary,
        )
        return cls(tower, name=config.name)

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """One head named as the scorer. Raises UsageError for wrong pictures, NumericsError for NaN in them."""
        scores = super().score(images, prompts)
        return replace(scores, values=self.tower.scale * scores.values)

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        """The score, B, differentiable in pixels B,3,H,W in 0..1; errors as `score`."""
        return self.tower.scale * super().score_pixels(pixels, prompts)
