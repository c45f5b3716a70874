"""The record that every format is read into and written from, and its own line of JSON. Knows no other format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from redraft.core.errors import UsageError
from redraft.core.feedback import Judgement, Preference, Rating

write_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode
"""JSON on one line, UTF-8 characters as they are. Raises ValueError for NaN and infinity."""


_ORIGIN = frozenset(("format", "item", "models", "sides", "details"))
"""What `origin` may hold; null and empty values stand for what is absent."""
_TEXT, _TEXT_OR_NONE, _OBJECT_OR_NONE = frozenset((str,)), frozenset((str, type(None))), frozenset((dict, type(None)))


class Sides(NamedTuple):
    """That a coin decided which picture stands first: Key(seed).child("sides", number), and whether it swapped them."""

    seed: int
    number: int
    swapped: bool


@dataclass(frozen=True, kw_only=True)
class Row:
    """A judgement with what its file said besides.

    format: name of the format it was read from. item: what that file calls the thing judged; neighbouring rows that
    share it were one entry there, judged by several people. models: the generator of each picture, () for unknown.
    sides: how the order of the two pictures was drawn; None: it is the file's. details: the rest of the entry,
    JSON-able and in the format's own words, so that it can be written back.
    """

    judgement: Judgement
    format: str = ""
    item: str = ""
    models: tuple[str, ...] = ()
    sides: Sides | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pictures(self) -> tuple[str, ...]:
        """The pictures that were judged."""
        return (self.judgement.picture,) if isinstance(self.judgement, Rating) else self.judgement.pictures

    @property
    def kind(self) -> str:
        """The judgement's kind: pair, ranks, stars, thumbs or rating."""
        return "rating" if isinstance(self.judgement, Rating) else self.judgement.kind


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A part of a file that could not be read or written. `rows`: how many rows are lost by it, 1 where unknown."""

    where: str
    message: str
    rows: int = 1

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def as_object(row: Row) -> dict[str, Any]:
    """The JSON object of a row: what `redraft feedback import` writes, one a line."""
    said = row.judgement
    if isinstance(said, Rating):
        value: dict[str, Any] = {
            "prompt": said.prompt, "pictures": (said.picture,), "kind": "rating", "answer": dict(said.values),
            "scales": dict(said.scales),
        }  # fmt: skip
    else:
        value = {"prompt": said.prompt, "pictures": said.pictures, "kind": said.kind, "answer": said.answer}
    if said.rater:
        value["rater"] = said.rater
    if said.weight != 1.0:
        value["weight"] = said.weight
    origin = _origin(row)
    if origin:
        value["origin"] = origin
    return value


def as_line(row: Row) -> str:
    """The row as a line of JSON, without its end. Raises UsageError when it holds what JSON or UTF-8 cannot say."""
    try:
        line = write_json(as_object(row))
        if not line.isascii():
            line.encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"cannot be written as JSON in UTF-8 ({error}): mend this value in the file") from error
    return line


def extras(row: Row, *, format: str, native: Sequence[str] = (), read_as: str = "") -> str | None:
    """What `format` has no place for, as JSON text for the entry's own key "redraft"; None when there is nothing.

    native: which of rater, weight, models the format keeps itself. Details are native where the row came from `format`.
    read_as: the kind that the entry says, where a row of another kind is written as it too.
    """
    said = row.judgement
    value: dict[str, Any] = {}
    if said.rater and "rater" not in native:
        value["rater"] = said.rater
    if said.weight != 1.0 and "weight" not in native:
        value["weight"] = said.weight
    if read_as and row.kind != read_as:
        value["kind"] = row.kind
    origin = _origin(row)
    if row.format == format:
        origin = {name: origin[name] for name in ("sides", "models") if name in origin}
    if "models" in native:
        origin.pop("models", None)
    if origin:
        value["origin"] = origin
    return write_json(value) if value else None


def restored(row: Row, text: Any) -> Row:
    """The row with what `extras` had put aside. Raises UsageError when `text` is not such a text."""
    if text is None or text == "":
        return row
    try:
        value = json.loads(text)
        rater, weight = value.get("rater", row.judgement.rater), value.get("weight", row.judgement.weight)
        if not isinstance(rater, str) or not isinstance(weight, int | float):
            raise TypeError(f"rater {rater!r}, weight {weight!r}")
        judgement = _of_kind(replace(row.judgement, rater=rater, weight=float(weight)), value.get("kind"))
        given = value.get("origin", {})
        origin = read_origin(given, pictures=len(row.pictures))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"the key 'redraft' holds {str(text)[:80]!r} ({error}): leave it as it was written") from error
    # A row of another format has nothing of the one it was just read from: no item and no details of it.
    names = {*given, "item", "details"} if origin["format"] else set(given)
    return replace(row, judgement=judgement, **{name: origin[name] for name in names})


def _of_kind(said: Judgement, kind: Any) -> Judgement:
    """Ranks of two pictures as the pair that was written as them."""
    if kind is None or isinstance(said, Rating) or kind == said.kind:
        return said
    if kind != "pair" or said.kind != "ranks" or len(said.answer) != 2:
        raise ValueError(f"{said.kind} of {len(said.answer)} pictures as {str(kind)[:60]!r}")
    first, second = said.answer
    share = 0.5 if first == second else float(first < second)
    return replace(said, kind="pair", answer=(share, 1.0 - share))


def _origin(row: Row) -> dict[str, Any]:
    origin: dict[str, Any] = {}
    if row.format:
        origin["format"] = row.format
    if row.item:
        origin["item"] = row.item
    if row.models:
        origin["models"] = row.models
    if row.sides:
        origin["sides"] = row.sides._asdict()
    if row.details:
        origin["details"] = dict(row.details)
    return origin


def read_origin(value: Any, *, pictures: int) -> dict[str, Any]:
    """The fields of `Row` that the JSON object `origin` of an answer about so many pictures holds.

    Raises UsageError.
    """
    if type(value) is not dict or not value.keys() <= _ORIGIN:
        raise UsageError(
            f"origin is {str(value)[:80]!r}: it is an object with format, item, models, sides and details, all of them "
            "optional"
        )
    format, item, models = value.get("format"), value.get("item"), value.get("models") or ()
    details = value.get("details")
    if type(format) not in _TEXT_OR_NONE or type(item) not in _TEXT_OR_NONE or type(details) not in _OBJECT_OR_NONE:
        raise UsageError("origin: format and item are texts, details is an object")
    if models:
        if type(models) is not list or not _TEXT.issuperset(map(type, models)):
            raise UsageError("origin: models is a list of texts, the generator of each picture")
        if len(models) != pictures:
            raise UsageError(f"origin: models names {len(models)} generators of {pictures} pictures: one a picture")
    return {
        "format": format or "", "item": item or "", "models": tuple(models),
        "sides": _sides(value.get("sides")),
        "details": details or {},
    }  # fmt: skip


def _sides(value: Any) -> Sides | None:
    if value is None:
        return None
    if not isinstance(value, dict) or value.keys() != set(Sides._fields):
        raise UsageError(f"origin.sides is {str(value)[:80]!r}: it has seed, number and swapped")
    if type(value["seed"]) is not int or type(value["number"]) is not int or type(value["swapped"]) is not bool:
        raise UsageError("origin.sides: seed and number are whole numbers, swapped is true or false")
    return Sides(**value)


def flipped(judgement: Preference) -> Preference:
    """A pair with its two pictures the other way round."""
    return replace(judgement, pictures=judgement.pictures[::-1], answer=judgement.answer[::-1])
