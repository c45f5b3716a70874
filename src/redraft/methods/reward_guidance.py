"""Reward guidance at inference: each step of the sampler leans towards what a differentiable scorer likes.

    1  x <- N(0, I)
    2  at every guided level (alpha, sigma): x0_hat, noise_hat = the model's estimates at x
    3          g = grad in x of r(decode(x0_hat(x)), c)                    through the network
    4          d = strength * sigma^2 / alpha * g, shortened to largest_shift
    5          x0_hat <- x0_hat + d;  noise_hat <- noise_hat - alpha / sigma * d
    6  x <- step(x0_hat, noise_hat)

Lines 4 and 5 add strength * g to the score of x (Tweedie): classifier guidance (2105.05233, section 4) with
log p(c | x) replaced by strength * r at the one-step estimate (as in 2209.14687 and 2302.07121). The pictures follow
p(x0) exp(strength * r(x0)): exactly for a linear reward on Gaussian data, to first order in the strength for a
quadratic one, and roughly otherwise.

No weight changes. Differs from the papers: any family of models (VP and flow) and any kernel, one gradient a step
without recurrence, and a bound on each shift. A level of alpha 0 (the first one of flow models) says nothing of x0 and
is not guided.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import Field, model_validator

from redraft.core.config import Config
from redraft.core.keys import Key
from redraft.core.protocols import Backbone, Scorer
from redraft.core.records import Recipe
from redraft.core.tensors import PromptBatch
from redraft.diffusion.kernels import Step
from redraft.diffusion.kernels import step as kernel_step
from redraft.diffusion.parameterize import split_prediction
from redraft.diffusion.sample import denoise, initial_noise, sample
from redraft.methods.inference import (
    Enhanced,
    clipped,
    device_of,
    dtype_of,
    judged,
    picture_numbers,
    reached,
    require_gradient,
    slope_of,
)


class RewardGuidanceConfig(Config):
    """Options of `reward_guidance`."""

    strength: float = Field(default=10.0, ge=0, description="weight of the reward against the model; in 1 / its units")
    begin: float = Field(
        default=0.0, ge=0, le=1, description="share of the steps that are taken before the first guided"
    )
    end: float = Field(default=1.0, ge=0, le=1, description="share of the steps after which none is guided")
    largest_shift: float = Field(
        default=0.5, gt=0, description="most that a step moves the clean estimate: root mean square over its elements"
    )

    @model_validator(mode="after")
    def _some_step_is_guided(self) -> RewardGuidanceConfig:
        if self.begin >= self.end:
            raise ValueError(
                f"begin={self.begin} with end={self.end}: no step would be guided; begin must be below end"
            )
        return self


@dataclass(frozen=True, kw_only=True)
class RewardGuidance:
    """The method. The plain picture is painted too, to compare with."""

    Config: ClassVar[type[RewardGuidanceConfig]] = RewardGuidanceConfig

    config: RewardGuidanceConfig
    reward: Scorer

    def __post_init__(self) -> None:
        require_gradient(self.reward, method="reward_guidance")

    def enhance(
        self,
        backbone: Backbone,
        prompts: PromptBatch,
        *,
        recipe: Recipe,
        key: Key,
        indices: Sequence[int] | None = None,
    ) -> Enhanced:
        """Lines 1 to 6; `scores` are B,2: plain and guided. The guided picture is given, whichever scores higher.

        Raises what `sample` does, UsageError for a prompt that cannot be scored, NumericsError for a score or gradient
        that is not finite.
        """
        latents = sample(backbone, prompts.conditioning, recipe=recipe, key=key, indices=indices).latents
        plain = judged(backbone, latents, prompts.prompts, reward=self.reward)
        numbers = picture_numbers(prompts.conditioning, indices)
        state = initial_noise(key, indices=numbers, shape=backbone.latent_shape)
        state = state.to(device_of(prompts.conditioning), dtype_of(recipe))  # line 1
        guided = self.guided_steps(recipe)
        for index in range(recipe.steps):
            if index in guided:
                law = self._guided_law(backbone, state, prompts, recipe=recipe, index=index)
            else:
                with torch.no_grad():
                    law = denoise(backbone, state, prompts.conditioning, recipe=recipe, index=index).step
            state = reached(law, key, index, indices=numbers)  # line 6
        found = judged(backbone, state, prompts.prompts, reward=self.reward)
        every = torch.ones(len(prompts), dtype=torch.long)
        return Enhanced(
            latents=found.latents,
            images=found.images,
            scores=torch.stack([plain.score, found.score], dim=1),
            chosen=every.to(found.score.device),
            network_calls=every * 2 * recipe.steps,
            backward_calls=every * len(guided),
        )

    def guided_steps(self, recipe: Recipe) -> tuple[int, ...]:
        """The indices of the guided steps: from begin * steps to end * steps, without a level of alpha 0."""
        first, last = (round(share * recipe.steps) for share in (self.config.begin, self.config.end))
        return tuple(index for index in range(first, last) if recipe.levels[index].alpha > 0)

    def _guided_law(
        self, backbone: Backbone, latents: torch.Tensor, prompts: PromptBatch, *, recipe: Recipe, index: int
    ) -> Step:
        """Lines 2 to 5, and the law of line 6."""
        level = recipe.levels[index]
        with torch.enable_grad():
            state = latents.detach().requires_grad_()
            prediction = denoise(backbone, state, prompts.conditioning, recipe=recipe, index=index).prediction
            x0_hat, noise_hat = split_prediction(
                prediction, state, alpha=level.alpha, sigma=level.sigma, kind=backbone.prediction
            )  # line 2
            score = self.reward.score_pixels(backbone.decode(x0_hat).pixels, prompts.prompts)
            slope = slope_of(score, state, reward=self.reward)  # line 3
        shift = clipped(
            self.config.strength * level.sigma**2 / level.alpha * slope,
            norm=self.config.largest_shift * math.sqrt(slope[0].numel()),
        )  # line 4
        return kernel_step(
            latents,
            x0_hat.detach() + shift,
            noise_hat.detach() - level.alpha / level.sigma * shift,  # line 5
            level=level,
            next_level=recipe.levels[index + 1],
            kernel=recipe.kernel_at(index),
        )
