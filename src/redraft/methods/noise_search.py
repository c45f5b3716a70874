"""Noise search at inference: follow a scorer's gradient to a better initial noise (after DOODL, arXiv 2303.13703).

    1  z <- N(0, I)
    2  repeat: x0 = sample(z) with a graph through every step;  s = r(decode(x0), c)
    3          g = grad of s in z, clipped, without its part along z
    4          z <- z + Adam(g);  z <- z * sqrt(D) / |z|              D elements of a latent
    5  return the picture of greatest s on the way

No weight changes; each picture has its own search. The number of steps of the sampler bounds the cost: one round takes
that many network calls forward and as many backward, and with checkpointing as many forward again.

Differs from the paper:
- DOODL inverts the sampler exactly (EDICT) to save memory; here each step is checkpointed, for any sampler and model.
- Line 3 takes the part along z out of the gradient. Adam scales each element by itself, so with that part left in
  the search would stop beside the best point of the sphere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import Field
from torch.utils.checkpoint import checkpoint

from redraft.core.config import Config
from redraft.core.keys import Key
from redraft.core.protocols import Backbone, Scorer
from redraft.core.records import Recipe
from redraft.core.tensors import PromptBatch
from redraft.diffusion.sample import denoise, initial_noise, require_fit
from redraft.methods.ascent import Ascent
from redraft.methods.inference import (
    Enhanced,
    Judged,
    clipped,
    device_of,
    dtype_of,
    judged,
    lengths,
    picture_numbers,
    reached,
    require_gradient,
    slope_of,
)


class NoiseSearchConfig(Config):
    """Options of `noise_search`."""

    rounds: int = Field(default=10, ge=1, description="steps of the search")
    learning_rate: float = Field(default=0.05, gt=0, description="of Adam; an element of the noise has size 1")
    gradient_clip: float = Field(default=1.0, gt=0, description="greatest norm of a picture's gradient")
    checkpointing: bool = Field(default=True, description="run networks again in the backward pass to save memory")


@dataclass(frozen=True, kw_only=True)
class NoiseSearch:
    """The method."""

    Config: ClassVar[type[NoiseSearchConfig]] = NoiseSearchConfig

    config: NoiseSearchConfig
    reward: Scorer

    def __post_init__(self) -> None:
        require_gradient(self.reward, method="noise_search")

    def enhance(
        self,
        backbone: Backbone,
        prompts: PromptBatch,
        *,
        recipe: Recipe,
        key: Key,
        indices: Sequence[int] | None = None,
    ) -> Enhanced:
        """Lines 1 to 5; `scores` are B,rounds + 1: the way of the search, the plain picture first.

        Raises what `sample` does, UsageError for a prompt that cannot be scored, NumericsError for a score or gradient
        that is not finite.
        """
        require_fit(backbone, recipe)
        numbers = picture_numbers(prompts.conditioning, indices)
        search = _Search(method=self, backbone=backbone, prompts=prompts, recipe=recipe, key=key, numbers=numbers)
        noise = initial_noise(key, indices=numbers, shape=backbone.latent_shape)
        noise = noise.to(device_of(prompts.conditioning), dtype_of(recipe))  # line 1
        ascent = Ascent(learning_rate=self.config.learning_rate)
        best, slope = search.look(noise)
        scores = [best.score]
        for number in range(1, self.config.rounds + 1):
            slope = clipped(slope, norm=self.config.gradient_clip)
            noise = _on_the_sphere(noise + ascent.move(slope - _along(slope, noise)))  # lines 3 and 4
            found, slope = search.look(noise, slope_wanted=number < self.config.rounds)
            scores.append(found.score)
            best = best.replaced(found.score > best.score, found)  # line 5
        table = torch.stack(scores, dim=1)
        rounds, again = self.config.rounds, 2 if self.config.checkpointing else 1
        every = torch.ones(len(prompts), dtype=torch.long)
        return Enhanced(
            latents=best.latents,
            images=best.images,
            scores=table,
            chosen=table.argmax(dim=1),
            network_calls=every * (rounds * again + 1) * recipe.steps,
            backward_calls=every * rounds * recipe.steps,
        )


@dataclass(frozen=True, kw_only=True)
class _Search:
    """What stays the same while the noise changes."""

    method: NoiseSearch
    backbone: Backbone
    prompts: PromptBatch
    recipe: Recipe
    key: Key
    numbers: Sequence[int]

    def look(self, noise: torch.Tensor, *, slope_wanted: bool = True) -> tuple[Judged, torch.Tensor]:
        """Line 2: the picture of a noise B,C,H,W, and the gradient of its score in the noise (zeros if unwanted)."""
        reward, texts = self.method.reward, self.prompts.prompts
        with torch.set_grad_enabled(slope_wanted):
            start = noise.detach().requires_grad_(slope_wanted)
            latents = self._sampled(start)
            found = judged(self.backbone, latents.detach(), texts, reward=reward)
            if not slope_wanted:
                return found, torch.zeros_like(noise)
            score = reward.score_pixels(self.backbone.decode(latents).pixels, texts)
            return found, slope_of(score, start, reward=reward)

    def _sampled(self, latents: torch.Tensor) -> torch.Tensor:
        def run(latents: torch.Tensor, index: int) -> torch.Tensor:
            law = denoise(self.backbone, latents, self.prompts.conditioning, recipe=self.recipe, index=index).step
            return reached(law, self.key, index, indices=self.numbers)

        kept = self.method.config.checkpointing and torch.is_grad_enabled()
        for index in range(self.recipe.steps):
            latents = checkpoint(run, latents, index, use_reentrant=False) if kept else run(latents, index)
        return latents


def _on_the_sphere(noise: torch.Tensor) -> torch.Tensor:
    """The noise with the norm sqrt(D), that which standard normal noise has on average."""
    return noise * math.sqrt(noise[0].numel()) / lengths(noise)


def _along(slope: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """The part of each picture's slope that only makes its noise longer or shorter."""
    return (slope * noise).sum(dim=(1, 2, 3), keepdim=True) / lengths(noise).square() * noise
