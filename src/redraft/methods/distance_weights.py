"""Distance weighting: pictures far from what the first model painted count less. Pure; no model, no loss.

RSIDiff (arXiv 2502.09963, eq. 5): with d the distance of a picture to the set D0 that the untouched model painted,

    w(d) = 1 if d <= beta, else exp(-(d - beta) / sigma2)

Its beta = 35 and sigma2 = 2 mean nothing outside the authors' own distance: two unrelated latents of unit variance and
shape 4,64,64 are 181 apart. `calibrate` therefore takes beta as a quantile of the distances within D0, each picture
against the others; sigma2 is 2 / 35 of it, the published ratio, unless it is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from redraft.core.errors import ConfigError, NumericsError, UsageError

DistanceKind = Literal["mean", "nearest_neighbours", "mahalanobis"]

PUBLISHED_RATIO = 2 / 35
"""sigma2 / beta as published."""

_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, kw_only=True)
class Distance:
    """Which distance of a picture to D0 is meant.

    mean: mean Euclidean distance to all of D0 (the paper's). nearest_neighbours: mean of the `neighbours` smallest.
    mahalanobis: from D0's mean, by its covariance, which is mixed with `shrinkage` of a multiple of the identity that
    has the same trace, since D0 may have fewer pictures than a latent has elements.
    """

    kind: DistanceKind = "mean"
    neighbours: int = 10
    shrinkage: float = 0.1

    def __post_init__(self) -> None:
        if self.neighbours < 1 or not 0 < self.shrinkage <= 1:
            raise ConfigError(
                f"neighbours={self.neighbours}, shrinkage={self.shrinkage}: at least one neighbour is needed, and a "
                "shrinkage above 0 and at most 1"
            )

    def to(self, points: torch.Tensor, *, origin: torch.Tensor) -> torch.Tensor:
        """Distances, B float64, of points B,D to the set origin N,D, which they are no members of.

        Raises UsageError for an origin that is too small, NumericsError for a number that is not finite.
        """
        points, origin = self._checked(points, origin=origin, smallest=2)
        if self.kind == "mahalanobis":
            return _Covariance(origin, shrinkage=self.shrinkage).distance(points)
        return torch.cat(
            [self._of(torch.cdist(part, origin), others=len(origin)) for part in torch.split(points, _ROWS_AT_ONCE)]
        )

    def within(self, origin: torch.Tensor) -> torch.Tensor:
        """Distances, N float64, of each point of origin N,D to the others (leave one out). Raises as `to` does."""
        origin, _ = self._checked(origin, origin=origin, smallest=3)
        if self.kind == "mahalanobis":
            return _Covariance(origin, shrinkage=self.shrinkage).distance_to_others()
        parts = []
        for start in range(0, len(origin), _ROWS_AT_ONCE):
            pairwise = torch.cdist(origin[start : start + _ROWS_AT_ONCE], origin)
            rows = torch.arange(len(pairwise), device=origin.device)
            # A point's distance to itself: nothing in a mean over the others, and never among the nearest.
            pairwise[rows, start + rows] = 0.0 if self.kind == "mean" else torch.inf
            parts.append(self._of(pairwise, others=len(origin) - 1))
        return torch.cat(parts)

    def _of(self, pairwise: torch.Tensor, *, others: int) -> torch.Tensor:
        if self.kind == "mean":
            return pairwise.sum(dim=1) / others
        return pairwise.topk(self.neighbours, dim=1, largest=False).values.mean(dim=1)

    def _checked(
        self, points: torch.Tensor, *, origin: torch.Tensor, smallest: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        least = max(smallest, self.neighbours + 1) if self.kind == "nearest_neighbours" else smallest
        if len(origin) < least:
            raise UsageError(
                f"distances ({self.kind}) to {len(origin)} pictures of the first model: at least {least} are needed; "
                "paint more in the first round, or ask for fewer neighbours"
            )
        if not (bool(torch.isfinite(points).all()) and bool(torch.isfinite(origin).all())):
            raise NumericsError(
                "a latent is not finite, so its distance is none: look at the model and the recipe that painted it"
            )
        return points.to(torch.float64), origin.to(torch.float64)


def embed(latents: torch.Tensor, *, grid: int | None) -> torch.Tensor:
    """Latents B,C,H,W as points B,D: flattened, or first averaged over a grid of at most `grid` x `grid` places."""
    if grid is not None:
        height, width = (min(grid, size) for size in latents.shape[2:])
        latents = torch.nn.functional.adaptive_avg_pool2d(latents, (height, width))
    return latents.flatten(1)


def calibrate(distances: torch.Tensor, *, quantile: float) -> float:
    """beta: the quantile of the distances N within D0.

    Raises UsageError when all pictures of D0 are the same.
    """
    beta = float(distances.quantile(quantile))
    if not beta > 0:
        raise UsageError(
            f"the pictures of the first model are {beta:g} apart (quantile {quantile:g}): they are all the same, so "
            "there is no scale for distances; check the model, or set beta and sigma2"
        )
    return beta


def weigh(distances: torch.Tensor, *, beta: float, sigma2: float) -> torch.Tensor:
    """Eq. 5: weights B in (0, 1] of distances B; 1 up to beta. Raises ConfigError unless beta >= 0 and sigma2 > 0."""
    if not (beta >= 0 and sigma2 > 0):
        raise ConfigError(f"beta={beta}, sigma2={sigma2}: beta must be 0 or more and sigma2 above 0")
    return (-(distances - beta).clamp(min=0) / sigma2).exp()


class _Covariance:
    """The shrunk covariance of N points by their singular values, which costs min(N, D), not D, cubed."""

    def __init__(self, points: torch.Tensor, *, shrinkage: float) -> None:
        self._count, elements = points.shape
        self._mean = points.mean(dim=0)
        self._centred = points - self._mean
        _, self._singular, self._directions = torch.linalg.svd(self._centred, full_matrices=False)
        self._shrinkage = shrinkage
        self._floor = shrinkage * float(self._singular.square().sum()) / (self._count - 1) / elements

    def distance(self, points: torch.Tensor) -> torch.Tensor:
        """Mahalanobis distances B of points B,D."""
        return self._squares(points - self._mean, divisor=self._count - 1).sqrt()

    def distance_to_others(self) -> torch.Tensor:
        """Those of the N points, each to mean and covariance of the others; exact but for the multiple of the identity,
        which stays that of all N.

        Leaving a point out takes N / (N - 1) of its outer product from the scatter: Sherman and Morrison's formula.
        """
        count = self._count
        squares = self._squares(self._centred, divisor=count - 2)
        taken = (1 - self._shrinkage) * count / ((count - 1) * (count - 2))
        return (count / (count - 1)) * (squares / (1 - taken * squares)).sqrt()

    def _squares(self, differences: torch.Tensor, *, divisor: int) -> torch.Tensor:
        along = differences @ self._directions.T
        variances = (1 - self._shrinkage) * self._singular.square() / divisor + self._floor
        beside = (differences.square().sum(dim=1) - along.square().sum(dim=1)).clamp(min=0)
        squares: torch.Tensor = (along.square() / variances).sum(dim=1) + beside / self._floor
        return squares
