"""A method in one file: learn from every picture, the better ones of a prompt more. An example, not a paper.

1  paint several pictures a prompt; rank them by reward, r = 0 (worst) .. n - 1 (best) within the prompt
2  weight = (r + 1) / mean(r + 1)                                                                (`prepare`)
3  t ~ uniform, e ~ N(0, I), x_t = alpha_t x0 + sigma_t e
4  L = mean over pictures of weight * mean((prediction_theta(x_t, t, c) - target)^2)            (`loss`)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import LossContext, MethodContext, Needs
from redraft.core.tensors import Examples, Loss, Scored, Weights
from redraft.diffusion.parameterize import training_target
from redraft.methods.noising import add_noise


class RankWeightedConfig(Config):
    """Options, set by [methods.rank_weighted] in a configuration file."""

    power: float = Field(default=1.0, gt=0, description="how much more the better pictures count")


@dataclass(frozen=True, kw_only=True)
class RankWeighted:
    """The method."""

    Config: ClassVar[type[RankWeightedConfig]] = RankWeightedConfig
    needs: ClassVar[Needs] = "scored"

    config: RankWeightedConfig

    @classmethod
    def build(cls, config: RankWeightedConfig, context: MethodContext) -> RankWeighted:
        """Rewards come with the scored pictures, so nothing of the context is needed."""
        del context
        return cls(config=config)

    def prepare(self, scored: Scored, *, key: Key) -> Weights:
        """Lines 1 and 2."""
        del key
        better = scored.reward[:, None] > scored.reward[None, :]
        rank = (better & (scored.group[:, None] == scored.group[None, :])).sum(dim=1)
        weight = (rank + 1.0) ** self.config.power
        return Weights(latents=scored.rollout.latents, conditioning=scored.conditioning, weight=weight / weight.mean())

    def loss(self, examples: Examples, *, context: LossContext, key: Key) -> Loss:
        """Lines 3 and 4. Raises UsageError for examples that `prepare` did not make."""
        if not isinstance(examples, Weights):
            raise UsageError(f"rank_weighted was given {type(examples).__name__}: it trains on Weights")
        backbone = context.backbone
        noised = add_noise(examples.latents, backbone=backbone, distribution="uniform", key=key)
        target = training_target(
            noised.clean, noised.noise, alpha=noised.alpha, sigma=noised.sigma, kind=backbone.prediction
        )
        error = (noised.prediction(backbone, examples.conditioning) - target).square().flatten(1).mean(dim=1)
        with torch.no_grad():
            plain = error.mean().item()
        return Loss(value=(examples.weight.to(error) * error).mean(), parts={"denoising": plain})
