"""A method for tests of the training loop whose loss is a formula of one weight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from exact_parts import gaussian, prompts_of

from redraft.core.keys import Key
from redraft.core.protocols import LossContext
from redraft.core.tensors import Examples, Loss, Scored, Weights
from redraft.methods.fit import FitConfig


@dataclass(frozen=True)
class Formula:
    """A method whose loss is a formula of the weight `shift` and of the examples."""

    formula: Callable[[torch.Tensor, Weights, int], torch.Tensor]
    needs: Literal["prompts", "scored", "logged"] = "scored"

    def prepare(self, scored: Scored, *, key: Key) -> Examples:
        raise NotImplementedError

    def loss(self, examples: Examples, *, context: LossContext, key: Key) -> Loss:
        del key
        assert isinstance(examples, Weights)
        value = self.formula(context.backbone.trainable()["shift"], examples, context.step)
        return Loss(value=value, parts={"double": 2 * value.item()})


def numbers(values: list[float]) -> Weights:
    backbone = gaussian()
    latents = torch.tensor(values, dtype=torch.float64).view(-1, 1, 1, 1)
    return Weights(
        latents=latents, conditioning=prompts_of(len(values), backbone).conditioning, weight=torch.ones(len(values))
    )


def quadratic(shift: torch.Tensor, examples: Weights, _step: int) -> torch.Tensor:
    return 0.5 * ((shift - examples.latents) ** 2).mean()


def plain(**options) -> FitConfig:
    return FitConfig(**({"batch_size": 2, "weight_decay": 0.0, "gradient_clip": None} | options))
