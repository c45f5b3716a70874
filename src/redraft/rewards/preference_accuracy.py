"""How well scores agree with choices: four published rules that differ in ties and in what counts alike. Fits nothing.

Numbers of unlike rules must not be compared, so each result says which rule made it by the name of its function.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from redraft.core.errors import UsageError


def strict_agreement(margin: torch.Tensor, outcome: torch.Tensor) -> torch.Tensor:
    """Per pair that has a better side, in order: 1 right, 0 wrong, 0.5 for an exact tie of the scores.

    margin: B, score of the first minus that of the second. outcome: B,3 as in `preference_losses`. Pairs that are ties
    are left out.
    """
    side = outcome[:, 0] - outcome[:, 1]
    strict = side != 0
    return (torch.sign(margin[strict]) * torch.sign(side[strict]) + 1) / 2


def reward_accuracy(margin: torch.Tensor, outcome: torch.Tensor) -> float:
    """ImageReward's rule: over all strict pairs alike; a tie of the scores is wrong; human ties are dropped.

    Raises UsageError when there is no strict pair.
    """
    agreement = strict_agreement(margin, outcome)
    if not len(agreement):
        raise UsageError(f"none of {len(margin)} pairs has a better side: accuracy needs at least one")
    return (agreement == 1).double().mean().item()


def inversion_accuracy(scores: Sequence[float], ranks: Sequence[float]) -> float:
    """HPS v2's rule for n pictures of one prompt: 1 minus strictly discordant pairs over n (n - 1) / 2.

    scores: higher is better. ranks: 1 is best. Ties on either side are no inversions. Raises UsageError for fewer than
    two pictures or unequal lengths.
    """
    if len(scores) != len(ranks) or len(scores) < 2:
        raise UsageError(f"{len(scores)} scores and {len(ranks)} ranks: give one of each for at least two pictures")
    score, rank = torch.tensor(scores, dtype=torch.float64), torch.tensor(ranks, dtype=torch.float64)
    against = (score[:, None] - score) * (rank[:, None] - rank) > 0
    count = len(scores)
    return 1 - against.sum().item() / 2 / (count * (count - 1) / 2)


def tie_aware_accuracy(margin: torch.Tensor, outcome: torch.Tensor, *, threshold: float) -> float:
    """Pick-a-Pic's rule: a tie is predicted where |P(first) - P(second)| <= threshold; half credit for one-sided ties.

    Raises UsageError when there is no pair or the threshold is not in 0..1.
    """
    if not len(margin) or not 0 <= threshold <= 1:
        raise UsageError(f"{len(margin)} pairs with the tie threshold {threshold}: give pairs and 0 to 1")
    difference = 2 * torch.sigmoid(margin.double()) - 1
    predicted = torch.where(difference.abs() <= threshold, 0.0, difference.sign())
    true = (outcome[:, 0] - outcome[:, 1]).double().sign()
    half = (predicted == 0) ^ (true == 0)
    return torch.where(half, 0.5, (predicted == true).double()).mean().item()


def tie_threshold(margin: torch.Tensor, outcome: torch.Tensor) -> float:
    """The threshold among 0, 0.1, ... 1 with the highest `tie_aware_accuracy`, the lowest of equal ones."""
    steps = [step / 10 for step in range(11)]
    return max(steps, key=lambda step: (tie_aware_accuracy(margin, outcome, threshold=step), -step))
