"""Every method with its recipe of the house: the table of docs/methods. One base, but for soft tokens."""

from __future__ import annotations

from redraft.loop.reproductions.plan import Arm, Reproduction

_METHODS = (
    "sft", "nft", "ddpo", "grpo", "dpo", "d3po", "rsi", "draft-1", "draft-5", "draft-full", "draft-lv", "refl",
    "alignprop",
)  # fmt: skip
# In trials tokens in builtin:sd learned nothing of what guidance does.
_TOKENS, _JOINT_ATTENTION = ("soft_tokens", "softrepa", "agsm"), "builtin:sd3"

REPRODUCTION = Reproduction(
    name="methods",
    title="All methods",
    question="What does each method gain on held-out prompts with its recipe of the house, and at which price?",
    arms=(
        *(Arm(name=method, title=f"`{method}`", method=method, config={}) for method in _METHODS),
        *(
            Arm(name=method, title=f"`{method}`, on sd3", method=method, config={}, model=_JOINT_ATTENTION)
            for method in _TOKENS
        ),
    ),
    claims=(),
    metrics=(("oracle", "oracle accuracy, %"), ("clip-heldout", "unseen scorer"), ("diversity", "diversity, %")),
    shown_in="../methods/README.md",
)
