"""Rewards to pairs: which picture of a prompt is preferred to which, and how surely. Pure; no model, no loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

import torch

from redraft.core.errors import ConfigError, UsageError
from redraft.core.tensors import Pairs, TransitionPairs
from redraft.methods.advantages import require_finite_reward

PairChoice = Literal["best_against_worst", "all_above_margin"]
AnyPairs = TypeVar("AnyPairs", Pairs, TransitionPairs)


@dataclass(frozen=True, kw_only=True)
class PairRows:
    """B pairs of rows of a collection, and `probability` B in 0.5..1 that `preferred` is the better picture."""

    preferred: torch.Tensor
    rejected: torch.Tensor
    probability: torch.Tensor


def make_pairs(
    reward: torch.Tensor,
    group: torch.Tensor,
    *,
    choose: PairChoice,
    margin: float = 0.0,
    temperature: float | None = None,
) -> PairRows:
    """Pairs of pictures of one group whose rewards (B) differ by more than `margin`; ties are never pairs.

    `best_against_worst`: at most one pair of each group, of equal rewards the earlier picture. `all_above_margin`:
    every pair. The probability of a pair is sigmoid(difference / temperature), the choice model of Bradley and Terry,
    or 1 if `temperature` is None.

    Raises UsageError when no pair is left, NumericsError for a reward that is not finite, ConfigError for a negative
    margin or a temperature that is not above 0.
    """
    if margin < 0 or (temperature is not None and not temperature > 0):
        raise ConfigError(
            f"margin={margin}, temperature={temperature}: the margin must be 0 or more, the temperature above 0 (or "
            "None: every choice counts as sure)"
        )
    require_finite_reward(reward)
    preferred: list[int] = []
    rejected: list[int] = []
    for name in torch.unique(group).tolist():
        rows = (group == name).nonzero().flatten()
        order = rows[torch.argsort(reward[rows], descending=True, stable=True)].tolist()
        if choose == "best_against_worst":
            worst = rows[torch.argsort(reward[rows], stable=True)].tolist()[0]
            candidates = [(order[0], worst)]
        else:
            candidates = [(better, worse) for place, better in enumerate(order) for worse in order[place + 1 :]]
        for better, worse in candidates:
            if float(reward[better] - reward[worse]) > margin:
                preferred.append(better)
                rejected.append(worse)
    if not preferred:
        raise UsageError(
            f"no two of {len(reward)} pictures share a prompt and differ in reward by more than {margin:g}: there is "
            "no pair to learn from; paint several pictures a prompt, lower the margin, or use a finer reward"
        )
    difference = reward[preferred] - reward[rejected]
    sure = torch.ones_like(difference)
    return PairRows(
        preferred=torch.tensor(preferred),
        rejected=torch.tensor(rejected),
        probability=sure if temperature is None else torch.sigmoid(difference / temperature),
    )


def decided(pairs: AnyPairs) -> AnyPairs:
    """The pairs that are no ties: what people's answers become before they are trained on.

    Raises UsageError when there is no pair, or ties only.
    """
    return pairs.take(decided_rows(pairs.probability))


def decided_rows(probability: torch.Tensor) -> list[int]:
    """The rows of the pairs that are no ties, by their probabilities B. Raises as `decided`."""
    require_preferences(probability)
    rows: list[int] = (probability > 0.5).nonzero().flatten().tolist()
    if not rows:
        raise UsageError(
            f"there are {len(probability)} pairs and none with a preferred picture (no pairs, or ties only): there is "
            "nothing to learn from; collect more answers, or make pairs of scored pictures"
        )
    return rows


def require_preferences(probability: torch.Tensor) -> None:
    """Raise UsageError naming the first pair whose probability B is not within 0.5..1."""
    wrong = (~((probability >= 0.5) & (probability <= 1))).nonzero().flatten()
    if len(wrong):
        row = int(wrong[0])
        raise UsageError(
            f"pair {row} has probability {probability[row].item():.4g} that `preferred` is the better picture: it must "
            "be within 0.5 (a tie) and 1; exchange the two pictures of a pair below 0.5"
        )
