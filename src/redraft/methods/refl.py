"""ReFL: reward feedback learning on a one-step estimate of the picture (Xu et al., ImageReward, arXiv 2304.05977).

    1  x <- N(0, I); c <- prompt; stop ~ uniform on the late steps
    2  for i = 0 .. stop - 1: x <- step(x, c; theta)                              without a graph
    3  x0_hat = what the network says at step `stop` the clean latent is          with a graph
    4  L = reward_coefficient * mean over pictures of max(0, margin - r(decode(x0_hat), c))
    5  L += pretraining_coefficient * mean((prediction_theta(alpha_t x0 + sigma_t e, t, c) - target)^2)

Line 5 is the pre-training loss, on pictures x0 that the prompts describe. The paper has it; the released trainer left
it out, and models trained so got worse than their base (its authors' answer in issues 34 and 95: add it yourself).

Differs from the paper:
- Lines 4 and 5 are added up in one step instead of taking turns, so their coefficients are a balance. Hence the
  larger default: at the release's 0.001 a trial of 12 steps on the picture world moved no reward beside line 5.
- Where no pictures come with the prompts, line 5 learns from those that the reference paints for them. They cost a
  second rollout without a graph, and hold the model to its beginning rather than to data.
- Any sampler and guidance of the recipe; theirs has 40 steps, of which 30 to 39 may be the stop, and no guidance.
- All pictures of a batch share one stop, as in the release; a batch in several parts draws one for each part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import Field, model_validator

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import Backbone, LossContext, MethodContext, Needs, Scorer
from redraft.core.records import Recipe
from redraft.core.tensors import Conditioning, Examples, Loss, PromptBatch, Scored
from redraft.diffusion.objectives import denoising_error
from redraft.diffusion.parameterize import split_prediction
from redraft.diffusion.sample import denoise, initial_noise, require_fit, sample
from redraft.methods.inference import device_of, dtype_of, reached
from redraft.methods.noising import TimestepDistribution, draw_timesteps
from redraft.methods.reward_gradient import pictures_of, recomputed, require_differentiable, reward_of


class ReflConfig(Config):
    """Options of `refl`."""

    earliest: float = Field(default=0.75, ge=0, lt=1, description="first step to stop at, as a share of the steps")
    latest: float = Field(default=1.0, gt=0, le=1, description="share of the steps before which to stop")
    margin: float | None = Field(default=2.0, description="reward that is enough; None: no reward is")
    reward_coefficient: float = Field(default=0.1, gt=0, description="the release, which has no line 5, has 0.001")
    pretraining_coefficient: float = Field(default=1.0, ge=0, description="0 is the released trainer, line 5 left out")
    timesteps: TimestepDistribution = "uniform"
    checkpointing: bool = Field(default=False, description="run networks again in the backward pass to save memory")

    @model_validator(mode="after")
    def _some_step_is_late(self) -> ReflConfig:
        if self.earliest >= self.latest:
            raise ValueError(
                f"earliest={self.earliest} with latest={self.latest}: there would be no step to stop at; earliest must "
                "be below latest"
            )
        return self


@dataclass(frozen=True, kw_only=True)
class Refl:
    """The method. Its examples are prompts, with or without pictures; it paints its own pictures for the reward."""

    Config: ClassVar[type[ReflConfig]] = ReflConfig
    needs: ClassVar[Needs] = "prompts"

    config: ReflConfig
    recipe: Recipe
    reward: Scorer

    @classmethod
    def build(cls, config: ReflConfig, context: MethodContext) -> Refl:
        """Raises UsageError without a differentiable reward."""
        reward = require_differentiable(context.reward, method="refl")
        return cls(config=config, recipe=context.recipe, reward=reward)

    @property
    def wants_pictures(self) -> bool:
        """Whether line 5 is there, which learns best from pictures that the prompts describe."""
        return self.config.pretraining_coefficient > 0

    def prepare(self, scored: Scored, *, key: Key) -> Examples:
        """The prompts of the scored pictures; pictures that the model painted itself are no data to pre-train on."""
        del key
        return PromptBatch(prompts=scored.prompts, conditioning=scored.conditioning)

    def stops(self) -> range:
        """The indices of the steps of line 1: at least one."""
        steps = self.recipe.steps
        first = min(math.floor(self.config.earliest * steps), steps - 1)
        return range(first, max(math.ceil(self.config.latest * steps), first + 1))

    def loss(self, examples: Examples, *, context: LossContext, key: Key) -> Loss:
        """Lines 1 to 5. Raises UsageError for examples that are not prompts, NumericsError for a bad reward."""
        if not isinstance(examples, PromptBatch):
            raise UsageError(f"refl was given {type(examples).__name__}: it trains on a PromptBatch")
        config, backbone, stops = self.config, context.backbone, self.stops()
        stop = int(key.child("stop").integers(stops.start, stops.stop, shape=(1,)))  # line 1
        before = state_at(backbone, examples.conditioning, recipe=self.recipe, key=key.child("sample"), stop=stop)
        clean = self._estimate(before, examples.conditioning, backbone=backbone, stop=stop)  # line 3
        pixels = pictures_of(clean, backbone=backbone, checkpointing=config.checkpointing)
        reward = reward_of(pixels, examples.prompts, reward=self.reward, checkpointing=config.checkpointing)
        gap = -reward if config.margin is None else (config.margin - reward).clamp(min=0)
        loss = config.reward_coefficient * gap.mean()  # line 4
        parts = {"reward": reward.detach().mean().item()}
        if config.pretraining_coefficient:
            denoising = self._pretraining(examples, context=context, key=key.child("pretraining"))
            loss = loss + config.pretraining_coefficient * denoising  # line 5
            parts["denoising"] = denoising.item()
        return Loss(value=loss, parts=parts)

    def _estimate(
        self, latents: torch.Tensor, conditioning: Conditioning, *, backbone: Backbone, stop: int
    ) -> torch.Tensor:
        level = self.recipe.levels[stop]

        def ask(state: torch.Tensor) -> torch.Tensor:
            prediction = denoise(backbone, state, conditioning, recipe=self.recipe, index=stop).prediction
            return split_prediction(prediction, state, alpha=level.alpha, sigma=level.sigma, kind=backbone.prediction)[
                0
            ]

        return recomputed(ask, latents, checkpointing=self.config.checkpointing)

    def _pretraining(self, examples: PromptBatch, *, context: LossContext, key: Key) -> torch.Tensor:
        """Line 5: the mean denoising error on the examples' pictures, or on those that the reference paints."""
        backbone, clean = context.backbone, examples.pictures
        if clean is None:
            clean = sample(
                backbone,
                examples.conditioning,
                recipe=self.recipe,
                key=key.child("pictures"),
                parameters=context.reference,
            ).latents
        timesteps = draw_timesteps(
            key.child("timesteps"),
            len(clean),
            distribution=self.config.timesteps,
            prediction=backbone.prediction,
        ).to(torch.promote_types(clean.dtype, torch.float32))
        noise = key.child("noise").normal(clean.shape).to(clean)
        return denoising_error(backbone, clean, examples.conditioning, timesteps=timesteps, noise=noise).mean()


def state_at(backbone: Backbone, conditioning: Conditioning, *, recipe: Recipe, key: Key, stop: int) -> torch.Tensor:
    """Line 2: the latents B,C,H,W that step `stop` of `diffusion.sample` starts from, without a graph.

    Raises ConfigError when the recipe's levels do not fit the model.
    """
    require_fit(backbone, recipe)
    numbers = range(len(conditioning))
    latents = initial_noise(key, indices=numbers, shape=backbone.latent_shape)
    latents = latents.to(device_of(conditioning), dtype_of(recipe))
    with torch.no_grad():
        for index in range(stop):
            law = denoise(backbone, latents, conditioning, recipe=recipe, index=index).step
            latents = reached(law, key, index, indices=numbers)
    return latents
