"""The normal form of a text, and the split that hangs on it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from redraft.core.errors import ConfigError
from redraft.prompts.corpora import read_prompts
from redraft.prompts.splits import fraction_of, split_of
from redraft.prompts.wording import normalised, words_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A  red STAR.", "a red star"),
        ("hyper - realistic, 8 k", "Hyper-realistic 8k"),
        ("3 d render", "3d render"),
        ("the cat's hat", "the cat’s hat"),
        ("ﬁne line", "fine line"),  # a ligature
        ("café", "cafe\u0301"),  # composed or not
        ("STRASSE", "straße"),
    ],
)
def test_spellings_of_one_text_are_one(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)
    assert split_of(one, held_out=0.5) == split_of(other, held_out=0.5)


def test_different_texts_stay_different() -> None:
    texts = [
        "a cat",
        "a cat hat",
        "😀",
        "😎",
        "?",
        "!",
        "हिन्दी",
        "हन्द",
        "काला",
        "कला",
        "cafe",
        "café",
        "2 cats",
        "3 cats",
    ]
    assert len({normalised(text) for text in texts}) == len(texts)


def test_normalising_twice_changes_nothing(test_data: Path) -> None:
    texts = [prompt.text for prompt in read_prompts(test_data / "partiprompts" / "PartiPrompts.tsv")]
    texts += ["İstanbul", "ŉ", "😀 ?", "8  K", "``a``", "\u1e9e"]
    for text in texts:
        assert normalised(normalised(text)) == normalised(text)


def test_words() -> None:
    assert words_of("A cat's 4 k hat!") == ["a", "cats", "4k", "hat"]
    assert words_of(" ") == []


PINNED = 0.796583539512637


def test_the_split_is_pinned() -> None:
    """Fractions of the published form: a change would move people's held-out prompts into their training sets."""
    assert fraction_of("a red star") == pytest.approx(PINNED, abs=1e-15)
    assert split_of("A red  star!", held_out=math.nextafter(PINNED, 1)) == "held-out"
    assert split_of("A red  star!", held_out=PINNED) == "train"


def test_the_split_is_uniform_and_nested(test_data: Path) -> None:
    texts = [prompt.text for prompt in read_prompts(test_data / "partiprompts" / "PartiPrompts.tsv")]
    fractions = sorted(fraction_of(text) for text in texts)
    # Kolmogorov-Smirnov at the 0.1 % level: 1.95 / sqrt(n); the hash is fixed, so this cannot flake.
    gap = max(abs(place / len(fractions) - value) for place, value in enumerate(fractions))
    assert gap < 1.95 / math.sqrt(len(fractions))
    held_out = [{text for text in texts if split_of(text, held_out=share) == "held-out"} for share in (0, 0.1, 0.5, 1)]
    assert held_out[0] < held_out[1] < held_out[2] < held_out[3] == set(texts)


def test_adding_prompts_moves_none() -> None:
    few = {f"prompt number {number}": split_of(f"prompt number {number}", held_out=0.3) for number in range(50)}
    many = {f"prompt number {number}": split_of(f"prompt number {number}", held_out=0.3) for number in range(500)}
    assert few.items() <= many.items()
    assert set(few.values()) == {"train", "held-out"}


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_is_between_none_and_all(share: float) -> None:
    with pytest.raises(ConfigError, match="it is a share of all prompts, from 0 to 1"):
        split_of("a cat", held_out=share)
