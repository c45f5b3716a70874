"""Specificity by rules: how much of the picture does a text determine? Nothing about how clearly (see `clarity`).

RSIDiff (arXiv 2502.09963, section 3.2) asks Llama 3 for "detailed attributes and contexts". Where no language model is
given, these rules count them: things, attributes, settings, light and medium, each up to its part; praise is
not counted.
"""

from __future__ import annotations

from collections.abc import Sequence

from redraft.prompts import vocabulary
from redraft.prompts.cleaning import clean_style_words, style_of
from redraft.prompts.judgement import Judgement
from redraft.prompts.wording import normalised, words_of

PER_THING, MOST_THINGS = 0.07, 0.49
PER_ATTRIBUTE, MOST_ATTRIBUTES = 0.08, 0.16
PER_SETTING, MOST_SETTINGS = 0.08, 0.16
LIGHT, MEDIUM = 0.10, 0.09
"""The parts of the score; together they make 1."""


def judge_specificity(texts: Sequence[str]) -> tuple[Judgement, ...]:
    """One judgement for each text: 0 for a text that determines nothing, 1 when every part is full."""
    return tuple(_judge(text) for text in texts)


def _judge(text: str) -> Judgement:
    style, terms = style_of(text)
    words = words_of(clean_style_words(text).text)
    medium = {word for term in vocabulary.STYLE_WORDS.get(style, ()) for word in term.split()}
    things = list(dict.fromkeys(word for word in words if _is_thing(word) and word not in medium))
    attributes = list(dict.fromkeys(word for word in words if word in vocabulary.ATTRIBUTES))
    settings = [word for word in words if word in vocabulary.SETTING_WORDS]
    light = list(dict.fromkeys(word for word in words if word in vocabulary.LIGHT_WORDS))
    parts = (
        (min(PER_THING * len(things), MOST_THINGS), "words that describe", things),
        (min(PER_ATTRIBUTE * len(attributes), MOST_ATTRIBUTES), "attributes", attributes),
        (min(PER_SETTING * len(settings), MOST_SETTINGS), "relations and places", settings),
        (LIGHT if light else 0.0, "light and framing", light),
        (MEDIUM if terms else 0.0, "medium", [normalised(term) for term in terms]),
    )
    reasons = tuple(f"{name}: {', '.join(found[:8]) or 'none'} (+{part:.2f})" for part, name, found in parts)
    return Judgement(score=min(1.0, round(sum(part for part, _, _ in parts), 6)), reasons=reasons)


def _is_thing(word: str) -> bool:
    known = vocabulary.STOP_WORDS | vocabulary.VAGUE_WORDS | vocabulary.SETTING_WORDS
    return len(word) > 1 and any(sign.isalpha() for sign in word) and word not in known
