"""Watches whether facets say different things: correlations of labels and of predictions, with an alarm. Fits nothing.

That two facets correlate little does not show that each helps; leaving one out does (see the study `facets`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from redraft.core.errors import UsageError
from redraft.rewards.facets_config import ALARM

LEAST_PAIRS = 10
"""Answers that must hold both sliders before their correlation is told."""


@dataclass(frozen=True, kw_only=True)
class Entwined:
    """Two facets whose correlation reached the alarm."""

    first: str
    second: str
    correlation: float


def facet_correlations(
    values: torch.Tensor, *, mask: torch.Tensor | None = None, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """K,K Pearson correlations of values N,K over the rows that have both; NaN where undefined or under LEAST_PAIRS.

    mask N,K (None: all known), weights N (None: all 1), such as inverse propensities. Raises UsageError for
    other shapes.
    """
    known = torch.ones_like(values, dtype=torch.bool) if mask is None else mask
    if values.ndim != 2 or known.shape != values.shape or (weights is not None and len(weights) != len(values)):
        raise UsageError(
            f"values {tuple(values.shape)} with mask {tuple(known.shape)}: give one row an answer, one column a facet"
        )
    importance = torch.ones(len(values), dtype=torch.float64) if weights is None else weights.double()
    y, m = torch.where(known, values, 0.0).double(), known.double()
    w = m * importance[:, None]
    total = w.T @ m
    # Sums over the rows that have both columns: of the first, of its square, and of the product.
    first, square, cross = (w * y).T @ m, (w * y * y).T @ m, (w * y).T @ (m * y)
    variance = square / total - (first / total).square()
    covariance = cross / total - (first / total) * (first.T / total)
    correlation = covariance / (variance * variance.T).clamp(min=1e-18).sqrt()
    undefined = (m.T @ m < LEAST_PAIRS) | (variance < 1e-9) | (variance.T < 1e-9)
    return torch.where(undefined, torch.nan, correlation.clamp(-1, 1)).float()


def entwined(correlations: torch.Tensor, names: tuple[str, ...], *, alarm: float = ALARM) -> tuple[Entwined, ...]:
    """The pairs of facets at or above the alarm in size, the strongest first."""
    found = [
        Entwined(first=names[row], second=names[column], correlation=correlations[row, column].item())
        for row in range(len(names))
        for column in range(row + 1, len(names))
        if correlations[row, column].abs().item() >= alarm
    ]
    return tuple(sorted(found, key=lambda pair: -abs(pair.correlation)))
