"""ImageReward: ranks of several pictures with ties, and the three layouts of ImageRewardDB.

ranks:  {"id", "prompt", "generations": [k], "ranking": [k]}        1 is best; this layout is written
pair:   {"prompt", "img_better", "img_worse"}                       always winner first: sides are drawn
single: {"image", "prompt", "rank", "overall_rating", "image_text_alignment_rating", "fidelity_rating"}  1 to 7
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redraft.core.errors import UsageError
from redraft.core.feedback import Preference, Rating
from redraft.feedback.exchange import fields
from redraft.feedback.exchange.formats import Found, Reading, Writing, only
from redraft.feedback.exchange.pairs import with_drawn_sides
from redraft.feedback.exchange.parquet_files import jsonable
from redraft.feedback.exchange.rows import Row, extras, restored

NAME = "image-reward"
PAIR, SINGLE = "image-reward-pair", "image-reward-single"
HEAVY = ("image", "img_better", "img_worse")
QUESTIONS = ("overall_rating", "image_text_alignment_rating", "fidelity_rating")
SCALE = (1.0, 7.0)
_KNOWN = ("prompt", "generations", "ranking", "id", "redraft")


def decode(found: Found, reading: Reading) -> Sequence[Row]:
    """The row of an entry of any of the three layouts. Raises UsageError."""
    value = fields.entry(found.value, ("prompt",), what="an entry of ImageReward")
    prompt = fields.text(value, "prompt")
    if "img_better" in value or "img_worse" in value:
        fields.entry(value, ("img_better", "img_worse"), what="a pair of ImageRewardDB")
        pictures = (_picture(value, "img_better", reading), _picture(value, "img_worse", reading))
        judgement = Preference(prompt=prompt, pictures=pictures, kind="pair", answer=(1.0, 0.0))
        details = _rest(value, ("prompt", "img_better", "img_worse"))
        row = Row(judgement=judgement, format=PAIR, details=details)
        return (with_drawn_sides(row, reading.key, number=found.entry),)
    if "image" in value or any(name in value for name in QUESTIONS):
        return (_single(value, reading),)
    fields.entry(value, ("generations", "ranking"), what="an entry of ImageReward")
    judgement = Preference(
        prompt=prompt, pictures=fields.texts(value, "generations"), kind="ranks",
        answer=fields.numbers(value, "ranking"),
    )  # fmt: skip
    row = Row(judgement=judgement, format=NAME, item=fields.text(value, "id", ""), details=fields.rest(value, _KNOWN))
    return (restored(row, value.get("redraft")),)


def _single(value: dict[str, Any], reading: Reading) -> Row:
    fields.entry(value, ("image",), what="a picture of ImageRewardDB")
    answers = {name: fields.optional(value, name) for name in QUESTIONS if name in value}
    rating = Rating(
        prompt=fields.text(value, "prompt"),
        picture=_picture(value, "image", reading),
        values={name: answer for name, answer in answers.items() if answer is not None},
        scales=dict.fromkeys(answers, SCALE),
    )
    return Row(judgement=rating, format=SINGLE, details=_rest(value, ("prompt", "image", *QUESTIONS)))


def _picture(value: dict[str, Any], key: str, reading: Reading) -> str:
    """A path, the picture's bytes, or what `datasets` makes of it: {"bytes", "path"}."""
    found = value[key]
    data = fields.picture_bytes(found)
    if reading.keep is not None and data is not None:
        return reading.keep(data)
    if isinstance(found, dict):
        found = found.get("path")
    if found is None or isinstance(found, bytes):
        raise UsageError(f"{key} has no path: take pictures that the file holds out with --pictures FOLDER")
    name = fields.text({key: found}, key)
    if not name:
        raise UsageError(f"{key} is empty: it names a picture")
    return name


def _rest(value: dict[str, Any], known: Sequence[str]) -> dict[str, Any]:
    return {name: jsonable(item) for name, item in fields.rest(value, known).items()}


def encode(rows: Sequence[Row], _writing: Writing) -> dict[str, Any]:
    """The entry of ranks; a pair is a ranking of two. Raises UsageError."""
    only(rows, "pair", "ranks", format=NAME)
    row = rows[0]
    said = row.judgement
    assert isinstance(said, Preference)
    if said.kind == "pair" and set(said.answer) not in ({0.0, 1.0}, {0.5}):
        raise UsageError(f"shares {said.answer}: ranks cannot say them; export to hpdv2, pick-a-pic or jsonl")
    ranking = said.answer if said.kind == "ranks" else tuple(2.0 - share for share in said.answer)
    if said.answer == (0.5, 0.5):
        ranking = (1.0, 1.0)
    own = dict(row.details) if row.format == NAME else {}
    value = {
        **({"id": row.item} if row.item else {}), "prompt": said.prompt, "generations": list(said.pictures),
        "ranking": [fields.plain(rank) for rank in ranking], **own,
    }  # fmt: skip
    more = extras(row, format=NAME, read_as="ranks")
    return value | ({"redraft": more} if more else {})
