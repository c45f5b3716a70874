"""What all conformance checks share: a collector of broken rules, and how tensors are compared. No check itself."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from typing import TypeVar

import torch

from redraft.core.errors import RedraftError
from redraft.core.records import Prompt

PROMPTS = (Prompt(text="a red star"), Prompt(text="two circles"), Prompt(text="a blue heart left of a cross"))
"""What is asked of a plug-in unless its author gives other prompts: three texts of the picture world."""

TOLERANCE = 1e-4
"""Batches of other sizes take other matrix kernels; on float32 networks the answers then differ by about 1e-6."""

Result = TypeVar("Result")


class ConformanceError(RedraftError, AssertionError):
    """A plug-in breaks rules of its protocol; the message lists each rule with the value that broke it."""


class Rules:
    """Collects what one plug-in breaks."""

    def __init__(self, subject: object) -> None:
        self._name = type(subject).__name__
        self._broken: list[str] = []

    def hold(self, holds: bool, rule: str) -> bool:
        """Note `rule`, unless it holds; return whether it does."""
        if not holds:
            self._broken.append(rule)
        return holds

    def has(self, subject: object, parts: Iterable[str]) -> bool:
        missing = [part for part in parts if not hasattr(subject, part)]
        return self.hold(not missing, f"it has no {', '.join(missing)}: the protocol asks for them")

    def attempt(self, what: str, call: Callable[[], Result]) -> Result | None:
        """The result of `call`; None, and a broken rule, if it raises or draws from global randomness."""
        before = (torch.get_rng_state(), random.getstate())
        try:
            result = call()
        except Exception as error:
            self.hold(False, f"{what} raised {type(error).__name__}: {error}")
            return None
        same = torch.equal(torch.get_rng_state(), before[0]) and random.getstate() == before[1]
        self.hold(same, f"{what} draws from global randomness: take draws from a Key")
        return result

    def finish(self) -> None:
        if self._broken:
            lines = "".join(f"\n  - {rule}" for rule in self._broken)
            raise ConformanceError(f"{self._name} breaks {len(self._broken)} rules of its protocol:{lines}")


def distance(first: torch.Tensor, second: torch.Tensor) -> float:
    """Greatest difference as a share of max(1, greatest value)."""
    if first.shape != second.shape:
        return math.inf
    first, second = first.detach().double(), second.detach().double()
    return float((first - second).abs().max() / second.abs().max().clamp(min=1))


def useful(slope: torch.Tensor) -> bool:
    """Whether a gradient is finite everywhere and not zero everywhere."""
    return bool(torch.isfinite(slope).all()) and bool(slope.abs().max() > 0)


def reaches(value: torch.Tensor, weights: Iterable[torch.Tensor]) -> bool:
    """Whether the gradient is finite in all weights, and not zero in all."""
    if not value.requires_grad:
        return False
    slopes = [slope for slope in torch.autograd.grad(value, list(weights), allow_unused=True) if slope is not None]
    return all(bool(torch.isfinite(slope).all()) for slope in slopes) and any(
        bool((slope != 0).any()) for slope in slopes
    )
