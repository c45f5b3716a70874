"""Figures of paired gains, as PNG. Not the report's own drawings, which are inside its page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Gain:
    """One line of the figure: a difference with its 95 % interval."""

    name: str
    difference: float
    low: float
    high: float


def gains_figure(gains: Sequence[Gain], *, title: str, unit: str) -> bytes:
    """A PNG with one horizontal interval a row, in the order given, and a line at zero."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 1.2 + 0.36 * len(gains)), dpi=120)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for row, gain in enumerate(gains):
        colour = "#1b7f5c" if gain.low > 0 else "#b3392f" if gain.high < 0 else "#6b7280"
        axes.plot([gain.low, gain.high], [row, row], color=colour, linewidth=2.5, solid_capstyle="round")
        axes.plot([gain.difference], [row], marker="o", color=colour, markersize=6)
    axes.axvline(0, color="#111827", linewidth=0.8)
    axes.set_yticks(range(len(gains)), [gain.name for gain in gains])
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    axes.set_title(title, loc="left", fontsize=11)
    axes.grid(axis="x", color="#e5e7eb")
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
