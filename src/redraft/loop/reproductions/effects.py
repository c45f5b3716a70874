"""A paired difference with its interval, how two of them compare, and how they are written. Knows no arm and no run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Agreement = Literal["agrees", "disagrees", "undecided"]
SHARES = ("oracle", "diversity")
"""Metrics that are shares, shown in percent, whatever their unit says."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A metric before and after, and the paired difference with its 95 % interval. unit: share, ratio or another."""

    before: float
    after: float
    difference: float
    low: float
    high: float
    unit: str = ""

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Effect:
        """From the JSON of a metric."""
        return cls(
            before=found["incumbent"], after=found["candidate"], difference=found["difference"],
            low=found["low"], high=found["high"], unit=found.get("unit", ""),
        )  # fmt: skip


def compared(one: Effect, two: Effect, *, lower: bool = False) -> Agreement:
    """Whether `one` is the larger difference (`lower`: the smaller); undecided while one is in the other's interval."""
    if two.low <= one.difference <= two.high or one.low <= two.difference <= one.high:
        return "undecided"
    return "agrees" if (one.difference > two.difference) != lower else "disagrees"


def signed(effect: Effect, *, lower: bool = False) -> Agreement:
    """Whether the whole interval is above zero (`lower`: below it)."""
    low, high = (-effect.high, -effect.low) if lower else (effect.low, effect.high)
    return "agrees" if low > 0 else "disagrees" if high < 0 else "undecided"


def is_share(effect: Effect, metric: str) -> bool:
    """Whether a metric is shown in percent."""
    return metric.split("/")[0] in SHARES or effect.unit in ("share", "ratio")


def shown(effect: Effect, metric: str) -> str:
    """The difference with its interval, in points or in the metric's own unit."""
    scale, digits = (100, 1) if is_share(effect, metric) else (1, 3)
    value, low, high = (f"{number * scale:+.{digits}f}" for number in (effect.difference, effect.low, effect.high))
    return f"{value} ({low} to {high})"


def unit_of(effect: Effect, metric: str) -> str:
    """What `shown` counts in: "points", or nothing for a metric in its own unit."""
    return "points" if is_share(effect, metric) else ""
