"""What the training loop says and hears: a step's log, answers to it, the result. No training here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch

from redraft.core.tensors import Parameters
from redraft.methods.fit_state import FitState


@dataclass(frozen=True, kw_only=True)
class StepLog:
    """One finished optimizer step, counted from 1. `averaged` are the live averaged weights: clone what you keep."""

    step: int
    loss: float
    parts: Mapping[str, float]
    gradient_norm: float
    learning_rate: float
    averaged: Parameters


@dataclass(frozen=True, kw_only=True)
class Keep:
    """Answer of `on_step`: remember the present averaged weights as the best so far."""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Answer of `on_step`: stop training now; the result is the weights of `best_step`.

    `best_step` is the last step marked with `Keep`, the first step of all (0) if none was, or the present step.
    """

    reason: str
    best_step: int


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """What training gave: `parameters` to use (averaged, or the kept ones after a stop), and the state to go on from.

    The backbone itself is left with the raw trained weights, `state.policy`. The log's `averaged` are empty.
    """

    state: FitState
    log: tuple[StepLog, ...]
    parameters: Parameters
    stop: Stop | None


class Processes(Protocol):
    """What of `accelerate.Accelerator` is used here."""

    @property
    def num_processes(self) -> int:
        """How many processes train together."""
        ...

    @property
    def process_index(self) -> int:
        """Which of them this is, from 0."""
        ...

    def reduce(self, tensor: torch.Tensor, reduction: str = "sum") -> torch.Tensor:
        """The sum or mean of the processes' tensors."""
        ...
