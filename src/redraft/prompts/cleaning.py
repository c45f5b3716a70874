"""Toxic prompts named, biased style words taken out, the style told. Drops nothing: that is for `pipeline` to do.

Crawled prompts repeat artists, web sites and praise by the thousand, and a model that trains on them learns those.
HPD v2 (arXiv 2306.09341) had ChatGPT rewrite such prompts and sort them into styles; here rules do both, so that every
change can be read. They know English only, and no names of real people.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from redraft.core.errors import UsageError
from redraft.core.records import Prompt
from redraft.prompts import vocabulary
from redraft.prompts.wording import normalised

Style = Literal["animation", "concept-art", "painting", "photo", "other"]
STYLES: tuple[Style, ...] = get_args(Style)
MOST_UNSAFE = 0.4
"""A corpus's own probability that a prompt is unsafe (tag `nsfw:P`) above which it is dropped; HPD v2 takes 0.4."""

_LONGEST_TERM = 5
_SPACE = r"[\s\-]*"
_PHRASE_END = re.compile(r"([,;|\n]+|[.!?]+(?=\s|$))")


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """A text without biased style words, and what was taken out, in order."""

    text: str
    removed: tuple[str, ...] = ()


def toxic_terms(prompt: Prompt, *, more: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Why the prompt is toxic: terms of the list or of `more` (normal form), or its corpus's own mark; else nothing.

    Whole words only, so "Scunthorpe" and "grapes" are none. Slurs are told by hash and reported as "a slur". Raises
    UsageError for a mark that is no probability.
    """
    words = normalised(prompt.text).split()
    found: dict[str, None] = {}
    for start in range(len(words)):
        for length in range(1, min(_LONGEST_TERM, len(words) - start) + 1):
            term = " ".join(words[start : start + length])
            if term in _TOXIC or term in more:
                found[term] = None
            elif length == 1 and hash_word(term.removesuffix("s")) in vocabulary.HASHED_SLURS:
                found["a slur"] = None
    unsafe = _mark_of(prompt)
    if unsafe > MOST_UNSAFE:
        found[f"marked unsafe by its corpus ({unsafe:.2f})"] = None
    return tuple(found)


def _mark_of(prompt: Prompt) -> float:
    """The probability of the tag `nsfw:P`; 0 without one. Raises UsageError for one that is no probability."""
    mark = prompt.tag("nsfw")
    try:
        unsafe = 0.0 if mark is None else float(mark)
    except ValueError:
        unsafe = math.nan
    if not 0 <= unsafe <= 1:
        raise UsageError(
            f"the prompt {prompt.text[:60]!r} of {prompt.source!r} has the tag 'nsfw:{mark}': it is a probability from "
            "0 to 1; mend or remove the tag"
        )
    return unsafe


def hash_word(word: str) -> str:
    """The form in which a slur stands in the vocabulary."""
    return hashlib.blake2b(word.encode(), digest_size=8).hexdigest()


def style_of(text: str) -> tuple[Style, tuple[str, ...]]:
    """The style that most terms of the text speak for, and those terms; "other" when none does.

    A longer term hides the shorter ones in it. Of styles with equally many terms the one named first wins.
    """
    found: dict[str, list[tuple[int, str]]] = {}
    for match in _style_pattern().finditer(normalised(text)):
        found.setdefault(_STYLE_OF_TERM[match.group()], []).append((match.start(), match.group()))
    if not found:
        return "other", ()
    best = min(found, key=lambda style: (-len({term for _, term in found[style]}), found[style][0][0]))
    terms = tuple(dict.fromkeys(term for _, term in found[best]))
    return next(style for style in STYLES if style == best), terms


def clean_style_words(text: str) -> Cleaned:
    """The text without artists, web sites, praise, resolutions and renderer names; the medium ("oil on canvas") stays.

    Phrases that held nothing else go altogether. Cleaning what is clean changes nothing. The result is empty when the
    text was made of nothing else.
    """
    removed: list[str] = []
    left = text
    while True:
        parts = ((_clean_phrase(phrase, removed), sign) for phrase, sign in _phrases_with_signs(left))
        after = _tidy(" ".join(phrase + sign for phrase, sign in parts if phrase))
        if not removed:
            return Cleaned(text=" ".join(text.split()))
        if after == left:
            return Cleaned(text=after, removed=tuple(removed))
        left = after


def _phrases_with_signs(text: str) -> list[tuple[str, str]]:
    """Each phrase with the sign that ends it; the end of a line counts as a comma."""
    parts = [*_PHRASE_END.split(text), ""]
    return [(phrase.strip(), sign.strip() or ",") for phrase, sign in zip(parts[::2], parts[1::2], strict=True)]


def _clean_phrase(phrase: str, removed: list[str]) -> str:
    """What is left of a phrase, or nothing if only connecting words are; appends what was taken out."""
    found: list[str] = []

    def take(match: re.Match[str]) -> str:
        found.append(" ".join(match.group().split()))
        return " "

    rest = phrase
    for pattern in _biased_patterns():
        rest = pattern.sub(take, rest)
    if not found:
        return phrase
    removed.extend(found)
    rest = re.sub(r"\b([Aa])n?\s{2,}(?=([a-z]))", _article, rest)
    rest = re.sub(r"^\W*(?:(?:and|by|in|on|of|or|with)\b\W*)+|(?:\W+(?:and|by|in|on|of|or|with|the|a))+\W*$", "", rest)
    left = set(normalised(rest).split())
    return "" if left <= _CONNECTING else rest.strip(" -&+:/")


def _article(match: re.Match[str]) -> str:
    """ "an" and "a" before what now follows: "an award winning photo" becomes "a photo"."""
    return f"{match.group(1)}{'n' if match.group(2) in 'aeiou' else ''} "


def _tidy(text: str) -> str:
    text = re.sub(r"\(\s*\)|\[\s*\]|\{\s*\}", " ", text)
    text = re.sub(r"\s+([,;.!?])", r"\1", " ".join(text.split()))
    return re.sub(r"([,;|])(?:\s*[,;|])+", r"\1", text).strip(" ,;|")


_CONNECTING = vocabulary.STOP_WORDS | {
    "art", "arts", "artwork", "style", "styles", "work", "works", "trending", "featured", "render", "rendered",
    "quality", "design", "designed",
}  # fmt: skip
_TOXIC = frozenset(vocabulary.TOXIC_TERMS)
_STYLE_OF_TERM = {term: style for style, terms in vocabulary.STYLE_WORDS.items() for term in terms}
# After "by" these begin a place, a time or a means, not a name.
_NO_NAME = (
    "a|an|the|his|her|its|their|my|our|your|this|that|each|one|two|three|night|day|dawn|dusk|moonlight|sunlight|"
    "candlelight|candle|fire|firelight|water|sea|river|lake|road|side|hand|itself|himself|herself|some|any|many|dozens|"
    "hundreds|thousands|nature|light|lightning|train|car|boat|bus|foot"
)
# "concept art by NAME" loses the name and keeps the medium.
_CREDIT = (
    r"(?:(?:(?<!concept )(?<!digital )(?<!fantasy )(?<!vector )(?<!pixel )art|artwork|style|styled|drawn|illustrated|"
    r"designed|directed|made|created)\s+)?by"
)


@lru_cache(maxsize=1)
def _biased_patterns() -> tuple[re.Pattern[str], ...]:
    """In this order: names after a credit, known names, sites with what leads to them, praise."""
    artists, sites = _any_of(vocabulary.ARTISTS), _any_of(vocabulary.SITES)
    in_style = r"(?:(?:art\s+)?in\s+the\s+style\s+of|in\s+style\s+of|style\s+of|inspired\s+by|" + _CREDIT + ")"
    capitalised = r"[A-Z][\w.'’\-]*(?:\s+(?:[A-Z][\w.'’\-]*|van|von|de|da|der|le|la))*\s+[A-Z][\w.'’\-]*"
    degree = rf"(?:(?:{'|'.join(vocabulary.DEGREES)}){_SPACE})"
    return (
        # Lower-case names are told from places only where a whole phrase is a credit: ", by james jean,".
        re.compile(rf"^\s*(?i:{in_style})\s+(?!(?i:{_NO_NAME})\b)(?!(?i:in|of)\b)\w[\w.'’\-]*(?:\s+[\w.'’&\-]+){{1,8}}\s*$"),
        re.compile(rf"\b(?i:{in_style})\s+{capitalised}(?:\s+(?:and|&)\s+{capitalised})*"),
        re.compile(rf"\b(?:{in_style}\s+)?(?:(?:and|&)\s+)?(?:{artists})\b(?:['’]s)?", re.IGNORECASE),
        re.compile(rf"\b(?:(?:trending|featured|popular|top|hot)\s+(?:on|in|at)\s+|(?:from|on)\s+)?(?:{sites})(?:\.com)?"
                   r"(?:\s+(?:hd|hq|trending|contest winner|winner))?\b", re.IGNORECASE),
        re.compile(rf"\b{degree}*(?:{_any_of(vocabulary.PRAISE)})\b", re.IGNORECASE),
        re.compile(rf"^\s*(?:{_any_of(vocabulary.PRAISE_ALONE)})\s*$", re.IGNORECASE),
        re.compile(rf"\b{degree}+detail(?:ed|s)?\b", re.IGNORECASE),
    )  # fmt: skip


@lru_cache(maxsize=1)
def _style_pattern() -> re.Pattern[str]:
    terms = sorted(_STYLE_OF_TERM, key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(re.escape(term) for term in terms)})\b")


def _any_of(terms: Iterable[str]) -> str:
    """The terms as they may be typed: with hyphens, dots or several spaces; the longest first."""
    longest_first: Sequence[str] = sorted(terms, key=len, reverse=True)
    return "|".join(
        re.sub(r"^(\d+)k$", r"\1\\s*k", r"[\s.\-]+".join(re.escape(word) for word in term.split()))
        for term in longest_first
    )
