"""Captioned scenes for the second part of CLIP's training: pictures, what is drawn where, a true and wrong captions.

Renders, some of them with stray strokes; renders that builtin:sd painted over, a little (their layout stays true) or
altogether (only their caption is likely true); and pictures it painted from noise in few steps (nothing is sure). No
oracle reads them, and nothing is trained here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.core.tensors import Images
from redraft.diffusion.parameterize import split_prediction
from redraft.models.load import open_backbone
from redraft.world import COLORS, SHAPES, UNSAFE_SHAPE, Request, corrupt_request, draw_request, text_of
from redraft.world.render import render_with_layout

KINDS = (*SHAPES, UNSAFE_SHAPE, "plate", "stray")
"""What a patch may belong to."""
THINGS = 6
"""Up to four objects and a plate, numbered from 1; the last number is that of stray strokes."""
WRONG = 5
"""Wrong captions a picture."""
UNSAFE, STRAYED = 0.08, 0.2
SIDE = 64
BATCH = 64
STEPS, GUIDANCE = (1, 2, 3, 4, 6, 10), (1.0, 1.0, 2.0, 5.0)
"""Of pictures painted from noise: each batch draws one of either."""


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """N pictures. pixels N,64,64,3 uint8; things N,64,64 uint8, 0 is ground; kinds, colors N,THINGS int8, -1: none.

    true: the caption that was drawn; wrong: WRONG others that do not fit. laid: whether `things` is to be believed;
    told: whether `true` is.
    """

    pixels: NDArray[np.uint8]
    things: NDArray[np.uint8]
    kinds: NDArray[np.int8]
    colors: NDArray[np.int8]
    true: tuple[str, ...]
    wrong: tuple[tuple[str, ...], ...]
    laid: bool = True
    told: bool = True

    def __len__(self) -> int:
        return len(self.true)


def rendered_scenes(count: int, *, seed: int) -> Scenes:
    """Renders of requests balanced and not, a few with the unsafe shape, some with stray strokes."""
    rng = np.random.default_rng(seed)
    pixels, things = (np.zeros((count, SIDE, SIDE, *rest), dtype=np.uint8) for rest in ((3,), ()))
    kinds, colors = (np.full((count, THINGS), -1, dtype=np.int8) for _ in range(2))
    true, wrong = [], []
    for row in range(count):
        request = _request(rng)
        pixels[row], layout = render_with_layout(request, rng)
        things[row] = layout.things
        for place, (shape, color) in enumerate(zip(layout.shapes, layout.colors, strict=True)):
            kinds[row, place], colors[row, place] = KINDS.index(shape), COLORS.index(color)
        if request.label is not None:
            kinds[row, len(layout.shapes)] = KINDS.index("plate")
        kinds[row, THINGS - 1] = KINDS.index("stray")
        if rng.random() < STRAYED:
            _stray(pixels[row], things[row], rng)
        photo = bool(rng.random() < 0.2)
        true.append(text_of(request, photo=photo))
        wrong.append(tuple(text_of(corrupt_request(request, rng), photo=photo) for _ in range(WRONG)))
    return Scenes(pixels=pixels, things=things, kinds=kinds, colors=colors, true=tuple(true), wrong=tuple(wrong))


def _request(rng: np.random.Generator) -> Request:
    task = ("style", "label", "scene")[rng.integers(3)] if rng.random() < 0.15 else None
    request = draw_request(rng, task=task, weights="zipf" if rng.random() < 0.3 else "uniform")
    if rng.random() < UNSAFE:
        index = int(rng.integers(len(request.items)))
        unsafe = replace(request.items[index], shape=UNSAFE_SHAPE)
        request = replace(request, items=(*request.items[:index], unsafe, *request.items[index + 1 :]))
    return request


def _stray(picture: NDArray[np.uint8], things: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Up to three bent strokes of any paint on free ground, in place."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    wanted = int(rng.integers(1, 4))
    for _ in range(8):
        center, angle = rng.uniform(6, SIDE - 6, 2), rng.uniform(0, np.pi)
        along = (rows - center[0]) * np.cos(angle) + (columns - center[1]) * np.sin(angle)
        across = (columns - center[1]) * np.cos(angle) - (rows - center[0]) * np.sin(angle)
        bent = np.abs(across - along**2 / rng.uniform(8, 40) * rng.choice([-1, 1]))
        stroke = (np.abs(along) < rng.uniform(3, 9)) & (bent < rng.uniform(0.8, 2.5))
        if stroke.any() and not things[stroke].any():
            picture[stroke], things[stroke] = rng.uniform(0, 255, 3).astype(np.uint8), THINGS
            wanted -= 1
        if not wanted:
            break


def painted_over(scenes: Scenes, *, seed: int, altogether: bool) -> NDArray[np.uint8]:
    """Pictures N,64,64,3: the same scenes noised and denoised again by builtin:sd, each batch from its own level.

    A little: from one of the last five levels in one or two steps, or only through the autoencoder. altogether: from
    any level but the first two, in all the steps that are left.
    """
    backbone: Any = open_backbone("builtin:sd")
    rng, key = np.random.default_rng(seed), Key(seed=seed)
    painted = []
    for start in range(0, len(scenes), BATCH):
        rows = slice(start, start + BATCH)
        levels = backbone.default_recipe().levels
        last = len(levels) - 1
        if altogether:
            path = levels[int(rng.integers(2, last - 1)) :]
        elif rng.random() < 0.2:
            path = ()
        else:
            begin = int(rng.integers(last // 2, last))
            path = [levels[begin], levels[last]]
            if rng.random() < 0.5:
                path = [levels[begin - 1], levels[(begin + last) // 2], levels[last]]
        pictures = torch.from_numpy(scenes.pixels[rows]).permute(0, 3, 1, 2).float() / 255
        painted.append(_repaint(backbone, pictures, scenes.true[rows], path=path, key=key.child("noise", start)))
    return np.concatenate(painted)


def painted_anew(scenes: Scenes, *, seed: int) -> NDArray[np.uint8]:
    """Pictures N,64,64,3 of the same captions, by builtin:sd from noise in 1 to 10 steps, with and without guidance."""
    from redraft.loop.painting import paint

    backbone: Any = open_backbone("builtin:sd")
    rng, key = np.random.default_rng(seed), Key(seed=seed)
    painted = []
    for start in range(0, len(scenes), BATCH):
        recipe = backbone.default_recipe(steps=int(rng.choice(STEPS)), guidance_scale=float(rng.choice(GUIDANCE)))
        prompts = [Prompt(text=text) for text in scenes.true[start : start + BATCH]]
        made = paint(backbone, prompts, recipe=recipe, key=key.child("noise", start), batch=BATCH)
        painted.append(made.pixels.permute(0, 2, 3, 1).numpy())
    return np.concatenate(painted)


@torch.no_grad()
def _repaint(
    backbone: Any, pictures: torch.Tensor, texts: tuple[str, ...], *, path: Any, key: Key
) -> NDArray[np.uint8]:
    """Pictures N,3,64,64 encoded, noised to the first level of `path`, denoised along it, decoded: N,64,64,3."""
    latents = backbone.encode_images(Images(pixels=pictures))
    if path:
        asked = backbone.encode([Prompt(text=text) for text in texts]).positive
        latents = path[0].alpha * latents + path[0].sigma * key.normal(tuple(latents.shape))
    for level, following in pairwise(path):
        predicted = backbone.predict(latents, torch.full((len(latents),), float(level.timestep)), text=asked)
        clean, noise = split_prediction(
            predicted, latents, alpha=level.alpha, sigma=level.sigma, kind=backbone.prediction
        )
        latents = following.alpha * clean + following.sigma * noise
    decoded = (backbone.decode(latents).pixels * 255).round().to(torch.uint8)
    found: NDArray[np.uint8] = decoded.permute(0, 2, 3, 1).numpy()
    return found
