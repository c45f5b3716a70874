"""Sizes that reproductions share: how runs are watched while they train, and how all arms are measured afterwards.

Tripwires are off: a reproduction shows where a method ends, not where the house would have stopped it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NO_TRIPWIRES: Mapping[str, Any] = {
    "tolerated_oracle_fall": 1.0, "tolerated_heldout_fall": 1e6, "least_diversity": 0.0, "most_drift": 1e9,
    "most_saturation_rise": 1.0, "most_clipped_rise": 1.0, "most_near_identical_rise": 1.0,
}  # fmt: skip
EXAMINATION: Mapping[str, Any] = {
    "prompts": 384, "tail_prompts": 96, "diversity_prompts": 48, "diversity_pictures": 4, "reference_pictures": 1000,
}  # fmt: skip
PROBES: Mapping[str, Any] = {"prompts": 48, "pictures_per_prompt": 2}
