"""Hard false captions: no picture of the request satisfies them, each is one change away, and none comes twice."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from redraft.core.errors import UsageError
from redraft.world import Request, parse, read, text_of, verify_reading
from redraft.world.negatives import hard_negatives


def texts(text: str, count: int, *, seed: int = 0) -> list[str]:
    found = hard_negatives(parse(text), np.random.default_rng(seed), count=count)
    return [text_of(request) for request in found]


def test_no_picture_of_a_request_satisfies_its_false_captions(
    sample: list[tuple[Request, NDArray[np.uint8]]], rng: np.random.Generator
) -> None:
    """600 pictures of all nine tasks, seven false captions each, judged by the oracle."""
    for request, picture in sample:
        reading = read(picture)
        assert verify_reading(reading, request).correct
        false = hard_negatives(request, rng, count=7)
        assert len(set(false)) == 7
        assert [text_of(each) for each in false if verify_reading(reading, each).correct] == []
        assert all(parse(text_of(each)) == each for each in false)


@pytest.mark.parametrize(
    ("text", "hard"),
    [
        ("three stars", {"one star", "two stars", "four stars"}),
        ("a star", {"two stars", "three stars", "four stars"}),
        ("a star left of a circle", {"a star right of a circle"}),
        ("a star left of a star", set()),
        ("a red star left of a star", set()),
        ("a star and a circle", set()),
    ],
)
def test_the_hard_ones_come_first_and_are_all_there_is(text: str, hard: set[str]) -> None:
    for seed in range(5):
        found = texts(text, len(hard) + 3, seed=seed)
        assert set(found[: len(hard)]) == hard
        # then another shape, the rest kept
        assert all(parse(each).task == parse(text).task for each in found[len(hard) :])


def test_colours_change_one_at_a_time_or_are_exchanged() -> None:
    found = texts("a red star and a blue circle", 13)
    assert "a blue star and a red circle" in found
    assert len([each for each in found if each.endswith("and a blue circle")]) == 6
    assert len([each for each in found if each.startswith("a red star and a")]) == 6
    # the colour of the second star is open, so it may be any
    assert all(parse(each).items[0].color == "red" for each in texts("a red star and a star", 7))
    assert not any("black" in each for each in texts("a red star, neon style", 15))


def test_counts_and_colours_take_turns() -> None:
    for seed in range(4):
        kinds = [parse(each).task for each in texts("a red star", 6, seed=seed)]
        assert sorted(kinds[:2]) == sorted(kinds[2:4]) == sorted(kinds[4:]) == ["colors", "counting"]


def test_a_scene_turns_one_relation_the_other_or_both() -> None:
    text = "a red star left of a blue circle, with a pink heart above"
    # five other colours for each of three objects, and three turns of the relations
    relations = {tuple(relation.kind for relation in parse(each).relations) for each in texts(text, 18)}
    assert relations == {
        ("left of", "above", "above"), ("right of", "above", "above"), ("left of", "below", "below"),
        ("right of", "below", "below"),
    }  # fmt: skip


def test_the_generator_decides() -> None:
    assert texts("two red stars", 4, seed=1) == texts("two red stars", 4, seed=1)
    assert len({tuple(texts("two red stars", 4, seed=seed)) for seed in range(10)}) > 3
    assert texts("a star", 0) == []


def test_too_many_are_refused() -> None:
    # three other counts and seven other shapes
    assert len(texts("a star", 10)) == 10
    with pytest.raises(UsageError, match=r"11 false captions of one picture: this request has 10 .*ask for fewer"):
        texts("a star", 11)
