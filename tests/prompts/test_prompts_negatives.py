"""False captions of free texts: what each rule does and leaves alone, and that a corpus of real prompts survives it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from redraft.core.keys import Key
from redraft.prompts.corpora import read_prompts
from redraft.prompts.negatives import COLOURS, OPPOSITES, false_captions, rewritings

KEY = Key(seed=3)


def by_rule(text: str, rule: str) -> set[str]:
    return {found.text for found in rewritings(text) if found.rule == rule}


def test_numbers_become_near_ones() -> None:
    assert by_rule("Two dogs in a park", "count") == {"Three dogs in a park", "Four dogs in a park"}
    assert by_rule("a table with 5 cups", "count") == {f"a table with {n} cups" for n in (3, 4, 6, 7)}
    assert by_rule("ten men", "count") == {"eight men", "nine men"}
    (first, _) = [found for found in rewritings("two dogs") if found.rule == "count"]
    assert (first.change, first.text) == ("two -> three", "three dogs")


@pytest.mark.parametrize(
    "text",
    [
        "a two-tone car", "a photo at 5 pm", "a 3D model", "one dog", "1.5 litres", "the number 7", "24 cats", "16:9",
        "two of them", "8k", "a $5 note", "a dog", "a three quarters view", "cats on top of each other",
        "a house under a starry night sky",
    ],
)  # fmt: skip
def test_numbers_that_count_nothing_stay(text: str) -> None:
    assert rewritings(text) == ()


def test_colours_become_ones_that_the_text_does_not_name() -> None:
    found = by_rule("a red car and a blue bus", "colour")
    assert found == {f"{article(new)} {new} car and a blue bus" for new in COLOURS if new not in ("red", "blue")} | {
        f"a red car and {article(new)} {new} bus" for new in COLOURS if new not in ("red", "blue")
    }
    assert "A red lamp" in by_rule("An orange lamp", "colour")
    assert by_rule("a peeled orange on a plate", "colour") == set()
    assert by_rule("a black and white photo", "colour") == set()
    assert by_rule("a red-haired woman", "colour") == set()
    assert "The sky is Red, the grass is green" not in by_rule("The sky is blue, the grass is green", "colour")


def article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def test_colours_of_different_things_are_exchanged() -> None:
    assert by_rule("an orange car and a blue bus", "colours exchanged") == {"a blue car and an orange bus"}
    for same in ("a red and blue flag", "a red car and a blue car", "a red car and a red bus", "a red/blue flag"):
        assert by_rule(same, "colours exchanged") == set()


def test_relations_become_their_opposites() -> None:
    assert by_rule("a cup to the left of a fork", "relation") == {"a cup to the right of a fork"}
    assert by_rule("a cup on top of a box", "relation") == {"a cup underneath a box"}
    assert by_rule("Below the moon, a cat in front of a door", "relation") == {
        "Above the moon, a cat in front of a door", "Below the moon, a cat behind a door",
    }  # fmt: skip
    for one, other in OPPOSITES:
        assert by_rule(f"a cat {one} a dog", "relation") == {f"a cat {other} a dog"}
        assert by_rule(f"a cat {other} a dog", "relation") == {f"a cat {one} a dog"}
    assert rewritings("a cat next to a dog, right now") == ()


def test_rules_take_turns_and_the_key_decides() -> None:
    text = "two red cats left of a blue dog"
    rules = [found.rule for found in false_captions(text, count=5, key=KEY)]
    assert sorted(rules[:4]) == ["colour", "colours exchanged", "count", "relation"]
    assert false_captions(text, count=5, key=KEY) == false_captions(text, count=5, key=KEY)
    assert len({false_captions(text, count=5, key=KEY.child(index)) for index in range(8)}) > 2
    assert len(false_captions(text, count=1000, key=KEY)) == len(rewritings(text))
    assert false_captions("a dog", count=3, key=KEY) == ()


def test_real_prompts(test_data: Path) -> None:
    """PartiPrompts: every rewriting is new and says what it did; most prompts have none, and none is made up."""
    prompts = read_prompts(test_data / "partiprompts" / "PartiPrompts.tsv")
    rules: Counter[str] = Counter()
    for prompt in prompts:
        found = rewritings(prompt.text)
        assert len({prompt.text, *(each.text for each in found)}) == len(found) + 1
        for each in found:
            for change in each.change.split(", "):
                old, new = change.split(" -> ")
                assert old in prompt.text
                assert new in each.text
        rules.update({each.rule for each in found})
    assert len(prompts) == 1632
    assert set(rules) == {"count", "colour", "colours exchanged", "relation"}
    assert 100 < rules["colour"] < 800
    assert 50 < rules["count"] < 400
    assert 50 < rules["relation"] < 400
