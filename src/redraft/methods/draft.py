"""DRaFT: fine-tuning on the gradient of a differentiable reward (Clark et al., arXiv 2309.17400).

    1  x <- N(0, I); c <- prompt
    2  for every step of the sampler: x <- step(x, c; theta);  before the last K steps: x <- stopgrad(x)
    3  terms = [ r(decode(x0), c) ]                                        DRaFT-K; K = all steps is DRaFT
    4  DRaFT-LV (K = 1), n draws: x1' = alpha_1 stopgrad(x0) + sigma_1 e,  e ~ N(0, I)
                                  terms += [ r(decode(x0_hat(x1', c; theta)), c) ]
    5  loss = -mean over pictures of the combined terms
    6  DRaFT+: loss += kl_coefficient * mean((prediction_theta - prediction_reference)^2), differentiated steps only
    7  loss -= diversity_weight * mean distance between two pictures of one prompt         (diversity.py; appendix)

Differs from the paper:
- Terms are averaged (`combine = "average"`), so the learning rate means the same for every n; "sum" is the paper's.
- The last step gives x0_hat itself also where a model's scheduler would end at a slightly noisy level.
- Any sampler of the recipe may be used, flow models too; the paper has DDIM with 50 steps and guidance 7.5. Guidance is
  trained through, with gradients in both halves.
- Line 4 noises the latent again, as written; some public versions re-encode the decoded picture, which is biased.
- Line 6 is not in the paper: it is NeMo-Aligner's, for K = 1. The reference is asked at the same latents; for K > 1
  its weights are constant but the gradient flows through those latents. With LV the re-noised steps count as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch.utils.checkpoint import checkpoint

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import Backbone, LossContext, MethodContext, Needs, Scorer
from redraft.core.records import Recipe
from redraft.core.tensors import Conditioning, Examples, Loss, PromptBatch, Scored
from redraft.diffusion.sample import denoise, sample, sample_differentiable
from redraft.methods.diversity import DiversityKind, diversity, require_features
from redraft.methods.reward_gradient import (
    DifferentiatedStep,
    mean_drift,
    pictures_of,
    recomputed,
    require_differentiable,
    reward_of,
    steps_of,
)


class DraftConfig(Config):
    """Options of `draft`."""

    last: Annotated[int, Field(ge=1)] | Literal["all"] = Field(default=1, description="K, the differentiated steps")
    lv_draws: int = Field(default=0, ge=0, description="n of DRaFT-LV; the paper has 2")
    include_base: bool = Field(default=True, description="with LV: keep the term of the sampled picture itself")
    combine: Literal["average", "sum"] = "average"
    kl_coefficient: float = Field(default=0.0, ge=0, description="DRaFT+ has 1.0")
    pictures_per_prompt: int = Field(default=1, ge=1, description="painted of each prompt of a batch")
    diversity_weight: float = Field(default=0.0, ge=0, description="of the distance between pictures of one prompt")
    diversity: DiversityKind = "embedding"
    checkpointing: bool = Field(default=False, description="run networks again in the backward pass to save memory")

    @model_validator(mode="after")
    def _terms_make_sense(self) -> DraftConfig:
        if self.lv_draws and self.last != 1:
            raise ValueError(f"lv_draws={self.lv_draws} with last={self.last}: DRaFT-LV is defined for last=1 only")
        if not self.lv_draws and not self.include_base:
            raise ValueError("include_base=False with lv_draws=0: no reward would be left; set lv_draws to 1 or more")
        if self.diversity_weight and self.pictures_per_prompt < 2:
            raise ValueError(
                f"diversity_weight={self.diversity_weight} with pictures_per_prompt={self.pictures_per_prompt}: one "
                "picture has no distance; set pictures_per_prompt to 2 or more"
            )
        return self


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The method. Its examples are prompts; it paints its own pictures."""

    Config: ClassVar[type[DraftConfig]] = DraftConfig
    needs: ClassVar[Needs] = "prompts"

    config: DraftConfig
    recipe: Recipe
    reward: Scorer

    @classmethod
    def build(cls, config: DraftConfig, context: MethodContext) -> Draft:
        """Raises UsageError without a differentiable reward, without features for diversity, or for too large a K."""
        reward, steps = require_differentiable(context.reward, method="draft"), context.recipe.steps
        if config.last != "all" and config.last > steps:
            raise UsageError(f"draft with last={config.last}: the sampler takes {steps} steps; use at most {steps}")
        if config.diversity_weight:
            require_features(reward, method="draft")
        return cls(config=config, recipe=context.recipe, reward=reward)

    def prepare(self, scored: Scored, *, key: Key) -> Examples:
        """The prompts of the scored pictures; the pictures themselves are of no use to this method."""
        del key
        return PromptBatch(prompts=scored.prompts, conditioning=scored.conditioning)

    def loss(self, examples: Examples, *, context: LossContext, key: Key) -> Loss:
        """Lines 1 to 7. Raises UsageError for examples that are not prompts, NumericsError for a bad reward."""
        if not isinstance(examples, PromptBatch):
            raise UsageError(f"draft was given {type(examples).__name__}: it trains on a PromptBatch")
        config, backbone = self.config, context.backbone
        prompts = tuple(prompt for prompt in examples.prompts for _ in range(config.pictures_per_prompt))
        conditioning = examples.conditioning.repeat(config.pictures_per_prompt)
        latents, steps = self._terms(conditioning, backbone=backbone, key=key)  # lines 1 to 4
        pictures = [pictures_of(term, backbone=backbone, checkpointing=config.checkpointing) for term in latents]
        rewards = torch.stack(
            [reward_of(shown, prompts, reward=self.reward, checkpointing=config.checkpointing) for shown in pictures]
        )
        reward = rewards.mean(dim=0) if config.combine == "average" else rewards.sum(dim=0)
        loss = -reward.mean()  # line 5
        parts = {"reward": rewards.detach().mean().item()}
        if config.kl_coefficient:
            drift = mean_drift(
                steps,
                backbone,
                recipe=self.recipe,
                reference=context.reference,
                checkpointing=config.checkpointing,
            )
            loss = loss + config.kl_coefficient * drift  # line 6
            parts["kl"] = drift.item()
        if config.diversity_weight:
            apart = self._diversity(pictures)
            loss = loss - config.diversity_weight * apart  # line 7
            parts["diversity"] = apart.item()
        return Loss(value=loss, parts=parts)

    def _diversity(self, pictures: list[torch.Tensor]) -> torch.Tensor:
        features = require_features(self.reward, method="draft")

        def measure(pixels: torch.Tensor) -> torch.Tensor:
            return diversity(
                pixels, features=features, kind=self.config.diversity, count=self.config.pictures_per_prompt
            )

        terms = [recomputed(measure, pixels, checkpointing=self.config.checkpointing) for pixels in pictures]
        return torch.stack(terms).mean()

    def _terms(
        self, conditioning: Conditioning, *, backbone: Backbone, key: Key
    ) -> tuple[list[torch.Tensor], list[DifferentiatedStep]]:
        """Clean latents of every term, each B,C,H,W, and the steps that carry their gradient."""
        noise_key = key.child("sample")
        terms: list[torch.Tensor] = []
        steps: list[DifferentiatedStep] = []
        if self.config.include_base:
            painted = sample_differentiable(
                backbone,
                conditioning,
                recipe=self.recipe,
                key=noise_key,
                last=self.recipe.steps if self.config.last == "all" else self.config.last,
                checkpointing=self.config.checkpointing,
            )  # lines 1 to 3
            clean = painted.latents
            terms.append(clean)
            steps.extend(steps_of(painted, conditioning, recipe=self.recipe))
        else:
            clean = sample(backbone, conditioning, recipe=self.recipe, key=noise_key).latents
        if self.config.lv_draws:
            noise = key.child("lv").normal_each(range(self.config.lv_draws), clean.shape)
            renoised, lv_step = lv_terms(
                backbone,
                clean,
                conditioning,
                recipe=self.recipe,
                noise=noise.to(clean),
                checkpointing=self.config.checkpointing,
            )  # line 4
            terms.extend(renoised)
            steps.append(lv_step)
        return terms, steps


def lv_terms(
    backbone: Backbone,
    clean: torch.Tensor,
    conditioning: Conditioning,
    *,
    recipe: Recipe,
    noise: torch.Tensor,
    checkpointing: bool = False,
) -> tuple[torch.Tensor, DifferentiatedStep]:
    """Line 4 for all draws in one network call: `clean` B,C,H,W and `noise` N,B,C,H,W give x0_hat N,B,C,H,W.

    The gradient reaches the weights through the one step at the last noise level, never `clean`.
    """
    index = recipe.steps - 1
    level = recipe.levels[index]
    renoised = (level.alpha * clean.detach() + level.sigma * noise).flatten(0, 1)
    repeated = conditioning.take(torch.arange(len(clean)).repeat(len(noise)))

    def run(latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        done = denoise(backbone, latents, repeated, recipe=recipe, index=index)
        return done.step.mean, done.prediction

    mean, prediction = checkpoint(run, renoised, use_reentrant=False) if checkpointing else run(renoised)
    step = DifferentiatedStep(latents=renoised, prediction=prediction, conditioning=repeated, index=index)
    return mean.unflatten(0, (len(noise), len(clean))), step
