"""The three calibrated terms of a picture's confidence and their minimum. Whether to ask a person is decided elsewhere.

s = min(calibrated CLIP, calibrated aesthetic, 1 - unsafe). Missing or NaN terms give 0 with a reason, never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from redraft.core.errors import UsageError

Term = Literal["clip", "aesthetic", "unsafe"]
TERMS: tuple[Term, ...] = ("clip", "aesthetic", "unsafe")


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """Confidence of B pictures.

    value B in 0..1. terms B,3 in the order of TERMS (the third is 1 - unsafe), NaN where missing. weakest: the term
    that is the minimum, the first of equal ones, or the first one missing. reasons: None, or codes such as
    "clip_missing" and "aesthetic_not_finite", joined by "+".
    """

    value: torch.Tensor
    terms: torch.Tensor
    weakest: tuple[Term, ...]
    reasons: tuple[str | None, ...]


def confidence(*, clip: torch.Tensor | None, aesthetic: torch.Tensor | None, unsafe: torch.Tensor | None) -> Confidence:
    """Combine calibrated CLIP and aesthetic scores B in 0..1 and unsafe probabilities B in 0..1; None where missing.

    Raises UsageError when all are missing, lengths differ, or a number lies outside 0..1.
    """
    given: dict[Term, torch.Tensor | None] = {"clip": clip, "aesthetic": aesthetic, "unsafe": unsafe}
    lengths = {name: tuple(value.shape) for name, value in given.items() if value is not None}
    if not lengths or len(set(lengths.values())) > 1 or len(next(iter(lengths.values()))) != 1:
        raise UsageError(
            f"confidence from terms of shapes {lengths}: give at least one of clip, aesthetic and unsafe, one number "
            "per picture and as many in each"
        )
    count = next(iter(lengths.values()))[0]
    columns = []
    for name, value in given.items():
        values = torch.full((count,), float("nan")) if value is None else value.detach().float().cpu()
        outside = torch.isfinite(values) & ((values < 0) | (values > 1))
        if bool(outside.any()):
            raise UsageError(
                f"the term {name} is {values[outside][0].item():.4g}: it must lie in 0..1; calibrate scores first, and "
                "give unsafe as a probability"
            )
        values = torch.where(torch.isfinite(values), values, torch.nan)
        columns.append(1 - values if name == "unsafe" else values)
    terms = torch.stack(columns, dim=1)
    missing = terms.isnan()
    lowest = torch.where(missing, -1.0, terms).min(dim=1)
    return Confidence(
        value=lowest.values.clamp(min=0),
        terms=terms,
        weakest=tuple(TERMS[int(index)] for index in lowest.indices),
        reasons=tuple(_reason(row, given) for row in missing),
    )


def _reason(missing: torch.Tensor, given: dict[Term, torch.Tensor | None]) -> str | None:
    codes = [
        f"{name}_{'missing' if given[name] is None else 'not_finite'}"
        for name, gone in zip(TERMS, missing.tolist(), strict=True)
        if gone
    ]
    return "+".join(codes) or None
