"""Training steps of DRaFT-LV through `methods.fit`: which share of their time is not in the networks."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import torch

from benchmarks.network_clock import NetworkClock
from benchmarks.rollouts import watch_pipeline
from benchmarks.subject import Amount, clip_reward, draft, prompts
from benchmarks.table import Figure, Section
from redraft.core.keys import Key
from redraft.core.tensors import PromptBatch
from redraft.methods.draft import DraftConfig
from redraft.methods.fit import FitConfig, StepLog, fit
from redraft.models.backbone import PipelineBackbone
from redraft.models.load import open_backbone

RANK = 32


def measure(models: Sequence[str], *, amount: Amount) -> Section:
    """DRaFT-LV as the preset `draft-lv` has it (n = 2, base term kept), LoRA of rank 32, reward of the tiny CLIP."""
    figures = []
    for model in models:
        backbone = open_backbone(model)
        backbone.train_lora(rank=RANK, alpha=RANK, seed_key=Key(seed=0))
        shares = _steps(backbone, batch=amount.draft_batch, repeats=amount.repeats)
        share = 100 * statistics.median(shares)
        figures.append(Figure(name=f"{model}: outside the networks", value=share, unit="%", aim="aim 10 %"))
    return Section(
        title=f"DRaFT-LV steps, n = 2, batch {amount.draft_batch}, the model's default recipe, LoRA of rank {RANK}",
        figures=tuple(figures),
        note=f"torch uses {torch.get_num_threads()} thread(s); median of {amount.repeats} steps after the first",
    )


def _steps(backbone: PipelineBackbone, *, batch: int, repeats: int) -> list[float]:
    """The share of each optimizer step but the first that was in no network's forward or backward."""
    texts, reward, clock = prompts(batch), clip_reward(), NetworkClock()
    method = draft(DraftConfig(lv_draws=2), recipe=backbone.default_recipe(), reward=reward)
    examples = PromptBatch(prompts=texts, conditioning=backbone.encode(texts))
    watch_pipeline(clock, backbone)
    clock.watch(reward.tower.model.vision_model)
    clock.watch(reward.tower.model.text_model)
    shares: list[float] = []
    start: float | None = None

    def on_step(_: StepLog) -> None:
        nonlocal start
        now = time.perf_counter()
        if start is not None:
            shares.append(1 - clock.seconds / (now - start))
        clock.reset()
        start = time.perf_counter()

    config = FitConfig(steps=repeats + 1, batch_size=batch)
    fit(method, backbone, examples, config=config, key=Key(seed=1), on_step=on_step)
    clock.remove()
    return shares
