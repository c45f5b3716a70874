"""AlignProp: reward gradients through the sampler, cut at a random step (Prabhudesai et al., arXiv 2310.03739).

    1  x <- N(0, I); c <- prompt
    2  cut ~ its law on 1 .. S - 1                                           once for the whole trajectory
    3  for i = 0 .. S - 1: x <- step(x, c; theta), the network's answer detached while i < cut
    4  loss = reward_coefficient * mean over pictures of |target - r(decode(x), c)|      (without a target: of -r)
    5  loss += kl_coefficient * mean((prediction_theta - prediction_reference)^2), steps from the cut on

The laws of line 2, of a number that is drawn again until it lies within 1 .. S - 1: `gaussian`, rounded, around
mean * S with deviation spread * S (the default of the authors' code, 42 and 5 of 50), or `uniform`.

Line 3 detaches the answers, not the latents, as the authors' code does. With one cut that is the same as no graph
before it: a latent depends on the weights through answers only. Drawing the cut anew at every step, as TRL's port does,
is another estimator.

Differs from the authors' code:
- Line 5 is an addition (DRaFT+ of NeMo-Aligner).
- The reward's scale is the user's affair: reward_coefficient is 1, where theirs is 0.01.
- All pictures of a batch share one cut; a batch in several parts draws one for each part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import LossContext, MethodContext, Needs, Scorer
from redraft.core.records import Recipe
from redraft.core.tensors import Examples, Loss, PromptBatch, Scored
from redraft.diffusion.sample import sample_differentiable
from redraft.methods.reward_gradient import mean_drift, pictures_of, require_differentiable, reward_of, steps_of


class AlignpropConfig(Config):
    """Options of `alignprop`."""

    cut: Literal["gaussian", "uniform"] = "gaussian"
    mean: float = Field(default=0.84, gt=0, lt=1, description="of the Gaussian, as a share of the steps")
    spread: float = Field(default=0.1, gt=0, description="its standard deviation, as a share of the steps")
    target: float | None = Field(default=None, description="the reward to reach; None: as much as possible")
    reward_coefficient: float = Field(default=1.0, gt=0, description="the authors' code has 0.01")
    kl_coefficient: float = Field(default=0.0, ge=0, description="pull to the reference on differentiated steps")
    checkpointing: bool = Field(default=True, description="run networks again in the backward pass to save memory")


@dataclass(frozen=True, kw_only=True)
class Alignprop:
    """The method. Its examples are prompts; it paints its own pictures."""

    Config: ClassVar[type[AlignpropConfig]] = AlignpropConfig
    needs: ClassVar[Needs] = "prompts"

    config: AlignpropConfig
    recipe: Recipe
    reward: Scorer

    @classmethod
    def build(cls, config: AlignpropConfig, context: MethodContext) -> Alignprop:
        """Raises UsageError without a differentiable reward, or when no step can be cut at."""
        cut_probabilities(config, steps=context.recipe.steps)
        reward = require_differentiable(context.reward, method="alignprop")
        return cls(config=config, recipe=context.recipe, reward=reward)

    def prepare(self, scored: Scored, *, key: Key) -> Examples:
        """The prompts of the scored pictures; the pictures themselves are of no use to this method."""
        del key
        return PromptBatch(prompts=scored.prompts, conditioning=scored.conditioning)

    def loss(self, examples: Examples, *, context: LossContext, key: Key) -> Loss:
        """Lines 1 to 5. Raises UsageError for examples that are not prompts, NumericsError for a bad reward."""
        if not isinstance(examples, PromptBatch):
            raise UsageError(f"alignprop was given {type(examples).__name__}: it trains on a PromptBatch")
        config, backbone, conditioning = self.config, context.backbone, examples.conditioning
        last = self.recipe.steps - draw_cut(config, steps=self.recipe.steps, key=key.child("cut"))  # line 2
        painted = sample_differentiable(
            backbone,
            conditioning,
            recipe=self.recipe,
            key=key.child("sample"),
            last=last,
            checkpointing=config.checkpointing,
        )  # lines 1 and 3
        pixels = pictures_of(painted.latents, backbone=backbone, checkpointing=config.checkpointing)
        reward = reward_of(pixels, examples.prompts, reward=self.reward, checkpointing=config.checkpointing)
        gap = -reward if config.target is None else (config.target - reward).abs()
        loss = config.reward_coefficient * gap.mean()  # line 4
        parts = {"reward": reward.detach().mean().item(), "differentiated_steps": float(last)}
        if config.kl_coefficient:
            drift = mean_drift(
                steps_of(painted, conditioning, recipe=self.recipe),
                backbone,
                recipe=self.recipe,
                reference=context.reference,
                checkpointing=config.checkpointing,
            )
            loss = loss + config.kl_coefficient * drift  # line 5
            parts["kl"] = drift.item()
        return Loss(value=loss, parts=parts)


def draw_cut(config: AlignpropConfig, *, steps: int, key: Key) -> int:
    """Line 2: the index of the first differentiated step, within 1 .. steps - 1."""
    reached = cut_probabilities(config, steps=steps).cumsum(0)
    place = int(torch.searchsorted(reached, key.uniform((1,)).double(), right=True))
    return 1 + min(place, steps - 2)  # the last sum may fall short of 1 by rounding


def cut_probabilities(config: AlignpropConfig, *, steps: int) -> torch.Tensor:
    """The probability of each cut 1 .. steps - 1, float64. Raises UsageError when there is none."""
    if steps < 2:
        raise UsageError(f"alignprop with {steps} step of the sampler: there is no step to cut at; use 2 or more")
    if config.cut == "uniform":
        return torch.full((steps - 1,), 1 / (steps - 1), dtype=torch.float64)
    edges = (torch.arange(steps, dtype=torch.float64) + 0.5 - config.mean * steps) / (config.spread * steps)
    weight = (torch.erf(edges / math.sqrt(2)) / 2).diff()
    if not weight.sum() > 0:
        raise UsageError(
            f"alignprop with mean={config.mean}, spread={config.spread} and {steps} steps: a cut within 1..{steps - 1} "
            "is as good as never drawn; move the mean towards the middle, or raise the spread"
        )
    return weight / weight.sum()
