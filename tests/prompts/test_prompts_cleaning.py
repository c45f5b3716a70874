"""Toxic terms, biased style words and styles: on made-up cases, the published samples, and real prompts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rsidiff_samples import SAMPLES

from redraft.core.errors import UsageError
from redraft.core.records import Prompt
from redraft.prompts import vocabulary
from redraft.prompts.cleaning import clean_style_words, hash_word, style_of, toxic_terms
from redraft.prompts.corpora import read_prompts
from redraft.prompts.wording import normalised


def crawled(test_data: Path) -> list[str]:
    """Prompts of DiffusionDB's users, through ImageReward."""
    return [row["prompt"] for row in json.loads((test_data / "imagereward" / "test.json").read_text())]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a cat, trending on artstation", "a cat"),
        ("a cat, highly detailed, 8 k, hd", "a cat"),
        ("a cat by Greg Rutkowski and Alphonse Mucha", "a cat"),
        ("a cat, art by artgerm and greg rutkowski and alphonse mucha, oil on canvas", "a cat, oil on canvas"),
        ("a cat, by some unknown painter, at night", "a cat, by some unknown painter, at night"),
        ("a cat, by jane doe, at night", "a cat, at night"),
        ("portrait of a king by Alexandre Cabanel", "portrait of a king"),
        ("an award winning photo of a dog", "a photo of a dog"),
        ("a digital concept art by artgerm", "a digital concept art"),
        ("a cat in the style of a woodcut", "a cat in the style of a woodcut"),
        ("masterpiece, best quality", ""),
        ("A cat. Octane render. On a mat.", "A cat. On a mat."),
    ],
)
def test_style_words_go_and_the_picture_stays(text: str, clean: str) -> None:
    assert clean_style_words(text).text == clean


@pytest.mark.parametrize(
    "text",
    [
        "a house by the sea", "standing by a river", "a castle surrounded by dozens of planets", "lit by candles",
        "a room with floral wallpaper", "a detailed map on the wall", "a man passing by night", "oil on canvas",
        "two cats and a dog", "a sign that says 'by' and 'of'", "a stunning view, by the lake", "by nature wild",
    ],
)  # fmt: skip
def test_words_that_describe_are_left(text: str) -> None:
    cleaned = clean_style_words(text)
    assert (cleaned.text, cleaned.removed) == (text, ())


def test_what_is_removed_is_told() -> None:
    cleaned = clean_style_words(SAMPLES[7])
    assert cleaned.text == "Portrait of a vampire woman staring into a mirror, realistic, cgi, hyper - realistic render"
    assert cleaned.removed == (
        "8 k", "extremely detailed", "trending on artstation", "4 k", "hd wallpaper", "premium prints available",
        "by greg rutkowski",
    )  # fmt: skip


def test_cleaning_crawled_prompts_is_final_and_adds_no_word(test_data: Path) -> None:
    changed = 0
    for text in (*crawled(test_data), *SAMPLES):
        cleaned = clean_style_words(text)
        again = clean_style_words(cleaned.text)
        assert (again.text, again.removed) == (cleaned.text, ())
        # "an" may become "a": nothing else is new.
        assert set(normalised(cleaned.text).split()) <= set(normalised(text).split()) | {"a", "an"}
        assert "rutkowski" not in cleaned.text.lower()
        assert "artstation" not in cleaned.text.lower()
        changed += bool(cleaned.removed)
    # 246 of the kept ones when the rules were written; a band against rules that stop working or run wild.
    assert 0.4 < changed / len(crawled(test_data)) < 0.7


def test_captions_of_photographs_are_left(test_data: Path) -> None:
    """COCO captions carry no style words, so nothing but white space may change."""
    for prompt in read_prompts(test_data / "hpsv2-photo" / "hps_v2_all.txt"):
        assert clean_style_words(prompt.text).removed == ()
        assert normalised(clean_style_words(prompt.text).text) == normalised(prompt.text)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("a NUDE woman", ("nude",)),
        ("Ku-Klux-Klan rally", ("ku klux klan",)),
        ("a dead  body in a forest, gore", ("dead body", "gore")),
        ("grapes in Scunthorpe, Essex, on a cockpit", ()),
        ("a bloody mary, a blood orange", ()),
    ],
)
def test_toxic_terms_are_whole_words(text: str, terms: tuple[str, ...]) -> None:
    assert toxic_terms(Prompt(text=text)) == terms


def test_ones_own_toxic_terms_and_the_marks_of_a_corpus() -> None:
    assert toxic_terms(Prompt(text="a picture of Foo Bar"), more=frozenset({"foo bar"})) == ("foo bar",)
    assert toxic_terms(Prompt(text="a cat", tags=("nsfw:0.9",))) == ("marked unsafe by its corpus (0.90)",)
    assert toxic_terms(Prompt(text="a cat", tags=("nsfw:0.4",))) == ()


@pytest.mark.parametrize("mark", ["high", "nan", "1.5", ""])
def test_a_mark_that_is_no_probability_is_not_passed_over(mark: str) -> None:
    with pytest.raises(
        UsageError, match=f"'a cat' of 'mine' has the tag 'nsfw:{mark}': it is a probability from 0 to 1"
    ):
        toxic_terms(Prompt(text="a cat", tags=(f"nsfw:{mark}",), source="mine"))


def test_slurs_are_told_without_being_written(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(vocabulary.HASHED_SLURS) >= 10
    assert all(len(entry) == 16 for entry in vocabulary.HASHED_SLURS)
    monkeypatch.setattr(vocabulary, "HASHED_SLURS", frozenset({hash_word("blorp")}))
    assert toxic_terms(Prompt(text="two Blorps on a hill")) == ("a slur",)
    assert toxic_terms(Prompt(text="blorpy hill")) == ()


@pytest.mark.parametrize(
    "name", ["partiprompts/PartiPrompts.tsv", "hpsv2-photo/hps_v2_all.txt", "t2i-compbench/spatial.txt"]
)
def test_benchmarks_hold_nothing_toxic(test_data: Path, name: str) -> None:
    """Benchmarks of harmless scenes: a hit here would be a false alarm. (Says nothing about what is missed.)"""
    assert [prompt.text for prompt in read_prompts(test_data / name) if toxic_terms(prompt)] == []


@pytest.mark.parametrize(
    ("text", "style", "terms"),
    [
        ("a photo of a bench", "photo", ("photo",)),
        ("a digital painting of a bench", "concept-art", ("digital painting",)),
        ("an oil painting of a bench", "painting", ("oil painting",)),
        ("a bench, anime style, studio ghibli", "animation", ("anime style", "studio ghibli")),
        ("a bench", "other", ()),
        ("a painterly photographer", "other", ()),
        ("watercolour, concept art", "painting", ("watercolour",)),  # one each: the first wins
        ("watercolour, concept art, 3 d render", "concept-art", ("concept art", "3d render")),
    ],
)
def test_the_style_is_what_most_terms_say(text: str, style: str, terms: tuple[str, ...]) -> None:
    assert style_of(text) == (style, terms)


def test_styles_of_the_published_samples() -> None:
    """By their words eight are concept art; the ninth names a matte oil painting before its concept art."""
    assert [style_of(text)[0] for text in SAMPLES] == ["concept-art"] * 8 + ["painting"]
