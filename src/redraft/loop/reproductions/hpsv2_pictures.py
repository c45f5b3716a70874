"""Pictures for the study of preference models: painted by models of two families in settings of unlike quality.

Each prompt is painted in settings drawn for it, so that people compare pictures of different generators, as in HPD v2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from redraft.core.errors import DamagedError
from redraft.core.keys import Key
from redraft.core.records import FACETS, Prompt
from redraft.loop.painting import paint
from redraft.store.files import write_file
from redraft.world import draw_prompts, facets, parse, render

RENDER = "render"
"""The setting of a true picture, as COCO's photographs are in HPD v2."""
BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One generator: a model sampled in so many steps with this guidance. steps 0: a render."""

    steps: int
    guidance: float

    @property
    def name(self) -> str:
        """`10 steps, guidance 2.5`."""
        if not self.steps:
            return RENDER
        return f"{self.steps} step{'s' if self.steps > 1 else ''}, guidance {self.guidance:g}"


@dataclass(frozen=True, kw_only=True)
class Album:
    """N prompts with K pictures each. pixels: N,K,3,64,64 uint8. facets: N,K,6 true ones. setting: N,K, which one."""

    prompts: tuple[Prompt, ...]
    pixels: torch.Tensor
    facets: torch.Tensor
    setting: torch.Tensor

    def save(self, path: Path) -> None:
        """Write it, whole or not at all. Raises StorageError."""
        from safetensors.torch import save

        texts = "\n".join(prompt.text for prompt in self.prompts)
        tensors = {"pixels": self.pixels, "facets": self.facets, "setting": self.setting}
        write_file(path, save(tensors, metadata={"prompts": texts}))


def read_album(path: Path) -> Album:
    """What `save` wrote. Raises DamagedError when it cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            texts = file.metadata()["prompts"].split("\n")
            return Album(
                prompts=tuple(Prompt(text=text) for text in texts), pixels=file.get_tensor("pixels"),
                facets=file.get_tensor("facets"), setting=file.get_tensor("setting"),
            )  # fmt: skip
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise DamagedError(f"{path} is no album of pictures ({error}): run its stage with --again") from error


def study_prompts(*, fitted: int, examined: int, key: Key) -> tuple[tuple[Prompt, ...], tuple[Prompt, ...]]:
    """Distinct prompts as people write them (by Zipf's law): those to learn from, and others to examine with."""
    rng = np.random.default_rng(key.child("prompts").entropy)
    prompts = draw_prompts(rng, fitted + examined, weights="zipf")
    mixed = [prompts[index] for index in rng.permutation(len(prompts))]
    return tuple(mixed[:fitted]), tuple(mixed[fitted:])


def paint_album(backbone: Any, prompts: Sequence[Prompt], *, settings: Sequence[Setting], each: int, key: Key) -> Album:
    """`each` pictures of every prompt, in settings drawn without repeats. Raises what painting raises."""
    rng = np.random.default_rng(key.child("settings").entropy)
    chosen = np.stack([rng.choice(len(settings), each, replace=False) for _ in prompts])
    pixels = torch.zeros(len(prompts), each, 3, 64, 64, dtype=torch.uint8)
    for number, setting in enumerate(settings):
        rows = np.argwhere(chosen == number)
        if not len(rows):
            continue
        asked = [prompts[row] for row, _ in rows]
        if setting.steps:
            recipe = backbone.default_recipe(steps=setting.steps, guidance_scale=setting.guidance)
            painted = paint(backbone, asked, recipe=recipe, key=key.child("noise", number), batch=BATCH).pixels
        else:
            drawn = np.stack([render(parse(prompt.text), rng) for prompt in asked])
            painted = torch.from_numpy(drawn).permute(0, 3, 1, 2)
        pixels[rows[:, 0], rows[:, 1]] = painted
    return Album(
        prompts=tuple(prompts), pixels=pixels, facets=true_facets(pixels, prompts), setting=torch.from_numpy(chosen)
    )


def true_facets(pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
    """N,K,6 facets of pictures N,K,3,64,64 by the oracle, in the order of `FACETS`."""
    rows = []
    for prompt, shown in zip(prompts, pixels.permute(0, 1, 3, 4, 2).numpy(), strict=True):
        request = parse(prompt.text)
        seen = [facets(picture, request) for picture in shown]
        rows.append([[found[name] for name in FACETS] for found in seen])
    return torch.tensor(rows)
