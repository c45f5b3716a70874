"""The card of a facet model as one self-contained HTML page: heat-maps of correlations, reliability curves, numbers.

Plain numbers in (the card's JSON), text out: it knows no model, opens no file and draws nothing that was not measured.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

from redraft.core.errors import UsageError

Table = Sequence[Sequence[float | None]]
_CELL = 0.62  # inches


def facet_page(card: Mapping[str, Any], *, title: str = "Facet model") -> str:
    """HTML of a facet card, `FacetCard.model_dump(mode="json")`. Raises UsageError when it is no such card."""
    from jinja2 import Environment, PackageLoader, select_autoescape

    wanted = ("picture_facets", "clip_facets", "labels", "predictions", "alarm", "alarms", "reliability", "metrics")
    missing = [name for name in wanted if name not in card]
    if missing:
        raise UsageError(f"a card without {missing[0]!r} is no card of facets: give the JSON of their card.json")
    facets = (*card["picture_facets"], *card["clip_facets"])
    environment = Environment(loader=PackageLoader("redraft.evaluation"), autoescape=select_autoescape(default=True))
    figures = {
        "correlations": correlation_figure(
            {"answers": card["labels"], "predictions": card["predictions"]}, names=facets, alarm=card["alarm"]
        ),
        "reliability": reliability_figure(card["reliability"]),
    }
    metrics = card["metrics"]
    rows = [
        {"facet": name, **{what: metrics.get(f"{name}/{what}") for what in ("count", "r2", "ece")}} for name in facets
    ]
    return environment.get_template("facets.html.jinja").render(
        title=title, rows=rows, alarms=card["alarms"], alarm=card["alarm"], card=card,
        constant=card.get("constant", ()),
        people={what: metrics.get(f"raters/{what}") for what in ("spread", "slip")},
        **{name: f"data:image/png;base64,{base64.b64encode(figure).decode()}" for name, figure in figures.items()},
    )  # fmt: skip


def correlation_figure(tables: Mapping[str, Table], *, names: Sequence[str], alarm: float) -> bytes:
    """PNG: a heat-map a table, K,K with None where undefined; pairs at or above the alarm are framed.

    Raises UsageError for a table of another size than the names.
    """
    import numpy as np
    from matplotlib.patches import Rectangle

    size = len(names)
    figure = _figure(width=2.2 + len(tables) * (size * _CELL + 1.6), height=size * _CELL + 2.0)
    for place, (heading, table) in enumerate(tables.items(), 1):
        if [len(row) for row in table] != [size] * size:
            raise UsageError(f"correlations of {heading!r} are no {size} x {size} table: give one row a facet")
        values = np.array([[np.nan if value is None else value for value in row] for row in table], dtype=float)
        axes = figure.add_subplot(1, len(tables), place)
        axes.imshow(np.ma.masked_invalid(values), cmap="RdBu_r", vmin=-1, vmax=1)
        axes.set_facecolor("#e5e7eb")
        axes.set_xticks(range(size), names, rotation=40, ha="right", fontsize=8)
        axes.set_yticks(range(size), names if place == 1 else [""] * size, fontsize=8)
        axes.set_title(heading, fontsize=10, loc="left")
        for (row, column), value in np.ndenumerate(values):
            dark = abs(value) > 0.6
            text = "–" if np.isnan(value) else f"{value:.2f}"
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if dark else "#111827")
            if row != column and abs(value) >= alarm:
                frame = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="#b3261e", linewidth=2.2)
                axes.add_patch(frame)
        for side in axes.spines.values():
            side.set_visible(False)
        axes.tick_params(length=0)
    return _png(figure)


def reliability_figure(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> bytes:
    """PNG: for each facet what was answered against what was predicted; the size of a dot is how many answers."""
    columns = min(4, max(1, len(curves)))
    lines = -(-max(1, len(curves)) // columns)
    figure = _figure(width=2.5 * columns, height=2.6 * lines)
    for place, (name, points) in enumerate(curves.items(), 1):
        axes = figure.add_subplot(lines, columns, place)
        axes.plot([0, 1], [0, 1], color="#9ca3af", linewidth=0.8)
        total = sum(point["count"] for point in points) or 1
        across, up = [point["predicted"] for point in points], [point["answered"] for point in points]
        axes.plot(across, up, color="#2f5fd0", linewidth=1.2)
        axes.scatter(across, up, s=[12 + 260 * point["count"] / total for point in points], color="#2f5fd0", alpha=0.7)
        axes.set_title(name, fontsize=9, loc="left")
        axes.set_xlim(-0.03, 1.03)
        axes.set_ylim(-0.03, 1.03)
        axes.tick_params(labelsize=7)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return _png(figure)


def _figure(*, width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120)
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Any) -> bytes:
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
