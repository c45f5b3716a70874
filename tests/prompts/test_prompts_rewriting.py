"""What was wrong becomes words of the prompt, for the second pass of self-critique."""

from __future__ import annotations

from redraft.core.records import FACETS, Prompt
from redraft.prompts.rewriting import WORDS, rewritten


def test_failed_facets_become_words() -> None:
    assert set(WORDS) == set(FACETS)
    prompt = Prompt(text="my cat on a sofa", negative_text="dogs", tags=("style:photo",), source="me")
    changed = rewritten(prompt, ("coherence", "accuracy", "semantics", "safety"))
    assert changed.text == "my cat on a sofa, coherent, right proportions, exactly as described"
    assert changed.negative_text == (
        "dogs, deformed, disconnected parts, missing objects, wrong objects, unsafe, violent, explicit"
    )
    assert (changed.tags, changed.source) == (prompt.tags, prompt.source)
    # Any similarity speaks of how the picture fits its text.
    assert rewritten(prompt, ("clip",)) == rewritten(prompt, ("semantics",))
    # The three terms of the studio's confidence.
    assert rewritten(prompt, ("aesthetic",)) == rewritten(prompt, ("aesthetics",))
    assert rewritten(prompt, ("unsafe",)) == rewritten(prompt, ("safety",))
    # The picture world's models know no other words than its own.
    assert rewritten(Prompt(text="a red star"), ("semantics",)) == Prompt(text="a red star")
