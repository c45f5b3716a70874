"""Drawings of the ranking page as inline SVG: dots with intervals on a common scale, and a small line.

Colours are classes of the page's style sheet (`model-0`, `model-1`, ...). No layout of the page (see `ranking_page`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from redraft.evaluation.statistics import Interval

_PAD = 22.0
_LETTER = 6.6  # pixels of a letter on an axis


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A linear scale of numbers on `width` pixels, with round ticks."""

    low: float
    high: float
    width: int = 360

    def place(self, value: float) -> float:
        """Pixels from the left."""
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return _PAD + min(max(share, 0.0), 1.0) * (self.width - 2 * _PAD)

    @property
    def ticks(self) -> tuple[float, ...]:
        """Three to seven round numbers within the scale."""
        step = _round_step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return tuple(number * step for number in range(first, last + 1))


def scale_of(intervals: Sequence[Interval], *, bounds: tuple[float, float] | None = None, width: int = 360) -> Scale:
    """A scale that holds all intervals with some room, within `bounds` if any: all of these, if a third is needed."""
    low, high = min(item.low for item in intervals), max(item.high for item in intervals)
    if bounds is not None and high - low > (bounds[1] - bounds[0]) / 3:
        return Scale(low=bounds[0], high=bounds[1], width=width)
    room = 0.08 * (high - low) or abs(high) * 0.1 or 1.0
    low, high = low - room, high + room
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return Scale(low=low, high=high, width=width)


def dots_svg(
    marks: Sequence[tuple[int, str, Interval]], *, scale: Scale, factor: float = 1.0, height: int | None = None
) -> str:
    """One line a mark (colour number, title, interval): a bar for the interval, a dot for the value."""
    step = 13 if len(marks) > 1 else 22
    height = height or step * len(marks) + 8
    lines = [
        f'<line class="grid" x1="{scale.place(tick):.1f}" x2="{scale.place(tick):.1f}" y1="0" y2="{height}"/>'
        for tick in scale.ticks
    ]
    for number, (colour, title, item) in enumerate(marks):
        y = (number + 0.5) * (height / len(marks))
        low, high, value = scale.place(item.low), scale.place(item.high), scale.place(item.value)
        text = f"{title}: {factor * item.value:.4g} ({factor * item.low:.4g} to {factor * item.high:.4g})"
        lines.append(
            f'<g class="model-{colour}"><title>{escape(text)}</title>'
            f'<rect class="range" x="{low:.1f}" y="{y - 3.5:.1f}" width="{max(high - low, 1.5):.1f}" height="7" '
            f'rx="3.5"/>'
            f'<circle class="value" cx="{value:.1f}" cy="{y:.1f}" r="4.5"/></g>'
        )
    return (
        f'<svg class="dots" viewBox="0 0 {scale.width} {height}" width="{scale.width}" height="{height}" role="img">'
        f"{''.join(lines)}</svg>"
    )


def axis_svg(scale: Scale, *, factor: float = 1.0, unit: str = "") -> str:
    """The numbers of a scale, to stand above or below the dots; as many as have room."""
    labels = [(scale.place(tick), f"{factor * tick + 0.0:.6g}{unit}") for tick in scale.ticks]
    apart = labels[1][0] - labels[0][0] if len(labels) > 1 else scale.width
    every = math.ceil((_LETTER * max(len(text) for _, text in labels) + 6) / apart) if labels else 1
    parts = [f'<text x="{x:.1f}" y="13" text-anchor="middle">{escape(text)}</text>' for x, text in labels[::every]]
    return (
        f'<svg class="axis" viewBox="0 0 {scale.width} 18" width="{scale.width}" height="18" aria-hidden="true">'
        f"{''.join(parts)}</svg>"
    )


def line_svg(points: Sequence[tuple[float, float]], *, labels: Sequence[str], width: int = 520) -> str:
    """Shares in 0..1 over a logarithmic number of prompts, with the value at every point."""
    if len(points) < 2:
        return ""
    height, left, right, top, bottom = 190, 46, 24, 22, 34
    first, last = math.log(points[0][0]), math.log(points[-1][0])

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log(x) - first) / (last - first)
        return left + across * (width - left - right), height - bottom - y * (height - top - bottom)

    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        _, y = place(points[0][0], share)
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{100 * share:.0f} %</text>')
    placed = [place(x, max(y, 0.0)) for x, y in points]
    parts.append('<polyline class="line" points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y in placed) + '"/>')
    for (x, y), label in zip(placed, labels, strict=True):
        parts.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 12}" text-anchor="middle">{escape(label)}</text>')
    return f'<svg class="curve" viewBox="0 0 {width} {height}" role="img">{"".join(parts)}</svg>'


def _round_step(rough: float) -> float:
    """The number among 1, 2, 5 times a power of ten that is nearest to `rough`, by ratio."""
    power = 10.0 ** math.floor(math.log10(rough))
    return min((step * power for step in (1, 2, 5, 10)), key=lambda step: abs(math.log(step / rough)))
