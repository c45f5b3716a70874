"""Toy rewards for what a picture shows, whatever its prompt says: a thing is there, is gone, or is taken for another.

After DRaFT (arXiv 2309.17400), which has a detector and an ImageNet classifier for these; here both are one CLIP asked
for the names of things (`zero_shot`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as functional
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards.clip_tower import ClipTower, open_tower
from redraft.rewards.fingerprints import fingerprint_of
from redraft.rewards.pixels import check_pictures
from redraft.rewards.scorer_folders import named_folder
from redraft.rewards.zero_shot import NAMES, ZeroShotClassifier


class NamedThingConfig(Config):
    """Options of the scorers `object-present`, `object-removed` and `classifier-target`."""

    target: str = Field(default="star", min_length=1, description="name of the thing, one of `names`")
    names: tuple[str, ...] = Field(default=NAMES, description="what the CLIP tells apart")
    batch: int = Field(default=64, ge=1, description="pictures at once")


class NamedThingScorer:
    """A score of the classifier's logits B,K. Differentiable; within CLIP's preprocessing `score` and `score_pixels`
    agree."""

    Config: ClassVar[type[BaseModel]] = NamedThingConfig
    differentiable = True
    kind: ClassVar[str]

    def __init__(self, tower: ClipTower, *, target: str, names: Sequence[str] = NAMES) -> None:
        """Raises UnknownNameError for a target that is not among the names, UsageError for fewer than two of these."""
        self.classifier = ZeroShotClassifier(tower, names)
        self.target, self.tower, self.name = self.classifier.index(target), tower, self.kind
        self.heads = (self.kind,)
        self.fingerprint = fingerprint_of(self.kind, tower.fingerprint, target, self.classifier.names)

    @classmethod
    def build(cls, config: NamedThingConfig, context: ModelContext) -> NamedThingScorer:
        """Open the CLIPModel at `context.folder`; errors as `open_tower` raises them."""
        folder = named_folder(context.folder, scorer=cls.kind, holds="the CLIPModel")
        tower = open_tower(folder, device=context.device, dtype=context.dtype, batch=config.batch)
        return cls(tower, target=config.target, names=config.names)

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """One head. Raises UsageError for wrong pictures, NumericsError for NaN in them."""
        check_pictures(images.pixels, prompts, scorer=self.name)
        values = self._value(self.classifier.logits(images.pixels)).float()[:, None]
        mask = torch.ones_like(values, dtype=torch.bool)
        return Scores(values=values, names=self.heads, fingerprints=(self.fingerprint,), mask=mask).require_finite()

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        """The score, B, differentiable in pixels B,3,H,W in 0..1; errors as `score`."""
        check_pictures(pixels, prompts, scorer=self.name)
        return self._value(self.classifier.logits_differentiable(pixels))

    def _value(self, logits: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


class ObjectPresentScorer(NamedThingScorer):
    """The logit of the target minus the mean logit of the other names: not bounded, 0 where nothing speaks for it.

    Unlike a probability it does not ask that nothing else be there.
    """

    kind = "object-present"

    def _value(self, logits: torch.Tensor) -> torch.Tensor:
        others = (logits.sum(dim=1) - logits[:, self.target]) / (logits.shape[1] - 1)
        return logits[:, self.target] - others


class ObjectRemovedScorer(ObjectPresentScorer):
    """The same with the sign turned: higher for pictures without the target."""

    kind = "object-removed"

    def _value(self, logits: torch.Tensor) -> torch.Tensor:
        return -super()._value(logits)


class ClassifierTargetScorer(NamedThingScorer):
    """Minus the cross-entropy to the target class: the logarithm of its probability, 0 at most."""

    kind = "classifier-target"

    def _value(self, logits: torch.Tensor) -> torch.Tensor:
        return functional.log_softmax(logits, dim=1)[:, self.target]
