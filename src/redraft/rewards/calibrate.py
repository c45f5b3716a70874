"""Calibration: raw scores to 0..1 by where they lie among those of the model's own pictures. Not a learned model.

A calibration belongs to one version of a scorer and refuses scores of another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from redraft.core.errors import DamagedError, NumericsError, UsageError
from redraft.rewards.head_files import write_whole

LEAST_SAMPLE = 500
"""Scores needed for an empirical distribution (algorithms: seed 000, confidence)."""
MOST_KEPT = 2_000


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A monotone map from scores to 0..1.

    empirical: `points` are the sorted sample (or MOST_KEPT quantiles of it); a score becomes the share of points below
    it, equal ones counting half. linear: `points` are (low, high); clip((score - low) / (high - low), 0, 1).
    """

    kind: Literal["empirical", "linear"]
    points: torch.Tensor
    fingerprint: str

    @property
    def middle(self) -> float:
        """The score that becomes 0.5: the median of the sample, or halfway between low and high."""
        return self.points.double().quantile(0.5).item()

    def __call__(self, scores: torch.Tensor, *, fingerprint: str) -> torch.Tensor:
        """Calibrated scores, float32, of the same shape; NaN stays NaN.

        Raises UsageError when `fingerprint` is not that of the scorer that was calibrated.
        """
        if fingerprint != self.fingerprint:
            raise UsageError(
                f"scores of the scorer {fingerprint} with a calibration of {self.fingerprint}: other weights or "
                "settings give another scale; calibrate this scorer on the model's own pictures first"
            )
        values, points = scores.detach().float().contiguous(), self.points.to(scores.device)
        if self.kind == "linear":
            return ((values - points[0]) / (points[1] - points[0])).clamp(0, 1)
        below = torch.searchsorted(points, values, right=False)
        up_to = torch.searchsorted(points, values, right=True)
        share = (below + up_to).float() / (2 * len(points))
        return torch.where(values.isnan(), values, share)


def calibrate(
    scores: torch.Tensor, *, fingerprint: str, low: float | None = None, high: float | None = None
) -> Calibration:
    """Calibrate by scores N of the model's own pictures: empirical from LEAST_SAMPLE on, linear below that.

    low, high: ends of the linear scale; the least and greatest score unless given.
    Raises NumericsError for scores that are not finite, UsageError when a linear scale has no length.
    """
    values = scores.detach().float().flatten().cpu()
    bad = int((~torch.isfinite(values)).sum())
    if bad:
        raise NumericsError(f"{bad} of {len(values)} scores to calibrate by are not finite: leave those pictures out")
    if len(values) >= LEAST_SAMPLE:
        points = values.sort().values
        if len(points) > MOST_KEPT:
            middles = (torch.arange(MOST_KEPT, dtype=torch.float64) + 0.5) / MOST_KEPT * len(points)
            points = points[middles.long()].clone()
        return Calibration(kind="empirical", points=points, fingerprint=fingerprint)
    if len(values) == 0 and (low is None or high is None):
        raise UsageError("no scores to calibrate by: score at least two of the model's pictures, or give low and high")
    bottom = values.min().item() if low is None else low
    top = values.max().item() if high is None else high
    if not bottom < top:
        raise UsageError(
            f"a linear calibration from {bottom:.6g} to {top:.6g} by {len(values)} scores: low must be below high; "
            f"give both, or {LEAST_SAMPLE} scores of different pictures"
        )
    return Calibration(kind="linear", points=torch.tensor([bottom, top]), fingerprint=fingerprint)


def save_calibrations(path: Path, calibrations: Mapping[str, Calibration]) -> None:
    """Write named calibrations into one small safetensors file, whole or not at all. Raises StorageError."""
    from safetensors.torch import save

    facts = {name: {"kind": item.kind, "fingerprint": item.fingerprint} for name, item in calibrations.items()}
    points = {name: item.points.cpu().contiguous() for name, item in calibrations.items()}
    write_whole(path, save(points, metadata={"calibrations": json.dumps(facts)}))


def load_calibrations(path: Path) -> dict[str, Calibration]:
    """Read what `save_calibrations` wrote. Raises UsageError when there is no file, DamagedError when it is none."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UsageError(f"no calibrations at {str(path)!r}: calibrate the scorers on the model's own pictures first")
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})["calibrations"])
            found = {
                name: Calibration(kind=fact["kind"], points=file.get_tensor(name), fingerprint=fact["fingerprint"])
                for name, fact in facts.items()
            }
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{path.name!r} is not a file of calibrations ({error}): calibrate again") from error
    for name, item in found.items():
        if (
            not bool(torch.isfinite(item.points).all())
            or item.points.numel() < 2
            or bool((item.points.diff() < 0).any())
        ):
            raise DamagedError(
                f"calibration {name!r} in {path.name!r} is not a sorted list of numbers: calibrate again"
            )
    return found


def expected_calibration_error(probabilities: torch.Tensor, labels: torch.Tensor, *, bins: int = 10) -> float:
    """Mean over pictures of |mean probability - share of ones| of their bin; equal-width bins of 0..1.

    (Naeini et al. 2015.) probabilities N in 0..1, labels N in 0..1. Raises UsageError for other shapes or ranges.
    """
    chances, truth = probabilities.detach().double().flatten(), labels.detach().double().flatten()
    if len(chances) != len(truth) or not len(chances) or bins < 1:
        raise UsageError(
            f"{len(chances)} probabilities, {len(truth)} labels and {bins} bins: give as many labels as probabilities, "
            "at least one of each, and at least one bin"
        )
    if not bool(((chances >= 0) & (chances <= 1) & (truth >= 0) & (truth <= 1)).all()):
        raise UsageError(
            "probabilities and labels must lie in 0..1 to measure their calibration: map logits by a sigmoid"
        )
    place = (chances * bins).long().clamp(max=bins - 1)
    gaps = torch.zeros(bins, dtype=torch.float64).index_add_(0, place.cpu(), (chances - truth).cpu())
    return float(gaps.abs().sum() / len(chances))
