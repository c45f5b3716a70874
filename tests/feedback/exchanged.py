"""Rows to exchange and the two directions as tests call them. No tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from redraft.core.feedback import Preference, Rating
from redraft.core.keys import Key
from redraft.feedback.exchange.exporting import companion_of, export_rows
from redraft.feedback.exchange.formats import Reading, Writing
from redraft.feedback.exchange.importing import Imported, import_rows
from redraft.feedback.exchange.registry import FORMATS
from redraft.feedback.exchange.rows import Fault, Row


def read(
    path: Path, format: str, *, pairs: bool = False, seed: int = 0, labeling: str = "", keep: object = None
) -> tuple[list[Row], list[Fault]]:
    """The rows and the faults of a file."""
    reading = Reading(key=Key(seed=seed), labeling=labeling, keep=keep)  # type: ignore[arg-type]
    found = list(import_rows(path, format=FORMATS[format], reading=reading, pairs=pairs))
    rows = [item.row for item in found if isinstance(item, Imported)]
    return rows, [item for item in found if isinstance(item, Fault)]


def write(rows: Iterable[Row], path: Path, format: str, *, writing: Writing | None = None) -> tuple[str, list[Fault]]:
    """Writes rows; returns what belongs beside the file, and the faults."""
    placed = iter([(f"row {number}", row) for number, row in enumerate(rows, 1)])
    beside, placed = companion_of(FORMATS[format], placed)
    found = list(export_rows(placed, path, format=FORMATS[format], writing=writing))
    return beside, [item for item in found if isinstance(item, Fault)]


def pair(answer: tuple[float, float] = (1.0, 0.0), *, number: int = 0, rater: str = "anna") -> Row:
    """A pair of a row of ours."""
    pictures = (f"{number}a.png", f"{number}b.png")
    said = Preference(prompt=f"a red star {number} – „ü“", pictures=pictures, kind="pair", answer=answer, rater=rater)
    return Row(judgement=said, models=("old", "new"))


def preference(kind: str, answer: tuple[float, ...], *, rater: str = "anna", weight: float = 1.0) -> Row:
    """An answer about as many pictures as it has numbers."""
    pictures = tuple(f"{place}.png" for place in range(len(answer)))
    said = Preference(prompt="a red star", pictures=pictures, kind=kind, answer=answer, rater=rater, weight=weight)  # type: ignore[arg-type]
    return Row(judgement=said)


def rating(rater: str = "anna", **values: float) -> Row:
    """A rating on scales of 0 to 10."""
    scales = dict.fromkeys(values, (0.0, 10.0))
    return Row(judgement=Rating(prompt="a red star", picture="a.png", values=values, scales=scales, rater=rater))
