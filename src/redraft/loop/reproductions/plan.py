"""What a reproduction is: arms (configurations of one run each), claims, and findings. Not where arms are run.

An arm is one `redraft train`; its result is that command's JSON object with what the process used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from redraft.core.errors import UsageError

Agreement = Literal["agrees", "disagrees", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One run of a reproduction: `method` is a method or preset, `config` the values that differ from its recipe."""

    name: str
    title: str
    method: str
    config: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A metric before and after, and the paired difference with its 95 % interval."""

    before: float
    after: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one arm gave. samples: pictures painted for training; peak_memory: bytes, of the arm's own process."""

    arm: Arm
    summary: Mapping[str, Any]
    seconds: float
    peak_memory: int

    @property
    def samples(self) -> int:
        """Pictures that were painted to train on."""
        return int(self.summary["samples"])

    def effect(self, metric: str) -> Effect | None:
        """The row `metric` of the arm's examination, or None where it was not measured."""
        found = self.summary["metrics"].get(metric)
        if found is None:
            return None
        return Effect(
            before=found["incumbent"], after=found["candidate"], difference=found["difference"],
            low=found["low"], high=found["high"],
        )  # fmt: skip

    def require(self, metric: str) -> Effect:
        """The row `metric`. Raises UsageError, naming arm and metric, where it was not measured."""
        effect = self.effect(metric)
        if effect is None:
            raise UsageError(
                f"arm {self.arm.name!r} has no metric {metric!r}: its examination measured "
                f"{', '.join(self.summary['metrics'])}; run the arm again with the scorer that gives it"
            )
        return effect


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What we saw of a claim, in one sentence with figures."""

    agreement: Agreement
    text: str


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Something a paper says, the arms that test it, and how. `judge` sees these arms' rows by name."""

    source: str
    text: str
    arms: tuple[str, ...]
    judge: Callable[[Mapping[str, Row]], Finding]

    def finding(self, rows: Mapping[str, Row]) -> Finding | None:
        """The finding, or None while an arm is missing."""
        return self.judge(rows) if all(name in rows for name in self.arms) else None


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A set of runs with a question. metrics: (name in the examination, heading), the first is drawn."""

    name: str
    title: str
    question: str
    arms: tuple[Arm, ...]
    claims: tuple[Claim, ...]
    metrics: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        unknown = {name for claim in self.claims for name in claim.arms} - set(names)
        if len(set(names)) < len(names) or unknown:
            raise UsageError(
                f"reproduction {self.name!r}: arms {', '.join(names)} must have names of their own, and claims may "
                f"speak of them only (unknown: {', '.join(sorted(unknown)) or 'none'})"
            )

    def chosen(self, names: tuple[str, ...]) -> tuple[Arm, ...]:
        """The arms called `names`, in order of the plan; all for none. Raises UsageError for an unknown name."""
        wrong = sorted(set(names) - {arm.name for arm in self.arms})
        if wrong:
            raise UsageError(
                f"reproduction {self.name!r} has no arm {wrong[0]!r}: it has {', '.join(arm.name for arm in self.arms)}"
            )
        return tuple(arm for arm in self.arms if not names or arm.name in names)


def better(rows: Mapping[str, Row], first: str, second: str, *, metric: str, unit: str = "points") -> Finding:
    """Whether arm `first` gained more of `metric` than arm `second`, both against the same base.

    "undecided" while one gain lies within the other's interval.
    """
    scale = 100 if unit == "points" else 1
    one, two = rows[first].require(metric), rows[second].require(metric)
    inside = two.low <= one.difference <= two.high or one.low <= two.difference <= one.high
    agreement: Agreement = "undecided" if inside else "agrees" if one.difference > two.difference else "disagrees"
    return Finding(
        agreement=agreement,
        text=f"{metric}: {first} {_signed(one, scale)}, {second} {_signed(two, scale)} {unit}",
    )


def _signed(effect: Effect, scale: float) -> str:
    return f"{effect.difference * scale:+.1f} ({effect.low * scale:+.1f} to {effect.high * scale:+.1f})"
