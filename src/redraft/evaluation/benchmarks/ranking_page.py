"""The ranking page: one HTML text with style, drawings and pictures inside, without scripts or links elsewhere.

It lays out what `leaderboard` computed, and computes nothing that a person would take for a result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from redraft.evaluation.benchmarks.benchmark import Row
from redraft.evaluation.benchmarks.leaderboard import Entry, Leaderboard, Meeting, Place
from redraft.evaluation.ranking_drawing import axis_svg, dots_svg, line_svg, scale_of
from redraft.evaluation.statistics import Interval

COLOURS = 8
_JUDGED = {
    "clear": "That is beyond doubt.",
    "likely": "That is likely real, but not beyond doubt with so many pairs compared.",
    "within chance": "That is within chance.",
}
_BOUNDS: Mapping[str, tuple[float, float]] = {"share": (0.0, 1.0)}


def render(board: Leaderboard, entries: Sequence[Entry], *, command: str) -> str:
    """The page.

    Args:
        board: the ranking.
        entries: the runs, in the order in which the models were named: the order of the columns.
        command: the command line that repeats it.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("redraft.evaluation", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["soft"] = _soft
    colours = {place.entry.model: number % COLOURS for number, place in enumerate(board.places)}
    return environment.get_template("ranking.html.jinja").render(
        board=board,
        headline=headline(board),
        sentences=summary(board),
        tiles=_tiles(board),
        lines=_lines(board, colours),
        axis=_axis(board),
        breakdown=_breakdown(board, colours),
        matrix=_matrix(board),
        examples=_examples(board, colours),
        stability=_stability(board),
        colours=colours,
        names=[place.entry.model for place in board.places],
        made=[(place.entry.model, place.entry.mark, dict(place.entry.header)) for place in board.places],
        fingerprints=_fingerprints(board),
        command=command,
        judges=sorted({mark for entry in entries for mark in entry.judged.fingerprints}),
    )


def headline(board: Leaderboard) -> str:
    """Who leads, and whether that is beyond doubt."""
    first = board.places[0]
    if len(board.places) == 1:
        return f"{first.entry.model}: {value_text(first.rows[0])}"
    tied = [place.entry.model for place in board.places[1:] if not _clear(board, first, place)]
    if not tied:
        return f"{first.entry.model} is clearly ahead"
    if len(tied) == len(board.places) - 1:
        return f"{first.entry.model} has the best number, but nobody is clearly ahead"
    return f"{first.entry.model} leads, not clearly ahead of {' and '.join(tied)}"


def summary(board: Leaderboard) -> tuple[str, ...]:
    """What the page says, in a few plain sentences."""
    first = board.places[0]
    row = first.rows[0]
    sentences = [
        f"{first.entry.model} has {value_text(row)} ({interval_text(row)}) on {row.name}, from {row.interval.count:,} "
        f"prompts."
    ]
    for place in board.places[1:2]:
        meeting = board.meeting(first.entry.model, place.entry.model)
        if meeting is None:
            continue
        said = f"Its difference to {place.entry.model}, the next, is {_change_text(row, meeting.difference)}"
        if meeting.wins is not None:
            better = f"{first.entry.model} is better on {100 * meeting.wins.value:.0f} % of the prompts"
            said += f", and {better}, ties counting half"
        sentences.append(f"{said}. {_JUDGED[_certainty(meeting)]}")
    halves = [(place.rows[0].interval.high - place.rows[0].interval.low) / 2 for place in board.places]
    half = f"{100 * max(halves):.1f} points" if row.unit in ("share", "ratio") else _number(row, max(halves))
    sentences.append(
        f"Each of these numbers is known to about ± {half}. All models got the same prompts; those that "
        "painted here started from the same noise."
    )
    return tuple(sentences)


def value_text(row: Row, value: float | None = None) -> str:
    """A number in the row's unit."""
    return _number(row, row.interval.value if value is None else value)


def interval_text(row: Row) -> str:
    """The 95 % interval."""
    return f"{_number(row, row.interval.low).removesuffix(' %')} to {_number(row, row.interval.high)}"


def _number(row: Row, value: float) -> str:
    if row.unit in ("share", "ratio"):
        return f"{100 * value:.1f} %"
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}" if abs(value) >= 0.01 else f"{value:.3g}"


def _change_text(row: Row, interval: Interval) -> str:
    if row.unit in ("share", "ratio"):
        text = f"{100 * interval.value:+.1f} points ({100 * interval.low:+.1f} to {100 * interval.high:+.1f})"
    else:
        text = f"{interval.value:+.3g} ({interval.low:+.3g} to {interval.high:+.3g})"
    return text.replace("-", "−")


def _certainty(meeting: Meeting) -> str:
    """How sure a difference is: beyond doubt among all pairs, by its own interval alone, or not."""
    if meeting.clear:
        return "clear"
    return "within chance" if meeting.difference.low <= 0 <= meeting.difference.high else "likely"


def _soft(name: str) -> Any:
    """A model's name that may be broken after its punctuation."""
    from markupsafe import Markup, escape

    text = str(escape(name))
    for sign in "/@:":
        text = text.replace(sign, f"{sign}<wbr>")
    return Markup(text)


def _clear(board: Leaderboard, first: Place, second: Place) -> bool:
    meeting = board.meeting(first.entry.model, second.entry.model)
    return meeting is not None and meeting.clear


def _tiles(board: Leaderboard) -> list[dict[str, str]]:
    pictures = sum(place.coverage.judged for place in board.places)
    whole = all(place.coverage.judged == place.coverage.pictures for place in board.places)
    passed = sum(check.passed for check in board.checks)
    return [
        {"title": "Models", "number": str(len(board.places)), "note": "on the same prompts"},
        {"title": "Prompts", "number": f"{len(board.prompts):,}",
         "note": f"{board.images_per_prompt} picture{'s' if board.images_per_prompt > 1 else ''} each"},
        {"title": "Pictures judged", "number": f"{pictures:,}",
         "note": "all that were asked for" if whole else "some are missing: see coverage"},
        {"title": "Self-test", "number": f"{passed} of {len(board.checks)}", "note": "known inputs judged right"},
    ]  # fmt: skip


def _lines(board: Leaderboard, colours: Mapping[str, int]) -> list[dict[str, Any]]:
    from markupsafe import Markup

    scale = _main_scale(board)
    leader, lines = board.places[0], []
    for place in board.places:
        row = place.rows[0]
        meeting = board.meeting(place.entry.model, leader.entry.model)
        lines.append(
            {
                "rank": str(place.best_rank) if place.best_rank == place.worst_rank
                else f"{place.best_rank}–{place.worst_rank}",
                "model": place.entry.model,
                "colour": colours[place.entry.model],
                "value": value_text(row),
                "interval": interval_text(row),
                "drawing": Markup(
                    dots_svg([(colours[place.entry.model], place.entry.model, row.interval)], scale=scale, height=30,
                             factor=_factor(row))
                ),
                "behind": "" if meeting is None else _change_text(row, meeting.difference),
                "certainty": "" if meeting is None else _certainty(meeting),
                "coverage": place.coverage,
                "fingerprint": place.fingerprint(row),
                "details": _made_text(place.entry.header),
            }
        )  # fmt: skip
    return lines


def _main_scale(board: Leaderboard) -> Any:
    rows = [place.rows[0] for place in board.places]
    return scale_of([row.interval for row in rows], bounds=_BOUNDS.get(rows[0].unit))


def _axis(board: Leaderboard) -> Any:
    from markupsafe import Markup

    row = board.places[0].rows[0]
    return Markup(axis_svg(_main_scale(board), factor=_factor(row), unit=" %" if row.unit == "share" else ""))


def _factor(row: Row) -> float:
    return 100.0 if row.unit in ("share", "ratio") else 1.0


def _made_text(header: Mapping[str, Any]) -> str:
    if "pictures" in header:
        return "pictures from a folder"
    parts = [str(header.get("base", ""))]
    if header.get("checkpoint") and header.get("checkpoint") != header.get("base"):
        parts.append(f"checkpoint {header['checkpoint']}")
    if "steps" in header:
        parts.append(f"{header['steps']} steps, guidance {header['guidance_scale']:g}")
    return " · ".join(part for part in parts if part)


def _breakdown(board: Leaderboard, colours: Mapping[str, int]) -> list[dict[str, Any]]:
    from markupsafe import Markup

    lines = []
    for name in dict.fromkeys(row.name for place in board.places for row in place.rows):
        found = [(place, place.row(name)) for place in board.places]
        known = [(place, row) for place, row in found if row is not None]
        row = known[0][1]
        best = max(row.good * item.interval.value for _, item in known)
        scale = scale_of([item.interval for _, item in known], bounds=_BOUNDS.get(row.unit), width=300)
        marks = [(colours[place.entry.model], place.entry.model, item.interval) for place, item in known]
        lines.append(
            {
                "name": name.replace("_", " "),
                "note": row.note + ("" if row.good > 0 else (", " if row.note else "") + "lower is better"),
                "count": row.interval.count,
                "drawing": Markup(dots_svg(marks, scale=scale, factor=_factor(row))),
                "axis": Markup(axis_svg(scale, factor=_factor(row), unit=" %" if row.unit == "share" else "")),
                "values": [
                    None if item is None else {
                        "value": value_text(item), "interval": interval_text(item),
                        "best": len(known) > 1 and row.good * item.interval.value == best,
                        "details": ", ".join(f"{label} {number:.4g}" for label, number in item.details.items()),
                    }
                    for _, item in found
                ],
            }
        )  # fmt: skip
    return lines


def _matrix(board: Leaderboard) -> list[dict[str, Any]]:
    """For every model, its win rate (else its difference) against every other; shade -1..1 of the cell."""
    rows = []
    for place in board.places:
        cells: list[dict[str, Any] | None] = []
        for other in board.places:
            meeting = board.meeting(place.entry.model, other.entry.model)
            if meeting is None:
                cells.append(None)
                continue
            row = place.rows[0]
            better = row.good * meeting.difference.value > 0
            shade = 0.0
            if meeting.wins is not None:
                shade = 2 * meeting.wins.value - 1
                text = f"{100 * meeting.wins.value:.1f} %"
                small = f"{100 * meeting.wins.low:.1f} to {100 * meeting.wins.high:.1f}"
            else:
                text = _change_text(row, meeting.difference).split(" (")[0]
                small = _change_text(row, meeting.difference).split(" (")[1].rstrip(")")
            cells.append(
                {"text": text, "small": small, "clear": meeting.clear, "better": better,
                 "strength": round(10 + 32 * min(abs(shade) * 2, 1)) if meeting.clear else 0}
            )  # fmt: skip
        rows.append({"model": place.entry.model, "cells": cells})
    return rows


def _examples(board: Leaderboard, colours: Mapping[str, int]) -> list[dict[str, Any]]:
    """The prompts that have thumbnails, each with the picture of every model."""
    shown = sorted({line.prompt for place in board.places for line in place.entry.examples})
    examples = []
    for prompt in shown:
        shots = []
        for place in board.places:
            line = next((line for line in place.entry.examples if line.prompt == prompt), None)
            shots.append(
                {
                    "model": place.entry.model,
                    "colour": colours[place.entry.model],
                    "uri": "" if line is None else line.thumbnail,
                    "reason": "" if line is None else line.reason,
                    "score": "" if line is None or len(line.values) > 20 else _score_text(place, line.values[0]),
                    "right": None if line is None or place.rows[0].unit != "share" else line.values[0] == 1,
                }
            )
        examples.append({"prompt": board.prompts[prompt], "shots": shots})
    return examples


def _score_text(place: Place, value: float | None) -> str:
    if value is None or place.rows[0].unit == "share":
        return ""
    return f"{place.entry.judged.names[0]} {value:.4f}"


def _stability(board: Leaderboard) -> dict[str, Any]:
    from markupsafe import Markup

    points = [(float(line.prompts), line.same_winner) for line in board.sizes]
    return {
        "drawing": Markup(line_svg(points, labels=[f"{line.prompts:,}" for line in board.sizes])),
        "sizes": board.sizes,
        "wordings": board.wordings,
    }


def _fingerprints(board: Leaderboard) -> list[dict[str, Any]]:
    names = dict.fromkeys(row.name for place in board.places for row in place.rows)
    found = {name: [place.row(name) for place in board.places] for name in names}
    return [
        {
            "name": name,
            "marks": [
                "" if row is None else place.fingerprint(row)
                for place, row in zip(board.places, rows, strict=True)
            ],
        }
        for name, rows in found.items()
    ]  # fmt: skip
