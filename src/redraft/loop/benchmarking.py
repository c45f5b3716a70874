"""A model as the painter of a benchmark: picture n always comes from the same noise, so that runs can go on and pair.

Judging and recording is `evaluation.benchmarks.runner`; this file only paints and says exactly what painted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

from redraft.core.keys import Key
from redraft.core.records import Recipe
from redraft.diffusion.sample import sample
from redraft.evaluation.benchmarks.runner import Order, noise_key
from redraft.rewards.fingerprints import fingerprint_of, hash_tensors

if TYPE_CHECKING:
    from redraft.models.backbone import PipelineBackbone


class ModelPainter:
    """Paints what a benchmark orders. The noise of a picture depends on `key` and its number alone."""

    def __init__(self, backbone: PipelineBackbone, *, recipe: Recipe, key: Key) -> None:
        self.backbone, self.recipe = backbone, recipe
        self._key = noise_key(key)

    def __call__(self, wanted: Sequence[Order]) -> list[torch.Tensor]:
        """Pictures 3,H,W in 0..1, as 8 bits store them."""
        conditioning = self.backbone.encode([order.prompt for order in wanted])
        with self.backbone.merged(), torch.no_grad():
            rollout = sample(
                self.backbone,
                conditioning,
                recipe=self.recipe,
                key=self._key,
                indices=[order.number for order in wanted],
            )
            pixels = self.backbone.decode(rollout.latents).pixels
        return list((pixels * 255).round().cpu() / 255)


def made_by(backbone: PipelineBackbone, *, recipe: Recipe, checkpoint: str, seed: int) -> dict[str, Any]:
    """What decides the pictures, for the journal's header: weights by hash, sampling, seed."""
    return {
        "base": backbone.base,
        "checkpoint": checkpoint,
        "weights": weights_mark(backbone),
        "steps": recipe.steps,
        "guidance_scale": recipe.guidance_scale,
        "recipe": hashlib.sha256(repr(asdict(recipe)).encode()).hexdigest()[:16],
        "size": backbone.size,
        "seed": seed,
    }


def weights_mark(backbone: PipelineBackbone) -> str:
    """Hash of every weight that makes a picture: denoiser with what was trained, autoencoder, text encoders."""
    marks = [("trained", hash_tensors(dict(backbone.trainable())))]
    for name, part in sorted(backbone.pipeline.components.items()):
        if isinstance(part, torch.nn.Module):
            marks.append((name, hash_tensors(part.state_dict())))
    return fingerprint_of(*marks)
