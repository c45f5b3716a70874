"""RSIDiff: recursive self-training on a model's own preferred pictures (Zhang et al., arXiv 2502.09963). One round.

    1  paint the prompts of this round, disjoint from those of others        (the loop, round_prompts.py)
    2  S = the pictures that several scores agree on                      (`rows`, preference_sampling.py)
    3  d(s) = distance of s to D0, the pictures of the first round        (`weighted`, distance_weights.py)
    4  w(s) = 1 if d(s) <= beta, else exp(-(d(s) - beta) / sigma2)
    5  t ~ timesteps, e ~ N(0, I), x_t = alpha_t x0 + sigma_t e
    6  L = mean over S of w(s) * mean((prediction_theta(x_t, t, c_s) - target)^2)

`prepare` does lines 2 to 4. In their place a person may choose among `candidates` what is `weighted`, as in the paper's
SD3 experiment.
The loop drives the rounds, hands over D0 as `Scored.origin` from the second round on, watches for collapse and returns
the best round (collapse.py).

Differs from the paper:
- It weighs |x0_hat - x0|^2 by lambda_t; line 6 is that with lambda = alpha^2 / sigma^2 (epsilon) or 1 / sigma^2 (v and
  flow), the model's own training loss.
- How scores are combined, and which distance beta = 35 belongs to, is not said. Here: ranks (several rules), and beta
  as a quantile of the distances within D0. The preset `rsi-published` has 35 and 2.
- Distances are between latents as the sampler left them (scaled for the denoiser), so no picture is encoded again.
- The sum over S is divided by |S|, as printed, so low weights make small steps; `normalise_weights` undoes that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import LossContext, MethodContext, Needs
from redraft.core.tensors import Examples, Loss, Scored, Weights
from redraft.diffusion.objectives import denoising_error
from redraft.methods.distance_weights import PUBLISHED_RATIO, Distance, DistanceKind, calibrate, embed, weigh
from redraft.methods.noising import TimestepDistribution, draw_timesteps
from redraft.methods.preference_sampling import PreferenceRule, require_scores, sample_preferred


class RsiConfig(Config):
    """Options of `rsi`."""

    rule: PreferenceRule = "rank_intersection"
    heads: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="scores to sample by; unset: all that the reward consists of"
    )
    keep: int | None = Field(default=None, ge=1, description="pictures to train on; unset: `keep_share` of them")
    keep_share: float = Field(default=0.06, gt=0, le=1, description="published: 300 of 5,000")
    candidates: int | None = Field(
        default=None, ge=1, description="pictures that a person chooses among; unset: twice what would be kept"
    )
    floor: float = Field(default=0.5, ge=0, le=1, description="percentile rank needed in every score at first")
    lowest_floor: float = Field(default=0.0, ge=0, le=1, description="it falls to this while too few survive")
    at_most_per_prompt: int = Field(default=1, ge=1, description="pictures kept of one prompt")
    weighting: Literal["distance", "none"] = "distance"
    distance: DistanceKind = "mean"
    neighbours: int = Field(default=10, ge=1, description="of the distance `nearest_neighbours`")
    shrinkage: float = Field(default=0.1, gt=0, le=1, description="of the covariance of the distance `mahalanobis`")
    grid: int | None = Field(default=None, ge=1, description="latents are averaged over this grid first; unset: not")
    quantile: float = Field(default=0.95, gt=0, lt=1, description="of the distances within D0 that is beta")
    beta: float | None = Field(default=None, gt=0, description="unset: by `quantile`")
    sigma2: float | None = Field(default=None, gt=0, description="unset: beta * 2 / 35")
    normalise_weights: bool = Field(default=False, description="give the weights mean 1")
    timesteps: TimestepDistribution = "uniform"

    @model_validator(mode="after")
    def _floors_in_order(self) -> RsiConfig:
        if self.lowest_floor > self.floor:
            raise ValueError(f"lowest_floor={self.lowest_floor} above floor={self.floor}: the floor can only fall")
        return self


@dataclass(frozen=True, kw_only=True)
class Rsi:
    """The method."""

    Config: ClassVar[type[RsiConfig]] = RsiConfig
    needs: ClassVar[Needs] = "scored"
    returns_best_round: ClassVar[bool] = True

    config: RsiConfig

    @classmethod
    def build(cls, config: RsiConfig, context: MethodContext) -> Rsi:
        """The recipe and the scorer are not needed: scores come with the pictures."""
        del context
        return cls(config=config)

    def prepare(self, scored: Scored, *, key: Key) -> Weights:
        """Lines 2 to 4. Raises what `rows` and `weighted` raise."""
        return self.weighted(scored, rows=self.rows(scored, key=key))

    def rows(self, scored: Scored, *, key: Key) -> tuple[int, ...]:
        """Line 2: the pictures to keep, best first, by `scored.scores` or, where there are none, by the reward.

        Raises UsageError for fewer survivors than asked, or a head that is not there.
        """
        return self._sampled(scored, keep=self._keep(scored), key=key)

    def candidates(self, scored: Scored, *, key: Key) -> tuple[int, ...]:
        """The pictures that a person chooses among, best first, by the same rule as `rows`. Raises as it does."""
        painted, keep = torch.unique(scored.group, return_counts=True)[1], self._keep(scored)
        most = int(painted.clamp(max=self.config.at_most_per_prompt).sum())
        return self._sampled(scored, keep=self.config.candidates or max(keep, min(2 * keep, most)), key=key)

    def _keep(self, scored: Scored) -> int:
        return self.config.keep or max(1, round(self.config.keep_share * len(scored.reward)))

    def _sampled(self, scored: Scored, *, keep: int, key: Key) -> tuple[int, ...]:
        options = self.config
        sampled = sample_preferred(
            scored.reward[:, None] if scored.scores is None else require_scores(scored.scores, options.heads),
            scored.group,
            rule=options.rule,
            keep=keep,
            key=key.child("preference"),
            floor=options.floor,
            lowest_floor=options.lowest_floor,
            at_most_per_group=options.at_most_per_prompt,
        )
        return sampled.rows

    def weighted(self, scored: Scored, *, rows: Sequence[int]) -> Weights:
        """Lines 3 and 4 for the pictures `rows`, in their order. Raises UsageError for no row, or too small a D0."""
        if not rows:
            raise UsageError("rsi was given no picture to weigh: choose at least one")
        latents, index = scored.rollout.latents, torch.tensor(list(rows))
        chosen = latents[index.to(latents.device)]
        weight = torch.ones(len(rows), dtype=torch.float64)
        if self.config.weighting == "distance":
            weight = self._weight(scored, index.to(latents.device))
        if not float(weight.sum()) > 0:
            raise UsageError(
                f"all {len(rows)} pictures are so far from those of the first model that their weights are 0: the "
                "model has collapsed; go back to an earlier round, or raise beta and sigma2"
            )
        if self.config.normalise_weights:
            weight = weight / weight.mean()
        return Weights(latents=chosen, conditioning=scored.conditioning.take(index), weight=weight.to(chosen))

    def _weight(self, scored: Scored, index: torch.Tensor) -> torch.Tensor:
        options = self.config
        distance = Distance(kind=options.distance, neighbours=options.neighbours, shrinkage=options.shrinkage)
        points = embed(scored.rollout.latents, grid=options.grid)
        origin = points if scored.origin is None else embed(scored.origin.to(points), grid=options.grid)
        own = distance.within(origin)
        # In the first round the pictures are D0 itself; none may be its own neighbour.
        distances = own[index] if scored.origin is None else distance.to(points[index], origin=origin)
        beta = calibrate(own, quantile=options.quantile) if options.beta is None else options.beta
        sigma2 = PUBLISHED_RATIO * beta if options.sigma2 is None else options.sigma2
        return weigh(distances, beta=beta, sigma2=sigma2)

    def loss(self, examples: Examples, *, context: LossContext, key: Key) -> Loss:
        """Lines 5 and 6. Raises UsageError for examples that are not Weights, or a negative weight."""
        if not isinstance(examples, Weights):
            raise UsageError(f"rsi was given {type(examples).__name__}: it trains on Weights, as `prepare` makes them")
        weight = examples.weight.to(examples.latents)
        if bool((weight < 0).any()):
            raise UsageError(f"a training weight is {weight.min().item():.4g}: must be 0 or more")
        backbone, clean = context.backbone, examples.latents
        timesteps = draw_timesteps(
            key.child("timesteps"), len(clean), distribution=self.config.timesteps, prediction=backbone.prediction
        ).to(clean.device, torch.promote_types(clean.dtype, torch.float32))
        noise = key.child("noise").normal(clean.shape).to(clean)
        error = denoising_error(backbone, clean, examples.conditioning, timesteps=timesteps, noise=noise)
        return Loss(
            value=(weight * error).mean(),
            parts={"denoising": error.detach().mean().item(), "mean_weight": weight.mean().item()},
        )
