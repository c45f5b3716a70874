"""DDPO: sampling as a policy of many small steps, trained by PPO (Black et al., arXiv 2305.13301, section 4.3).

    1  paint with a stochastic kernel and guidance; keep every transition x_i -> x_{i+1} and its log-density
    2  A = (r - mean) / std of the rewards of its prompt, clipped to [-A_max, A_max]                      (`prepare`)
    3  for some transitions of each picture, d = [log p_theta(x_{i+1} | x_i, c) - log p_painted] / elements
    4  L = mean of max(-A e^d, -A clip(e^d, 1 - clip_range, 1 + clip_range)) + kl_coefficient * KL(theta || reference)

Line 3 replays the recipe that painted, guidance included, so both of its branches are trained. Lines 3 and 4 are in
`clipped_ratio`, with the one division by the number of latent elements that the published clip range 1e-4 goes with.

Every second round may paint with the few levels of distilled samplers ("ADD", timesteps 999, 749, 499, 249): predict
x0, noise it again to the next level. Those steps are Gaussian too, so that nothing else changes.

Differs from the paper:
- Statistics of a prompt are those of one round (a prompt with fewer than `prompt_statistics` pictures gets those of
  the whole round); the authors keep a buffer of a prompt's rewards over epochs. A round depends on nothing but itself.
- A loss looks at `steps_per_picture` transitions, drawn afresh and the same for its whole batch; the authors pass
  through all of them. Transitions with hardly any noise are left out, as is the last step, which has no density.
- The KL term is not in the paper, whose runs end when the reward does; without it, set the coefficient to 0.
- Any model family: on flow models, eta 1 is the same posterior of the forward process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from pydantic import Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import LossContext, MethodContext, Needs
from redraft.core.records import Kernel, KernelName, NoiseLevel, Recipe
from redraft.core.tensors import Examples, Loss, Scored, Transitions
from redraft.diffusion.levels import CLEAN
from redraft.methods.advantages import group_normalise
from redraft.methods.clipped_ratio import clipped_loss
from redraft.methods.preflight import require_spread, require_stochastic
from redraft.methods.transitions import logged_rollout, require_transitions, some_of, wide_steps

if TYPE_CHECKING:
    from redraft.core.protocols import NoisePath


class DdpoConfig(Config):
    """Options of `ddpo`; defaults as published, but for the KL term."""

    clip_range: float = Field(default=1e-4, gt=0, lt=1, description="a ratio of means over latent elements, so: tiny")
    advantage_clip: float = Field(default=5.0, gt=0, description="A_max")
    prompt_statistics: int = Field(
        default=16, ge=2, description="pictures that a prompt needs for a mean and deviation of its own"
    )
    steps_per_picture: int = Field(default=4, ge=1, description="transitions of each picture that a loss looks at")
    smallest_noise: float = Field(
        default=0.05, ge=0, description="transitions with a smaller standard deviation are left out"
    )
    kl_coefficient: float = Field(default=0.01, ge=0, description="pull to the weights at the start of the run")
    kernel: KernelName = Field(default="ddim_eta", description="how pictures are painted to be trained on")
    strength: float = Field(default=1.0, ge=0, description="of that kernel; eta")
    few_step: Literal["never", "alternate"] = Field(
        default="never", description="alternate: every second round paints at `few_step_timesteps`"
    )
    few_step_timesteps: tuple[int, ...] = (999, 749, 499, 249)


@dataclass(frozen=True, kw_only=True)
class Ddpo:
    """The method."""

    Config: ClassVar[type[DdpoConfig]] = DdpoConfig
    needs: ClassVar[Needs] = "logged"

    config: DdpoConfig
    noise_level: NoisePath | None

    @classmethod
    def build(cls, config: DdpoConfig, context: MethodContext) -> Ddpo:
        """The recipe travels in the rollouts, rewards come with them; the noise path is for the few-step rounds."""
        return cls(config=config, noise_level=context.noise_level)

    def collect_recipe(self, recipe: Recipe, *, round_number: int) -> Recipe:
        """How the pictures of a round (counted from 0) are painted: line 1.

        Raises UsageError for a deterministic kernel, one whose steps are all narrow, or few-step rounds without the
        model's noise path; ConfigError for a strength that does not suit the kernel.
        """
        kernel = Kernel(name=self.config.kernel, strength=self.config.strength)
        painted = require_stochastic(replace(recipe, kernel=kernel), method="ddpo")
        wide_steps(painted, range(painted.steps), smallest_noise=self.config.smallest_noise)
        if self.config.few_step == "never":
            return painted
        if self.noise_level is None:
            raise UsageError(
                "few_step='alternate' without the model's noise path: the levels of the few-step rounds are read from "
                "it; build ddpo with MethodContext(noise_level=backbone.noise_level), or set few_step='never'"
            )
        if not is_few_step_round(round_number):
            return painted
        levels = levels_at(self.config.few_step_timesteps, noise_level=self.noise_level)
        return require_stochastic(replace(recipe, levels=levels, kernel=Kernel(name="few_step")), method="ddpo")

    def prepare(self, scored: Scored, *, key: Key) -> Transitions:
        """Line 2. Raises UsageError without transitions or when the rewards of every prompt are alike (of all prompts,
        where each has one picture), NumericsError for a bad reward."""
        del key
        rollout = logged_rollout(scored, method="ddpo")
        lone = len(torch.unique(scored.group)) == len(scored.group)
        require_spread(scored.reward, torch.zeros_like(scored.group) if lone else scored.group)
        advantage = prompt_advantages(
            scored.reward, scored.group, minimum=self.config.prompt_statistics, clip=self.config.advantage_clip
        )
        return Transitions(rollout=rollout, conditioning=scored.conditioning, advantage=advantage)

    def loss(self, examples: Examples, *, context: LossContext, key: Key) -> Loss:
        """Lines 3 and 4. Raises UsageError for examples that are not Transitions, for none, or without wide steps."""
        transitions, options = require_transitions(examples, method="ddpo"), self.config
        return clipped_loss(
            some_of(transitions, count=options.steps_per_picture, smallest_noise=options.smallest_noise, key=key),
            context=context,
            clip_range=options.clip_range,
            kl_coefficient=options.kl_coefficient,
        )


def prompt_advantages(reward: torch.Tensor, group: torch.Tensor, *, minimum: int, clip: float) -> torch.Tensor:
    """Line 2: rewards B normalised by their own prompt, or by all B where a prompt has fewer than `minimum` pictures.

    Raises NumericsError for a reward that is not finite.
    """
    own = group_normalise(reward, group, scale="group", clip=clip).advantage
    overall = group_normalise(reward, torch.zeros_like(group), scale="group", clip=clip).advantage
    _, place, count = torch.unique(group, return_inverse=True, return_counts=True)
    return torch.where((count[place] >= minimum).to(reward.device), own, overall)


def is_few_step_round(round_number: int) -> bool:
    """Whether a round (counted from 0) paints at the few-step levels when they alternate: the odd ones do."""
    return round_number % 2 == 1


def levels_at(timesteps: tuple[int, ...], *, noise_level: NoisePath) -> tuple[NoiseLevel, ...]:
    """The levels of a model's noise path at falling timesteps, then sigma 0."""
    alpha, sigma = noise_level(torch.tensor(timesteps, dtype=torch.float64))
    places = zip(alpha.tolist(), sigma.tolist(), timesteps, strict=True)
    return (*(NoiseLevel(alpha=a, sigma=s, timestep=float(timestep)) for a, s, timestep in places), CLEAN)
