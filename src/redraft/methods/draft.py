"""DRaFT: fine-tuning on the gradient of a differentiable reward (Clark et al., arXiv 2309.17400).

    1  x <- N(0, I); c <- prompt
    2  for every step of the sampler: x <- step(x, c; theta);  before the last K steps: x <- stopgrad(x)
    3  terms = [ r(decode(x0), c) ]                                        DRaFT-K; K = all steps is DRaFT
    4  DRaFT-LV (K = 1), n draws: x1' = alpha_1 stopgrad(x0) + sigma_1 e,  e ~ N(0, I)
                                  terms += [ r(decode(x0_hat(x1', c; theta)), c) ]
    5  loss = -mean over pictures of the combined terms
    6  DRaFT+: loss += kl_coefficient * mean((prediction_theta - prediction_reference)^2), differentiated steps only

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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch.utils.checkpoint import checkpoint

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import Backbone, LossContext, MethodContext, Needs, Scorer
from redraft.core.records import Prompt, Recipe
from redraft.core.tensors import Conditioning, Examples, Loss, Parameters, PromptBatch, Scored
from redraft.diffusion.sample import denoise, sample, sample_differentiable
from redraft.methods.advantages import require_finite_reward


class DraftConfig(Config):
    """Options of `draft`."""

    last: Annotated[int, Field(ge=1)] | Literal["all"] = Field(default=1, description="K, the differentiated steps")
    lv_draws: int = Field(default=0, ge=0, description="n of DRaFT-LV; the paper has 2")
    include_base: bool = Field(default=True, description="with LV: keep the term of the sampled picture itself")
    combine: Literal["average", "sum"] = "average"
    kl_coefficient: float = Field(default=0.0, ge=0, description="DRaFT+ has 1.0")
    checkpointing: bool = Field(default=False, description="run networks again in the backward pass to save memory")

    @model_validator(mode="after")
    def _terms_make_sense(self) -> DraftConfig:
        if self.lv_draws and self.last != 1:
            raise ValueError(f"lv_draws={self.lv_draws} with last={self.last}: DRaFT-LV is defined for last=1 only")
        if not self.lv_draws and not self.include_base:
            raise ValueError("include_base=False with lv_draws=0: no reward would be left; set lv_draws to 1 or more")
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
        """Raises UsageError without a differentiable reward, or when K exceeds the recipe's steps."""
        reward, steps = context.reward, context.recipe.steps
        if reward is None or not reward.differentiable:
            name = "none is given" if reward is None else f"{reward.name!r} gives no gradient"
            raise UsageError(
                f"draft needs a differentiable reward, but {name}: choose a scorer with pixel gradients (such as "
                "'clip' or 'heads'), or a method for any reward (such as 'nft')"
            )
        if config.last != "all" and config.last > steps:
            raise UsageError(f"draft with last={config.last}: the sampler takes {steps} steps; use at most {steps}")
        return cls(config=config, recipe=context.recipe, reward=reward)

    def prepare(self, scored: Scored, *, key: Key) -> Examples:
        """The prompts of the scored pictures; the pictures themselves are of no use to this method."""
        del key
        return PromptBatch(prompts=scored.prompts, conditioning=scored.conditioning)

    def loss(self, examples: Examples, *, context: LossContext, key: Key) -> Loss:
        """Lines 1 to 6. Raises UsageError for examples that are not prompts, NumericsError for a bad reward."""
        if not isinstance(examples, PromptBatch):
            raise UsageError(f"draft was given {type(examples).__name__}: it trains on a PromptBatch")
        latents, steps = self._terms(examples.conditioning, backbone=context.backbone, key=key)  # lines 1 to 4
        rewards = torch.stack([self._reward(term, examples.prompts, context.backbone) for term in latents])
        require_finite_reward(rewards.detach().flatten())
        reward = rewards.mean(dim=0) if self.config.combine == "average" else rewards.sum(dim=0)
        loss = -reward.mean()  # line 5
        parts = {"reward": rewards.detach().mean().item()}
        if self.config.kl_coefficient:
            drifts = [
                step.squared_drift(
                    context.backbone,
                    recipe=self.recipe,
                    reference=context.reference,
                    checkpointing=self.config.checkpointing,
                )
                for step in steps
            ]
            drift = torch.cat(drifts).mean()
            loss = loss + self.config.kl_coefficient * drift  # line 6
            parts["kl"] = drift.item()
        return Loss(value=loss, parts=parts)

    def _terms(
        self, conditioning: Conditioning, *, backbone: Backbone, key: Key
    ) -> tuple[list[torch.Tensor], list[DifferentiatedStep]]:
        """Clean latents of every term, each B,C,H,W, and the steps that carry their gradient."""
        noise_key = key.child("sample")
        terms: list[torch.Tensor] = []
        steps: list[DifferentiatedStep] = []
        if self.config.include_base:
            last = self.recipe.steps if self.config.last == "all" else self.config.last
            painted = sample_differentiable(
                backbone,
                conditioning,
                recipe=self.recipe,
                key=noise_key,
                last=last,
                checkpointing=self.config.checkpointing,
            )  # lines 1 to 3
            clean = painted.latents
            terms.append(clean)
            for index, step in enumerate(painted.predictions, start=self.recipe.steps - last):
                steps.append(
                    DifferentiatedStep(
                        latents=step.latents, prediction=step.prediction, conditioning=conditioning, index=index
                    )
                )
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

    def _reward(self, latents: torch.Tensor, prompts: Sequence[Prompt], backbone: Backbone) -> torch.Tensor:
        def judge(latents: torch.Tensor) -> torch.Tensor:
            return self.reward.score_pixels(backbone.decode(latents).pixels, prompts)

        if self.config.checkpointing:
            reward: torch.Tensor = checkpoint(judge, latents, use_reentrant=False)
            return reward
        return judge(latents)


@dataclass(frozen=True, kw_only=True)
class DifferentiatedStep:
    """A network call with a graph: what went in and came out, B,C,H,W, and its index in the recipe."""

    latents: torch.Tensor
    prediction: torch.Tensor
    conditioning: Conditioning
    index: int

    def squared_drift(
        self, backbone: Backbone, *, recipe: Recipe, reference: Parameters, checkpointing: bool
    ) -> torch.Tensor:
        """Mean over C,H,W of the squared distance to the reference's prediction at the same latents, B (line 6)."""

        def ask(latents: torch.Tensor) -> torch.Tensor:
            return denoise(
                backbone, latents, self.conditioning, recipe=recipe, index=self.index, parameters=reference
            ).prediction

        # With K > 1 the latents depend on the weights. Then the reference's answer does as well, and leaving that out
        # would pull the weights towards latents that the network answers flatly.
        with torch.set_grad_enabled(self.latents.requires_grad):
            expected = checkpoint(ask, self.latents, use_reentrant=False) if checkpointing else ask(self.latents)
        return (self.prediction - expected).square().flatten(1).mean(dim=1)


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
