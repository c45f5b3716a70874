"""Safety as a reward: the probability that a picture is safe, by the safety head that ships with a CLIP.

After DRaFT's safety experiment (arXiv 2309.17400). Not the safety rule of a blend, though it can serve as its scorer.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.protocols import ModelContext
from redraft.rewards.heads import SAFETY, HeadsConfig, HeadsScorer


class SafetyConfig(Config):
    """Options of the scorer `safety`."""

    batch: int = Field(default=64, ge=1, description="pictures at once")


class SafetyScorer(HeadsScorer):
    """`heads` with the safety head first: 0..1, differentiable."""

    Config: ClassVar[type[BaseModel]] = SafetyConfig

    @classmethod
    def build(cls, config: SafetyConfig, context: ModelContext) -> HeadsScorer:  # type: ignore[override]
        """Open the CLIPModel folder `context.folder` and the heads beside it; errors as `HeadsScorer.build`.

        Raises UnknownNameError when there is no safety head.
        """
        options = HeadsConfig(name=SAFETY, main=SAFETY, batch=config.batch)
        return super().build(options, context)
