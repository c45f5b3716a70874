"""Measures a denoiser while it trains: oracle accuracy of six tasks on 384 prompts. Not the examination."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from redraft.world.draws import draw_prompts
from redraft.world.grammar import parse
from redraft.world.requests import GENEVAL_TASKS
from redraft.world.verify import verify_batch
from scripts.builtin_models import autoencoder


@torch.no_grad()
def sample_pictures(model: Any, work: Path, texts: list[str], *, steps: int, guidance: float, seed: int) -> np.ndarray:
    """Pictures uint8 N,64,64,3 through the diffusers pipeline."""
    from scripts.builtin_models.denoiser import T5_TOKENS, StableDiffusion3, pipeline

    pipe = pipeline(model, autoencoder.trained(work))
    pipe.set_progress_bar_config(disable=True)
    extra = {"max_sequence_length": T5_TOKENS} if isinstance(model, StableDiffusion3) else {}
    parts = []
    for start in range(0, len(texts), 64):
        generator = torch.Generator().manual_seed(seed + start)
        parts.append(pipe(
            texts[start : start + 64], num_inference_steps=steps, guidance_scale=guidance, height=64, width=64,
            generator=generator, output_type="np", **extra,
        ).images)  # fmt: skip
    return (np.concatenate(parts) * 255).round().astype(np.uint8)


def measure_quality(
    model: Any, work: Path, *, count: int = 384, steps: int = 10, guidance: float = 1.0
) -> dict[str, float]:
    """Accuracy per task and their mean, in percent, at the default recipe."""
    prompts = draw_prompts(np.random.default_rng(77), count, tasks=GENEVAL_TASKS, weights="uniform")
    requests = [parse(prompt.text) for prompt in prompts]
    pictures = sample_pictures(model, work, [prompt.text for prompt in prompts], steps=steps, guidance=guidance, seed=7)
    correct = np.array([result.correct for result in verify_batch(pictures, requests)])
    tasks = np.array([request.task for request in requests])
    rows = {task: 100 * float(correct[tasks == task].mean()) for task in GENEVAL_TASKS}
    return {"oracle": sum(rows.values()) / len(rows), **rows}
