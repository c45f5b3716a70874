"""LAION aesthetic V1: one linear layer on a CLIP image embedding (LAION-AI/aesthetic-predictor). It reads no prompt.

Meant for OpenAI's CLIP ViT-L/14, B/32 or B/16, with the weights file that LAION publishes for each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as functional
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.errors import DamagedError, NumericsError, UsageError
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards.clip_tower import ClipTower, open_tower
from redraft.rewards.fingerprints import fingerprint_of, hash_tensors
from redraft.rewards.pixels import check_pictures
from redraft.rewards.scorer_folders import named_folder

FORMATS = (".json", ".safetensors", ".pth")


class AestheticV1Config(Config):
    """Options of the scorer `aesthetic-v1`."""

    weights: str = Field(default="", description="the linear layer: a .json, .safetensors or .pth file")
    batch: int = Field(default=64, ge=1, description="pictures at once")


class LinearHead:
    """score = weight . embedding / |embedding| + bias; weight D, float32."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        if not bool(torch.isfinite(weight).all() and torch.isfinite(bias).all()):
            raise NumericsError("the aesthetic weights hold NaN or infinity: fetch the file again")
        self.weight, self.bias = weight.float().reshape(-1), bias.float().reshape(())

    def __call__(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Scores B, about 0..10, of embeddings B,D of any length."""
        unit = functional.normalize(embeddings, dim=-1)
        return unit @ self.weight.to(unit) + self.bias.to(unit)


class AestheticV1Scorer:
    """The head `aesthetic-v1`, about 0..10. Differentiable."""

    Config: ClassVar[type[BaseModel]] = AestheticV1Config
    differentiable = True

    def __init__(self, tower: ClipTower, head: LinearHead) -> None:
        if len(head.weight) != tower.dimension:
            raise UsageError(
                f"aesthetic weights for {len(head.weight)} features on a CLIP with {tower.dimension}: take the pair "
                "that belongs together (768: ViT-L/14, 512: ViT-B/32 or B/16)"
            )
        self.tower, self.head = tower, head
        self.name, self.heads = "aesthetic-v1", ("aesthetic-v1",)
        weights = hash_tensors({"weight": head.weight, "bias": head.bias})
        self.fingerprint = fingerprint_of("aesthetic-v1", tower.fingerprint, weights)

    @classmethod
    def build(cls, config: AestheticV1Config, context: ModelContext) -> AestheticV1Scorer:
        """Open the CLIPModel at `context.folder` and the weights file; errors of both readers."""
        head = read_linear_head(config.weights)
        folder = named_folder(context.folder, scorer="aesthetic-v1", holds="the CLIPModel")
        return cls(open_tower(folder, device=context.device, dtype=context.dtype, batch=config.batch), head)

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


def read_linear_head(path: str | Path) -> LinearHead:
    """Read `weight` (D or 1,D) and `bias` from .json, .safetensors or .pth (weights only, no code is run).

    Raises UsageError when the file is missing or of another kind, DamagedError when it cannot be read, NumericsError
    for NaN or infinity.
    """
    file = Path(path)
    if not str(path) or not file.is_file() or file.suffix not in FORMATS:
        raise UsageError(
            f"aesthetic weights {str(path)!r}: no file that ends in {', '.join(FORMATS)}; set weights in "
            "[scorers.aesthetic-v1] to LAION's linear layer for your CLIP"
        )
    try:
        content = _read(file)
        weight, bias = torch.as_tensor(content["weight"]), torch.as_tensor(content["bias"])
        if weight.ndim == 0 or weight.numel() != weight.shape[-1] or bias.numel() != 1:
            raise ValueError(
                f"weight of shape {tuple(weight.shape)} and bias of {tuple(bias.shape)} are no linear layer"
            )
    except Exception as error:  # unpickling a damaged file raises nearly anything
        raise DamagedError(
            f"aesthetic weights {file.name!r} cannot be read ({type(error).__name__}: {str(error)[:200]}): it must "
            "hold `weight` and `bias` of one linear layer; fetch it again"
        ) from error
    return LinearHead(weight, bias)


def _read(file: Path) -> Mapping[str, Any]:
    if file.suffix == ".json":
        content: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return content
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        tensors: Mapping[str, Any] = load_file(file)
        return tensors
    state: Mapping[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    return state
