"""Ratings as RichHF-18K has them: four numbers in 0..1 for a picture, all of them better when higher.

    {"filename", "aesthetics_score", "artifact_score", "misalignment_score", "overall_score",
     "prompt_misalignment_label": "1 1 0", "artifact_map", "misalignment_map"}

Heat maps and the labels of words are kept as they are. The set itself has no prompts (they are joined from Pick-a-Pic
by file name): a column `prompt` is read where there is one. Its TFRecord files must be converted to JSON lines, CSV or
parquet first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redraft.core.errors import UsageError
from redraft.core.feedback import Rating
from redraft.feedback.exchange import fields
from redraft.feedback.exchange.formats import Found, Reading, Writing, only
from redraft.feedback.exchange.parquet_files import jsonable
from redraft.feedback.exchange.rows import Row, extras, restored

NAME = "rich-hf"
QUESTIONS = ("aesthetics_score", "artifact_score", "misalignment_score", "overall_score")
SCALE = (0.0, 1.0)
_KNOWN = ("prompt", "filename", "redraft", *QUESTIONS)


def decode(found: Found, _reading: Reading) -> Sequence[Row]:
    """The row of an entry. Raises UsageError."""
    value = fields.entry(found.value, ("filename",), what="a rating as RichHF has it")
    asked = [name for name in QUESTIONS if name in value]
    if not asked:
        raise UsageError(f"has none of {', '.join(QUESTIONS)}: is this the right format?")
    answers = {name: fields.optional(value, name) for name in asked}
    picture = fields.text(value, "filename")
    if not picture:
        raise UsageError("filename is empty: it names the picture")
    rating = Rating(
        prompt=fields.text(value, "prompt", ""), picture=picture, scales=dict.fromkeys(asked, SCALE),
        values={name: answer for name, answer in answers.items() if answer is not None},
    )  # fmt: skip
    details = {name: jsonable(item) for name, item in fields.rest(value, _KNOWN).items()}
    return (restored(Row(judgement=rating, format=NAME, details=details), value.get("redraft")),)


def encode(rows: Sequence[Row], _writing: Writing) -> dict[str, Any]:
    """The entry of a rating by these questions. Raises UsageError."""
    only(rows, "rating", format=NAME)
    row = rows[0]
    said = row.judgement
    assert isinstance(said, Rating)
    unknown = [name for name in said.scales if name not in QUESTIONS or said.scales[name] != SCALE]
    if unknown:
        raise UsageError(f"{unknown[0]!r} is none of RichHF's questions in 0..1: export this row to jsonl")
    value: dict[str, Any] = {"filename": said.picture, **({"prompt": said.prompt} if said.prompt else {})}
    value |= {name: said.values.get(name) for name in QUESTIONS if name in said.scales}
    value |= dict(row.details) if row.format == NAME else {}
    more = extras(row, format=NAME)
    return value | ({"redraft": more} if more else {})
