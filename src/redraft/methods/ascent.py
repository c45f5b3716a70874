"""Adam, upwards, for the few tensors that a method at inference looks for. Weights are trained in `fit` only."""

from __future__ import annotations

import torch

_DECAYS = (0.9, 0.999)
_SMALLEST = 1e-8


class Ascent:
    """Adam (Kingma and Ba, arXiv 1412.6980) as a function from slopes to moves; each element has its own moments."""

    def __init__(self, *, learning_rate: float) -> None:
        self._learning_rate, self._moves = learning_rate, 0
        self._first = self._second = torch.zeros(())

    def move(self, slope: torch.Tensor) -> torch.Tensor:
        """What to add, given the slope at the present place; the same shape at every call."""
        self._moves += 1
        self._first = _DECAYS[0] * self._first + (1 - _DECAYS[0]) * slope
        self._second = _DECAYS[1] * self._second + (1 - _DECAYS[1]) * slope.square()
        mean = self._first / (1 - _DECAYS[0] ** self._moves)
        size = (self._second / (1 - _DECAYS[1] ** self._moves)).sqrt()
        return self._learning_rate * mean / (size + _SMALLEST)
