"""Figures of reproductions, as PNG: gains, lines with intervals, grids of pictures. Not the report's own drawings."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#1b7f5c", "#b3392f", "#2563a8", "#b07d12", "#6d4aa3", "#0f8b8d", "#8a4b2a", "#6b7280", "#c2417c", "#3f3f46")


@dataclass(frozen=True, kw_only=True)
class Gain:
    """One line of the figure: a difference with its 95 % interval. unit: what it counts in, if not as the others do."""

    name: str
    difference: float
    low: float
    high: float
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Point:
    """A value at `x` with its 95 % interval."""

    x: float
    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Line:
    """Points of one name, in order of x."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Axes of a figure. `logarithmic` x: for values above 0 that span powers of ten."""

    heading: str
    axis: str
    lines: tuple[Line, ...]
    logarithmic: bool = False


@dataclass(frozen=True, kw_only=True)
class Column:
    """Pictures of one model, uint8 H,W,3 each: one row of the grid a picture."""

    name: str
    pictures: tuple[NDArray[np.uint8], ...]


def gains_figure(gains: Sequence[Gain], *, title: str, unit: str) -> bytes:
    """A PNG with one horizontal interval a row, in the order given, and a line at zero; an axis for each unit."""
    units = list(dict.fromkeys(gain.unit for gain in gains)) or [""]
    groups = [[gain for gain in gains if gain.unit == each] for each in units]
    figure = _figure(7.5, 0.4 + sum(0.8 + 0.36 * len(group) for group in groups))
    ratios = [1 + 0.45 * len(group) for group in groups]
    for axes, each, group in zip(
        figure.subplots(len(groups), squeeze=False, height_ratios=ratios)[:, 0], units, groups, strict=True
    ):
        _intervals(axes, group)
        axes.set_xlabel(f"{unit}: {each}" if each else unit)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return _png(figure)


def _intervals(axes: Axes, gains: Sequence[Gain]) -> None:
    for row, gain in enumerate(gains):
        colour = "#1b7f5c" if gain.low > 0 else "#b3392f" if gain.high < 0 else "#6b7280"
        axes.plot([gain.low, gain.high], [row, row], color=colour, linewidth=2.5, solid_capstyle="round")
        axes.plot([gain.difference], [row], marker="o", color=colour, markersize=6)
    axes.axvline(0, color="#111827", linewidth=0.8)
    axes.set_yticks(range(len(gains)), [gain.name for gain in gains])
    axes.invert_yaxis()
    axes.grid(axis="x", color="#e5e7eb")
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)


def lines_figure(panels: Sequence[Panel], *, title: str) -> bytes:
    """A PNG with the panels side by side: lines with bands of their intervals, one legend, and a line at zero."""
    figure = _figure(0.6 + 4.4 * len(panels), 4.2)
    names = list(dict.fromkeys(line.name for panel in panels for line in panel.lines))
    handles: dict[str, Any] = {}
    for number, panel in enumerate(panels, start=1):
        axes = figure.add_subplot(1, len(panels), number)
        for line in panel.lines:
            colour = COLOURS[names.index(line.name) % len(COLOURS)]
            x = [point.x for point in line.points]
            drawn = axes.plot(x, [point.value for point in line.points], color=colour, marker="o", markersize=3)
            low, high = [point.low for point in line.points], [point.high for point in line.points]
            axes.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
            handles[line.name] = drawn[0]
        if panel.logarithmic:
            axes.set_xscale("log")
        axes.axhline(0, color="#111827", linewidth=0.8)
        axes.set_xlabel(panel.axis)
        axes.set_title(panel.heading, loc="left", fontsize=10)
        axes.grid(color="#e5e7eb")
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5, frameon=False, fontsize=8)
    return _png(figure)


def grid_figure(columns: Sequence[Column], *, title: str) -> bytes:
    """A PNG with one column a model and one row a prompt."""
    rows = max(len(column.pictures) for column in columns)
    figure = _figure(0.3 + 1.15 * len(columns), 0.9 + 1.15 * rows)
    for place, column in enumerate(columns):
        for row, picture in enumerate(column.pictures):
            axes = figure.add_subplot(rows, len(columns), row * len(columns) + place + 1)
            axes.imshow(picture, interpolation="nearest")
            axes.set_axis_off()
            if not row:
                axes.set_title(column.name, fontsize=9)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return _png(figure)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
