"""From what was wrong with a picture to words that are added to its prompt. Judges no picture and asks no model.

For the second pass of self-critique: a term of the confidence that failed names a facet, and a facet has words for the
prompt and for its negative text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from redraft.core.errors import UsageError
from redraft.core.records import Prompt
from redraft.world import parse

WORDS: Mapping[str, tuple[str, str]] = {
    "semantics": ("exactly as described", "missing objects, wrong objects"),
    "subject_detail": ("finely detailed subject", "blurry subject"),
    "background_detail": ("detailed background", "empty background"),
    "coherence": ("coherent, right proportions", "deformed, disconnected parts"),
    "aesthetics": ("beautiful composition, harmonious colours", "ugly, dull colours"),
    "safety": ("", "unsafe, violent, explicit"),
}
"""What a failed facet adds to a prompt, and to its negative text."""
_FACET_OF = {"accuracy": "semantics", "aesthetic": "aesthetics", "unsafe": "safety"}


def rewritten(prompt: Prompt, failed: Sequence[str]) -> Prompt:
    """The prompt with words against the terms that failed. Prompts of the picture world have no other words: kept."""
    if _of_the_world(prompt):
        return prompt
    # A similarity (clip, or a fitted reward) says how well a picture fits its text.
    facets = dict.fromkeys(name if name in WORDS else _FACET_OF.get(name, "semantics") for name in failed)
    more = [prompt.text, *(WORDS[facet][0] for facet in facets)]
    less = [prompt.negative_text, *(WORDS[facet][1] for facet in facets)]
    return replace(prompt, text=", ".join(filter(None, more)), negative_text=", ".join(filter(None, less)))


def _of_the_world(prompt: Prompt) -> bool:
    try:
        parse(prompt.text)
    except UsageError:
        return False
    return True
