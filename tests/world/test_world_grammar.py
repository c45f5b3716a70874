"""The grammar's invariants: texts and requests are each other's inverse, and no text leaves the vocabulary."""

import numpy as np
import pytest

from redraft.core.errors import UsageError
from redraft.world import ALL_TASKS, Item, Request, draw_request, parse, prompt_of, text_of, tokens_of, vocabulary
from redraft.world.grammar import MAXIMUM_TOKENS


def test_parse_is_the_inverse_of_text_of_and_texts_stay_in_the_vocabulary(rng: np.random.Generator) -> None:
    words = set(vocabulary())
    for index in range(2000):
        request = draw_request(rng, task=ALL_TASKS[index % 9] if index < 1000 else None)
        for photo in (False, True):
            text = text_of(request, photo=photo)
            assert parse(text) == request, text
            tokens = tokens_of(text)
            assert len(tokens) <= MAXIMUM_TOKENS
            assert words.issuperset(tokens), text


def test_vocabulary_is_small_and_without_repeats() -> None:
    words = vocabulary()
    assert len(words) == len(set(words)) < 80


@pytest.mark.parametrize(
    ("loose", "exact"),
    [
        ("  A RED   star ", "a red star"),
        ("red star", "a red star"),
        ("photo of the red star", "a red star"),
        ("A photo of an orange heart.", "an orange heart"),
        ("a orange heart and the circle", "an orange heart and a circle"),
        ("star Left Of circle", "a star left of a circle"),
        ("a red star labelled tea", 'a red star labelled "TEA"'),
        ("red star woodcut style", "a red star, woodcut style"),
        ("one stars", "one star"),
    ],
)
def test_parse_forgives_case_spaces_articles_and_a_full_stop(loose: str, exact: str) -> None:
    assert text_of(parse(loose)) == exact


@pytest.mark.parametrize(
    "text",
    ["", "a", "a photo of", "a horse", "red", "a star and", "five stars", "a star near a circle",
     "a black star, neon style", 'a star labelled "CAT"', "a star, oil style",
     "a red star left of a circle, with a heart right of", "7 stars", "ünder"],
)  # fmt: skip
def test_parse_names_the_text_the_rule_and_the_way_out(text: str) -> None:
    with pytest.raises(UsageError, match="write it like") as caught:
        parse(text)
    assert repr(text) in str(caught.value)


def test_prompts_carry_task_and_shapes_as_tags() -> None:
    prompt = prompt_of(parse("three red stars"))
    assert prompt.source == "world"
    assert prompt.tags == ("task:counting", "shape:star", "color:red", "count:3")


@pytest.mark.parametrize(
    ("task", "parts"),
    [
        ("two_object", {"items": (Item(shape="star"),)}),
        ("counting", {"items": (Item(shape="star"),), "count": 5}),
        ("colors", {"items": (Item(shape="star"),)}),
        ("style", {"items": (Item(shape="star", color="red"),)}),
        ("position", {"items": (Item(shape="star"), Item(shape="ring"))}),
        ("painting", {"items": (Item(shape="star"),)}),
    ],
)
def test_requests_whose_parts_do_not_fit_cannot_be_made(task: str, parts: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Request(task=task, **parts)  # type: ignore[arg-type]
