"""Exact and near duplicates: against the definition by brute force, and on real prompts."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from redraft.core.errors import ConfigError
from redraft.prompts.duplicates import Duplicate, find_duplicates, similarity_of
from redraft.prompts.wording import normalised


def by_definition(texts: list[str], threshold: float) -> dict[int, int]:
    """Every text against every earlier kept one: dropped number -> the most similar, of equals the first."""
    kept: list[int] = []
    found: dict[int, int] = {}
    for number, text in enumerate(texts):
        similar = [
            (1.0 if normalised(text) == normalised(texts[other]) else similarity_of(text, texts[other]), -other)
            for other in kept
        ]
        best = max(similar, default=(0.0, 0))
        if best[0] >= threshold - 1e-9:
            found[number] = -best[1]
        else:
            kept.append(number)
    return found


def test_spelling_makes_no_new_prompt() -> None:
    assert find_duplicates(["A cat, 8 k", "a dog", "a CAT  8k!", "a dog"]) == {
        2: Duplicate(of=0, similarity=1.0, exact=True), 3: Duplicate(of=1, similarity=1.0, exact=True),
    }  # fmt: skip


def test_similarity_by_hand() -> None:
    # Pairs of "a b c": -a ab bc c-; of "a b d": -a ab bd d-: two of six.
    assert similarity_of("a b c", "a b d") == pytest.approx(2 / 6)
    assert similarity_of("a b c", "a b c") == 1
    assert similarity_of("a b", "c d") == 0
    assert similarity_of("a horse left of a man", "a man left of a horse") < 0.6


def test_the_default_lets_one_word_of_24_differ() -> None:
    words = [f"word{number}" for number in range(24)]
    for count, near in ((24, True), (23, False)):
        texts = [" ".join(words[:count]), " ".join([*words[:10], "other", *words[11:count]])]
        assert bool(find_duplicates(texts)) is near


LONG = (
    "a {} dog {} on {} rocks in a tropical jungle with vines and birds while the sun sets over a calm and shining sea"
)


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        (("big", "seated", "old"), ("large", "seated", "old"), True),
        (("red", "seated", "old"), ("blue", "seated", "old"), False),
        (("big", "seated", "two"), ("big", "seated", "three"), False),
        (("big", "seated", "2"), ("big", "seated", "3"), False),
        (("big", "left", "old"), ("big", "right", "old"), False),
        (("big", "not", "old"), ("big", "seated", "old"), False),
    ],
)
def test_a_colour_a_number_a_place_or_a_no_makes_another_picture(
    one: tuple[str, ...], other: tuple[str, ...], near: bool
) -> None:
    found = find_duplicates([LONG.format(*one), LONG.format(*other)], threshold=0.8)
    assert (1 in found) is near


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 0.85, 1.0])
def test_the_prefix_filter_finds_all_that_the_definition_does(threshold: float) -> None:
    generator = np.random.default_rng(0)
    words = ["cat", "dog", "hat", "mat", "sat", "ran", "fast", "slow", "old", "mouse"]
    texts = [" ".join(generator.choice(words, size=generator.integers(1, 9))) for _ in range(250)]
    # Long texts with one or two words changed, which is what near duplicates look like.
    base = " ".join(generator.choice(words, size=25))
    for _ in range(50):
        changed = base.split()
        for place in generator.integers(0, 25, size=2):
            changed[int(place)] = str(generator.choice(words))
        texts.append(" ".join(changed))
    expected = by_definition(texts, threshold)
    found = find_duplicates(texts, threshold=threshold)
    assert set(found) == set(expected)
    assert len(expected) > 5
    kept = set(range(len(texts))) - set(found)
    assert all(duplicate.of in kept for duplicate in found.values())
    assert all(duplicate.of < number for number, duplicate in found.items())


def test_who_repeats_a_near_duplicate_points_to_what_is_kept() -> None:
    first, second = LONG.format("big", "seated", "old"), LONG.format("large", "seated", "old")
    found = find_duplicates([first, second, second.upper()], threshold=0.8)
    assert (found[1].of, found[2].of) == (0, 0)
    assert not found[2].exact
    assert found[1].similarity == found[2].similarity < 1


def test_real_near_duplicates(test_data: Path) -> None:
    texts = [row["prompt"] for row in json.loads((test_data / "imagereward" / "test.json").read_text())]
    found = find_duplicates(texts)
    pairs = [(texts[number], texts[duplicate.of], duplicate) for number, duplicate in found.items()]
    assert sum(duplicate.exact for *_, duplicate in pairs) == 3
    ((one, other, duplicate),) = [pair for pair in pairs if not pair[2].exact]
    assert "biomechanical floral mandala sculpture" in other
    assert "biomechanical floral mandala," in one
    assert 0.85 <= duplicate.similarity < 0.9


def test_twenty_thousand_prompts_take_seconds(test_data: Path) -> None:
    """By brute force these would be 200 million comparisons, some minutes."""
    texts = [row["prompt"] for row in json.loads((test_data / "imagereward" / "test.json").read_text())]
    phrases = np.asarray(sorted({phrase.strip() for text in texts for phrase in text.split(",") if phrase.strip()}))
    generator = np.random.default_rng(1)
    many = [", ".join(row) for row in generator.choice(phrases, size=(20_000, 8))]
    began = time.process_time()
    find_duplicates(many)
    assert time.process_time() - began < 15


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.5])
def test_a_threshold_is_a_similarity(threshold: float) -> None:
    with pytest.raises(ConfigError, match="above 0 and at most 1"):
        find_duplicates(["a", "b"], threshold=threshold)
