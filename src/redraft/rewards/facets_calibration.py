"""Whether facet predictions mean what they say: a calibration by answers that were held out, and its reliability curve.

p = sigmoid(slope * logit + shift) (Platt 1999), fitted by cross-entropy to answers 0..1 about pictures that the
predictor had not seen. It is monotone, so no order changes. Not the calibration to ranks of `calibrate`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from redraft.core.errors import UsageError

LEAST_ANSWERS = 30
"""Answers below which a facet keeps its own scale."""
_NEWTON_STEPS = 50
_RIDGE = 1e-3  # of the deviation from slope 1, shift 0


@dataclass(frozen=True, kw_only=True)
class Bin:
    """One point of a reliability curve: mean prediction, mean answer, and how many answers."""

    predicted: float
    answered: float
    count: int


def fit_scale(logits: torch.Tensor, answers: torch.Tensor, *, weights: torch.Tensor) -> tuple[float, float]:
    """(slope, shift) for logits N of predictions and answers N in 0..1; (1, 0) below LEAST_ANSWERS.

    By Newton's method on the weighted cross-entropy, whose minimum is unique. A slope of 0 or less, which would turn
    the order round, is refused in favour of (1, 0). Raises UsageError for lengths that differ.
    """
    if not len(logits) == len(answers) == len(weights):
        raise UsageError(
            f"{len(logits)} predictions, {len(answers)} answers and {len(weights)} weights: give one of each"
        )
    if len(logits) < LEAST_ANSWERS:
        return 1.0, 0.0
    inputs = torch.stack([logits.double(), torch.ones(len(logits), dtype=torch.float64)], 1)
    share = (weights / weights.sum()).double()
    start = torch.tensor([1.0, 0.0], dtype=torch.float64)
    theta = start.clone()
    for _ in range(_NEWTON_STEPS):
        chance = torch.sigmoid(inputs @ theta)
        slope = inputs.T @ (share * (chance - answers.double())) + _RIDGE * (theta - start)
        curve = (inputs * (share * chance * (1 - chance))[:, None]).T @ inputs + _RIDGE * torch.eye(
            2, dtype=torch.float64
        )
        step = torch.linalg.solve(curve, slope)
        # A long step from a flat start could leave the region where the quadratic model holds.
        theta = theta - step / max(1.0, step.norm().item())
        if step.norm() < 1e-10:
            break
    return (theta[0].item(), theta[1].item()) if theta[0] > 0 else (1.0, 0.0)


def reliability(
    predicted: torch.Tensor, answers: torch.Tensor, *, weights: torch.Tensor | None = None, bins: int = 10
) -> tuple[Bin, ...]:
    """The reliability curve in equal-width bins of 0..1, empty ones left out. (Murphy and Winkler 1977.)

    Raises UsageError for lengths that differ, or values outside 0..1.
    """
    p, y = predicted.detach().double().flatten(), answers.detach().double().flatten()
    w = torch.ones_like(p) if weights is None else weights.detach().double().flatten()
    if not len(p) == len(y) == len(w) or bins < 1:
        raise UsageError(f"{len(p)} predictions, {len(y)} answers, {len(w)} weights, {bins} bins: give as many of each")
    if not bool(((p >= 0) & (p <= 1) & (y >= 0) & (y <= 1)).all()):
        raise UsageError("predictions and answers must lie in 0..1 to be held against each other: divide sliders by 10")
    place = (p * bins).long().clamp(max=bins - 1)
    found = []
    for number in range(bins):
        inside = place == number
        total = w[inside].sum()
        if total > 0:
            found.append(
                Bin(
                    predicted=((w * p)[inside].sum() / total).item(), answered=((w * y)[inside].sum() / total).item(),
                    count=int(inside.sum()),
                )
            )  # fmt: skip
    return tuple(found)
