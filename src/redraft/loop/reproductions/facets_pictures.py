"""Pictures for the study of facets: renders with the faults that painters have, and pictures that a model painted.

Their true facets are measured by the oracle. It asks nobody and fits nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from redraft.core.keys import Key
from redraft.core.records import FACETS, Prompt
from redraft.loop.painting import paint
from redraft.world import (
    UNSAFE_SHAPE,
    Request,
    corrupt_request,
    draw_prompts,
    draw_request,
    facets,
    parse,
    prompt_of,
    render,
)
from redraft.world.shapes import SIDE, ByteArray, FloatArray

WRONG, OTHER, UNSAFE = 0.2, 0.3, 0.15
"""Share of renders with one wrong thing, of those of another prompt, and of those with the unsafe shape in them."""
MISPLACED, CUT, STRAYED, BLURRED, NOISY = 0.5, 0.08, 0.4, 0.6, 0.5
"""Share of renders moved within the frame, moved out of it, with stray strokes, blurred, noisy: each by itself."""
SETTINGS = ((1, 1.0), (2, 1.0), (3, 1.0), (4, 2.0), (8, 1.0), (8, 2.0))
"""(steps, guidance) in which pictures are painted: from hardly begun to as good as this model gets."""
BATCH = 64
_BLUR, _NOISE, _SHIFT = 2.0, 8.0, 16
_GROUND = 30.0  # RGB distance below which a pixel is ground
_STROKES = 3
_TRIES = 20


@dataclass(frozen=True, kw_only=True)
class TruePictures:
    """N pictures with what is true of them: pixels N,3,64,64 uint8; facets N,6 in 0..1, in the order of `FACETS`.

    painted N: by a model; the others are renders.
    """

    prompts: tuple[Prompt, ...]
    pixels: torch.Tensor
    facets: torch.Tensor
    painted: torch.Tensor

    def __len__(self) -> int:
        return len(self.prompts)

    def take(self, rows: torch.Tensor) -> TruePictures:
        """The rows given."""
        return TruePictures(
            prompts=tuple(self.prompts[row] for row in rows.tolist()), pixels=self.pixels[rows],
            facets=self.facets[rows], painted=self.painted[rows],
        )  # fmt: skip


def mixed_pictures(backbone: Any, count: int, *, key: Key) -> TruePictures:
    """`count` pictures of as many prompts, half rendered and half painted by `backbone`, in random order."""
    rendered = rendered_pictures(count - count // 2, key=key.child("rendered"))
    painted = painted_pictures(backbone, count // 2, key=key.child("painted"))
    both = TruePictures(
        prompts=(*rendered.prompts, *painted.prompts), pixels=torch.cat([rendered.pixels, painted.pixels]),
        facets=torch.cat([rendered.facets, painted.facets]), painted=torch.cat([rendered.painted, painted.painted]),
    )  # fmt: skip
    return both.take(key.child("order").permutation(count))


def rendered_pictures(count: int, *, key: Key) -> TruePictures:
    """A render for each of `count` prompts, which may be wrong, unsafe, moved, blurred or noisy."""
    rng = np.random.default_rng(key.entropy)
    prompts, pictures = [], []
    for _ in range(count):
        request = draw_request(rng, weights="zipf")
        prompts.append(prompt_of(request))
        pictures.append(_worn(render(_painted(request, rng), rng), rng))
    return _measured(tuple(prompts), np.stack(pictures), painted=False)


def painted_pictures(backbone: Any, count: int, *, key: Key) -> TruePictures:
    """One picture for each of `count` prompts by a model, in SETTINGS in turn. Raises what painting raises."""
    rng = np.random.default_rng(key.entropy)
    drawn = draw_prompts(rng, count, weights="zipf")
    prompts = [drawn[row] for row in rng.permutation(count)]
    pictures: list[ByteArray] = []
    order: list[Prompt] = []
    for number, (steps, guidance) in enumerate(SETTINGS):
        asked = prompts[number :: len(SETTINGS)]
        if not asked:
            continue
        recipe = backbone.default_recipe(steps=steps, guidance_scale=guidance)
        painted = paint(backbone, asked, recipe=recipe, key=key.child("noise", number), batch=BATCH)
        pictures.append(painted.pixels.permute(0, 2, 3, 1).numpy())
        order += asked
    return _measured(tuple(order), np.concatenate(pictures), painted=True)


def _measured(prompts: Sequence[Prompt], pictures: ByteArray, *, painted: bool) -> TruePictures:
    """Pictures N,64,64,3 with what the oracle finds."""
    rows = [facets(picture, parse(prompt.text)) for picture, prompt in zip(pictures, prompts, strict=True)]
    return TruePictures(
        prompts=tuple(prompts),
        pixels=torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous(),
        facets=torch.tensor([[row[name] for name in FACETS] for row in rows]),
        painted=torch.full((len(prompts),), painted),
    )


def _painted(request: Request, rng: np.random.Generator) -> Request:
    """What is painted when `request` was asked for."""
    coin = rng.random()
    if coin < WRONG:
        request = corrupt_request(request, rng)
    elif coin < WRONG + OTHER:
        request = draw_request(rng, weights="zipf")
    if rng.random() < UNSAFE:
        index = int(rng.integers(len(request.items)))
        thing = replace(request.items[index], shape=UNSAFE_SHAPE)
        request = replace(request, items=(*request.items[:index], thing, *request.items[index + 1 :]))
    return request


def _worn(picture: ByteArray, rng: np.random.Generator) -> ByteArray:
    """The picture with the faults of a bad painter."""
    ground = np.median(picture.reshape(-1, 3), axis=0)
    canvas: FloatArray = picture.astype(np.float32)
    if rng.random() < MISPLACED:
        canvas = moved(canvas, _within(canvas, rng, ground), ground)
    if rng.random() < CUT:
        canvas = moved(canvas, rng.integers(-_SHIFT, _SHIFT + 1, size=2), ground)
    if rng.random() < STRAYED:
        canvas = _strayed(canvas, rng, ground)
    if rng.random() < BLURRED:
        sigma = rng.uniform(0.3, _BLUR)
        canvas = ndimage.gaussian_filter(canvas, (sigma, sigma, 0))
    if rng.random() < NOISY:
        canvas = canvas + rng.normal(0, rng.uniform(1, _NOISE), size=canvas.shape).astype(canvas.dtype)
    worn: ByteArray = np.clip(canvas + 0.5, 0, 255).astype(np.uint8)
    return worn


def moved(canvas: FloatArray, by: NDArray[np.integer[Any]], ground: NDArray[np.floating[Any]]) -> FloatArray:
    """Moved down and right by whole pixels; what leaves the frame is lost, what is uncovered is ground."""
    result: FloatArray = np.empty_like(canvas)
    result[:] = ground
    down, right = (int(part) for part in by)
    to = slice(max(down, 0), SIDE + min(down, 0)), slice(max(right, 0), SIDE + min(right, 0))
    source = slice(max(-down, 0), SIDE - max(down, 0)), slice(max(-right, 0), SIDE - max(right, 0))
    result[to] = canvas[source]
    return result


def _within(canvas: FloatArray, rng: np.random.Generator, ground: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Pixels down and right by which all that is painted can be moved without being cut."""
    covered = np.linalg.norm(canvas - ground, axis=2) > _GROUND
    if not covered.any():
        return np.zeros(2, dtype=np.int64)
    rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
    low = np.array([1 - rows[0], 1 - columns[0]])
    high = np.array([SIDE - 2 - rows[-1], SIDE - 2 - columns[-1]])
    return np.array([rng.integers(min(a, 0), max(b, 0) + 1) for a, b in zip(low, high, strict=True)])


def _strayed(canvas: FloatArray, rng: np.random.Generator, ground: NDArray[np.floating[Any]]) -> FloatArray:
    """Up to three bent strokes of random paint on free ground: what a painter leaves that meant nothing."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    wanted = int(rng.integers(1, _STROKES + 1))
    for _ in range(_TRIES):
        center, angle = rng.uniform(7, SIDE - 7, size=2), rng.uniform(0, np.pi)
        along = (rows - center[0]) * np.cos(angle) + (columns - center[1]) * np.sin(angle)
        across = (columns - center[1]) * np.cos(angle) - (rows - center[0]) * np.sin(angle)
        bent = np.abs(across - along**2 / rng.uniform(8, 16))
        stroke, room = (np.abs(along) < 6) & (bent < 1.5), (np.abs(along) < 9) & (bent < 4.5)
        paint = rng.uniform(0, 255, size=3)
        taken = np.linalg.norm(canvas - ground, axis=2) > _GROUND
        if (room & taken).any() or np.linalg.norm(paint - ground) < 3 * _GROUND:
            continue
        canvas = np.where(stroke[..., None], paint, canvas).astype(np.float32)
        wanted -= 1
        if not wanted:
            break
    return canvas
