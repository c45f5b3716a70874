"""The figures of a reproduction, that of all gains first: what is drawn from which arms. Draws nothing itself.

Each chart turns rows into what `evaluation.figures` draws; arms without a row are left out, and a chart that compares
arms is not drawn before there are two of them.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from redraft.evaluation.examined import REWARD
from redraft.evaluation.figures import Column, Gain, Line, Panel, Point, gains_figure, grid_figure, lines_figure
from redraft.loop.reproductions.effects import Effect, is_share
from redraft.loop.reproductions.plan import Reproduction, Row

Rows = Mapping[str, Row]
Metrics = tuple[tuple[str, str], ...]
"""(name, heading): one panel each."""


class Chart(Protocol):
    """A figure: its file is REPRODUCTION-NAME.png."""

    @property
    def name(self) -> str:
        """End of the file's name."""
        ...

    @property
    def title(self) -> str:
        """What it shows."""
        ...

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms it speaks of."""
        ...

    def draw(self, rows: Rows) -> bytes | None:
        """A PNG, or None when the rows have not what it needs."""
        ...


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Gains over a number that tells arms apart. lines: (name, ((x, arm), ...)); the base is (x, "") with gain 0."""

    name: str
    title: str
    axis: str
    metrics: Metrics
    lines: tuple[tuple[str, tuple[tuple[float, str], ...]], ...]
    logarithmic: bool = False

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms of all lines."""
        return tuple(dict.fromkeys(arm for _, points in self.lines for _, arm in points if arm))

    def draw(self, rows: Rows) -> bytes | None:
        """One panel a metric."""
        if not _compares(self.arms, rows):
            return None

        def line(metric: str, points: tuple[tuple[float, str], ...]) -> tuple[Point, ...]:
            if not any(arm in rows for _, arm in points):
                return ()
            found = [(x, rows[arm].effect(metric) if arm else _NONE) for x, arm in points if not arm or arm in rows]
            return tuple(_point(x, effect, metric) for x, effect in found if effect is not None)

        return _drawn(
            self.title,
            self.axis,
            self.metrics,
            lambda metric: {name: line(metric, points) for name, points in self.lines},
            logarithmic=self.logarithmic,
        )


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Gains at the probes while training, over samples or seconds. metrics: reward, heldout, oracle, diversity."""

    name: str
    title: str
    cost: str
    metrics: Metrics
    arms: tuple[str, ...]

    def draw(self, rows: Rows) -> bytes | None:
        """One panel a metric, one line an arm."""
        if not _compares(self.arms, rows):
            return None

        def line(metric: str, arm: str) -> tuple[Point, ...]:
            return tuple(
                _point(float(getattr(probe, self.cost)), probe.effects[metric], metric)
                for probe in rows[arm].curve
                if metric in probe.effects
            )

        present = [arm for arm in self.arms if arm in rows]
        return _drawn(self.title, self.cost, self.metrics, lambda metric: {arm: line(metric, arm) for arm in present})


@dataclass(frozen=True, kw_only=True)
class RoundLines:
    """Gains after every round, from 0 for the base."""

    name: str
    title: str
    metrics: Metrics
    arms: tuple[str, ...]

    def draw(self, rows: Rows) -> bytes | None:
        """One panel a metric, one line an arm."""
        if not _compares(self.arms, rows):
            return None

        def line(metric: str, row: Row) -> tuple[Point, ...]:
            effects = [row.effect(metric, after_round=number) for number in range(1, row.rounds + 1)]
            points = [_point(number, effect, metric) for number, effect in enumerate(effects, 1) if effect is not None]
            return (_point(0, _NONE, metric), *points) if points else ()

        present = {arm: rows[arm] for arm in self.arms if arm in rows}
        return _drawn(
            self.title, "round", self.metrics, lambda metric: {arm: line(metric, row) for arm, row in present.items()}
        )


@dataclass(frozen=True, kw_only=True)
class RoundGrid:
    """Pictures of the same prompts from the same noise: the base, other arms, and `arm` after each of its rounds."""

    name: str
    title: str
    arm: str
    beside: tuple[str, ...] = ()

    @property
    def arms(self) -> tuple[str, ...]:
        """All arms that are shown."""
        return (self.arm, *self.beside)

    def draw(self, rows: Rows) -> bytes | None:
        """A column each."""
        if self.arm not in rows or "base_picture" not in rows[self.arm].measured:
            return None
        measured = rows[self.arm].measured
        columns = [_column("base", measured["base_picture"])]
        columns += [_column(name, rows[name].measured["picture"]) for name in self.beside if name in rows]
        columns += [_column(f"round {row['round']}", row["picture"]) for row in measured["rounds"]]
        return grid_figure(columns, title=self.title)


def gains(plan: Reproduction, rows: Rows) -> bytes:
    """A PNG of what each arm gained in the first metric; arms that trained another reward have an axis of their own."""
    metric, heading = plan.metrics[0]
    found = []
    for name, row in rows.items():
        effect = row.effect(metric)
        if effect is not None:
            at, unit = _point(0, effect, metric), row.trained.removeprefix(REWARD) if metric == "reward" else ""
            found.append(Gain(name=name, difference=at.value, low=at.low, high=at.high, unit=unit))
    return gains_figure(found, title=plan.title, unit=f"gain in {heading}, with 95 % interval")


def _compares(arms: tuple[str, ...], rows: Rows) -> bool:
    return sum(arm in rows for arm in arms) >= min(2, len(arms))


_NONE = Effect(before=0.0, after=0.0, difference=0.0, low=0.0, high=0.0)


def _point(x: float, effect: Effect, metric: str) -> Point:
    scale = 100 if is_share(effect, metric) else 1
    return Point(x=x, value=effect.difference * scale, low=effect.low * scale, high=effect.high * scale)


def _drawn(
    title: str,
    axis: str,
    metrics: Metrics,
    lines: Callable[[str], Mapping[str, tuple[Point, ...]]],
    *,
    logarithmic: bool = False,
) -> bytes | None:
    panels = [
        Panel(
            heading=f"gain in {heading}",
            axis=axis,
            lines=tuple(Line(name=name, points=points) for name, points in lines(metric).items() if points),
            logarithmic=logarithmic,
        )
        for metric, heading in metrics
    ]
    kept = [panel for panel in panels if panel.lines]
    return lines_figure(kept, title=title) if kept else None


def _column(name: str, strip: str) -> Column:
    """Square pictures side by side in a PNG, apart again."""
    import numpy as np
    from PIL import Image

    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(strip))).convert("RGB"))
    side = pixels.shape[0]
    return Column(
        name=name, pictures=tuple(pixels[:, start : start + side] for start in range(0, pixels.shape[1], side))
    )
