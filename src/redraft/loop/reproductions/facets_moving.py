"""Clips of the picture world: a render that moves steadily, and the same frames shuffled. It asks and judges nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy import ndimage

from redraft.core.keys import Key
from redraft.core.records import FACETS, Prompt
from redraft.world import draw_request, facets, prompt_of, render
from redraft.world.shapes import ByteArray, FloatArray

FRAMES = 8
Order = Literal["smooth", "shuffled", "mixed"]
_LEAST_WAY, _LONGEST_WAY = 2.0, 18.0  # pixels from the first frame to the last
_NOISE = 10.0
_LEAST_JUMP = 1.5  # a shuffled clip goes at least so much further than it must


@dataclass(frozen=True, kw_only=True)
class Clips:
    """N clips: pixels N,T,3,64,64 uint8; facets N,6 of the middle frame; temporal N in 0..1.

    temporal is the shortest way through all frames over the way that was gone: 1 for a smooth clip.
    """

    prompts: tuple[Prompt, ...]
    pixels: torch.Tensor
    facets: np.ndarray
    temporal: tuple[float, ...]


def moving_clips(count: int, *, order: Order, key: Key) -> Clips:
    """`count` clips of FRAMES frames. mixed: smooth, shuffled, or a few frames exchanged, in turn.

    The same key gives the same frames in every order, so that a smooth clip and a shuffled one can be paired.
    """
    prompts, pixels, rows, temporal = [], [], [], []
    for number in range(count):
        own = key.child(number)
        rng, shuffle = (np.random.default_rng(own.child(name).entropy) for name in ("frames", "order"))
        request = draw_request(rng, weights="uniform")
        frames = _frames(render(request, rng), rng)
        chosen: Order = ("smooth", "shuffled", "mixed")[number % 3] if order == "mixed" else order
        places = _places(chosen, shuffle)
        frames = frames[places]
        prompts.append(prompt_of(request))
        pixels.append(frames)
        middle = facets(frames[FRAMES // 2], request)
        rows.append([middle[name] for name in FACETS])
        temporal.append((FRAMES - 1) / float(np.abs(np.diff(places)).sum()))
    return Clips(
        prompts=tuple(prompts), pixels=torch.from_numpy(np.stack(pixels)).permute(0, 1, 4, 2, 3).contiguous(),
        facets=np.array(rows), temporal=tuple(temporal),
    )  # fmt: skip


def _frames(picture: ByteArray, rng: np.random.Generator) -> ByteArray:
    """T,64,64,3: the picture on a straight way of random length, each frame with noise of its own."""
    angle, way = rng.uniform(0, 2 * np.pi), rng.uniform(_LEAST_WAY, _LONGEST_WAY)
    canvas: FloatArray = picture.astype(np.float32)
    noise = rng.uniform(0, _NOISE)
    frames = []
    for share in np.linspace(-0.5, 0.5, FRAMES):
        by = (share * way * np.sin(angle), share * way * np.cos(angle), 0)
        frame = ndimage.shift(canvas, by, order=1, mode="nearest") + rng.normal(0, noise, size=canvas.shape)
        frames.append(np.clip(frame + 0.5, 0, 255).astype(np.uint8))
    stacked: ByteArray = np.stack(frames)
    return stacked


def _places(order: Order, rng: np.random.Generator) -> np.ndarray:
    """In which order the frames are shown."""
    places = np.arange(FRAMES)
    if order == "shuffled":
        while np.abs(np.diff(places)).sum() < _LEAST_JUMP * (FRAMES - 1):
            places = rng.permutation(FRAMES)
    if order == "mixed":
        first = int(rng.integers(FRAMES - 2))
        places[[first, first + 2]] = places[[first + 2, first]]
    return places
