"""How renders are worn for the second part of CLIP's training: moved, bent, blurred, noisy, with lumps of paint.

What is drawn where is worn along. The strengths are known, so that CLIP can be asked for them. No model, no caption.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray

from redraft.world.shapes import PALETTE
from scripts.builtin_models.scenes import SIDE, THINGS

_LEAST_LEFT = 0.6  # of a thing after moving, for the caption still to be true
_BENT, _LUMPED = 0.4, 0.3  # shares of pictures
_KNOTS = 5  # of the grid whose random steps bend a picture
_COVERED = 0.35  # of the paint below a lump, from which on the pixel belongs to it
_PAINTS = torch.tensor([list(paint) for paint in PALETTE.values()]).float() / 255


def moved(
    pixels: NDArray[np.uint8], things: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
    """Most pictures a few pixels aside, some so far that things are cut; whole N: none has lost too much."""
    shifted, left = np.empty_like(pixels), np.zeros_like(things)
    for row, coin in enumerate(rng.random(len(pixels))):
        most = 0 if coin < 0.2 else 6 if coin < 0.8 else 16
        down, right = (int(by) for by in rng.integers(-most, most + 1, 2))
        to = slice(max(down, 0), SIDE + min(down, 0)), slice(max(right, 0), SIDE + min(right, 0))
        source = slice(max(-down, 0), SIDE - max(down, 0)), slice(max(-right, 0), SIDE - max(right, 0))
        shifted[row] = pixels[row, 0, 0]
        shifted[row][to], left[row][to] = pixels[row][source], things[row][source]
    return shifted, left, still_whole(things, left)


def still_whole(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """N: whether every thing of N,64,64 but strays has kept most of its pixels."""
    counts = [np.stack([(each == thing).sum((1, 2)) for thing in range(1, THINGS)]) for each in (before, after)]
    found: NDArray[np.bool_] = (counts[1] >= _LEAST_LEFT * counts[0]).all(0)
    return found


def bent(
    pixels: torch.Tensor, things: NDArray[np.uint8], generator: torch.Generator
) -> tuple[torch.Tensor, NDArray[np.uint8], torch.Tensor, torch.Tensor]:
    """Some of N,3,64,64 bent as if on rubber; with things N,64,64; pixels aside N,P by patch; strength N in pixels."""
    count = len(pixels)
    chosen = torch.rand(count, generator=generator) < _BENT
    strength = (torch.rand(count, generator=generator) * 3.5 + 0.3) * chosen
    knots = torch.randn(count, 2, _KNOTS, _KNOTS, generator=generator)
    aside = functional.interpolate(knots, size=SIDE, mode="bicubic", align_corners=True) * strength[:, None, None, None]
    line = torch.arange(SIDE).float()
    place = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)[None]
    grid = (place + aside.permute(0, 2, 3, 1) + 0.5) / (SIDE / 2) - 1
    moved_pixels = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    layer = torch.from_numpy(things)[:, None].float()
    moved_things = functional.grid_sample(layer, grid, mode="nearest", padding_mode="border", align_corners=False)[:, 0]
    pixels = torch.where(chosen[:, None, None, None], moved_pixels, pixels)
    result = np.where(chosen[:, None, None].numpy(), moved_things.numpy().astype(np.uint8), things)
    return pixels, result, functional.avg_pool2d(aside.norm(dim=1, keepdim=True), 8).flatten(1), strength


def lumped(
    pixels: torch.Tensor, things: NDArray[np.uint8], generator: torch.Generator
) -> tuple[torch.Tensor, NDArray[np.uint8]]:
    """Some of N,3,64,64 with a soft lump of one or two paints that is nothing, with things N,64,64."""
    rows = (torch.rand(len(pixels), generator=generator) < _LUMPED).nonzero().flatten()
    count = len(rows)
    if not count:
        return pixels, things

    def coarse(side: int) -> torch.Tensor:
        knots = torch.randn(count, 1, side, side, generator=generator)
        return functional.interpolate(knots, size=SIDE, mode="bicubic")

    def coins(*shape: int) -> torch.Tensor:
        return torch.rand(count, *shape, generator=generator)

    line = torch.arange(SIDE).float()
    place = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1)[None]
    centre, radius = coins(1, 1, 2) * 48 + 8, coins(1, 1) * 9 + 5
    distance = (place - centre).norm(dim=-1) / radius
    cover = torch.sigmoid((1 - distance + 0.5 * coarse(9)[:, 0]) / (coins(1, 1) * 0.5 + 0.05))
    cover = cover * (0.5 + 0.5 * coins(1, 1))
    mixing = torch.sigmoid(3 * coarse(4)) * (coins(1, 1, 1) < 0.5)
    first, second = (
        _PAINTS[torch.randint(len(_PAINTS), (count,), generator=generator)][..., None, None] for _ in range(2)
    )
    paint = first * (1 - mixing) + second * mixing
    pixels, things = pixels.clone(), things.copy()
    pixels[rows] = pixels[rows] * (1 - cover[:, None]) + paint * cover[:, None]
    chosen = rows.numpy()
    things[chosen] = np.where(cover.numpy() > _COVERED, THINGS, things[chosen])
    return pixels, things


def blurred(pixels: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """N,3,64,64 blurred and noisy, and wear N,2: deviations of the blur in pixels and of the noise."""
    count = len(pixels)
    coins = torch.rand(5, count, generator=generator)
    blur = torch.where(coins[0] < 0.75, 0.05 + 0.9 * coins[1], 0.8 + 1.2 * coins[1])
    blur = torch.where(coins[2] < 0.2, 0.05, blur)
    noise = 0.05 * coins[3] * (coins[4] < 0.7)
    taps = torch.exp(-torch.arange(-4, 5).float().square() / (2 * blur[:, None].square()))
    taps = (taps / taps.sum(1, keepdim=True)).repeat_interleave(3, 0)
    flat = functional.pad(pixels.reshape(1, -1, SIDE, SIDE), (4,) * 4, mode="replicate")
    flat = functional.conv2d(flat, taps[:, None, :, None], groups=flat.shape[1])
    flat = functional.conv2d(flat, taps[:, None, None, :], groups=flat.shape[1]).reshape(pixels.shape)
    grain = noise[:, None, None, None] * torch.randn(flat.shape, generator=generator)
    return (flat + grain).clamp(0, 1), torch.stack([blur, noise], -1)


def brightened(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """N,3,64,64 each channel up to a twentieth brighter or darker."""
    gain = 1 + (torch.rand((len(pixels), 3, 1, 1), generator=generator) - 0.5) * 0.1
    return (pixels * gain).clamp(0, 1)
