"""Diffusion-DPO: preferences between two pictures of one prompt, without a reward model (Wallace et al., 2311.12908).

    1  pairs (x_w, x_l) of pictures of one prompt, w preferred to l with probability p            (`prepare`, or people)
    2  t ~ timesteps, e ~ N(0, I), the SAME for both; x_t = alpha_t x0 + sigma_t e
    3  E(x0) = reduction over C,H,W of (prediction(x_t, t, c) - target)^2        with theta and with the reference
    4  z = -factor * beta * [(E_theta(x_w) - E_reference(x_w)) - (E_theta(x_l) - E_reference(x_l))]
    5  L = mean over pairs of -p log sigmoid(z) - (1 - p) log sigmoid(-z)

Which beta is meant depends on two conventions that published codes do not share; both are options here. `factor` is
1/2 in the authors' code ("half": beta 5000) and 1 in that of diffusers ("one": beta 2500 is the same). `reduction` is
the mean over latent elements in both; with the sum the same beta is smaller by their number.

With a perfect model of Gaussian data, at one noise level, line 4 is the log-ratio of the two densities times
b = 2 * factor * beta * k^2 * v (k: what a shift of the data's mean does to the prediction; v: the data's variance;
reduction "sum"), whatever the noise. Its optimum under Bradley-Terry choices is the base tilted by exp(r / b).

Differs from the paper:
- Any model family: line 3 compares raw predictions (epsilon, v or flow), without a weight by noise level.
- A pair has a probability (label smoothing; 1 is the paper's). A tie, p = 1/2, pulls to the reference only.
- Pairs may have weights, as answers to questions that were not asked of every picture need them. They may be made of
  scored pictures: the best against the worst of a prompt, or all that differ by a margin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch.nn.functional import logsigmoid

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import LossContext, MethodContext, Needs
from redraft.core.tensors import Examples, Loss, Pairs, Scored
from redraft.diffusion.objectives import denoising_error
from redraft.methods.noising import TimestepDistribution, draw_timesteps
from redraft.methods.pairing import PairChoice, make_pairs, require_preferences


class DpoConfig(Config):
    """Options of `dpo`; defaults as published."""

    beta: float = Field(default=5000.0, gt=0, description="how strongly the model is held to the reference")
    factor: Literal["half", "one"] = Field(default="half", description="of beta: 1/2 (the authors) or 1 (diffusers)")
    reduction: Literal["mean", "sum"] = Field(default="mean", description="of the squared error over latent elements")
    choose: PairChoice = "best_against_worst"
    margin: float = Field(default=0.0, ge=0, description="pairs must differ in reward by more than this")
    temperature: float | None = Field(
        default=None, gt=0, description="a pair's probability is sigmoid(reward difference / it); unset: 1"
    )
    timesteps: TimestepDistribution = "uniform"


@dataclass(frozen=True, kw_only=True)
class Dpo:
    """The method."""

    Config: ClassVar[type[DpoConfig]] = DpoConfig
    needs: ClassVar[Needs] = "scored"
    takes_pairs: ClassVar[bool] = True

    config: DpoConfig

    @classmethod
    def build(cls, config: DpoConfig, context: MethodContext) -> Dpo:
        """The recipe and the scorer are not needed: rewards come with the scored pictures."""
        del context
        return cls(config=config)

    def prepare(self, scored: Scored, *, key: Key) -> Pairs:
        """Line 1. Raises UsageError when no two pictures of a prompt differ, NumericsError for a bad reward."""
        del key
        options = self.config
        rows = make_pairs(
            scored.reward, scored.group, choose=options.choose, margin=options.margin, temperature=options.temperature
        )
        latents = scored.rollout.latents
        return Pairs(
            preferred=latents[rows.preferred.to(latents.device)],
            rejected=latents[rows.rejected.to(latents.device)],
            conditioning=scored.conditioning.take(rows.preferred),
            probability=rows.probability,
        )

    def loss(self, examples: Examples, *, context: LossContext, key: Key) -> Loss:
        """Lines 2 to 5. A collection of answers goes through `pairing.decided` first, which drops ties.

        Raises UsageError for examples that are not Pairs, for none, or a probability that is not within 0.5..1.
        """
        if not isinstance(examples, Pairs):
            raise UsageError(f"dpo was given {type(examples).__name__}: it trains on Pairs, as `prepare` makes them")
        if len(examples) == 0:
            raise UsageError("dpo was given no pairs: collect answers, or make pairs of scored pictures")
        require_preferences(examples.probability)
        errors = self._errors(examples, context=context, key=key)
        change = errors.trained - errors.reference  # 2,B: of the preferred and of the rejected pictures
        factor = 0.5 if self.config.factor == "half" else 1.0
        margin = -factor * self.config.beta * (change[0] - change[1])  # line 4
        probability = examples.probability.to(margin)
        weight = 1.0 if examples.weight is None else examples.weight.to(margin)
        each = -(probability * logsigmoid(margin) + (1 - probability) * logsigmoid(-margin))
        loss = (weight * each).mean()  # line 5
        preferred_change, rejected_change = change.detach().mean(dim=1).tolist()
        parts = {
            "accuracy": (margin.detach() > 0).double().mean().item(),
            "margin": margin.detach().mean().item(),
            "preferred_error_change": preferred_change,
            "rejected_error_change": rejected_change,
        }
        return Loss(value=loss, parts=parts)

    def _errors(self, pairs: Pairs, *, context: LossContext, key: Key) -> _Errors:
        """Lines 2 and 3: both pictures of a pair in one call, under one timestep and one noise."""
        backbone, count = context.backbone, len(pairs)
        clean = torch.cat([pairs.preferred, pairs.rejected])
        conditioning = pairs.conditioning.take(torch.arange(count).repeat(2))
        drawn = draw_timesteps(
            key.child("timesteps"), count, distribution=self.config.timesteps, prediction=backbone.prediction
        )
        timesteps = drawn.to(clean.device, torch.promote_types(clean.dtype, torch.float32)).repeat(2)
        noise = key.child("noise").normal(pairs.preferred.shape).to(clean).repeat(2, 1, 1, 1)
        elements = 1 if self.config.reduction == "mean" else clean[0].numel()
        trained = denoising_error(backbone, clean, conditioning, timesteps=timesteps, noise=noise)
        with torch.no_grad():
            reference = denoising_error(
                backbone, clean, conditioning, timesteps=timesteps, noise=noise, parameters=context.reference
            )
        return _Errors(
            trained=(elements * trained).view(2, count),
            reference=(elements * reference).view(2, count),
        )


@dataclass(frozen=True, kw_only=True)
class _Errors:
    """Squared errors, 2,B: of the preferred pictures, then of the rejected ones."""

    trained: torch.Tensor
    reference: torch.Tensor
