"""Names for common configurations of the methods. Not methods themselves, and no place for training-loop options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PRESETS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "draft-1": ("draft", {"last": 1}),
    "draft-5": ("draft", {"last": 5, "checkpointing": True}),
    "draft-full": ("draft", {"last": "all", "checkpointing": True}),
    # n = 2 inner draws is the paper's setting (arXiv 2309.17400, section 4.2).
    "draft-lv": ("draft", {"last": 1, "lv_draws": 2}),
    # One picture of each prompt, the best (arXiv 2304.06767, algorithm 1).
    "raft": ("sft", {"choose": "best_of_n", "keep": 1}),
    # All pictures, weighted by exp(reward / temperature): reward-weighted regression.
    "sft-weighted": ("sft", {"choose": "softmax", "temperature": 0.2}),
    # arXiv 2502.09963: 300 of 5,000 pictures a round, or 1,000 of 13,000 where a person has the last word.
    "rsi-sd14": ("rsi", {"keep": 300}),
    "rsi-sd3": ("rsi", {"keep": 1000}),
    # The published threshold and decay; they fit the authors' own scale of distances only.
    "rsi-published": ("rsi", {"keep": 300, "beta": 35.0, "sigma2": 2.0}),
    # As published: the other captions of the batch are the false ones. SoftREPA's tokens stand in the down stages only.
    "softrepa": ("soft_tokens", {"objective": "softrepa", "negatives": "in_batch"}),
    "agsm": ("soft_tokens", {"objective": "agsm", "negatives": "in_batch"}),
    # At the edge of running away; for Stable Diffusion 3 the paper has gamma_minus 0.1.
    "agsm-published": (
        "soft_tokens",
        {"objective": "agsm", "negatives": "in_batch", "gamma_plus": 1.0, "gamma_minus": 1.0},
    ),
    # Every second round at the four levels of distilled samplers.
    "ddpo-add": ("ddpo", {"few_step": "alternate"}),
    # arXiv 2507.21802: noise in a window of four steps, no KL.
    "grpo-mix": ("grpo", {"window": 4, "kl_coefficient": 0.0}),
}
"""Preset name -> (method, configuration values); the command line takes these names as methods."""
