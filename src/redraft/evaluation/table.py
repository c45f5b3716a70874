"""The honest table: the rows of a report in words and numbers that people read, in a fixed order.

Plain strings, for the terminal and for the HTML report alike; it draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from redraft.core.records import Measure, Report, Role
from redraft.world import GENEVAL_TASKS, TAIL_TASKS

Outcome = Literal["better", "worse", "unclear"]

ROLE_TITLES: dict[Role, str] = {
    "oracle": "Exact check of the pictures (oracle)",
    "unseen": "Scorers that training never saw",
    "trained": "The reward that was trained",
    "diversity": "Diversity",
    "distance": "Distance and side effects",
}
ROLE_NOTES: dict[Role, str] = {
    "oracle": "Every picture is read back into objects and held against its prompt. The first row decides.",
    "unseen": "No training step used them. They must not fall.",
    "trained": "Training pushed this number up, so it proves nothing and decides nothing.",
    "diversity": "How unlike each other the pictures of one prompt are, relative to the incumbent's.",
    "distance": "Lower is better for the distance; saturation tells whether pictures became garish.",
}

_NAMES = {
    "oracle": "all tasks",
    "oracle/seen": "seen combinations",
    "oracle/unseen": "unseen combinations",
    "oracle/clauses": "share of clauses that hold",
    "oracle/style": "tail: rare style",
    "oracle/label": "tail: label text",
    "oracle/scene": "tail: scene of three with relations",
    "oracle/color_attr": "color attribution",
    "diversity": "within a prompt",
    "frechet": "Frechet distance to references",
    "saturation": "mean saturation",
    "saturation/clipped": "clipped values",
}
_ORDER = ("oracle", *(f"oracle/{name}" for name in ("seen", "unseen", "clauses", *GENEVAL_TASKS, *TAIL_TASKS)))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table; `interval` is in the unit of `change`.

    `outcome` is clear only when the whole 95 % interval lies on one side of zero.
    """

    measure: Measure
    label: str
    before: str
    after: str
    change: str
    interval: str
    outcome: Outcome


def table(report: Report) -> tuple[Row, ...]:
    """All rows by role (oracle, unseen, trained, diversity, distance), the oracle's totals first and its tail last."""
    roles = list(ROLE_TITLES)
    ranked = sorted(
        enumerate(report.measures), key=lambda item: (roles.index(item[1].role), _rank(item[1].name), item[0])
    )
    return tuple(row_of(measure) for _, measure in ranked)


def row_of(measure: Measure) -> Row:
    """One measure in words."""
    return Row(
        measure=measure,
        label=_label(measure),
        before=level_text(measure, measure.incumbent),
        after=level_text(measure, measure.candidate),
        change=change_text(measure, measure.difference),
        interval=" to ".join(change_text(measure, bound, unit=False) for bound in (measure.low, measure.high)),
        outcome=outcome_of(measure),
    )


def _label(measure: Measure) -> str:
    label = _NAMES.get(measure.name) or measure.name.removeprefix("oracle/").replace("_", " ")
    return label if measure.independent else f"{label} (by the reward's network)"


def outcome_of(measure: Measure) -> Outcome:
    """Better or worse when the whole interval says so, else unclear."""
    if measure.low <= 0 <= measure.high:
        return "unclear"
    return "better" if (measure.difference > 0) == (measure.good > 0) else "worse"


def level_text(measure: Measure, value: float) -> str:
    """A level in the measure's unit: shares and ratios as per cent, all else with four digits."""
    return f"{100 * value:.1f} %" if measure.unit in ("share", "ratio") else f"{value:.4g}"


def change_text(measure: Measure, value: float, *, unit: bool = True) -> str:
    """A signed change in the measure's unit: percentage points for shares and ratios."""
    if measure.unit not in ("share", "ratio"):
        return f"{value:+.3g}"
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    points = f"{round(100 * value, 1) + 0.0:+.1f}"
    return f"{points} points" if unit else points


def _rank(name: str) -> int:
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)
