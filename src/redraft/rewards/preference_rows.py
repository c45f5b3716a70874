"""Answers to fit a preference model to, from a JSONL file of rows as `redraft feedback import` writes them.

    {"prompt": "a red star", "pictures": ["a.png", "b.png"], "kind": "pair", "answer": [1, 0], "rater": "anna"}
    {"prompt": "a red star", "pictures": ["a.png"], "kind": "rating", "answer": {"quality": 8},
     "scales": {"quality": [1, 10]}}

Names of pictures are paths from the folder of the file. It fits nothing; other formats are imported first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from redraft.core.errors import UsageError, unknown_name
from redraft.core.feedback import STARS, Preference, Rating
from redraft.core.records import require_prompt
from redraft.feedback.exchange.jsonl import read_row
from redraft.rewards.answer_lines import read_answers


def read_preferences(path: Path, *, question: str = "") -> tuple[Preference, ...]:
    """The answers of a file, in order; ratings become stars, see `stars_of`.

    Ratings that leave the question unanswered say nothing and are left out. Raises UsageError as `read_answers` and
    `stars_of` do, for a picture that is compared with itself, and for a question where there is no rating.
    """
    kinds: set[str] = set()

    def read(value: Any) -> Preference | None:
        said = read_row(value).judgement
        require_prompt(said.prompt)
        if isinstance(said, Rating):
            kinds.add("rating")
            return stars_of(said, question=question)
        _require_others(said)
        kinds.add(said.kind)
        return said

    found = read_answers(path, read, holds="prompt, pictures, kind, answer")
    if question and "rating" not in kinds:
        raise UsageError(
            f"--question {question} chooses among the numbers of ratings, and {path} has none, only rows of kind "
            f"{', '.join(sorted(kinds))}: leave it out"
        )
    return found


def stars_of(rating: Rating, *, question: str = "") -> Preference | None:
    """What a rating says to one question as stars, by how far on its scale it lies, so that they need not be whole.

    question: by name; "" for the only one that was asked. None where it was not answered. Raises UsageError when there
    are several and none is named, for one that was not asked, and for a scale without length.
    """
    asked = tuple(rating.scales)
    if not question and len(asked) > 1:
        raise UsageError(f"a rating of {', '.join(asked)}: say which of them to learn from, with --question NAME")
    name = question or asked[0]
    if name not in rating.scales:
        raise unknown_name("question", name, asked)
    if name not in rating.values:
        return None
    low, high = rating.scales[name]
    if low == high:
        raise UsageError(f"{name} has a scale from {low:g} to {high:g}: on it no picture is better; leave it out")
    share = (rating.values[name] - low) / (high - low)
    return Preference(
        prompt=rating.prompt, pictures=(rating.picture,), kind="stars", answer=(1 + (STARS - 1) * share,),
        rater=rating.rater, weight=rating.weight,
    )  # fmt: skip


def _require_others(said: Preference) -> None:
    """Raise UsageError for a comparison that names one picture twice; rated twice, a picture may be."""
    again = [name for place, name in enumerate(said.pictures) if name in said.pictures[:place]]
    if again and said.kind in ("pair", "choice", "ranks"):
        raise UsageError(
            f"the picture {again[0]!r} stands twice in an answer of kind {said.kind!r}: no picture is better or worse "
            "than itself; name each once, or leave the row out"
        )
