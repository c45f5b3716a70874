"""The preprocessing of HPS v2: longest side to the network's size, black to a square, then normalisation. No network.

Unlike CLIP's usual one it keeps the whole picture and resizes tensors, without rounding to 8 bits and without clipping
bicubic's overshoot. For square pictures the two differ by that only.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as functional

from redraft.rewards.pixels import OPENAI_MEAN, OPENAI_STD

PADDED_BOUND = 1.0 / 255
"""Most that the two ways differ before normalisation: half an 8-bit level, times 1.9 at most by bicubic weights."""


@dataclass(frozen=True, kw_only=True)
class PaddedPreprocessing:
    """Longest side to `size` pixels by bicubic resizing of the tensor, black (0) around it, then (x - mean) / std.

    antialias: whether the resizing averages over what it skips. The published code does not say; torchvision did not
    before 0.17 and does since, which moves scores, so the setting is part of the fingerprint.
    """

    size: int
    antialias: bool = True
    mean: tuple[float, float, float] = OPENAI_MEAN
    std: tuple[float, float, float] = OPENAI_STD

    def reference(self, pixels: torch.Tensor) -> torch.Tensor:
        """B,3,H,W in 0..1 to B,3,size,size, from 8-bit values as in a file. No gradient."""
        return self.differentiable((pixels.detach() * 255).round().clamp(0, 255) / 255)

    def differentiable(self, pixels: torch.Tensor) -> torch.Tensor:
        """The same without the rounding to 8 bits, within PADDED_BOUND before normalisation; keeps the gradient."""
        height, width = int(pixels.shape[-2]), int(pixels.shape[-1])
        factor = self.size / max(height, width)
        size = max(1, round(height * factor)), max(1, round(width * factor))
        if size != (height, width):
            pixels = functional.interpolate(pixels, size, mode="bicubic", antialias=self.antialias, align_corners=False)
        down, right = self.size - size[0], self.size - size[1]
        pixels = functional.pad(pixels, (right // 2, right - right // 2, down // 2, down - down // 2))
        mean, std = pixels.new_tensor(self.mean), pixels.new_tensor(self.std)
        return (pixels - mean[:, None, None]) / std[:, None, None]
