"""Clarity by rules: does a text say one thing that a text encoder can read? Nothing about detail (see `specificity`).

RSIDiff (arXiv 2502.09963, section 3.2) asks Llama 3 for it; the instructions are not published. These rules stand in
where no language model is given: each fault takes a fixed part off, and the reasons name all of them. They know English
only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from redraft.prompts import vocabulary
from redraft.prompts.cleaning import clean_style_words
from redraft.prompts.judgement import Judgement
from redraft.prompts.wording import words_of

LONGEST_WORDS = 60
"""CLIP reads 77 tokens, about so many words; what stands behind is not painted."""

_TOOL_SYNTAX = re.compile(
    r"--\w+|::|<[^>]*>|\(\([^()]*\)\)|\([^()]*:\s*\d*\.?\d+\s*\)|\{[^{}]*\|[^{}]*\}|:\d+\b(?=\s*(?:,|$))"
)
_ADDRESS = re.compile(r"https?://|www\.|\b[\w.+\-]+@[\w\-]+\.\w+", re.IGNORECASE)
_TALK = re.compile(
    r"^\s*(?:please|can you|could you|i want|i would like|i need|make me|give me|show me|hi|hello)\b", re.IGNORECASE
)
_UNFINISHED = re.compile(r"(?:\b(?:and|or|with|of|the|a|an|in|on|at|by|to|from|for|is)|[&+\-/(])\s*$", re.IGNORECASE)
_CHOICE = re.compile(r"\b(\w+) or (?:an? |the )?(\w+)\b", re.IGNORECASE)
_ONLY_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{5,}")
_NO_NOISE = frozenset({"dslr", "html", "hdri", "rhythm", "rhythms", "hmm", "brrr"})


def judge_clarity(texts: Sequence[str]) -> tuple[Judgement, ...]:
    """One judgement for each text: 1 without faults, less for each one, at least 0."""
    return tuple(_judge(text) for text in texts)


def _judge(text: str) -> Judgement:
    faults = [fault for rule in _RULES for fault in rule(text)]
    score = max(0.0, 1.0 - sum(cost for cost, _ in faults))
    return Judgement(score=round(score, 6), reasons=tuple(reason for _, reason in faults))


Faults = list[tuple[float, str]]


def _names_nothing(text: str) -> Faults:
    """A prompt of praise and names only shows nothing in particular."""
    left = set(words_of(clean_style_words(text).text)) - vocabulary.STOP_WORDS - vocabulary.VAGUE_WORDS
    return [] if any(any(sign.isalpha() for sign in word) for word in left) else [(0.6, "names nothing to be seen")]


def _unreadable(text: str) -> Faults:
    faults: Faults = []
    signs = [sign for sign in text if not sign.isspace()]
    letters = [sign for sign in signs if sign.isalpha()]
    if signs and len(letters) < 0.6 * len(signs):
        faults.append((0.5, f"only {len(letters)} of {len(signs)} signs are letters"))
    other = sum("LATIN" not in unicodedata.name(letter, "") for letter in letters)
    if other > 0.2 * len(letters):
        faults.append((0.6, f"{other} of {len(letters)} letters are not Latin: English text encoders cannot read them"))
    words = words_of(text)
    noise = [w for w in words if _ONLY_CONSONANTS.search(w) and w not in _NO_NOISE]
    if noise and len(noise) >= 0.2 * len(words):
        faults.append((0.6, f"no words of a language: {', '.join(noise[:3])}"))
    return faults


def _ambiguous(text: str) -> Faults:
    faults: Faults = []
    vague = sorted(set(words_of(text)) & vocabulary.VAGUE_WORDS)
    if vague:
        faults.append((min(0.2 * len(vague), 0.6), f"vague: {', '.join(vague)}"))
    choice = _CHOICE.search(text)
    if choice:
        faults.append((0.3, f"leaves a choice: {choice.group()!r}"))
    if _TALK.search(text) or text.rstrip().endswith("?"):
        faults.append((0.3, "speaks to an assistant instead of describing a picture"))
    return faults


def _malformed(text: str) -> Faults:
    faults: Faults = []
    syntax = _TOOL_SYNTAX.search(text)
    if syntax:
        faults.append((0.6, f"syntax of another tool: {syntax.group()!r}"))
    address = _ADDRESS.search(text)
    if address:
        faults.append((0.6, "holds a link or an address"))
    end = _UNFINISHED.search(text.rstrip(" .,;"))
    if end:
        faults.append((0.3, f"breaks off after {end.group().strip()!r}"))
    if any(text.count(first) != text.count(last) for first, last in ("()", "[]", "{}")):
        faults.append((0.3, "has an open bracket"))
    return faults


def _crowded(text: str) -> Faults:
    faults: Faults = []
    words = words_of(text)
    if len(words) > LONGEST_WORDS:
        faults.append((0.3, f"{len(words)} words: a text encoder reads about {LONGEST_WORDS}"))
    if len(words) >= 8 and len(set(words)) < 0.5 * len(words):
        faults.append((0.6, f"repeats itself: {len(set(words))} different words of {len(words)}"))
    return faults


_RULES = (_names_nothing, _unreadable, _ambiguous, _malformed, _crowded)
