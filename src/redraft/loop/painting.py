"""Painting pictures of prompts in batches. Not the sampler itself (`diffusion.sample`) and not their judgement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from redraft.core.keys import Key
from redraft.core.records import Prompt, Recipe
from redraft.core.tensors import Images, LoggedRollout, Parameters
from redraft.diffusion.sample import sample, sample_logged
from redraft.loop.adapting import AdaptedSteps

if TYPE_CHECKING:
    from redraft.models.backbone import PipelineBackbone

OnBatch = Callable[[int, int], None]
"""Told after each batch: pictures done, pictures in all."""


@dataclass(frozen=True, kw_only=True)
class Painted:
    """Pictures of one call: row i shows prompts[i]. latents N,C,H,W float32; pixels N,3,H,W uint8."""

    prompts: tuple[Prompt, ...]
    latents: torch.Tensor
    pixels: torch.Tensor
    logged: LoggedRollout | None = None

    def images(self, start: int, stop: int) -> Images:
        """Rows start..stop as float pictures in 0..1."""
        return Images(pixels=self.pixels[start:stop].float() / 255)


def paint(
    backbone: PipelineBackbone,
    prompts: Sequence[Prompt],
    *,
    recipe: Recipe,
    key: Key,
    batch: int,
    parameters: Parameters | None = None,
    adapted: AdaptedSteps | None = None,
    on_batch: OnBatch | None = None,
) -> Painted:
    """One picture for each prompt (repeat a prompt for more). Picture i's noise depends on key and i alone.

    `parameters`: weights to paint with, by trainable name; None paints with the backbone's own. Merged while painting,
    unless `adapted` says in which steps they act. Raises what `AdaptedSteps.parameters_at` raises.
    """
    conditioning = backbone.encode(prompts)
    by_step = None if adapted is None else adapted.parameters_at(backbone, steps=recipe.steps, parameters=parameters)
    latents, pixels = [], []
    with backbone.merged(parameters) if by_step is None else nullcontext():
        for start in range(0, len(prompts), batch):
            rows = list(range(start, min(start + batch, len(prompts))))
            rollout = sample(
                backbone, conditioning.take(rows), recipe=recipe, key=key, indices=rows, parameters_at=by_step
            )
            latents.append(rollout.latents.cpu())
            pixels.append(_pixels(backbone, rollout.latents))
            if on_batch is not None:
                on_batch(rows[-1] + 1, len(prompts))
    return Painted(prompts=tuple(prompts), latents=torch.cat(latents), pixels=torch.cat(pixels))


def paint_logged(
    backbone: PipelineBackbone,
    prompts: Sequence[Prompt],
    *,
    recipe: Recipe,
    key: Key,
    batch: int,
    parameters: Parameters | None = None,
    on_batch: OnBatch | None = None,
) -> Painted:
    """As `paint`, with every stochastic transition. Raises UsageError for a recipe that has none.

    Weights are not merged: a replay must compute the very same numbers, so that its log-ratio is exactly 0.
    """
    conditioning = backbone.encode(prompts)
    parts, pixels = [], []
    for start in range(0, len(prompts), batch):
        rows = list(range(start, min(start + batch, len(prompts))))
        rollout = sample_logged(
            backbone, conditioning.take(rows), recipe=recipe, key=key, indices=rows, parameters=parameters
        )
        parts.append(rollout)
        pixels.append(_pixels(backbone, rollout.latents))
        if on_batch is not None:
            on_batch(rows[-1] + 1, len(prompts))
    logged = LoggedRollout(
        latents=torch.cat([part.latents for part in parts]).cpu(),
        before=torch.cat([part.before for part in parts], dim=1).cpu(),
        after=torch.cat([part.after for part in parts], dim=1).cpu(),
        log_probabilities=torch.cat([part.log_probabilities for part in parts], dim=1).cpu(),
        steps=parts[0].steps,
        recipe=recipe,
    )
    return Painted(prompts=tuple(prompts), latents=logged.latents, pixels=torch.cat(pixels), logged=logged)


@torch.no_grad()
def _pixels(backbone: PipelineBackbone, latents: torch.Tensor) -> torch.Tensor:
    return (backbone.decode(latents).pixels * 255).round().to(torch.uint8).cpu()


def repeated(prompts: Sequence[Prompt], count: int) -> tuple[Prompt, ...]:
    """Each prompt `count` times in a row: the order of groups."""
    return tuple(prompt for prompt in prompts for _ in range(count))
