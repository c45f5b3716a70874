"""Pick-a-Pic v2, and what trainers read as such: parquet rows of two pictures with label_0 and label_1.

Labels are 1/0, 0/1, or 0.5/0.5 for a tie. Entries without a label (the training split has some) are told as faults:
nobody chose there. What we know beyond these columns travels as JSON text in one more, `redraft`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from redraft.core.errors import UsageError
from redraft.core.feedback import Preference
from redraft.feedback.exchange import fields
from redraft.feedback.exchange.formats import Found, Reading, Writing, only
from redraft.feedback.exchange.parquet_files import jsonable
from redraft.feedback.exchange.rows import Row, extras, restored, write_json

NAME = "pick-a-pic"
HEAVY = ("jpg_0", "jpg_1")
_DETAILS = (
    "image_0_uid", "image_1_uid", "image_0_url", "image_1_url", "best_image_uid", "are_different", "created_at",
    "ranking_id", "num_example_per_prompt", "__index_level_0__", "has_label",
)  # fmt: skip
_MAPPED = ("caption", "label_0", "label_1", "model_0", "model_1", "user_id", "redraft", "more", *HEAVY)
_INTEGERS = ("ranking_id", "user_id", "num_example_per_prompt", "__index_level_0__")


def schema() -> Any:
    """The columns of Pick-a-Pic v2, and `redraft`."""
    import pyarrow as pa

    kinds = {
        "are_different": pa.bool_(), "best_image_uid": pa.string(), "caption": pa.string(),
        "created_at": pa.timestamp("ns"), "has_label": pa.bool_(), "image_0_uid": pa.string(),
        "image_0_url": pa.string(), "image_1_uid": pa.string(), "image_1_url": pa.string(), "jpg_0": pa.binary(),
        "jpg_1": pa.binary(), "label_0": pa.float64(), "label_1": pa.float64(), "model_0": pa.string(),
        "model_1": pa.string(), "ranking_id": pa.int64(), "user_id": pa.int64(),
        "num_example_per_prompt": pa.int64(), "__index_level_0__": pa.int64(), "redraft": pa.string(),
    }  # fmt: skip
    return pa.schema([pa.field(name, kind) for name, kind in kinds.items()])


def decode(found: Found, reading: Reading) -> Sequence[Row]:
    """The row of an entry. Raises UsageError."""
    needed = ("caption", "image_0_uid", "image_1_uid", "label_0", "label_1")
    value = fields.entry(found.value, needed, what="an entry of Pick-a-Pic v2")
    value = {**value, **{name: _whole(value[name]) for name in _INTEGERS if type(value.get(name)) is float}}
    if value.get("has_label") is False or value["label_0"] is None:
        raise UsageError("has no label: nobody chose between its pictures, so there is nothing to learn")
    uids = (fields.text(value, "image_0_uid"), fields.text(value, "image_1_uid"))
    jpegs = [value.get(name) for name in HEAVY]
    names = tuple(_name(uid, jpeg, reading) for uid, jpeg in zip(uids, jpegs, strict=True))
    details = {name: jsonable(value[name]) for name in _DETAILS if value.get(name) is not None}
    more = fields.rest(value, (*_DETAILS, *_MAPPED))
    if names == uids:  # then they need not be said twice
        del details["image_0_uid"], details["image_1_uid"]
    user = value.get("user_id")
    judgement = Preference(
        prompt=fields.text(value, "caption"), pictures=names, kind="pair",
        answer=(fields.number(value, "label_0"), fields.number(value, "label_1")),
        rater="" if user is None else str(user),
    )  # fmt: skip
    models = (fields.text(value, "model_0", ""), fields.text(value, "model_1", ""))
    details |= {"more": {name: jsonable(item) for name, item in more.items()}} if more else {}
    row = Row(judgement=judgement, format=NAME, models=models if any(models) else (), details=details)
    return (_restored(row, value.get("redraft"), uids),)


def _whole(value: float) -> int | float | None:
    """A whole number of which pandas made a float because others of its column are missing; NaN is a missing one."""
    if math.isnan(value):
        return None
    return int(value) if value.is_integer() else value


def _name(uid: str, jpeg: Any, reading: Reading) -> str:
    data = fields.picture_bytes(jpeg)
    return uid if reading.keep is None or data is None else reading.keep(data)


def encode(rows: Sequence[Row], writing: Writing) -> dict[str, Any]:
    """The entry of a pair. Raises UsageError."""
    only(rows, "pair", format=NAME)
    row = rows[0]
    said = row.judgement
    assert isinstance(said, Preference)
    own = dict(row.details) if row.format == NAME else {}
    more = own.pop("more", None)
    rater_fits = _is_number(said.rater)
    uids = (own.pop("image_0_uid", said.pictures[0]), own.pop("image_1_uid", said.pictures[1]))
    best = max(zip(said.answer, uids, strict=True))[1] if said.answer[0] != said.answer[1] else "tie"
    put_aside = extras(row, format=NAME, native=("models", "rater") if rater_fits else ("models",))
    value = {
        "are_different": uids[0] != uids[1], "best_image_uid": best, "has_label": True, **own,
        "caption": said.prompt, "image_0_uid": uids[0], "image_1_uid": uids[1], "label_0": said.answer[0],
        "label_1": said.answer[1],
        "user_id": int(said.rater) if rater_fits else None,
    }  # fmt: skip
    for place, model in enumerate(row.models):
        value[f"model_{place}"] = model
    value["redraft"] = _joined(put_aside, more, names=said.pictures if uids != said.pictures else None)
    unfit = [name for name in _INTEGERS if value.get(name) is not None and type(value[name]) is not int]
    if unfit:
        raise UsageError(f"{unfit[0]} is {value[unfit[0]]!r}: Pick-a-Pic has a whole number there")
    # Last, so that pictures are asked for, and missed, only of rows that are written.
    return value | {
        column: writing.embed(name) if writing.embed else None
        for column, name in zip(HEAVY, said.pictures, strict=True)
    }


def _joined(put_aside: str | None, more: Any, *, names: tuple[str, ...] | None) -> str | None:
    """`redraft`: what was put aside, unknown columns, and the pictures' names where they are not the uids."""
    value = {"extras": put_aside, "more": more, "pictures": names}
    known = {name: item for name, item in value.items() if item}
    return write_json(known) if known else None


def _restored(row: Row, text: Any, uids: tuple[str, str]) -> Row:
    """The row with what `_joined` had put into the column `redraft`. Raises UsageError."""
    if not text:
        return row
    try:
        value = json.loads(text)
        put_aside, more, names = value.get("extras"), value.get("more"), value.get("pictures")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"redraft is {str(text)[:60]!r} ({error}): leave this column as it was written") from error
    row = restored(row, put_aside)
    said, details = row.judgement, dict(row.details)
    if more is not None:
        details["more"] = more
    if names is not None and isinstance(said, Preference) and said.pictures == uids:
        said = replace(said, pictures=tuple(map(str, names)))
        details |= {"image_0_uid": uids[0], "image_1_uid": uids[1]}
    return replace(row, judgement=said, details=details)


def _is_number(rater: str) -> bool:
    return rater.isascii() and rater.isdigit() and str(int(rater)) == rater and len(rater) < 19
