"""The report of one run: a self-contained HTML page, the JSON of every command, and the rows of the table.

Pure: records in, text out. It opens no file and no connection; the page needs neither either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redraft.core.records import Measure, Report, Verdict
from redraft.evaluation.drawing import curve_svg, interval_svg, picture_uri, reaches
from redraft.evaluation.table import ROLE_NOTES, ROLE_TITLES, Row, change_text, level_text, row_of, table

__all__ = ["CurvePoint", "GridCell", "Row", "RunFacts", "render", "table", "to_json"]

_HEADLINES = {
    "promote": "Promote: the new model is better",
    "hold": "Hold: not proven better",
    "reject": "Reject: keep the old model",
}
_SIGNS = {"promote": "✓", "hold": "–", "reject": "✗"}


@dataclass(frozen=True, kw_only=True)
class GridCell:
    """One prompt painted by both models from the same noise: pictures H,W,3 (uint8, or floats in 0..1).

    `before_correct` and `after_correct` are the oracle's verdicts; None where there is no oracle.
    """

    prompt: str
    before: NDArray[np.generic]
    after: NDArray[np.generic]
    before_correct: bool | None = None
    after_correct: bool | None = None


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """What was measured at one training step: named values. Names starting with "trained" are drawn as the reward."""

    step: int
    values: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What a run was: everything needed to judge and to repeat it.

    `rounds` is one row of named values per round; `command` the command line that repeats the run; `config` its
    resolved configuration as text; `details` more named facts (versions, sizes). `checkpoint` is the candidate's id,
    if kept; `stopped_by` the tripwire's message, if one stopped training.
    """

    run: str
    method: str
    model: str
    checkpoint: str | None
    seed: int
    seconds: float
    hardware: str
    command: str
    config: str = ""
    stopped_by: str | None = None
    rounds: tuple[Mapping[str, str | int | float], ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)


def to_json(report: Report, verdict: Verdict, facts: RunFacts) -> dict[str, Any]:
    """The object that `--json` prints: verdict, reasons, run, and metrics by name with 95 % intervals."""
    return {
        "verdict": verdict.decision,
        "reasons": list(verdict.reasons),
        "seconds": facts.seconds,
        "method": facts.method,
        "model": facts.model,
        "checkpoint": facts.checkpoint,
        "run": facts.run,
        "stopped_by": facts.stopped_by,
        "suite": report.suite,
        "prompts": report.prompts,
        "scored": report.scored,
        "notes": list(report.notes),
        "metrics": {row.name: _metric(row) for row in report.measures},
    }


def render(
    report: Report,
    *,
    verdict: Verdict,
    grid: Sequence[GridCell],
    curve: Sequence[CurvePoint],
    facts: RunFacts,
) -> str:
    """The page: one HTML text with style, drawings and pictures inside, without scripts and without links elsewhere.

    Args:
        report: the evidence.
        verdict: the gate's decision.
        grid: prompts to show before and after.
        curve: what was measured while training, by rising step; may be empty.
        facts: what the run was.

    Raises:
        UsageError: when a picture has another shape or kind of number.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("redraft.evaluation", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.jinja").render(
        report=report,
        verdict=verdict,
        facts=facts,
        headline=_HEADLINES[verdict.decision],
        sign=_SIGNS[verdict.decision],
        summary=summary(report, facts),
        tiles=_tiles(report),
        groups=_groups(report),
        cells=_cells(grid),
        tally=_tally(grid),
        panels=_panels(curve),
        columns=list(facts.rounds[0]) if facts.rounds else [],
        rounds=[[_cell_text(value) for value in row.values()] for row in facts.rounds],
        duration=duration_text(facts.seconds),
        coverage=100 * report.scored / report.prompts,
    )


def summary(report: Report, facts: RunFacts) -> tuple[str, ...]:
    """What happened, in a few plain sentences."""
    sentences = [
        f"The run of {facts.method} on {facts.model} took {duration_text(facts.seconds)}. Incumbent and candidate "
        f"painted the same {report.prompts} held-out prompts from the same noise."
    ]
    templates = (
        ("oracle", "The exact check finds {before} of the incumbent's pictures right and {after} of the candidate's: "),
        ("oracle/unseen", "On combinations that training never saw it went from {before} to {after}: "),
        ("diversity", "Pictures of one prompt are {after} as diverse as before: "),
    )
    for name, template in templates:
        measure = report.measure(name)
        if measure is not None:
            row = row_of(measure)
            sentences.append(f"{template.format(before=row.before, after=row.after)}{row.change} ({row.interval}).")
    trained = [row_of(measure) for measure in report.measures if measure.role == "trained"]
    sentences += [
        f"The trained reward, {row.measure.name}, went from {row.before} to {row.after}; it decides nothing."
        for row in trained
    ]
    return tuple(sentences)


def duration_text(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.1f} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def _metric(row: Measure) -> dict[str, Any]:
    return {
        "incumbent": row.incumbent,
        "candidate": row.candidate,
        "difference": row.difference,
        "low": row.low,
        "high": row.high,
        "unit": row.unit,
        "role": row.role,
    }


def _tiles(report: Report) -> list[dict[str, str]]:
    """The few numbers to be seen first."""
    titles = {
        "oracle": "Oracle accuracy",
        "oracle/unseen": "Unseen combinations",
        "diversity": "Diversity kept",
        "frechet": "Frechet distance",
    }
    tiles = []
    for name, title in titles.items():
        measure = report.measure(name)
        if measure is not None:
            row = row_of(measure)
            tiles.append(
                {
                    "title": title,
                    "after": level_text(measure, measure.candidate),
                    "before": level_text(measure, measure.incumbent),
                    "change": change_text(measure, measure.difference),
                    "interval": row.interval,
                    "outcome": row.outcome,
                }
            )
    return tiles


def _groups(report: Report) -> list[dict[str, Any]]:
    from markupsafe import Markup

    scale = reaches(report.measures)
    rows = table(report)
    groups = []
    for role, title in ROLE_TITLES.items():
        lines = [
            # The drawing escapes all text that it contains.
            {"row": row, "bar": Markup(interval_svg(row.measure, reach=scale[row.measure.name]))}
            for row in rows
            if row.measure.role == role
        ]
        if lines:
            groups.append({"role": role, "title": title, "note": ROLE_NOTES[role], "lines": lines})
    return groups


def _cells(grid: Sequence[GridCell]) -> list[dict[str, Any]]:
    return [
        {
            "prompt": cell.prompt,
            "shots": [
                {"when": "before", "uri": picture_uri(cell.before), "correct": cell.before_correct},
                {"when": "after", "uri": picture_uri(cell.after), "correct": cell.after_correct},
            ],
        }
        for cell in grid
    ]


def _tally(grid: Sequence[GridCell]) -> str:
    judged = [cell for cell in grid if cell.before_correct is not None and cell.after_correct is not None]
    if not judged:
        return ""
    before = sum(bool(cell.before_correct) for cell in judged)
    after = sum(bool(cell.after_correct) for cell in judged)
    return f"Of these {len(judged)}, the oracle finds {before} right before and {after} right after."


def _panels(curve: Sequence[CurvePoint]) -> list[dict[str, Any]]:
    """One panel for each named value, in the order of first appearance."""
    from markupsafe import Markup

    names = dict.fromkeys(name for point in curve for name in point.values)
    panels = []
    for name in names:
        points = [(point.step, point.values[name]) for point in curve if name in point.values]
        kind = "trained" if name.startswith("trained") else "unseen"
        drawing = Markup(curve_svg(name, points, kind=kind))
        if drawing:
            panels.append({"name": name, "drawing": drawing, "kind": kind})
    return panels


def _cell_text(value: str | int | float) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
