"""Slider answers from a JSONL file, one a line. Names of pictures are paths from the folder of the file.

    {"prompt": "a red star", "picture": "a.png", "sliders": {"semantics": 8, "safety": 10}, "rater": "anna",
     "probability": 0.2}

`frames` in place of `picture` names the frames of a clip, in order. Sliders that were not touched are left out.
`probability` is the chance with which this answer was asked for; 1 where every picture is asked about. `weight` is
what it counts besides. Rows of kind `rating`, as `redraft feedback import` writes them, are read too:

    {"prompt": "a red star", "pictures": ["a.png"], "kind": "rating", "answer": {"semantics": 8},
     "scales": {"semantics": [0, 10]}, "rater": "anna", "weight": 5}

It fits nothing and opens no picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redraft.core.errors import UsageError, unknown_name
from redraft.core.feedback import Rating
from redraft.core.records import require_prompt
from redraft.feedback.exchange.jsonl import read_row
from redraft.rewards.answer_lines import read_answers
from redraft.rewards.facets_answers import SliderAnswer
from redraft.rewards.facets_clips import LEAST_FRAMES
from redraft.rewards.facets_config import HIGHEST, LOWEST

_NEEDED = ("prompt", "sliders")
_NUMBERS = ("probability", "weight")
_LARGEST = 1e300
_KEYS = (*_NEEDED, "picture", "frames", "rater", *_NUMBERS)


def read_slider_answers(path: Path, *, facets: Sequence[str] | None = None) -> tuple[SliderAnswer, ...]:
    """The answers of a file, in order; facets: None for any slider.

    Raises UsageError as `read_answers` does, for rows of another kind, and for a slider that is none of `facets`.
    """

    def read(value: Any) -> SliderAnswer:
        said = _of_row(value) if isinstance(value, dict) and "kind" in value else _own(value)
        require_prompt(said.prompt)
        unknown = [name for name in said.sliders if facets is not None and name not in facets]
        if unknown:
            raise unknown_name("slider", unknown[0], facets or ())
        return said

    return read_answers(path, read, holds=f"{', '.join(_NEEDED)} and picture")


def _own(value: Any) -> SliderAnswer:
    wrong = _wrong(value)
    if wrong:
        raise UsageError(wrong)
    return SliderAnswer(
        prompt=value["prompt"], pictures=tuple(value["frames"]) if "frames" in value else (value["picture"],),
        sliders=value["sliders"], rater=value.get("rater", ""),
        **{name: float(value.get(name, 1.0)) for name in _NUMBERS},
    )  # fmt: skip


def _of_row(value: Any) -> SliderAnswer:
    said = read_row(value).judgement
    if not isinstance(said, Rating):
        raise UsageError(
            f"an answer of kind {said.kind!r}: facets are learned from sliders, rows of kind 'rating'; leave it out, "
            "or fit a preference model to it"
        )
    for name in said.values:
        low, high = said.scales[name]
        if (low, high) != (LOWEST, HIGHEST):
            raise UsageError(
                f"{name} on a scale of {low:g} to {high:g}: sliders run from {LOWEST} to {HIGHEST}; leave out what is "
                "no slider"
            )
    sliders: dict[str, Any] = {
        name: int(number) if number.is_integer() else number for name, number in said.values.items()
    }
    return SliderAnswer(
        prompt=said.prompt, pictures=(said.picture,), sliders=sliders, rater=said.rater, weight=said.weight
    )


def _wrong(row: Any) -> str:
    """Which rule of a line is broken; empty for none."""
    if not isinstance(row, dict):
        return f"is a JSON {type(row).__name__}: give an object with {', '.join(_NEEDED)} and picture"
    missing, unknown = [key for key in _NEEDED if key not in row], [key for key in row if key not in _KEYS]
    if missing or unknown or ("picture" in row) == ("frames" in row):
        what = f"lacks {missing[0]!r}" if missing else f"has the unknown key {unknown[0]!r}" if unknown else ""
        return (
            f"{what or 'must name either a picture or frames'}: an answer has prompt, sliders and picture (or frames), "
            "and may have rater, probability and weight"
        )
    shown = row.get("frames", [row.get("picture")])
    texts = [row["prompt"], row.get("rater", ""), *(shown if isinstance(shown, list) else [None])]
    few = "frames" in row and len(shown) < LEAST_FRAMES
    if not all(isinstance(text, str) for text in texts) or not all(texts[2:]) or few:
        return f"is wrong: prompt, rater and picture must be texts, and frames a list of {LEAST_FRAMES} texts or more"
    numbers = [row.get(name, 1.0) for name in _NUMBERS]
    if not isinstance(row["sliders"], dict) or any(
        isinstance(number, bool) or not isinstance(number, int | float) or abs(number) > _LARGEST for number in numbers
    ):
        return "is wrong: sliders must be an object of whole numbers by facet, probability and weight numbers"
    return ""
