"""A reproduction made smaller or larger: sizes times a factor. Learning rates, groups and batches stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redraft.core.errors import UsageError

SMALLEST: Mapping[str, Mapping[str, int]] = {
    "fit": {"steps": 2, "save_every": 1},
    "collect": {"prompts": 4},
    "ratings": {"prompts": 24},
    "examine": {"prompts": 12, "tail_prompts": 6, "diversity_prompts": 6, "reference_pictures": 16},
    "probes": {"every": 1, "prompts": 12},
}
"""What the factor applies to, and the least each may become; what is 0 stays 0."""
EVEN = ("collect",)
"""Tables whose sizes stay even, so that groups still fill whole batches."""


def scaled(config: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """The resolved configuration of a run with all sizes times `factor`; sizes that are given only.

    Raises UsageError for a factor that is not above 0.
    """
    if not factor > 0:
        raise UsageError(f"--scale {factor:g}: give a factor above 0, such as 0.1 for a tenth of all sizes")
    if factor == 1:
        return dict(config)
    result = dict(config)
    for table, sizes in SMALLEST.items():
        values = dict(config.get(table, {}))
        for name, least in sizes.items():
            if values.get(name):
                size = max(least, round(values[name] * factor))
                values[name] = size + size % 2 if table in EVEN else size
        if values:
            result[table] = values
    return result
