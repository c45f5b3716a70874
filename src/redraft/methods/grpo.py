"""Flow-GRPO: policy gradients with advantages within groups of one prompt (Liu et al., arXiv 2505.05470).

    1  paint groups of pictures of a prompt with a stochastic kernel (for flow models, the SDE with the same marginals
       as their ODE); keep the transitions and their log-densities
    2  A = (r - mean of the group) / std, clipped to [-A_max, A_max]                                      (`prepare`)
    3  for some transitions of each picture, d = [log p_theta(x_{i+1} | x_i, c) - log p_painted] / elements
    4  L = mean of max(-A e^d, -A clip(e^d, 1 - clip_range, 1 + clip_range)) + kl_coefficient * KL(theta || reference)

Line 3 replays the recipe that painted, guidance included. The KL of line 4 is that of two Gaussians with one standard
deviation: half the squared distance of their means in units of it, per latent element. See `clipped_ratio`.

MixGRPO (Li et al., arXiv 2507.21802): only the steps of a window draw noise and are trained; all others are those of
the ODE. The window moves towards the picture, and begins anew at its last wide step (`window`, `window_rounds`).
GRPO-Guard (arXiv 2510.22319): the log-ratio is freed of its mean and of the step's width, then clipped (`guard`).

Differs from the papers:
- The std of line 2 is that of the group, as in the formula; the released code divides by that of all rewards
  (`advantage_scale` "global").
- The released code's KL lacks the length of the time step: its coefficient 0.04 is about 0.004 here, at its 10 steps.
- A loss looks at `steps_per_picture` transitions, drawn afresh and the same for its whole batch. Transitions with
  hardly any noise are left out (the release drops the last ones by a fraction), as is the step to sigma 0.
- Guidance is trained in both of its branches; the release keeps the unconditional one fixed.
- Any model family: epsilon and v models are painted with the DDIM kernel of the same strength.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from pydantic import Field

from redraft.core.config import Config
from redraft.core.keys import Key
from redraft.core.protocols import LossContext, MethodContext, Needs
from redraft.core.records import Kernel, KernelName, Recipe
from redraft.core.tensors import Examples, Loss, Scored, Transitions
from redraft.methods.advantages import AdvantageScale, group_normalise
from redraft.methods.clipped_ratio import clipped_loss
from redraft.methods.preflight import require_group_size, require_spread, require_stochastic
from redraft.methods.transitions import (
    logged_rollout,
    of_rectified_flow,
    require_transitions,
    some_of,
    wide_steps,
)


class GrpoConfig(Config):
    """Options of `grpo`; defaults as published, in this project's units."""

    clip_range: float = Field(default=1e-4, gt=0, lt=1, description="a ratio of means over latent elements, so: tiny")
    advantage_clip: float = Field(default=5.0, gt=0, description="A_max")
    advantage_scale: AdvantageScale = "group"
    steps_per_picture: int = Field(default=4, ge=1, description="transitions of each picture that a loss looks at")
    smallest_noise: float = Field(
        default=0.05, ge=0, description="transitions with a smaller standard deviation are left out"
    )
    kl_coefficient: float = Field(default=0.004, ge=0, description="pull to the weights at the start of the run")
    kernel: KernelName | None = Field(
        default=None, description="how pictures are painted; unset: flow_sde for flow models, ddim_eta for others"
    )
    strength: float = Field(default=0.7, ge=0, description="of that kernel: the noise level of the SDE, or eta")
    window: int | None = Field(default=None, ge=1, description="steps that draw noise (MixGRPO); unset: all")
    window_rounds: int = Field(default=1, ge=1, description="rounds until the window moves by one step")
    guard: bool = Field(default=False, description="GRPO-Guard; needs old weights that are those that painted")


@dataclass(frozen=True, kw_only=True)
class Grpo:
    """The method."""

    Config: ClassVar[type[GrpoConfig]] = GrpoConfig
    needs: ClassVar[Needs] = "logged"

    config: GrpoConfig

    @classmethod
    def build(cls, config: GrpoConfig, context: MethodContext) -> Grpo:
        """The recipe travels in the rollouts, and rewards come with them."""
        del context
        return cls(config=config)

    def collect_recipe(self, recipe: Recipe, *, round_number: int) -> Recipe:
        """How the pictures of a round (counted from 0) are painted: line 1.

        Raises UsageError for a deterministic kernel or one whose steps are all narrow, ConfigError for a strength that
        does not suit the kernel or a window that is larger than the steps with noise.
        """
        options = self.config
        name = options.kernel or ("flow_sde" if of_rectified_flow(recipe) else "ddim_eta")
        painted = replace(recipe, kernel=Kernel(name=name, strength=options.strength), window=None)
        require_stochastic(painted, method="grpo")
        wide = wide_steps(painted, range(painted.steps), smallest_noise=options.smallest_noise)
        if options.window is None:
            return painted
        last = max(wide) + 1
        window = window_of_round(round_number, end=last, size=options.window, rounds=options.window_rounds)
        return replace(painted, window=window)

    def prepare(self, scored: Scored, *, key: Key) -> Transitions:
        """Line 2. Raises UsageError without transitions, for groups of one picture, or when the rewards of every
        group are alike; NumericsError for a bad reward."""
        del key
        rollout = logged_rollout(scored, method="grpo")
        smallest = int(torch.unique(scored.group, return_counts=True)[1].min())
        require_group_size(smallest, method="grpo")
        require_spread(scored.reward, scored.group)
        normalised = group_normalise(
            scored.reward, scored.group, scale=self.config.advantage_scale, clip=self.config.advantage_clip
        )
        return Transitions(rollout=rollout, conditioning=scored.conditioning, advantage=normalised.advantage)

    def loss(self, examples: Examples, *, context: LossContext, key: Key) -> Loss:
        """Lines 3 and 4. Raises UsageError for examples that are not Transitions, for none, or without wide steps."""
        transitions, options = require_transitions(examples, method="grpo"), self.config
        return clipped_loss(
            some_of(transitions, count=options.steps_per_picture, smallest_noise=options.smallest_noise, key=key),
            context=context,
            clip_range=options.clip_range,
            kl_coefficient=options.kl_coefficient,
            guarded=options.guard,
        )


def window_of_round(round_number: int, *, end: int, size: int, rounds: int) -> tuple[int, int]:
    """(first, end) of the steps with noise in a round counted from 0.

    It begins at the noisiest step, moves by one every `rounds` rounds up to `end`, where steps get too narrow to train
    on, and begins anew after that. A window larger than that is not moved.
    """
    places = max(end - size + 1, 1)
    first = round_number // rounds % places
    return first, first + size
