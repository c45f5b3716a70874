"""DiffusionNFT: reinforcement learning on the forward process (Zheng et al., arXiv 2509.16117).

    1  paint groups of pictures with the old policy, A = reward normalised in its group          (`prepare`)
    2  r = clip(A / A_max, -1, 1) / 2 + 1/2                 the probability that a picture is a good one
    3  t ~ timesteps, e ~ N(0, I), x_t = alpha_t x0 + sigma_t e
    4  v+ = beta v_theta + (1 - beta) v_old;  v- = (1 + beta) v_old - beta v_theta
    5  x0+, x0- = the x0 predictions of v+ and v- at x_t
    6  E = mean((x0_hat - x0)^2) / max(stopgrad(mean(|x0_hat - x0|)), 1e-5)         for each of x0+, x0-, per picture
    7  L = A_max / beta * mean(r E+ + (1 - r) E-)  +  kl_coefficient * mean((v_theta - v_reference)^2)

Any reward, clean latents only, no trajectory, no likelihood. The old weights come from the training loop (`OldPolicy`).

Differs from the paper:
- The paper trains flow models. Lines 4 and 5 commute, because x0_hat is affine in the prediction, so the same lines
  serve epsilon and v models: the mixture is formed in prediction space and compared in x0 space. At the noisiest
  levels of an epsilon model x0_hat errs by sigma / alpha times the error of epsilon; line 6 leaves the first power.
- Timesteps are drawn afresh for each picture and step (uniform or logit-normal); the public code walks through those
  of the sampler.
- The policy is never guided in the loss. `old_guidance_scale` is an addition: v_old of line 4 with guidance
  (2207.12598), as it is where the old policy paints with it; the policy then learns what guidance did for the old one.
- `drop_flat_groups` is an addition: with yes-or-no rewards half of the groups may say nothing.
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
from redraft.core.records import Prediction
from redraft.core.tensors import Advantages, Examples, Loss, Scored
from redraft.diffusion.parameterize import split_prediction
from redraft.methods.advantages import AdvantageScale, group_normalise
from redraft.methods.noising import Noised, TimestepDistribution, add_noise
from redraft.methods.preflight import require_spread

_SMALLEST_ERROR = 1e-5


class NftConfig(Config):
    """Options of `nft`; defaults as published."""

    beta: float = Field(default=1.0, gt=0, description="mixing with the old policy; 0.1 for several rewards together")
    advantage_clip: float = Field(default=5.0, gt=0, description="A_max")
    advantage_scale: AdvantageScale = "group"
    drop_flat_groups: bool = Field(
        default=False, description="leave out pictures whose siblings all have the same reward (advantage 0)"
    )
    old_guidance_scale: float = Field(
        default=1.0, ge=1, description="guidance of the old prediction, which then goes into the trained weights"
    )
    kl_coefficient: float = Field(default=1e-4, ge=0, description="pull to the reference")
    timesteps: TimestepDistribution = "uniform"


@dataclass(frozen=True, kw_only=True)
class Nft:
    """The method."""

    Config: ClassVar[type[NftConfig]] = NftConfig
    needs: ClassVar[Needs] = "scored"

    config: NftConfig

    @classmethod
    def build(cls, config: NftConfig, context: MethodContext) -> Nft:
        """The recipe and the scorer are not needed: rewards come with the scored pictures."""
        del context
        return cls(config=config)

    def prepare(self, scored: Scored, *, key: Key) -> Advantages:
        """Line 1. A group whose rewards do not differ gets advantage 0.

        Raises NumericsError for a bad reward, UsageError when flat groups are left out and all are flat.
        """
        del key
        normalised = group_normalise(
            scored.reward, scored.group, scale=self.config.advantage_scale, clip=self.config.advantage_clip
        )
        examples = Advantages(
            latents=scored.rollout.latents, conditioning=scored.conditioning, advantage=normalised.advantage
        )
        if not self.config.drop_flat_groups:
            return examples
        require_spread(scored.reward, scored.group)
        return examples.take(normalised.advantage.nonzero().flatten().tolist())

    def loss(self, examples: Examples, *, context: LossContext, key: Key) -> Loss:
        """Lines 2 to 7. Raises UsageError for examples that are not Advantages."""
        if not isinstance(examples, Advantages):
            raise UsageError(
                f"nft was given {type(examples).__name__}: it trains on Advantages, as `prepare` makes them"
            )
        backbone, conditioning, clean = context.backbone, examples.conditioning, examples.latents
        good = (examples.advantage.to(clean) / self.config.advantage_clip).clamp(-1, 1) / 2 + 0.5  # line 2
        noised = add_noise(clean, backbone=backbone, distribution=self.config.timesteps, key=key)  # line 3
        velocity = noised.prediction(backbone, conditioning)
        with torch.no_grad():
            old = noised.prediction(
                backbone, conditioning, parameters=context.old, guidance_scale=self.config.old_guidance_scale
            )
        positive, negative = contrast(velocity, old, beta=self.config.beta)  # line 4
        positive_error = x0_error(positive, noised, kind=backbone.prediction)  # lines 5 and 6
        negative_error = x0_error(negative, noised, kind=backbone.prediction)
        scale = self.config.advantage_clip / self.config.beta
        loss = scale * (good * positive_error + (1 - good) * negative_error).mean()  # line 7
        parts = {
            "positive": positive_error.detach().mean().item(),
            "negative": negative_error.detach().mean().item(),
            "distance_to_old": (velocity.detach() - old).square().mean().item(),
        }
        if self.config.kl_coefficient:
            with torch.no_grad():
                reference = noised.prediction(backbone, conditioning, parameters=context.reference)
            drift = (velocity - reference).square().mean()
            loss = loss + self.config.kl_coefficient * drift
            parts["kl"] = drift.item()
        return Loss(value=loss, parts=parts)


def contrast(velocity: torch.Tensor, old: torch.Tensor, *, beta: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Line 4: the implicit positive and negative predictions, B,C,H,W; their mean is the old prediction."""
    return beta * velocity + (1 - beta) * old, (1 + beta) * old - beta * velocity


def x0_error(prediction: torch.Tensor, noised: Noised, *, kind: Prediction) -> torch.Tensor:
    """Lines 5 and 6: the squared error of x0 over its own detached mean absolute error, B."""
    x0_hat, _ = split_prediction(prediction, noised.latents, alpha=noised.alpha, sigma=noised.sigma, kind=kind)
    error = x0_hat - noised.clean
    size = error.detach().abs().flatten(1).mean(dim=1).clamp(min=_SMALLEST_ERROR)
    return error.square().flatten(1).mean(dim=1) / size
