"""False captions of free texts by rules: another number, another colour, two colours exchanged, the opposite relation.

Not a language model: it rewrites words that it knows, where their use is plain, says which rule it used, and gives
nothing when no rule applies. For texts of the picture world `world.negatives` knows more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, get_args

from redraft.core.keys import Key

Rule = Literal["count", "colour", "colours exchanged", "relation"]

NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white")
OPPOSITES = (
    ("left of", "right of"),
    ("left side of", "right side of"),
    ("on the left", "on the right"),
    ("above", "below"),
    ("on the top of", "on the bottom of"),
    ("on top of", "underneath"),
    ("in front of", "behind"),
    ("inside", "outside"),
    ("in the foreground", "in the background"),
)
LARGEST_CHANGE = 2
"""Numbers change by at most this much: a picture of two is told from one of ten too easily to teach counting."""

_RELATIONS = {one: other for pair in OPPOSITES for one, other in (pair, pair[::-1])}
_RELATIONS |= {"under": "on top of", "beneath": "on top of"}
# After these no thing is named: "two of", "10 am", "an orange on a plate".
_NO_THING = frozenset(
    (
        "a", "am", "an", "and", "are", "as", "at", "but", "by", "for", "from", "in", "is", "it", "of", "off", "on",
        "or", "out", "pm", "quarter", "quarters", "s", "that", "the", "to", "was", "were", "with",
    )
)  # fmt: skip


def _words(known: Sequence[str]) -> str:
    return rf"(?<![\w-])(?:{'|'.join(sorted(known, key=len, reverse=True))})(?![\w-])"


# "two-tone", "3D", "1.5", "16:9", "24" and "$5" count nothing.
_NUMBER = re.compile(rf"(?<![\w.,:/#$-])(?:{'|'.join(NUMBERS)}|[2-9]|10)(?=\s)", re.IGNORECASE)
_COLOUR = re.compile(_words(COLOURS), re.IGNORECASE)
# "on top of each other" has no opposite.
_RELATION = re.compile(_words(list(_RELATIONS)) + r"(?!\s+(?:each other|one another))", re.IGNORECASE)
# "Under a blue night sky" says no place.
_NO_PLACE = re.compile(r"(?:\s+\w+){0,5}?\s+(?:sky|skies|sun|moon|moonlight|stars|rain|construction)\b", re.IGNORECASE)
# "black and white" names a technique, and "a red and blue flag" stays true when its colours change places.
_JOINED_COLOURS = re.compile(rf"{_words(COLOURS)}(?:\s*[,&/]\s*|\s+(?:and|or)\s+){_words(COLOURS)}", re.IGNORECASE)
_NEXT_WORD = re.compile(r"\s+(\w+)")
_ARTICLE = re.compile(r"\ban?(?=\s+$)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class FalseCaption:
    """A text that says something else in one thing: by which rule, and what changed ("three -> two")."""

    text: str
    rule: Rule
    change: str


@dataclass(frozen=True, kw_only=True)
class _Edit:
    """Words to put in place of text[start:end]."""

    start: int
    end: int
    words: str


def false_captions(text: str, *, count: int, key: Key) -> tuple[FalseCaption, ...]:
    """Up to `count` different false captions of a text, in an order drawn from `key`, the rules taking turns."""
    every = rewritings(text)
    queues = []
    for rule in get_args(Rule):
        of_rule = [found for found in every if found.rule == rule]
        queues.append([of_rule[place] for place in key.child(rule).permutation(len(of_rule)).tolist()])
    longest = max(map(len, queues))
    return tuple(queue[turn] for turn in range(longest) for queue in queues if turn < len(queue))[:count]


def rewritings(text: str) -> tuple[FalseCaption, ...]:
    """Every false caption that the rules give, rule by rule; () when none applies."""
    found: dict[str, FalseCaption] = {}
    for rule, edits in (*_counts(text), *_colours(text), *_exchanges(text), *_relations(text)):
        changed = text
        for edit in sorted(edits, key=lambda each: -each.start):
            changed = _with_article(changed[: edit.start], edit.words) + edit.words + changed[edit.end :]
        change = ", ".join(f"{text[edit.start : edit.end]} -> {edit.words}" for edit in edits)
        found.setdefault(changed, FalseCaption(text=changed, rule=rule, change=change))
    return tuple(found.values())


_Changes = Iterator[tuple[Rule, tuple[_Edit, ...]]]


def _counts(text: str) -> _Changes:
    """Every number of things from two to ten becomes one that is near it; "one" would change the noun too."""
    for match in _NUMBER.finditer(text):
        if _thing_after(text, match.end()) is None:
            continue
        digits, word = match[0].isdigit(), match[0].lower()
        value = int(word) if digits else NUMBERS.index(word) + 2
        for other in range(max(2, value - LARGEST_CHANGE), min(10, value + LARGEST_CHANGE) + 1):
            if other != value:
                yield "count", (_edit(match, str(other) if digits else NUMBERS[other - 2]),)


def _colours(text: str) -> _Changes:
    """Every colour becomes one that the text does not name."""
    named = {match[0].lower() for match in _COLOUR.finditer(text)}
    for match in _plain_colours(text):
        for colour in COLOURS:
            if colour not in named:
                yield "colour", (_edit(match, colour),)


def _exchanges(text: str) -> _Changes:
    """Two colours of different things change places."""
    joined = [match.span() for match in _JOINED_COLOURS.finditer(text)]
    colours = [
        match for match in _plain_colours(text) if not any(start <= match.start() < end for start, end in joined)
    ]
    for first, second in combinations(colours, 2):
        things = _thing_after(text, first.end()), _thing_after(text, second.end())
        if None not in things and things[0] != things[1] and first[0].lower() != second[0].lower():
            yield "colours exchanged", (_edit(first, second[0].lower()), _edit(second, first[0].lower()))


def _relations(text: str) -> _Changes:
    """Every relation becomes its opposite."""
    for match in _RELATION.finditer(text):
        if match[0].lower() in ("under", "beneath") and _NO_PLACE.match(text, match.end()):
            continue
        yield "relation", (_edit(match, _RELATIONS[match[0].lower()]),)


def _plain_colours(text: str) -> Iterator[re.Match[str]]:
    """Colours but for "black and white" (a technique) and "orange" where it may be the fruit."""
    techniques = [
        match.span() for match in _JOINED_COLOURS.finditer(text) if {"black", "white"} <= set(match[0].lower().split())
    ]
    for match in _COLOUR.finditer(text):
        technique = any(start <= match.start() < end for start, end in techniques)
        fruit = match[0].lower() == "orange" and _thing_after(text, match.end()) is None
        if not technique and not fruit:
            yield match


def _thing_after(text: str, place: int) -> str | None:
    """The word after a place, unless it begins something else."""
    match = _NEXT_WORD.match(text, place)
    word = None if match is None else match[1].lower()
    return None if word in _NO_THING else word


def _edit(match: re.Match[str], words: str) -> _Edit:
    """`words` in place of a match, with a capital where the match has one."""
    return _Edit(start=match.start(), end=match.end(), words=words.capitalize() if match[0][0].isupper() else words)


def _with_article(before: str, words: str) -> str:
    """The text before new words, its last "a" or "an" as they ask for."""
    article = "an" if words[0].lower() in "aeiou" else "a"
    return _ARTICLE.sub(lambda match: article.capitalize() if match[0][0] == "A" else article, before)
