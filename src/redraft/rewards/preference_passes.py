"""Which pass of a preference fit is kept: the most accurate one on held-out choices, as far as they can tell.

Some hundred choices tell accuracies apart to a few points only, and the loss, which says by how much each choice was
foreseen, tells more. So among the passes whose accuracy is within one standard error of the highest (the rule of
Breiman, Friedman, Olshen and Stone, Classification and Regression Trees, section 3.4.3) the one with the least loss
is kept. Trains and judges nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

_LEAST_GAIN = 1e-9


class BestPass:
    """The pass to keep, told of one after another. None that is less accurate than the start is ever taken."""

    def __init__(self, start: Mapping[str, float]) -> None:
        """start: held-out loss, and pairs with pair_accuracy or points with point_accuracy, before the first pass."""
        kind = "pair" if "pair_accuracy" in start else "point"
        self._accuracy, self._count = f"{kind}_accuracy", start.get(f"{kind}s", 0.0)
        self._floor = self._top = start.get(self._accuracy, 0.0)
        self.best = start

    def takes(self, found: Mapping[str, float]) -> bool:
        """Whether `found` is better than all before."""
        accuracy = found.get(self._accuracy, 0.0)
        self._top = max(self._top, accuracy)
        error = math.sqrt(self._top * (1 - self._top) / self._count) if self._count else 0.0
        least = max(self._floor, self._top - error) - _LEAST_GAIN
        kept_is_good = self.best.get(self._accuracy, 0.0) >= least
        better = found["loss"] < self.best["loss"] - _LEAST_GAIN or not kept_is_good
        if accuracy >= least and better:
            self.best = found
            return True
        return False
