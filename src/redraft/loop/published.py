"""The loops around published presets of methods: numbers of pictures, steps and rounds as their papers have them.

Not the house's recipes, which are measured on the built-in models: these are for models of the papers' size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# arXiv 2502.09963. 5,000 prompts a round, disjoint; 300 pictures kept; 30 epochs of batches of 12 are 750 steps.
_RSI_SD14: Mapping[str, Any] = {
    "rounds": 8,
    "collect": {"prompts": 5000, "pictures_per_prompt": 1, "disjoint": True},
    "adapter": {"kind": "full"},
    "fit": {
        "steps": 750, "batch_size": 12, "learning_rate": 1e-6, "ema_decay": 0.0, "save_every": 150,
        "fresh_optimizer": True,
    },
    "probes": {"every": 750},
}  # fmt: skip
# The same paper's second model: 13,000 pictures a round, of which people kept 1,000. The batch is that of the first.
_RSI_SD3: Mapping[str, Any] = {
    "rounds": 3,
    "collect": {"prompts": 13000, "pictures_per_prompt": 1, "disjoint": True},
    "adapter": {"kind": "lora"},
    "fit": {
        "steps": 2000, "batch_size": 12, "learning_rate": 1e-6, "ema_decay": 0.0, "save_every": 200,
        "fresh_optimizer": True,
    },
    "probes": {"every": 1000},
}  # fmt: skip
PUBLISHED: Mapping[str, Mapping[str, Any]] = {"rsi-sd14": _RSI_SD14, "rsi-sd3": _RSI_SD3, "rsi-published": _RSI_SD14}
"""Preset name -> options of the run, which take the place of the house's recipe."""
