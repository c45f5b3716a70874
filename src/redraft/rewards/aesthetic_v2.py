"""LAION aesthetic V2: five linear layers on OpenAI's CLIP ViT-L/14 (improved-aesthetic-predictor). It reads no prompt.

The published network has no activation between its layers (sac+logos+ava1-l14-linearMSE.pth and others), so it is one
linear layer; a variant with ReLU has other layer numbers and is told by them.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from redraft.rewards.layer_stacks import LayerStack, stack_names, stack_of
from redraft.rewards.pixels import check_pictures
from redraft.rewards.released_files import find_weights, read_weights, require_layout

LINEAR_LAYERS = (0, 2, 4, 6, 7)
"""Numbers of the linear layers in the published Sequential: dropout stands between them."""
RELU_LAYERS = (0, 3, 6, 9, 11)
"""The same in the variant with ReLU before each dropout and before the last layer."""


class AestheticV2Config(Config):
    """Options of the scorer `aesthetic-v2`."""

    name: str = Field(default="aesthetic-v2", min_length=1, description="name of the scorer and of its head")
    weights: str = Field(default="", description="the published .pth; empty: found in the CLIP's folder by its name")
    batch: int = Field(default=64, ge=1, description="pictures at once")


class AestheticV2Scorer:
    """One head, roughly 1..10. Differentiable; within CLIP's preprocessing `score` and `score_pixels` agree."""

    Config: ClassVar[type[BaseModel]] = AestheticV2Config
    differentiable = True

    def __init__(self, tower: ClipTower, head: LayerStack, *, name: str = "aesthetic-v2") -> None:
        """Raises UsageError for a head that reads features of another width."""
        if head.width != tower.dimension:
            raise UsageError(
                f"aesthetic V2 weights for {head.width} features on a CLIP with {tower.dimension}: the published ones "
                "(768) belong to OpenAI's ViT-L/14; name its folder"
            )
        self.tower, self.head, self.name, self.heads = tower, head, name, (name,)
        self.fingerprint = fingerprint_of("aesthetic-v2", tower.fingerprint, hash_tensors(head.tensors()), head.relu)

    @classmethod
    def build(cls, config: AestheticV2Config, context: ModelContext) -> AestheticV2Scorer:
        """Open the CLIPModel at `context.folder` and the published layers.

        Raises UsageError when files are missing or the layout is another one (naming the missing keys); otherwise as
        `open_tower` and `read_weights`.
        """
        weights = find_weights(context.folder, scorer="aesthetic-v2", given=config.weights, beside_a_model=True)
        head = read_aesthetic_v2(weights)
        tower = open_tower(context.folder, device=context.device, dtype=context.dtype, batch=config.batch)
        return cls(tower, head, name=config.name)

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """One head. Raises UsageError for wrong pictures, NumericsError for NaN in them."""
        check_pictures(images.pixels, prompts, scorer=self.name)
        values = self.head(self.tower.image_features(images.pixels))[:, None]
        mask = torch.ones_like(values, dtype=torch.bool)
        return Scores(values=values, names=self.heads, fingerprints=(self.fingerprint,), mask=mask).require_finite()

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        """The score, B, differentiable in pixels B,3,H,W in 0..1; errors as `score`."""
        check_pictures(pixels, prompts, scorer=self.name)
        return self.head(self.tower.image_features_differentiable(pixels))


def read_aesthetic_v2(path: Path) -> LayerStack:
    """The published layers. Raises UsageError naming missing keys, DamagedError and NumericsError as `read_weights`."""
    state = read_weights(path)
    relu = f"layers.{RELU_LAYERS[1]}.weight" in state
    numbers = RELU_LAYERS if relu else LINEAR_LAYERS
    require_layout(state, stack_names(numbers, prefix="layers."), source=path.name, layout="LAION's aesthetic V2")
    return stack_of(state, numbers, prefix="layers.", relu=relu, source=path.name)
