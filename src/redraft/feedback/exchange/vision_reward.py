"""VisionRewardDB-Image: one picture, judged by a checklist of eighteen questions, each with its own scale.

An entry has `prompt`, `annotation` with the answers by question, and `internal_id`, `url`, `image`, `meta_result`,
`meta_mask`. null stands where a question does not apply (no hands, no rating of hands). The names are those of the
present revision; an earlier one had others, which are refused because nothing says how they map.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from redraft.core.errors import UsageError, nearest
from redraft.core.feedback import Rating
from redraft.feedback.exchange import fields
from redraft.feedback.exchange.formats import Found, Reading, Writing, only
from redraft.feedback.exchange.parquet_files import jsonable
from redraft.feedback.exchange.rows import Row, extras, restored, write_json

NAME = "vision-reward"
HEAVY = ("image",)
SCALES: dict[str, tuple[int, int]] = {
    "symmetry": (-1, 1), "color aesthetic": (-1, 1), "main object": (-1, 1), "color brightness": (-1, 1),
    "object pairing": (-1, 1), "richness": (-2, 2), "emotion": (-2, 2), "clarity": (-2, 2),
    "lighting aesthetic": (-1, 2), "lighting distinction": (-1, 2), "background": (-1, 2), "detail realism": (-3, 1),
    "safety": (-3, 1), "body": (-4, 1), "hands": (-4, 1), "face": (-3, 2), "detail refinement": (-4, 2),
    "unsafe type": (0, 3),
}  # fmt: skip
"""The lowest and the highest answer to each question."""
_KNOWN = ("prompt", "annotation", "image", "redraft")


def schema() -> Any:
    """The columns of VisionRewardDB-Image but for the picture's bytes, and `redraft`."""
    import pyarrow as pa

    numbers = pa.list_(pa.int64())
    return pa.schema([
        ("internal_id", pa.string()), ("url", pa.string()), ("image", pa.string()), ("prompt", pa.string()),
        ("annotation", pa.struct([(name, pa.int64()) for name in SCALES])), ("meta_result", numbers),
        ("meta_mask", numbers), ("redraft", pa.string()),
    ])  # fmt: skip


def decode(found: Found, reading: Reading) -> Sequence[Row]:
    """The row of an entry. Raises UsageError."""
    value = fields.entry(found.value, ("prompt", "annotation"), what="an entry of VisionRewardDB")
    annotation = fields.entry(value["annotation"], (), what="annotation")
    unknown = [name for name in annotation if name.replace("_", " ") not in SCALES]
    if unknown:
        close = nearest(unknown[0], SCALES)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise UsageError(
            f"annotation has the unknown question {unknown[0]!r}{hint}: the earlier revision of the set had other "
            "names; fetch the present one"
        )
    answers = {name: fields.optional(annotation, name) for name in annotation}
    _once([name for name, answer in answers.items() if answer is not None])
    rating = Rating(
        prompt=fields.text(value, "prompt"),
        picture=_picture(value, reading),
        values={name: answer for name, answer in answers.items() if answer is not None},
        scales={name: _scale(name) for name in answers},
    )
    details = {name: jsonable(item) for name, item in fields.rest(value, _KNOWN).items()}
    row = restored(Row(judgement=rating, format=NAME, details=details), value.get("redraft"))
    return (_as_asked(row, value.get("redraft")),)


def _once(names: Sequence[str]) -> None:
    """Raises UsageError when one question is answered under two spellings, of which a file can hold one."""
    spellings: dict[str, str] = {}
    for name in names:
        other = spellings.setdefault(name.replace("_", " "), name)
        if other != name:
            raise UsageError(
                f"has answers to {other!r} and {name!r}, one question: only one can be meant, remove the other"
            )


def _as_asked(row: Row, text: Any) -> Row:
    """The row with the scales of only those questions that `encode` says were asked; else all the columns' were."""
    asked = json.loads(text).get("asked") if text else None
    said = row.judgement
    if asked is None or not isinstance(said, Rating):
        return row
    fits = isinstance(asked, list) and all(name in said.scales for name in map(str, asked))
    if not fits or not set(said.values) <= set(map(str, asked)):
        raise UsageError(f"redraft says that {str(asked)[:60]} were asked: leave this column as it was written")
    return replace(row, judgement=replace(said, scales={name: said.scales[name] for name in map(str, asked)}))


def _scale(name: str) -> tuple[float, float]:
    low, high = SCALES[name.replace("_", " ")]
    return float(low), float(high)


def _picture(value: dict[str, Any], reading: Reading) -> str:
    image = value.get("image")
    data = fields.picture_bytes(image)
    if reading.keep is not None and data is not None:
        return reading.keep(data)
    if isinstance(image, dict):
        image = image.get("path")
    for name in (image, value.get("url"), value.get("internal_id")):
        if isinstance(name, str) and name:
            return name
    raise UsageError(
        "has neither a path in image nor url nor internal_id: nothing says which picture was judged; take pictures "
        "that the file holds out with --pictures FOLDER"
    )


def encode(rows: Sequence[Row], _writing: Writing) -> dict[str, Any]:
    """The entry of a rating by this checklist. Raises UsageError."""
    only(rows, "rating", format=NAME)
    row = rows[0]
    said = row.judgement
    assert isinstance(said, Rating)
    unknown = [
        name for name in said.scales if name.replace("_", " ") not in SCALES or tuple(said.scales[name]) != _scale(name)
    ]
    if unknown:
        raise UsageError(
            f"{unknown[0]!r} on its scale is no question of VisionReward's checklist: export this row to jsonl"
        )
    _once(list(said.values))
    answers = {name.replace("_", " "): fields.plain(value) for name, value in said.values.items()}
    if any(type(answer) is not int for answer in answers.values()):
        raise UsageError(f"answers {answers}: the checklist has whole numbers only; export this row to jsonl")
    own = dict(row.details) if row.format == NAME else {}
    image = None if said.picture in (own.get("url"), own.get("internal_id")) else said.picture
    unfit = set(own) - {"internal_id", "url", "meta_result", "meta_mask"}
    if unfit:
        raise UsageError(f"{min(unfit)!r} is no column of VisionRewardDB: export this row to jsonl")
    more = extras(row, format=NAME)
    asked = list(dict.fromkeys(name.replace("_", " ") for name in said.scales))
    if len(asked) < len(SCALES):  # a column is there for each question, so null would say that it was asked
        more = write_json({**json.loads(more or "{}"), "asked": asked})
    return {**own, "image": image, "prompt": said.prompt, "annotation": answers, "redraft": more}
