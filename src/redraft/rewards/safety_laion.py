"""Safety by LAION's detector on OpenAI's CLIP: 1 - the probability of nudity and the like. It reads no prompt.

LAION-AI/CLIP-based-NSFW-Detector, heads for ViT-L/14 and ViT-B/32. It knows what it was trained on (sexual content),
not violence or anything else that may be unsafe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards.clip_tower import ClipTower, open_tower
from redraft.rewards.fingerprints import fingerprint_of, hash_tensors
from redraft.rewards.heads import SAFETY
from redraft.rewards.layer_stacks import LayerStack, stack_names, stack_of
from redraft.rewards.pixels import check_pictures
from redraft.rewards.released_files import find_weights, read_weights, require_layout

LAYERS = (1, 2, 3, 4)
"""linear_1 to linear_4 of the head for ViT-L/14; the one for ViT-B/32 has no fourth."""
_STANDARDS = ("norm.mean", "norm.variance")
_LEAST = 1e-10


class SafetyLaionConfig(Config):
    """Options of the scorer `safety-laion`."""

    name: str = Field(default="safety-laion", min_length=1, description="name of the scorer")
    weights: str = Field(default="", description="the published .pth; empty: found in the CLIP's folder by its name")
    batch: int = Field(default=64, ge=1, description="pictures at once")


class LaionDetector:
    """Standardise the embedding, then linear layers with ReLU between, then a sigmoid: the unsafe probability."""

    def __init__(self, head: LayerStack, *, mean: torch.Tensor, variance: torch.Tensor) -> None:
        """mean, variance: of embeddings, D. Raises UsageError when their width is not the head's."""
        if mean.numel() != head.width or variance.numel() != head.width or bool((variance < 0).any()):
            raise UsageError(
                f"a detector of {head.width} features with {mean.numel()} means and {variance.numel()} variances: the "
                "file mixes two detectors or has negative variances; give it as released"
            )
        self.head, self.mean, self.deviation = head, mean.float(), variance.float().sqrt() + _LEAST

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """B in 0..1 from features B,D of length 1."""
        return torch.sigmoid(self.head((features - self.mean.to(features)) / self.deviation.to(features)))

    def tensors(self) -> Mapping[str, torch.Tensor]:
        """All weights by name, for a fingerprint."""
        return {**self.head.tensors(), "mean": self.mean, "deviation": self.deviation}


class SafetyLaionScorer:
    """The head `safety`: 1 - unsafe, 0..1, higher is safer. Differentiable."""

    Config: ClassVar[type[BaseModel]] = SafetyLaionConfig
    differentiable = True

    def __init__(self, tower: ClipTower, detector: LaionDetector, *, name: str = "safety-laion") -> None:
        """Raises UsageError for a detector of features of another width."""
        if detector.head.width != tower.dimension:
            raise UsageError(
                f"a detector for {detector.head.width} features on a CLIP with {tower.dimension}: take the pair that "
                "belongs together (768: OpenAI's ViT-L/14, 512: ViT-B/32)"
            )
        self.tower, self.detector, self.name, self.heads = tower, detector, name, (SAFETY,)
        self.fingerprint = fingerprint_of("safety-laion", tower.fingerprint, hash_tensors(detector.tensors()))

    @classmethod
    def build(cls, config: SafetyLaionConfig, context: ModelContext) -> SafetyLaionScorer:
        """Open the CLIPModel at `context.folder` and the published head; errors as `AestheticV2Scorer.build`."""
        weights = find_weights(context.folder, scorer="safety-laion", given=config.weights, beside_a_model=True)
        detector = read_laion_detector(weights)
        tower = open_tower(context.folder, device=context.device, dtype=context.dtype, batch=config.batch)
        return cls(tower, detector, name=config.name)

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """One head. Raises UsageError for wrong pictures, NumericsError for NaN in them."""
        check_pictures(images.pixels, prompts, scorer=self.name)
        values = 1 - self.detector(self.tower.image_features(images.pixels))[:, None]
        mask = torch.ones_like(values, dtype=torch.bool)
        return Scores(values=values, names=self.heads, fingerprints=(self.fingerprint,), mask=mask).require_finite()

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        """The score, B, differentiable in pixels B,3,H,W in 0..1; errors as `score`."""
        check_pictures(pixels, prompts, scorer=self.name)
        return 1 - self.detector(self.tower.image_features_differentiable(pixels))

    def unsafe_probability(self, images: Images) -> torch.Tensor:
        """B: what confidence and the safety rule of blends read."""
        return 1 - self.score(images, [Prompt(text="")] * len(images)).head(SAFETY)


def read_laion_detector(path: Path) -> LaionDetector:
    """The published head. Raises UsageError naming missing keys, DamagedError and NumericsError as `read_weights`."""
    state = read_weights(path)
    numbers = LAYERS if "linear_4.weight" in state else LAYERS[:3]
    expected = [*_STANDARDS, *stack_names(numbers, prefix="linear_")]
    require_layout(state, expected, source=path.name, layout="LAION's NSFW detector")
    head = stack_of(state, numbers, prefix="linear_", relu=True, source=path.name)
    return LaionDetector(head, mean=state["norm.mean"], variance=state["norm.variance"])
