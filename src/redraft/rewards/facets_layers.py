"""Parts that the networks of facet heads share: drawn weights, standardised inputs, dropping with a key. No network."""

from __future__ import annotations

import math

import torch
from torch import nn

from redraft.core.keys import Key

_LIMIT = 6.0  # standard deviations beyond which an input says no more
_LEAST_SPREAD = 1e-4


def draw_weights(network: nn.Module, key: Key) -> None:
    """Kaiming's normal weights for all but biases and the output, which begin at 0, in place."""
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith("bias") or name.startswith("output"):
                value.zero_()
            else:
                inputs = math.prod(value.shape[1:])
                value.copy_(key.child(name).normal(value.shape) * math.sqrt(1 / inputs))


def add_standard(network: nn.Module, name: str, size: int) -> None:
    """Buffers `name`_mean and `name`_std of inputs of this size, which change nothing yet."""
    network.register_buffer(f"{name}_mean", torch.zeros(size))
    network.register_buffer(f"{name}_std", torch.ones(size))


def keep_standard(network: nn.Module, name: str, values: torch.Tensor) -> None:
    """Take mean and spread of values B,C or B,C,H,W, by channel."""
    over = (0, *range(2, values.ndim))
    network.get_buffer(f"{name}_mean").copy_(values.mean(over))
    network.get_buffer(f"{name}_std").copy_(values.std(over).clamp(min=_LEAST_SPREAD))


def standardised(network: nn.Module, name: str, values: torch.Tensor) -> torch.Tensor:
    """Values B,C or B,C,H,W with mean 0 and spread 1 by what was kept, within some deviations."""
    shape = (-1, *[1] * (values.ndim - 2))
    mean, spread = network.get_buffer(f"{name}_mean").view(shape), network.get_buffer(f"{name}_std").view(shape)
    return ((values - mean) / spread).clamp(-_LIMIT, _LIMIT)


def dropped(values: torch.Tensor, name: str, key: Key | None, *, share: float) -> torch.Tensor:
    """Values with whole channels (of maps) or single numbers dropped, the others scaled up; key None drops nothing."""
    if key is None or share == 0:
        return values
    shape = values.shape[:2]
    kept = (key.child(name).uniform(shape) >= share).to(values) / (1 - share)
    return values * (kept[..., None, None] if values.ndim == 4 else kept)
