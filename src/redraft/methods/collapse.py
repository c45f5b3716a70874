"""When self-training collapses: the monitor of the rounds, and which round to return. Pure; no model, no loop.

Training a model on its own pictures narrows and shifts it from round to round. RSIDiff (arXiv 2502.09963) was best at
round 6 of 8 and fell after it, so the rounds are watched and the best one is returned, not the last.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from redraft.core.config import Config
from redraft.core.errors import UsageError

if TYPE_CHECKING:
    import torch


class CollapseRules(Config):
    """When the rounds stop."""

    falls: int = Field(default=2, ge=1, description="rounds in a row in which the held-out metric fell")
    lowest_mean_weight: float = Field(default=0.5, ge=0, le=1, description="mean distance weight of the pictures kept")
    lowest_spread: float = Field(
        default=0.0, ge=0, le=1, description="share of the first round's spread of features; 0: watched only"
    )


@dataclass(frozen=True, kw_only=True)
class RoundRecord:
    """What one round was like: `number` (0: the untouched model), the held-out metric of its model (higher is better),
    the mean weight of the pictures it was trained on (1 for the untouched model), and the spread of its features."""

    number: int
    held_out: float
    mean_weight: float
    spread: float


def feature_spread(features: torch.Tensor) -> float:
    """Root of the mean variance of features B,D over pictures (population). Raises UsageError for under two."""
    if len(features) < 2:
        raise UsageError(f"the spread of {len(features)} pictures: at least two are needed; paint more")
    return float(features.double().var(dim=0, unbiased=False).mean().sqrt())


def collapse(history: Sequence[RoundRecord], *, rules: CollapseRules) -> str | None:
    """Why the rounds should stop after the last of `history` (in order), or None to go on.

    Raises UsageError for an empty history.
    """
    _require(history)
    last, first = history[-1], history[0]
    fallen = 0
    for earlier, later in itertools.pairwise(history):
        fallen = fallen + 1 if later.held_out < earlier.held_out else 0
    if fallen >= rules.falls:
        return (
            f"round {last.number}: the held-out metric fell {fallen} rounds in a row, to {last.held_out:.4g}; the "
            f"best, {best_round(history).held_out:.4g}, was in round {best_round(history).number}"
        )
    if last.mean_weight < rules.lowest_mean_weight:
        return (
            f"round {last.number}: the mean distance weight is {last.mean_weight:.3g}, below "
            f"{rules.lowest_mean_weight:g}: the pictures have left what the first model painted"
        )
    if last.spread < rules.lowest_spread * first.spread:
        return (
            f"round {last.number}: the spread of features is {last.spread:.4g}, below {rules.lowest_spread:g} of the "
            f"{first.spread:.4g} it began with"
        )
    return None


def best_round(history: Sequence[RoundRecord]) -> RoundRecord:
    """The round to return: the highest held-out metric, the earliest of equals. Raises UsageError for none, or for a
    metric that is not a number."""
    _require(history)
    return max(history, key=lambda record: (record.held_out, -record.number))


def _require(history: Sequence[RoundRecord]) -> None:
    if not history:
        raise UsageError("there is no round to judge: record the untouched model as round 0 first")
    for record in history:
        if record.held_out != record.held_out:
            raise UsageError(
                f"the held-out metric of round {record.number} is {record.held_out}: it must be a number; check the "
                "scorer that gave it"
            )
