"""Scored pictures to weighted examples: which pictures to learn from, and how much. Pure; no model, no loss.

Every function gives weights with mean 1 over the pictures it keeps, so that the size of the loss and the learning rate
do not depend on how many survive.
"""

from __future__ import annotations

from typing import Literal

import torch

from redraft.core.errors import ConfigError, UsageError
from redraft.core.keys import Key
from redraft.core.tensors import Scored, Weights
from redraft.methods.advantages import require_finite_reward


def best_of_n(scored: Scored, *, keep: int = 1, threshold: float | None = None) -> Weights:
    """The `keep` pictures of highest reward of every group, and of those only what is above `threshold` (RAFT).

    Of equal rewards the earlier picture is kept. Raises UsageError when nothing survives, NumericsError for a reward
    that is not finite.
    """
    _require_positive("keep", keep)
    require_finite_reward(scored.reward)
    order = torch.argsort(scored.reward, descending=True, stable=True)
    return _take_first(scored, order, at_most=keep, threshold=threshold)


def keep_correct(scored: Scored, *, threshold: float, at_most: int, key: Key) -> Weights:
    """Pictures with reward above `threshold`; of more than `at_most` in a group, a random choice.

    Unlike best-of-n it draws no line among good pictures, so an easy prompt does not narrow to its favourite.
    Raises UsageError when nothing survives, NumericsError for a reward that is not finite.
    """
    _require_positive("at_most", at_most)
    require_finite_reward(scored.reward)
    order = key.child("keep_correct").permutation(len(scored.reward))
    return _take_first(scored, order, at_most=at_most, threshold=threshold)


def reward_weighted(scored: Scored, *, temperature: float, scope: Literal["group", "batch"] = "group") -> Weights:
    """All pictures, weighted by softmax(reward / temperature) within their group, or over the whole batch.

    Within groups every group has the same total weight. Raises ConfigError for a temperature that is not above 0,
    NumericsError for a reward that is not finite.
    """
    if not temperature > 0:
        raise ConfigError(f"temperature={temperature}: must be above 0; large values weight all pictures alike")
    require_finite_reward(scored.reward)
    reward = scored.reward.to(torch.float64)
    labels = scored.group if scope == "group" else torch.zeros_like(scored.group)
    names, index = torch.unique(labels, return_inverse=True)
    highest = torch.full((len(names),), -torch.inf, dtype=torch.float64, device=reward.device)
    highest = highest.scatter_reduce(0, index, reward, reduce="amax")
    raw = ((reward - highest[index]) / temperature).exp()
    total = torch.zeros_like(highest).index_add(0, index, raw)
    weight = raw / total[index] * len(raw) / len(names)
    return Weights(
        latents=scored.rollout.latents, conditioning=scored.conditioning, weight=weight.to(scored.reward.dtype)
    )


def _take_first(scored: Scored, order: torch.Tensor, *, at_most: int, threshold: float | None) -> Weights:
    taken: dict[int, int] = {}
    rows: list[int] = []
    for row in order.tolist():
        group = int(scored.group[row])
        if (threshold is None or float(scored.reward[row]) > threshold) and taken.get(group, 0) < at_most:
            taken[group] = taken.get(group, 0) + 1
            rows.append(row)
    if not rows:
        raise UsageError(
            f"no picture of {len(scored.reward)} has a reward above {threshold} (the highest is "
            f"{float(scored.reward.max()):.4g}): there is nothing to learn from; lower the threshold, or paint more "
            "pictures a prompt"
        )
    rows.sort()
    index = torch.tensor(rows)
    latents = scored.rollout.latents[index.to(scored.rollout.latents.device)]
    weight = torch.ones(len(rows), dtype=scored.reward.dtype, device=scored.reward.device)
    return Weights(latents=latents, conditioning=scored.conditioning.take(index), weight=weight)


def _require_positive(name: str, value: int) -> None:
    if value < 1:
        raise ConfigError(f"{name}={value}: at least one picture of a prompt must be kept; set it to 1 or more")
