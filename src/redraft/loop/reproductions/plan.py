"""What a reproduction is: arms (configurations of one run each), claims, and findings. Not where arms are run.

An arm is one `redraft train`, or a variation: weights of other arms used another way while painting, nothing trained.
Its row is what the run and the measurement gave, as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from redraft.core.errors import UsageError, unknown_name
from redraft.evaluation.examined import REWARD
from redraft.loop.reproductions.effects import Agreement, Effect

if TYPE_CHECKING:
    from redraft.loop.reproductions.charts import Chart


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One run of a reproduction: `method` is a method or preset, `config` the values that differ from its recipe.

    model: the base where the user names none; None: that of the reproduction.
    """

    name: str
    title: str
    method: str
    config: Mapping[str, Any]
    model: str | None = None


@dataclass(frozen=True, kw_only=True)
class Variation:
    """Weights of other arms, painting another way. `scales`: arm -> scale of its LoRA's change; empty: the base.

    share, side, guidance_scale, enhance, options: see `loop.contestants.Contestant`. config: values that differ from
    the reproduction's (the reward to measure, the size of the examination).
    """

    name: str
    title: str
    scales: Mapping[str, float]
    share: float | None = None
    side: Literal["last", "first"] = "last"
    guidance_scale: float | None = None
    enhance: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Measures:
    """What is measured of every arm besides the run's own examination; see `loop.measuring.MeasureConfig`.

    examine: the examination's sizes (the run's own is then made small). shown: arms of which pictures are kept.
    ambiguous: where the prompts are, a name of the reproduction's prompts. pictures: of every prompt of a task.
    """

    examine: Mapping[str, Any]
    pictures: Mapping[str, int] = field(default_factory=dict)
    rounds: bool = False
    curve: bool = False
    training: bool = False
    timed: int = 0
    ambiguous: str = ""
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """A probe of a run: when it was, and its effects by name (reward, heldout, oracle, diversity)."""

    step: int
    round: int
    samples: int
    seconds: float
    effects: Mapping[str, Effect]


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one arm gave. samples: pictures painted for training; peak_memory: bytes, of the arm's own process.

    summary: what `redraft train` printed, {} for a variation. measured: what `loop.measuring.measure` gave, if asked.
    outdated: built-in networks that had other weights then than they ship with now.
    """

    arm: Arm | Variation
    summary: Mapping[str, Any]
    seconds: float
    peak_memory: int
    measured: Mapping[str, Any] = field(default_factory=dict)
    outdated: tuple[str, ...] = ()

    @property
    def samples(self) -> int:
        """Pictures that were painted to train on."""
        return int(self.summary.get("samples", 0))

    @property
    def facts(self) -> Mapping[str, float]:
        """Numbers without an interval."""
        facts: Mapping[str, float] = self.measured.get("facts", {})
        return facts

    @property
    def curve(self) -> tuple[CurvePoint, ...]:
        """The probes of the run; empty where no curve was asked for."""
        return tuple(
            CurvePoint(**{**point, "effects": {name: Effect.of(found) for name, found in point["effects"].items()}})
            for point in self.measured.get("curve", ())
        )

    @property
    def rounds(self) -> int:
        """Rounds that were measured."""
        return len(self.measured.get("rounds", ()))

    @property
    def trained(self) -> str:
        """The reward that was trained, as the examination names it: `REWARD` and its name; "" where it has none."""
        return _trained(self.measured.get("metrics") or self.summary.get("metrics", {}))

    def effect(self, metric: str, *, after_round: int | None = None) -> Effect | None:
        """The row `metric` of the arm's examination (or of that after a round, from 1), None where not measured.

        "reward" is the reward that was trained, whatever its name.
        """
        if after_round is None:
            metrics = self.measured.get("metrics") or self.summary.get("metrics", {})
        else:
            rounds = {row["round"]: row["metrics"] for row in self.measured.get("rounds", ())}
            metrics = rounds.get(after_round, {})
        found = metrics.get(metric)
        if found is None and metric == "reward":
            found = metrics.get(_trained(metrics))
        return None if found is None else Effect.of(found)

    def require(self, metric: str, *, after_round: int | None = None) -> Effect:
        """The row `metric`. Raises UsageError, naming arm and metric, where it was not measured."""
        effect = self.effect(metric, after_round=after_round)
        if effect is None:
            known = self.measured.get("metrics") or self.summary.get("metrics", {})
            when = "" if after_round is None else f" after round {after_round} (of {self.rounds})"
            raise UsageError(
                f"arm {self.arm.name!r} has no metric {metric!r}{when}: its examination measured "
                f"{', '.join(known)}; run the arm again with the scorer that gives it"
            )
        return effect


def _trained(metrics: Mapping[str, Any]) -> str:
    """The name of the trained reward, on all prompts: "tail/reward: ..." and the like are of some. "" for none."""
    return next((name for name in metrics if name.startswith(REWARD)), "")


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
class Section:
    """A table of the page: some arms, with columns of their own. facts: (name in `Row.facts`, heading)."""

    title: str
    text: str
    arms: tuple[str, ...]
    metrics: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A set of runs with a question. metrics: (name in the examination, heading), the first is drawn.

    settings: values for all arms, below an arm's own, by name of the preset; the first is the default. sections:
    tables, none for a single one of all arms. prompts: files of prompts that arms may name, as functions that give
    their texts. model: the base where the user names none; None: the default one. shown_in: another page that shows the
    tables too, as a path from the folder of the reproductions.
    """

    name: str
    title: str
    question: str
    arms: tuple[Arm | Variation, ...]
    claims: tuple[Claim, ...]
    metrics: tuple[tuple[str, str], ...]
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"world": {}})
    measures: Measures | None = None
    sections: tuple[Section, ...] = ()
    charts: tuple[Chart, ...] = ()
    prompts: Mapping[str, Callable[[], tuple[str, ...]]] = field(default_factory=dict)
    model: str | None = None
    shown_in: str | None = None

    def __post_init__(self) -> None:
        names: list[str] = []
        early: set[str] = set()
        for arm in self.arms:
            early |= set(arm.scales) - set(names) if isinstance(arm, Variation) else set()
            names.append(arm.name)
        spoken = [part.arms for part in self.claims] + [part.arms for part in self.sections]
        spoken += [part.arms for part in self.charts]
        unknown = {name for part in spoken for name in part} - set(names) | early
        if len(set(names)) < len(names) or unknown:
            raise UsageError(
                f"reproduction {self.name!r}: arms {', '.join(names)} must have names of their own, and claims, tables "
                f"and charts may speak of them only, variations of those before (unknown: "
                f"{', '.join(sorted(unknown)) or 'none'})"
            )

    def chosen(self, names: tuple[str, ...]) -> tuple[Arm | Variation, ...]:
        """The arms called `names`, in order of the plan; all for none. Raises UsageError for an unknown name."""
        wrong = sorted(set(names) - {arm.name for arm in self.arms})
        if wrong:
            raise UsageError(
                f"reproduction {self.name!r} has no arm {wrong[0]!r}: it has {', '.join(arm.name for arm in self.arms)}"
            )
        return tuple(arm for arm in self.arms if not names or arm.name in names)

    def preset(self, name: str | None) -> tuple[str, Mapping[str, Any]]:
        """Name and values of a preset; the default for None. Raises UnknownNameError with the known names."""
        chosen = next(iter(self.settings)) if name is None else name
        if chosen not in self.settings:
            raise unknown_name(f"preset of the reproduction {self.name!r},", chosen, self.settings)
        return chosen, self.settings[chosen]
