"""The crowd's answers to GenEval pictures: CSV with 22 columns, one person's answer a row, nobody named.

Quality (1 to 4) and how real each object looks (1 to 3) are ratings; the objects, colours, counts and places that
people saw stay beside them. The generator is the folder in the picture's address.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from redraft.core.errors import UsageError
from redraft.core.feedback import Rating
from redraft.feedback.exchange import fields
from redraft.feedback.exchange.formats import Found, Reading, Writing, only
from redraft.feedback.exchange.rows import Row

NAME = "geneval-crowd"
COLUMNS = (
    "HITId", "Input.index", "Input.prompt_id", "Input.image_id", "Input.image_url", "Input.caption",
    "Input.object_0_name", "Input.object_1_name", "Input.object_0_name_plural", "Input.object_1_name_plural",
    "Input.exclude", "Answer.ee", "Answer.task-color-0", "Answer.task-color-1", "Answer.task-count-0",
    "Answer.task-count-1", "Answer.task-objects", "Answer.task-position-x", "Answer.task-position-y",
    "Answer.task-quality", "Answer.task-real-0", "Answer.task-real-1",
)  # fmt: skip
QUESTIONS = {
    "quality": ("Answer.task-quality", (1.0, 4.0)),
    "real_0": ("Answer.task-real-0", (1.0, 3.0)),
    "real_1": ("Answer.task-real-1", (1.0, 3.0)),
}
"""The column and the scale of each rating."""
_MODEL = re.compile(r"/images/([^/]+)/\d+/samples/")


def decode(found: Found, _reading: Reading) -> Sequence[Row]:
    """The row of an answer. Raises UsageError."""
    value = fields.entry(found.value, COLUMNS, what="an answer of the GenEval crowd")
    unknown = fields.rest(value, COLUMNS)
    if unknown:
        raise UsageError(f"has the unknown column {next(iter(unknown))!r}: the file has the 22 columns of GenEval")
    answers = {name: fields.optional(value, column) for name, (column, _) in QUESTIONS.items()}
    picture = fields.text(value, "Input.image_url")
    if not picture:
        raise UsageError("Input.image_url is empty: nothing says which picture was judged")
    rating = Rating(
        prompt=fields.text(value, "Input.caption"), picture=picture,
        values={name: answer for name, answer in answers.items() if answer is not None},
        scales={name: scale for name, (_, scale) in QUESTIONS.items()},
    )  # fmt: skip
    model = _MODEL.search(picture)
    return (
        Row(
            judgement=rating, format=NAME, item=fields.text(value, "HITId"), models=(model[1],) if model else (),
            details={name: fields.text(value, name) for name in COLUMNS},
        ),
    )  # fmt: skip


def encode(rows: Sequence[Row], _writing: Writing) -> dict[str, Any]:
    """The columns of an answer that came from such a file. Raises UsageError."""
    only(rows, "rating", format=NAME)
    row = rows[0]
    said = row.judgement
    assert isinstance(said, Rating)
    if row.format != NAME or any(name not in row.details for name in COLUMNS):
        raise UsageError("was not imported from such a file, so its questions are unknown: export it to jsonl")
    if said.rater or said.weight != 1.0:
        raise UsageError(f"rater {said.rater!r}, weight {said.weight}: this format has no place for them; use jsonl")
    value = {name: str(row.details[name]) for name in COLUMNS}
    for name, (column, _) in QUESTIONS.items():
        if fields.optional(value, column) != said.values.get(name):
            raise UsageError(f"{name} is {said.values.get(name)}, but its file said {value[column]!r}: use jsonl")
    return value
