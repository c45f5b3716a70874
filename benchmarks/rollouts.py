"""Rollouts: which share of their time is not in the networks, and how many pictures a second they give."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import torch

from benchmarks.network_clock import NetworkClock
from benchmarks.subject import Amount, prompts
from benchmarks.table import Figure, Section
from redraft.core.keys import Key
from redraft.diffusion.sample import sample
from redraft.models.backbone import PipelineBackbone
from redraft.models.load import open_backbone


def watch_pipeline(clock: NetworkClock, backbone: PipelineBackbone) -> None:
    """Watch the denoiser, the autoencoder's decoder and the text encoders."""
    clock.watch(backbone.denoiser, weights=backbone.trainable().values())
    clock.watch(backbone.pipeline.vae.decoder)
    for name, part in backbone.pipeline.components.items():
        if name.startswith("text_encoder") and part is not None:
            clock.watch(part)


def measure(models: Sequence[str], *, amount: Amount) -> Section:
    """A rollout is text encoding, the model's default recipe, and decoding; medians over `amount.repeats`."""
    figures: list[Figure] = []
    for model in models:
        backbone = open_backbone(model)
        totals, shares = _rollouts(backbone, batch=amount.rollout_batch, repeats=amount.repeats)
        figures += [
            Figure(
                name=f"{model}: outside the networks", value=100 * statistics.median(shares), unit="%", aim="aim 5 %"
            ),
            Figure(
                name=f"{model}: pictures a second",
                value=amount.rollout_batch / statistics.median(totals),
                unit="pictures/s",
            ),
        ]
    return Section(
        title=f"Rollouts, batch {amount.rollout_batch}, the model's default recipe",
        figures=tuple(figures),
        note=f"torch uses {torch.get_num_threads()} thread(s); median of {amount.repeats}",
    )


def _rollouts(backbone: PipelineBackbone, *, batch: int, repeats: int) -> tuple[list[float], list[float]]:
    """Seconds of each rollout, and the share of them that was not in a network; one rollout before as a warm-up."""
    texts, recipe, clock = prompts(batch), backbone.default_recipe(), NetworkClock()
    watch_pipeline(clock, backbone)
    totals, shares = [], []
    for repeat in range(repeats + 1):
        clock.reset()
        start = time.perf_counter()
        rollout = sample(backbone, backbone.encode(texts), recipe=recipe, key=Key(seed=repeat))
        with torch.no_grad():
            backbone.decode(rollout.latents)
        total = time.perf_counter() - start
        if repeat:
            totals.append(total)
            shares.append(1 - clock.seconds / total)
    clock.remove()
    return totals, shares
