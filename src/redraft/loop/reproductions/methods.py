"""Every method with its recipe of the house, from the same base: the table of docs/methods."""

from __future__ import annotations

from redraft.loop.reproductions.plan import Arm, Reproduction

_METHODS = (
    "sft", "nft", "ddpo", "grpo", "dpo", "d3po", "rsi", "draft-1", "draft-5", "draft-full", "draft-lv", "refl",
    "alignprop", "softrepa", "agsm",
)  # fmt: skip

REPRODUCTION = Reproduction(
    name="methods",
    title="All methods, one base",
    question="What does each method gain on held-out prompts with its recipe of the house, and at which price?",
    arms=tuple(Arm(name=method, title=f"`{method}`", method=method, config={}) for method in _METHODS),
    claims=(),
    metrics=(("oracle", "oracle accuracy, %"), ("clip-heldout", "unseen scorer"), ("diversity", "diversity, %")),
)
