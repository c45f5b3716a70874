"""The house's recipes: which options `improve` uses for a method when the user says nothing. Measured, see docs/.

Not the methods' own defaults, which are those of their papers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BLACK_BOX: Mapping[str, Any] = {
    "rounds": 3,
    "collect": {"prompts": 120, "pictures_per_prompt": 8},
    "fit": {"steps": 90, "batch_size": 64, "learning_rate": 5e-4, "ema_decay": 0.9, "save_every": 45},
    "probes": {"every": 90},
}
_GRADIENT: Mapping[str, Any] = {
    "rounds": 1,
    "collect": {"prompts": 256},
    "fit": {"steps": 60, "batch_size": 16, "learning_rate": 1e-4, "ema_decay": 0.9, "save_every": 20},
    "probes": {"every": 20},
}
_OF_METHOD: Mapping[str, Mapping[str, Any]] = {
    "nft": _BLACK_BOX,
    "sft": {**_BLACK_BOX, "methods": {"sft": {"choose": "correct", "threshold": 0.5, "keep": 4}}},
    "draft": _GRADIENT,
}


def recipe_for(model: str, method: str) -> Mapping[str, Any]:
    """Options for a method (or a preset of one) on a model; empty for a method of a plug-in."""
    del model
    family = method.split("-")[0]
    return _OF_METHOD.get(method, _OF_METHOD.get(family, {}))
