"""Small heads on CLIP features: linear, or with one hidden layer. They neither score pictures nor fit themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from redraft.core.errors import DamagedError
from redraft.core.keys import Key
from redraft.rewards.head_files import HeadEntry, Inputs, Output

_LEAST_SPREAD = 1e-4


def head_inputs(image: torch.Tensor, text: torch.Tensor | None, *, inputs: Inputs) -> torch.Tensor:
    """What heads read: the image features B,D, or for "alignment" [image, text, product, cosine]: B,3D+1.

    Features have length 1; in the product they are scaled by D, so that its entries are about as large.
    """
    if inputs == "image" or text is None:
        return image
    product = image * text.to(image.dtype)
    return torch.cat(
        [image, text.to(image.dtype), product * math.sqrt(image.shape[-1]), product.sum(-1, keepdim=True)], -1
    )


def input_width(dimension: int, *, inputs: Inputs) -> int:
    """How many numbers `head_inputs` gives for features of width `dimension`."""
    return dimension if inputs == "image" else 3 * dimension + 1


class FeatureHeads(torch.nn.Module):
    """K independent heads on F numbers. No weight is shared between heads, so one without ratings stays as it began.

    Inputs are standardised by the buffers `mean` and `std`. weight: K,F or, with a hidden layer of H, K,H after
    hidden_weight K,F,H and tanh; bias: K.
    """

    weight: torch.nn.Parameter
    bias: torch.nn.Parameter
    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, width: int, heads: Sequence[HeadEntry], *, hidden: int = 0, key: Key | None = None) -> None:
        """Linear heads begin at 0; with a hidden layer, weights are drawn from `key` (0 without one, to load)."""
        super().__init__()
        count = len(heads)
        self.entries, self.width, self.hidden = tuple(heads), width, hidden
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(width))
        if hidden:
            first, last = torch.zeros(count, width, hidden), torch.zeros(count, hidden)
            if key is not None:
                first = key.child("hidden").normal(first.shape) / math.sqrt(width)
                last = key.child("output").normal(last.shape) / math.sqrt(hidden)
            self.hidden_weight = torch.nn.Parameter(first)
            self.hidden_bias = torch.nn.Parameter(torch.zeros(count, hidden))
            self.weight = torch.nn.Parameter(last)
        else:
            self.weight = torch.nn.Parameter(torch.zeros(count, width))
        self.bias = torch.nn.Parameter(torch.zeros(count))
        self.register_buffer(
            "_is_probability", torch.tensor([e.output == "probability" for e in heads]), persistent=False
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the K heads."""
        return tuple(entry.name for entry in self.entries)

    def standardise(self, features: torch.Tensor) -> None:
        """Take mean and standard deviation of the inputs from features N,F."""
        self.mean.copy_(features.mean(0))
        self.std.copy_(features.std(0, correction=0).clamp(min=_LEAST_SPREAD))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Raw outputs B,K of features B,F: values, and logits of probabilities."""
        inputs = (features - self.mean.to(features.dtype)) / self.std.to(features.dtype)
        weight, bias = self.weight.to(inputs.dtype), self.bias.to(inputs.dtype)
        if not self.hidden:
            return inputs @ weight.T + bias
        first, first_bias = self.hidden_weight.to(inputs.dtype), self.hidden_bias.to(inputs.dtype)
        middle = torch.tanh(torch.einsum("bf,kfh->bkh", inputs, first) + first_bias)
        return (middle * weight).sum(-1) + bias

    def predict(self, features: torch.Tensor) -> torch.Tensor:
        """B,K: values as they are, probabilities in 0..1."""
        return self.outputs_of(self(features))

    def outputs_of(self, raw: torch.Tensor) -> torch.Tensor:
        """Raw outputs B,K to values and probabilities."""
        return torch.where(self._is_probability, torch.sigmoid(raw), raw)  # type: ignore[arg-type]

    def penalty(self, rated: torch.Tensor) -> torch.Tensor:
        """Sum of squared weights, biases excepted, of the heads that have ratings (`rated` K, bool)."""
        square = self.weight.square().sum(1)
        if self.hidden:
            square = square + self.hidden_weight.square().sum((1, 2))
        return (square * rated).sum()


def load_feature_heads(
    tensors: Mapping[str, torch.Tensor], heads: Sequence[HeadEntry], *, width: int, hidden: int, source: str
) -> FeatureHeads:
    """Heads with the stored weights, frozen. Raises DamagedError when names or shapes do not fit the card."""
    module = FeatureHeads(width, heads, hidden=hidden)
    expected = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    if expected != found:
        raise DamagedError(
            f"{source} holds {found} where its card asks for {expected}: the files are of two fits, or the features "
            "have another width; fit or fetch them again"
        )
    module.load_state_dict(dict(tensors))
    return module.requires_grad_(False).eval()


def entries(names: Sequence[str], output: Output) -> tuple[HeadEntry, ...]:
    """One entry for each name, all with the same kind of output."""
    return tuple(HeadEntry(name=name, output=output) for name in names)
