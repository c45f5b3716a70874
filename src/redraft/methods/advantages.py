"""Rewards to advantages: how much better a picture is than its siblings of the same prompt. Pure; no model, no loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from redraft.core.errors import ConfigError, NumericsError

AdvantageScale = Literal["group", "batch", "global"]

# Rewards whose spread is below this share of their size differ by rounding only; dividing by it would amplify noise.
_NEGLIGIBLE_SPREAD = 1e-6


@dataclass(frozen=True, kw_only=True)
class GroupAdvantages:
    """Advantages B, and how many of `groups` had no spread in their rewards (their advantage is 0)."""

    advantage: torch.Tensor
    groups: int
    zero_variance_groups: int


def require_finite_reward(reward: torch.Tensor) -> None:
    """Raise NumericsError naming the first picture whose reward is not finite; it must never enter a group's mean."""
    bad = (~torch.isfinite(reward)).nonzero().flatten()
    if len(bad):
        row = int(bad[0])
        raise NumericsError(
            f"the reward of picture {row} is {reward[row].item()}: every reward must be finite; no weight was "
            "changed. Check the scorer on that picture, or leave it out before training"
        )


def group_normalise(
    reward: torch.Tensor, group: torch.Tensor, *, scale: AdvantageScale, clip: float
) -> GroupAdvantages:
    """Subtract the group's mean, divide by a standard deviation (population), clip to [-clip, clip].

    `reward` B; `group` B tells which pictures share a prompt. `scale` names the deviation: `group`, of the own group
    (GRPO); `batch`, of the centred rewards of all groups together; `global`, of all raw rewards together (the
    "global std" of Flow-GRPO and DiffusionNFT). A group whose rewards do not differ gets advantage 0.

    Raises NumericsError for a reward that is not finite, ConfigError for a clip that is not above 0.
    """
    if not clip > 0:
        raise ConfigError(f"clip={clip}: advantages are clipped to [-clip, clip], so it must be above 0; 5 is usual")
    require_finite_reward(reward)
    exact = reward.to(torch.float64)
    names, index = torch.unique(group.to(reward.device), return_inverse=True)
    count = torch.zeros(len(names), dtype=torch.float64, device=exact.device).index_add(
        0, index, torch.ones_like(exact)
    )
    mean = torch.zeros_like(count).index_add(0, index, exact) / count
    centred = exact - mean[index]
    deviation = (torch.zeros_like(count).index_add(0, index, centred**2) / count).sqrt()
    flat = deviation <= _NEGLIGIBLE_SPREAD * mean.abs().clamp(min=1)
    if scale == "group":
        divisor = deviation[index]
    elif scale == "batch":
        divisor = (centred**2).mean().sqrt().expand_as(centred)
    else:
        divisor = exact.std(unbiased=False).expand_as(centred)
    dead = flat[index]
    advantage = torch.where(dead, 0.0, centred / torch.where(dead, 1.0, divisor)).clamp(-clip, clip)
    return GroupAdvantages(
        advantage=advantage.to(reward.dtype), groups=len(names), zero_variance_groups=int(flat.sum())
    )
