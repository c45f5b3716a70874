"""Losses of choices between two pictures: Bradley-Terry, two models with ties, uncertain margins; of single ratings.

Everything is a function of the margin, score of the first picture minus score of the second, so that adding a constant
to both changes nothing. No network, no weights and no averaging rule of a batch here.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as functional

from redraft.core.errors import UsageError

Ties = Literal["none", "rao-kupper", "davidson"]
"""How a tie is explained. none: it is half a win for either side."""

_NODES = 64
_HALVINGS = 60


def log_probabilities(margin: torch.Tensor, *, ties: Ties, tie: torch.Tensor | float = 0.0) -> torch.Tensor:
    """B,3: log P(first better), log P(second better), log P(tie) at margins B.

    With a = exp(score of the first), b of the second, and `tie` any real number:
    rao-kupper (Rao and Kupper 1967), theta = 1 + exp(tie): a / (a + theta b), b / (b + theta a) and
    (theta^2 - 1) a b / ((a + theta b)(b + theta a)).
    davidson (Davidson 1970), nu = exp(tie): a, b and nu sqrt(a b), each divided by their sum.
    none: Bradley-Terry (1952); P(tie) is 0, its logarithm -infinity.
    """
    parameter = torch.as_tensor(tie, dtype=margin.dtype, device=margin.device)
    if ties == "davidson":
        return torch.stack([margin / 2, -margin / 2, parameter.expand_as(margin)], -1).log_softmax(-1)
    if ties == "none":
        never = torch.full_like(margin, -math.inf)
        return torch.stack([functional.logsigmoid(margin), functional.logsigmoid(-margin), never], -1)
    width = functional.softplus(parameter)  # log theta
    first, second = functional.logsigmoid(margin - width), functional.logsigmoid(-margin - width)
    # log(theta^2 - 1) = log(theta - 1) + log(theta + 1), and theta - 1 = exp(tie).
    both = parameter + torch.log(2 + parameter.exp())
    return torch.stack([first, second, both + first + second], -1)


def pair_loss(
    margin: torch.Tensor, outcome: torch.Tensor, *, ties: Ties = "none", tie: torch.Tensor | float = 0.0
) -> torch.Tensor:
    """B: cross-entropy of outcomes B,3 (shares of first better, second better, tie; they add up to 1).

    Without a model of ties this is HPS v2's soft-label loss (2306.09341; its script sums over the batch, see
    `preference_fit` for what we do): log 2 at margin 0 whatever the outcome.
    """
    if margin.ndim != 1 or outcome.shape != (len(margin), 3):
        raise UsageError(
            f"margins of shape {tuple(margin.shape)} and outcomes {tuple(outcome.shape)}: give B margins and B,3 "
            "shares of (first better, second better, tie)"
        )
    shares = outcome.to(margin)
    if ties == "none":
        halves = shares[:, :2] + shares[:, 2:] / 2
        return -(halves * log_probabilities(margin, ties=ties)[:, :2]).sum(-1)
    return -(shares * log_probabilities(margin, ties=ties, tie=tie)).sum(-1)


def divergence_loss(margin: torch.Tensor, outcome: torch.Tensor) -> torch.Tensor:
    """B: Kullback-Leibler divergence of the soft label from Bradley-Terry's probabilities, as PickScore trains on.

    `pair_loss` minus the entropy of the label (2305.01569): the same gradient, and 0 where it cannot be lower.
    """
    halves = outcome[:, :2] + outcome[:, 2:] / 2
    entropy: torch.Tensor = -torch.special.xlogy(halves, halves).sum(-1).to(margin)
    return pair_loss(margin, outcome) - entropy


def uncertain_loss(mean: torch.Tensor, deviation: torch.Tensor) -> torch.Tensor:
    """B: E[-log sigmoid(m)] for margins m ~ N(mean, deviation^2), as HPSv3 trains on (2508.03789), each B.

    By Gauss-Hermite quadrature, exact to rounding for deviations of a few units, where HPSv3 draws 1,000 samples.
    """
    import numpy as np

    nodes, weights = (torch.from_numpy(part).to(mean) for part in np.polynomial.hermite.hermgauss(_NODES))
    margins = mean[:, None] + math.sqrt(2) * deviation[:, None] * nodes
    return -(functional.logsigmoid(margins) * weights).sum(-1) / math.sqrt(math.pi)


def rating_point_loss(score: torch.Tensor, label: torch.Tensor, *, offset: torch.Tensor | float) -> torch.Tensor:
    """B: cross-entropy of sigmoid(score - offset) with labels B in 0..1: one picture on its own, liked or not."""
    return functional.binary_cross_entropy_with_logits(score - offset, label.to(score), reduction="none")


def begun_ratings(
    score: torch.Tensor, label: torch.Tensor, weight: torch.Tensor, *, factors: torch.Tensor
) -> tuple[int, float]:
    """Which of the factors S, times scores N, explains ratings N best, and the offset there, the best for that factor.

    The best offset makes the mean probability that of the labels; by bisection, as the mean falls with the offset. Of
    labels that are all alike none is best: it then lies where every picture is foreseen with odds of at least 2 N.
    """
    scores = factors.double()[:, None] * score.double()
    labels, weights = label.double(), weight.double() / weight.double().sum()
    edge = math.log(2 * len(score))
    low, high = scores.amin(1) - edge, scores.amax(1) + edge
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = (torch.sigmoid(scores - middle[:, None]) * weights).sum(1) > (labels * weights).sum()
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    offset = (low + high) / 2
    losses = rating_point_loss(scores, labels.expand_as(scores), offset=offset[:, None])
    best = int((losses * weights).sum(1).argmin())
    return best, offset[best].item()
