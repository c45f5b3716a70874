"""Time of a DRaFT step against TRL's AlignPropTrainer on the same pipeline, batch, sampler and reward.

TRL is a requirement of this benchmark alone and of nothing else; 0.23.1 is the last version with that trainer. Both
sides: `trl_steps` deterministic DDIM steps, guidance 5, LoRA of rank 4 on the attention projections, AdamW, gradient
clipping, float32, mean brightness as the reward, prompts encoded within the step. Each does its work as its users get
it: AlignPropTrainer always checkpoints the UNet and builds a graph in every sampling step; Redraft's `draft-1` does
neither, and `draft-full` checkpoints networks as well.
"""

from __future__ import annotations

import importlib
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any, Literal

import torch

from benchmarks.subject import Amount, draft, prompts
from benchmarks.table import Figure, Section
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.core.tensors import Images, PromptBatch, Scores
from redraft.methods.draft import DraftConfig
from redraft.methods.fit import FitConfig, fit
from redraft.models.builtin import PREFIX, builtin_folder
from redraft.models.load import open_backbone

TITLE = "Time of a step against TRL's AlignPropTrainer"
WANTED = "0.23.1"
GUIDANCE = 5.0
RANK = 4


class Brightness:
    """The mean of a picture's pixels: a reward that costs next to nothing, so that the samplers are compared."""

    name = "brightness"
    heads: tuple[str, ...] = ("brightness",)
    fingerprint = "brightness"
    differentiable = True

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """As `score_pixels`, without gradient."""
        values = self.score_pixels(images.pixels, prompts).detach()[:, None]
        mask = torch.ones_like(values, dtype=torch.bool)
        return Scores(values=values, names=self.heads, fingerprints=(self.fingerprint,), mask=mask)

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        """Mean brightness, B; the prompts play no part."""
        del prompts
        return pixels.mean(dim=(1, 2, 3))


def measure(model: str, *, amount: Amount) -> Section:
    """Steps of both by turns, medians and their ratio. Without TRL 0.23.1: a section that says so."""
    reason = unavailable()
    if reason:
        return Section(title=TITLE, figures=(), note=reason)
    figures: list[Figure] = []
    for name, last in (("K = 1", 1), ("full", "all")):
        with tempfile.TemporaryDirectory() as folder:
            ours = redraft_step(model, last=1 if last == 1 else "all", amount=amount)
            theirs = alignprop_step(model, last=last == 1, amount=amount, folder=folder)
            seconds = _by_turns(ours, theirs, repeats=amount.repeats)
        figures += [
            Figure(name=f"{name}: Redraft", value=seconds[0], unit="s"),
            Figure(name=f"{name}: AlignPropTrainer", value=seconds[1], unit="s"),
            Figure(name=f"{name}: Redraft / AlignPropTrainer", value=seconds[0] / seconds[1], unit="x", aim="below 1"),
        ]
    return Section(
        title=f"{TITLE}, {model}, {amount.trl_steps} steps, batch {amount.trl_batch}",
        figures=tuple(figures),
        note=f"torch uses {torch.get_num_threads()} thread(s); median of {amount.repeats} of each by turns",
    )


def unavailable() -> str:
    """Why this cannot be measured here, or an empty text."""
    if importlib.util.find_spec("trl") is None:
        return f"skipped: trl is not installed; it is needed for this comparison only (pip install trl=={WANTED})"
    if version("trl") != WANTED:
        return f"skipped: trl {version('trl')} is installed, but the comparison is with {WANTED}"
    return ""


def redraft_step(model: str, *, last: int | Literal["all"], amount: Amount) -> Callable[[], None]:
    """One optimizer step of `draft`, encoding of the prompts included."""
    backbone = open_backbone(model)
    backbone.train_lora(rank=RANK, alpha=RANK, seed_key=Key(seed=0))
    recipe = backbone.default_recipe(steps=amount.trl_steps, guidance_scale=GUIDANCE)
    config = DraftConfig(last=last, checkpointing=last == "all")
    method = draft(config, recipe=recipe, reward=Brightness())
    texts = prompts(amount.trl_batch)
    training = FitConfig(steps=1, batch_size=len(texts))

    def step() -> None:
        examples = PromptBatch(prompts=texts, conditioning=backbone.encode(texts))
        fit(method, backbone, examples, config=training, key=Key(seed=1))

    return step


def alignprop_step(model: str, *, last: bool, amount: Amount, folder: str) -> Callable[[], None]:
    """One step of AlignPropTrainer, cut at the last sampling step or through all of them."""
    from accelerate import PartialState

    PartialState(cpu=True)  # before the trainers are imported: they ask accelerate where they are
    trl: Any = importlib.import_module("trl")
    place = str(builtin_folder(model)) if model.startswith(PREFIX) else model
    texts = iter(prompts(amount.trl_batch) * 1000)
    config = trl.AlignPropConfig(
        log_with=None,
        project_kwargs={"project_dir": folder, "logging_dir": folder},
        mixed_precision="no",
        sample_num_steps=amount.trl_steps,
        sample_eta=0.0,
        sample_guidance_scale=GUIDANCE,
        train_batch_size=amount.trl_batch,
        truncated_backprop_rand=False,
        truncated_backprop_timestep=amount.trl_steps - 1 if last else 0,
    )
    trainer = trl.AlignPropTrainer(
        config,
        lambda images, texts, _: (Brightness().score_pixels(images, texts), {}),
        lambda: (next(texts).text, {}),
        trl.DefaultDDPOStableDiffusionPipeline(place, use_lora=True),
    )
    trainer.sd_pipeline.set_progress_bar_config(disable=True)
    return lambda: trainer.step(0, 0)


def _by_turns(ours: Callable[[], None], theirs: Callable[[], None], *, repeats: int) -> tuple[float, float]:
    """Median seconds of each; one call of both before as a warm-up."""
    times: tuple[list[float], list[float]] = ([], [])
    for repeat in range(repeats + 1):
        for step, found in zip((ours, theirs), times, strict=True):
            start = time.perf_counter()
            step()
            if repeat:
                found.append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])
