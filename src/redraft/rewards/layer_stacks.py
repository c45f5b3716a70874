"""Stacks of linear layers as released reward heads have them: read, checked, and folded where nothing lies between.

They are evaluated only; dropout, which trains them, does nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as functional

from redraft.core.errors import UsageError


class LayerStack:
    """Linear layers one after the other, the last with one output; with ReLU between them or with nothing.

    Without anything between them they are one vector and a bias, and are evaluated as that. Float32.
    """

    def __init__(self, layers: Sequence[tuple[torch.Tensor, torch.Tensor]], *, relu: bool, source: str) -> None:
        """layers: weight OUT,IN and bias OUT of each. Raises UsageError when they do not follow on each other."""
        for number, ((weight, bias), (following, _)) in enumerate(zip(layers, [*layers[1:], layers[-1]], strict=True)):
            last = number == len(layers) - 1
            if (
                weight.ndim != 2
                or bias.shape != weight.shape[:1]
                or weight.shape[0] != (1 if last else following.shape[-1])
            ):
                raise UsageError(
                    f"{source}: layer {number} has a weight of {tuple(weight.shape)} and a bias of "
                    f"{tuple(bias.shape)}, which does not lead to "
                    f"{'one score' if last else tuple(following.shape)}: give the file as released"
                )
        self.layers = tuple((weight.float(), bias.float()) for weight, bias in layers)
        self.relu = relu
        self.width = int(layers[0][0].shape[1])
        self.folded: tuple[torch.Tensor, torch.Tensor] | None = None if relu else self._folded()

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """B from features B,width; differentiable."""
        if self.folded is None:
            return self.unfolded(features)
        vector, constant = self.folded
        return features @ vector.to(features) + constant.to(features)

    def unfolded(self, features: torch.Tensor) -> torch.Tensor:
        """The same, layer by layer."""
        for number, (weight, bias) in enumerate(self.layers):
            if self.relu and number:
                features = functional.relu(features)
            features = functional.linear(features, weight.to(features), bias.to(features))
        return features[:, 0]

    def tensors(self) -> Mapping[str, torch.Tensor]:
        """All weights by name, for a fingerprint."""
        return {f"{n}.{part}": pair[i] for n, pair in enumerate(self.layers) for i, part in enumerate(("w", "b"))}

    def _folded(self) -> tuple[torch.Tensor, torch.Tensor]:
        vector, constant = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
        for weight, bias in reversed(self.layers):
            constant = constant + vector @ bias.double()
            vector = vector @ weight.double()
        return vector[0].float(), constant[0].float()


def stack_names(numbers: Sequence[int], *, prefix: str) -> list[str]:
    """Names of the weights of layers with these numbers: `{prefix}{number}.weight` and `.bias`."""
    return [f"{prefix}{number}.{part}" for number in numbers for part in ("weight", "bias")]


def stack_of(
    state: Mapping[str, torch.Tensor], numbers: Sequence[int], *, prefix: str, relu: bool, source: str
) -> LayerStack:
    """The stack of these layers of a state dict that has them. Raises UsageError as LayerStack."""
    pairs = [(state[f"{prefix}{number}.weight"], state[f"{prefix}{number}.bias"]) for number in numbers]
    return LayerStack(pairs, relu=relu, source=source)
