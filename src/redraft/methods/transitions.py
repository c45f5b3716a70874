"""Which of a rollout's logged transitions a loss looks at, and how they were painted. Pure; not the loss itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Recipe
from redraft.core.tensors import LoggedRollout, Scored, Transitions
from redraft.diffusion.kernels import standard_deviation


def logged_rollout(scored: Scored, *, method: str) -> LoggedRollout:
    """The rollout of scored pictures with its transitions. Raises UsageError naming `method` when it has none."""
    if not isinstance(scored.rollout, LoggedRollout):
        raise UsageError(
            f"{method} was given pictures without their transitions (kernel {scored.rollout.recipe.kernel.name!r}): "
            "paint them with a stochastic kernel and log them, or use 'nft', which needs the pictures only"
        )
    return scored.rollout


def require_transitions(examples: object, *, method: str) -> Transitions:
    """`examples` as Transitions. Raises UsageError naming `method` when they are something else, or none."""
    if not isinstance(examples, Transitions):
        raise UsageError(
            f"{method} was given {type(examples).__name__}: it trains on Transitions, as `prepare` makes them"
        )
    if len(examples) == 0:
        raise UsageError(f"{method} was given no pictures: paint and score at least two of a prompt")
    return examples


def wide_steps(recipe: Recipe, steps: Iterable[int], *, smallest_noise: float) -> list[int]:
    """Those of `steps` whose noise has a standard deviation of at least `smallest_noise`; steps without any are none.

    Log-densities go with its inverse square, so one narrow step would drown all others.
    Raises UsageError when none is wide enough.
    """
    widths = {
        step: standard_deviation(recipe.levels[step], recipe.levels[step + 1], kernel=recipe.kernel_at(step))
        for step in steps
    }
    wide = [step for step, width in widths.items() if width > 0 and width >= smallest_noise]
    if not wide:
        raise UsageError(
            f"no transition has noise of standard deviation {smallest_noise:g} or more (the widest: "
            f"{max(widths.values(), default=0.0):.3g}): paint with a stronger kernel, or lower smallest_noise"
        )
    return wide


def some_transitions(rollout: LoggedRollout, *, count: int, smallest_noise: float, key: Key) -> LoggedRollout:
    """The same pictures with at most `count` of their transitions, a random choice of the wide ones in their order.

    Raises UsageError when none is wide enough (`wide_steps`).
    """
    wide = set(wide_steps(rollout.recipe, rollout.steps, smallest_noise=smallest_noise))
    places = torch.tensor([place for place, step in enumerate(rollout.steps) if step in wide])
    chosen = places[key.permutation(len(places))[:count].sort().values]
    index = chosen.to(rollout.before.device)
    return replace(
        rollout,
        before=rollout.before[index],
        after=rollout.after[index],
        log_probabilities=rollout.log_probabilities[index],
        steps=tuple(rollout.steps[place] for place in chosen.tolist()),
    )


def some_of(transitions: Transitions, *, count: int, smallest_noise: float, key: Key) -> Transitions:
    """The same pictures and advantages with some of their transitions; see `some_transitions`."""
    rollout = some_transitions(
        transitions.rollout, count=count, smallest_noise=smallest_noise, key=key.child("transitions")
    )
    return replace(transitions, rollout=rollout)


def of_rectified_flow(recipe: Recipe) -> bool:
    """Whether the levels have alpha + sigma = 1 (flow models) and not alpha^2 + sigma^2 = 1."""
    return all(abs(level.alpha + level.sigma - 1) <= 1e-6 for level in recipe.levels)
