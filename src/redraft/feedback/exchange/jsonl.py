"""Our own format: one `core.feedback` judgement a line, with where it came from. Nothing of a row is lost in it.

    {"prompt": "a red star", "pictures": ["a.png", "b.png"], "kind": "pair", "answer": [1, 0], "rater": "anna"}

A rating of one picture has an object as its answer, and the scales of what was asked:

    {"prompt": "a red star", "pictures": ["a.png"], "kind": "rating", "answer": {"quality": 4},
     "scales": {"quality": [1, 4]}}

`rater`, `weight` and `origin` may be left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redraft.core.errors import UsageError, nearest
from redraft.core.feedback import KINDS, Preference, Rating
from redraft.feedback.exchange.formats import Found, Reading
from redraft.feedback.exchange.rows import Row, as_object, read_origin

NAME = "jsonl"
_NEEDED = ("prompt", "pictures", "kind", "answer")
_KEYS = (*_NEEDED, "scales", "rater", "weight", "origin")
_KNOWN = frozenset(_KEYS)
_NUMBERS, _TEXT = frozenset((int, float)), frozenset((str,))  # not bool, which Python counts among the whole numbers


def decode(found: Found, _reading: Reading) -> Sequence[Row]:
    """The row of a line. Raises UsageError."""
    return (read_row(found.value),)


def read_row(value: Any) -> Row:
    """The row that a JSON object holds. Raises UsageError."""
    if type(value) is not dict:
        raise UsageError(f"is a JSON {type(value).__name__}: give an object with {', '.join(_NEEDED)}")
    if not value.keys() <= _KNOWN:
        unknown = next(key for key in value if key not in _KNOWN)
        close = nearest(unknown, _KEYS)
        hint = f": did you mean {close[0]!r}?" if close else f"; the keys are {', '.join(_KEYS)}"
        raise UsageError(f"has the unknown key {unknown[:60]!r}{hint}")
    try:
        prompt, pictures, kind, answer = value["prompt"], value["pictures"], value["kind"], value["answer"]
    except KeyError as missing:
        raise UsageError(f"lacks {missing.args[0]!r}: an answer has {', '.join(_NEEDED)}") from None
    rater, weight, given = value.get("rater", ""), value.get("weight", 1.0), value.get("origin")
    if rater is None or weight is None or value.get("scales", answer) is None:
        # So parquet files and pandas say that there is none.
        return read_row({key: item for key, item in value.items() if item is not None})
    if type(prompt) is not str or type(rater) is not str or "\0" in prompt or "\0" in rater:
        raise UsageError(
            f"prompt {str(prompt)[:60]!r} and rater {str(rater)[:60]!r} must be texts without U+0000: mend them; a "
            "rater that is not known is left out"
        )
    if not _texts(pictures) or type(weight) not in _NUMBERS:
        raise UsageError("pictures must be a list of texts and weight a number")
    origin = {} if given is None else read_origin(given, pictures=len(pictures))
    if kind == "rating":
        return Row(judgement=_rating(value, weight=weight, rater=rater), **origin)
    if kind not in KINDS:
        raise UsageError(f"kind {str(kind)[:60]!r} of an answer is unknown: choose one of {', '.join(KINDS)}, rating")
    if type(answer) is not list or not _NUMBERS.issuperset(map(type, answer)) or "scales" in value:
        raise UsageError("answer must be a list of numbers, one a picture; only the kind 'rating' has scales")
    judgement = Preference(
        prompt=prompt, pictures=tuple(pictures), kind=kind, answer=tuple(map(_float, answer)), rater=rater,
        weight=_float(weight),
    )  # fmt: skip
    return Row(judgement=judgement, **origin)


def encode(rows: Sequence[Row], _writing: Any) -> dict[str, Any]:
    """The object of a row."""
    return as_object(rows[0])


def _rating(value: dict[str, Any], *, weight: float, rater: str) -> Rating:
    answer, scales, pictures = _told(value["answer"]), _told(value.get("scales")), value["pictures"]
    if not isinstance(answer, dict) or not all(map(_number, answer.values())):
        raise UsageError("answer of a rating must be an object of numbers, one for each question answered")
    ranges = list(scales.values()) if isinstance(scales, dict) else [None]
    if not all(isinstance(item, list) and len(item) == 2 and all(map(_number, item)) for item in ranges):
        raise UsageError("scales of a rating must be an object of [lowest, highest], one for each question")
    if len(pictures) != 1:
        raise UsageError(f"a rating of {len(pictures)} pictures: give each its own row")
    assert isinstance(scales, dict)
    return Rating(
        prompt=value["prompt"], picture=pictures[0], values={name: _float(item) for name, item in answer.items()},
        scales={name: (_float(low), _float(high)) for name, (low, high) in scales.items()}, rater=rater,
        weight=_float(weight),
    )  # fmt: skip


def _told(value: Any) -> Any:
    """An object without its nulls: a parquet file has every question in every row."""
    return {key: item for key, item in value.items() if item is not None} if isinstance(value, dict) else value


def _texts(value: Any) -> bool:
    if type(value) is not list:
        return False
    return _TEXT.issuperset(map(type, value)) and all(value) and "\0" not in "".join(value)


def _number(value: Any) -> bool:
    return type(value) in _NUMBERS


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise UsageError(f"a number with {len(str(value))} digits is too large: numbers are finite") from None
