"""Small drawings of the HTML report as inline SVG and data URIs: intervals, curves, pictures.

Colours come from the page's style sheet, so the drawings follow dark and light. No layout of the page (see `report`).
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from redraft.core.errors import UsageError
from redraft.core.records import Measure
from redraft.evaluation.table import outcome_of

_BAR_WIDTH, _BAR_HEIGHT = 150, 22
_PANEL_WIDTH, _PANEL_HEIGHT = 360, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 14, 28

_Place = Callable[[float, float], tuple[float, float]]


def interval_svg(measure: Measure, *, reach: float) -> str:
    """The interval of a difference as a bar about zero; `reach` is the change at the right end of the scale."""
    middle = _BAR_WIDTH / 2
    scale = (middle - 8) / reach if reach > 0 else 0.0
    low, high, value = (middle + scale * number for number in (measure.low, measure.high, measure.difference))
    y = _BAR_HEIGHT / 2
    title = f"{measure.name}: {measure.difference:+.4g}, 95 % interval {measure.low:+.4g} to {measure.high:+.4g}"
    return (
        f'<svg class="bar {outcome_of(measure)}" viewBox="0 0 {_BAR_WIDTH} {_BAR_HEIGHT}" width="{_BAR_WIDTH}" '
        f'height="{_BAR_HEIGHT}" role="img"><title>{escape(title)}</title>'
        f'<line class="zero" x1="{middle}" x2="{middle}" y1="1" y2="{_BAR_HEIGHT - 1}"/>'
        f'<rect class="range" x="{low:.1f}" y="{y - 4}" width="{max(high - low, 1.5):.1f}" height="8" rx="4"/>'
        f'<circle class="value" cx="{value:.1f}" cy="{y}" r="5"/></svg>'
    )


def reaches(measures: Sequence[Measure]) -> dict[str, float]:
    """The scale of every measure's bar: one common scale for all shares, an own one for each other measure."""
    own = {row.name: max(abs(row.low), abs(row.high), abs(row.difference)) for row in measures}
    shares = [own[row.name] for row in measures if row.role == "oracle"]
    return {row.name: max(shares) if row.role == "oracle" else own[row.name] for row in measures}


def curve_svg(name: str, points: Sequence[tuple[int, float]], *, kind: str) -> str:
    """One curve over training steps in a panel of its own, with the values of its axis.

    Args:
        name: what is drawn, for the title read aloud.
        points: (step, value) in rising order; values that are not finite are left out.
        kind: CSS class: "trained" or "unseen".
    """
    kept = [(step, value) for step, value in points if math.isfinite(value)]
    if not kept:
        return ""
    steps, values = [step for step, _ in kept], [value for _, value in kept]
    least, most = min(values), max(values)
    margin = (most - least) * 0.1 or abs(most) * 0.1 or 1.0
    least, most = least - margin, most + margin

    def place(step: float, value: float) -> tuple[float, float]:
        across = (step - steps[0]) / ((steps[-1] - steps[0]) or 1)
        up = (value - least) / (most - least)
        width, height = _PANEL_WIDTH - _LEFT - _RIGHT, _PANEL_HEIGHT - _TOP - _BOTTOM
        return _LEFT + across * width, _PANEL_HEIGHT - _BOTTOM - up * height

    parts = [_axis(place, least, most, steps)]
    placed = [place(step, value) for step, value in kept]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    parts.append(f'<polyline class="line" points="{path}"/>')
    parts += [f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in placed]
    title = f"{name}: {values[0]:.4g} at step {steps[0]}, {values[-1]:.4g} at step {steps[-1]}"
    return (
        f'<svg class="curve {escape(kind)}" viewBox="0 0 {_PANEL_WIDTH} {_PANEL_HEIGHT}" role="img">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def picture_uri(picture: NDArray[np.generic]) -> str:
    """A picture H,W,3 (uint8, or floats in 0..1) as a PNG data URI.

    Raises:
        UsageError: for another shape or kind of number.
    """
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(_bytes_of(picture)).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def thumbnail_uri(picture: NDArray[np.generic], *, edge: int = 256) -> str:
    """A small copy as a data URI: pictures within `edge` pixels as they are (PNG), larger ones shrunk (JPEG).

    Errors as for `picture_uri`.
    """
    from PIL import Image

    if max(picture.shape[:2]) <= edge:
        return picture_uri(picture)
    image = Image.fromarray(_bytes_of(picture))
    image.thumbnail((edge, edge), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _bytes_of(picture: NDArray[np.generic]) -> NDArray[np.uint8]:
    """The picture as uint8 H,W,3."""
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise UsageError(f"picture of shape {picture.shape}: the report shows H,W,3; move the channels to the end")
    if np.issubdtype(picture.dtype, np.floating):
        picture = (picture.astype(np.float64).clip(0, 1) * 255).round().astype(np.uint8)
    if picture.dtype != np.uint8:
        raise UsageError(f"picture of {picture.dtype}: the report shows uint8 in 0..255 or floats in 0..1; convert it")
    return picture.astype(np.uint8)


def _axis(place: _Place, least: float, most: float, steps: Sequence[int]) -> str:
    parts = []
    for value in np.linspace(least, most, 4):
        x, y = place(steps[0], float(value))
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{_PANEL_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{x - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    bottom = _PANEL_HEIGHT - 8
    parts.append(f'<text class="tick" x="{_LEFT}" y="{bottom}">step {steps[0]}</text>')
    if steps[-1] > steps[0]:
        parts.append(
            f'<text class="tick" x="{_PANEL_WIDTH - _RIGHT}" y="{bottom}" text-anchor="end">step {steps[-1]}</text>'
        )
    return "".join(parts)
