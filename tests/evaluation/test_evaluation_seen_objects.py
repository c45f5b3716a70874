"""What the oracle sees too much of, on rendered pictures whose contents are known."""

from __future__ import annotations

import numpy as np
import pytest

from redraft.core.errors import UsageError
from redraft.core.records import Prompt
from redraft.evaluation.seen_objects import seen_objects
from redraft.world import parse, render


def shown(text: str) -> np.ndarray:
    return render(parse(text), np.random.default_rng(3))


@pytest.mark.parametrize(
    ("asked", "painted", "over", "repeated"),
    [
        ("three hearts", "four hearts", 1, np.nan),
        ("three hearts", "three hearts", 0, np.nan),
        ("three hearts", "two hearts", 0, np.nan),
        ("three hearts", "four stars", 0, np.nan),
        ("a red star", "two stars", np.nan, 1),
        ("a red star", "a red star", np.nan, 0),
        ("a star and a circle", "a star and a circle", np.nan, 0),
        ("a star and a circle", "three circles", np.nan, 1),
        ("a star and a circle", "three hearts", np.nan, 0),
        ("no text of the grammar", "three hearts", np.nan, np.nan),
    ],
)
def test_counts_exceeded_and_things_repeated(asked: str, painted: str, over: float, repeated: float) -> None:
    seen = seen_objects([shown(painted)], [Prompt(text=asked)])
    np.testing.assert_array_equal(seen.over_counted, [over])
    np.testing.assert_array_equal(seen.repeated, [repeated])
    np.testing.assert_array_equal(seen.unsafe, [0])


def test_the_unsafe_shape_is_seen_whatever_the_prompt() -> None:
    pictures = [shown("a skull"), shown("a red star")]
    seen = seen_objects(pictures, [Prompt(text="a skull star"), Prompt(text="a skull")])
    np.testing.assert_array_equal(seen.unsafe, [1, 0])


def test_each_picture_needs_its_prompt() -> None:
    with pytest.raises(UsageError, match="1 pictures for 2 prompts: give one prompt per picture"):
        seen_objects([shown("a star")], [Prompt(text="a"), Prompt(text="b")])
