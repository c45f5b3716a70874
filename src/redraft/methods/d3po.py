"""D3PO: preferences between two trajectories, step by step, without a reward model (Yang et al., arXiv 2311.13231).

    1  paint with a stochastic kernel and keep all transitions; pairs (w, l) of pictures of one prompt       (`prepare`)
    2  for each transition i: d_i = [log p_theta(x_{i+1} | x_i) - log p_reference(x_{i+1} | x_i)] / elements
       with p_theta / p_reference = exp(d_i) clipped to [1 - ratio_clip, 1 + ratio_clip]
    3  z_i = beta * (d_i(w) - d_i(l))
    4  L = mean over pairs and transitions of -p log sigmoid(z_i) - (1 - p) log sigmoid(-z_i)

The reference of line 2: `start`, the weights when the run began (what the released code does); `round`, the weights
that painted this round's pictures, as the paper updates its reference in every round. The training loop keeps the
latter as `old` (its option `old_policy`); a run of one round does not tell the two apart.

Differs from the paper:
- The released code divides the log-probability by the number of latent elements, and its beta 0.1 goes with that
  (`reduction` "mean"). The paper's formula is the sum.
- A loss looks at `steps_per_picture` of the logged transitions, drawn afresh, so that memory does not grow with the
  steps; those with hardly any noise (the last of a flow model, under most kernels) are left out.
- The clip of line 2 is as released: beyond it there is no gradient at either side, also where the step was a wrong one.
  It fits averages over thousands of elements; for small latents leave it out (docs/methods/d3po.md).
- The last step, to sigma 0, has no density and is no transition. Any model family, any stochastic kernel.
- A pair has a probability; 1 is the paper's. The released code pairs all of 7 pictures of a prompt
  (`choose` "all_above_margin").
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch.nn.functional import logsigmoid

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import LossContext, MethodContext, Needs
from redraft.core.records import Kernel, KernelName, Recipe
from redraft.core.tensors import Examples, LoggedRollout, Loss, Scored, TransitionPairs
from redraft.diffusion.sample import replay
from redraft.methods.pairing import PairChoice, make_pairs, require_preferences
from redraft.methods.preflight import require_stochastic
from redraft.methods.transitions import logged_rollout, of_rectified_flow, some_transitions


class D3poConfig(Config):
    """Options of `d3po`; defaults as published."""

    beta: float = Field(default=0.1, gt=0, description="how strongly the model is held to the reference")
    reduction: Literal["mean", "sum"] = Field(default="mean", description="of the log-density over latent elements")
    ratio_clip: float | None = Field(
        default=0.1, gt=0, lt=1, description="a ratio beyond 1 +- it has no gradient; unset: no limit"
    )
    reference: Literal["start", "round"] = Field(default="round", description="weights that the model is compared with")
    steps_per_picture: int = Field(default=4, ge=1, description="transitions of each picture that a loss looks at")
    smallest_noise: float = Field(
        default=0.01, ge=0, description="transitions with a smaller standard deviation are left out"
    )
    choose: PairChoice = "best_against_worst"
    margin: float = Field(default=0.0, ge=0, description="pairs must differ in reward by more than this")
    temperature: float | None = Field(
        default=None, gt=0, description="a pair's probability is sigmoid(reward difference / it); unset: 1"
    )
    kernel: KernelName | None = Field(
        default=None, description="how pictures are painted; unset: flow_sde for flow models, ddim_eta for others"
    )
    strength: float | None = Field(default=None, gt=0, description="of that kernel; unset: 0.7 for flow models, else 1")


@dataclass(frozen=True, kw_only=True)
class D3po:
    """The method."""

    Config: ClassVar[type[D3poConfig]] = D3poConfig
    needs: ClassVar[Needs] = "logged"

    config: D3poConfig

    @classmethod
    def build(cls, config: D3poConfig, context: MethodContext) -> D3po:
        """The recipe travels in the rollouts and rewards come with them, so neither is needed here."""
        del context
        return cls(config=config)

    def collect_recipe(self, recipe: Recipe, *, round_number: int) -> Recipe:
        """How the pictures of a round are painted: line 1. Raises UsageError for a deterministic kernel, ConfigError
        for a strength that does not suit the kernel."""
        del round_number
        flow = of_rectified_flow(recipe)
        name = self.config.kernel or ("flow_sde" if flow else "ddim_eta")
        strength = 0.0 if name in ("few_step", "deterministic") else (0.7 if flow else 1.0)
        kernel = Kernel(name=name, strength=strength if self.config.strength is None else self.config.strength)
        return require_stochastic(replace(recipe, kernel=kernel), method="d3po")

    def prepare(self, scored: Scored, *, key: Key) -> TransitionPairs:
        """Line 1. Raises UsageError without transitions or when no two pictures of a prompt differ, NumericsError for
        a bad reward."""
        del key
        rollout = logged_rollout(scored, method="d3po")
        options = self.config
        rows = make_pairs(
            scored.reward, scored.group, choose=options.choose, margin=options.margin, temperature=options.temperature
        )
        return TransitionPairs(
            preferred=rollout.take(rows.preferred),
            rejected=rollout.take(rows.rejected),
            conditioning=scored.conditioning.take(rows.preferred),
            probability=rows.probability,
        )

    def loss(self, examples: Examples, *, context: LossContext, key: Key) -> Loss:
        """Lines 2 to 4. Raises UsageError for examples that are not TransitionPairs, for none, pairs of unlike
        recipes, or a probability that is not within 0.5..1."""
        if not isinstance(examples, TransitionPairs):
            raise UsageError(
                f"d3po was given {type(examples).__name__}: it trains on TransitionPairs, as `prepare` makes them"
            )
        if len(examples) == 0:
            raise UsageError("d3po was given no pairs: paint and compare at least two pictures of a prompt")
        require_preferences(examples.probability)
        both = some_transitions(
            _together(examples),
            count=self.config.steps_per_picture,
            smallest_noise=self.config.smallest_noise,
            key=key.child("transitions"),
        )
        conditioning = examples.conditioning.take(torch.arange(len(examples)).repeat(2))
        weights = context.old if self.config.reference == "round" else context.reference
        with torch.no_grad():
            before = replay(context.backbone, both, conditioning, parameters=weights)
        ratio = replay(context.backbone, both, conditioning) - before  # T,2B: its logarithm
        if self.config.reduction == "mean":
            ratio = ratio / both.latents[0].numel()
        clipped, share = self._clipped(ratio)
        preferred, rejected = clipped.chunk(2, dim=1)
        margin = self.config.beta * (preferred - rejected)  # line 3
        probability = examples.probability.to(margin)
        loss = -(probability * logsigmoid(margin) + (1 - probability) * logsigmoid(-margin)).mean()  # line 4
        parts = {
            "accuracy": (margin.detach() > 0).double().mean().item(),
            "margin": margin.detach().mean().item(),
            "log_ratio": ratio.detach().abs().mean().item(),
            "clipped_share": share,
        }
        return Loss(value=loss, parts=parts)

    def _clipped(self, ratio: torch.Tensor) -> tuple[torch.Tensor, float]:
        """Log-ratios within the logarithms of 1 +- ratio_clip, and the share of them that were not."""
        limit = self.config.ratio_clip
        if limit is None:
            return ratio, 0.0
        clipped = ratio.clamp(math.log1p(-limit), math.log1p(limit))
        return clipped, (clipped != ratio).double().mean().item()


def _together(pairs: TransitionPairs) -> LoggedRollout:
    """Preferred, then rejected trajectories in one rollout, so that a network call serves both."""
    first, second = pairs.preferred, pairs.rejected
    if first.recipe != second.recipe or first.steps != second.steps:
        raise UsageError(
            f"the two pictures of a pair were sampled by unlike recipes ({first.recipe.kernel.name} in "
            f"{first.recipe.steps} steps, {second.recipe.kernel.name} in {second.recipe.steps}): a step can only be "
            "compared with the same step; paint both with one recipe"
        )
    return LoggedRollout(
        latents=torch.cat([first.latents, second.latents]),
        before=torch.cat([first.before, second.before], dim=1),
        after=torch.cat([first.after, second.after], dim=1),
        log_probabilities=torch.cat([first.log_probabilities, second.log_probabilities], dim=1),
        steps=first.steps,
        recipe=first.recipe,
    )
