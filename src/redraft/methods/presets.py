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
}
"""Preset name -> (method, configuration values); the command line takes these names as methods."""
