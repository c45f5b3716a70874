"""Time and memory of a training step of each method, in a process of its own, as ratios to a step of `sft`.

Every method trains on what the loop would give it: pictures that the model paints with the method's own kernel and
levels, random rewards, renders with captions. A step is `methods.fit` with LoRA of rank 32 (soft tokens: tokens); its
seconds are the median after one warm-up. Painting beforehand is not in it.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.memory import resident, saved_for_backward, start_peak
from benchmarks.network_clock import NetworkClock
from benchmarks.rollouts import watch_pipeline
from benchmarks.subject import Amount, clip_reward, prompts
from benchmarks.table import Figure, Section
from redraft.core import plugins
from redraft.core.config import build
from redraft.core.keys import Key
from redraft.core.protocols import LossContext, MethodContext
from redraft.core.records import Recipe
from redraft.core.tensors import Captioned, Examples, PromptBatch, Scored
from redraft.diffusion.sample import sample, sample_logged
from redraft.methods.fit import FitConfig, StepLog, fit
from redraft.methods.presets import PRESETS
from redraft.models.backbone import PipelineBackbone
from redraft.models.load import open_backbone

RANK = 32
METHODS = (
    "sft", "nft", "dpo", "d3po", "rsi", "ddpo", "grpo", "soft_tokens", "refl", "alignprop", "draft-1", "draft-lv",
)  # fmt: skip
"""The first is what all others are compared with."""
GROUP = 4
"""Pictures of a prompt where there are groups."""
MORE: Mapping[str, Mapping[str, Any]] = {
    # All pictures, so that there is a batch.
    "rsi": {"keep_share": 1.0, "at_most_per_prompt": GROUP},
    # A network that is run again in the backward pass would not be seen by the clock.
    "alignprop": {"checkpointing": False},
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Seconds of a step, the share of them outside all networks, MB of the tensors that autograd keeps in it (weights
    not counted), and MB by which the process grew at most in the first one (None: not on Linux)."""

    seconds: float
    outside: float
    saved: float
    peak: float | None


def measure(model: str, *, amount: Amount) -> Section:
    """A row for each method, measured one after the other in processes of their own."""
    found = {
        name: in_new_process(model, method=name, batch=amount.draft_batch, repeats=amount.repeats) for name in METHODS
    }
    first = found[METHODS[0]]
    figures: list[Figure] = []
    for name, step in found.items():
        aim = "" if name == METHODS[0] else f"of {METHODS[0]}'s"
        figures.append(Figure(name=f"{name}: time of a step", value=step.seconds / first.seconds, unit="x", aim=aim))
        figures.append(Figure(name=f"{name}: outside the networks", value=100 * step.outside, unit="%", aim="aim 10 %"))
        figures.append(Figure(name=f"{name}: saved for backward", value=step.saved, unit="MB"))
        if step.peak is not None:
            figures.append(Figure(name=f"{name}: growth of the process", value=step.peak, unit="MB"))
    return Section(
        title=f"A training step of each method, {model}, batch {amount.draft_batch}",
        figures=tuple(figures),
        note=f"{METHODS[0]}: {first.seconds:.2f} s a step; torch uses {torch.get_num_threads()} thread(s); median of "
        f"{amount.repeats}",
    )


def in_new_process(model: str, *, method: str, batch: int, repeats: int) -> Measured:
    """Measure in a fresh interpreter; raises CalledProcessError with its messages on the terminal when it fails."""
    command = [sys.executable, "-m", "benchmarks.method_steps", f"--model={model}", f"--method={method}"]
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [*command, f"--batch={batch}", f"--repeats={repeats}"], cwd=root, check=True, stdout=subprocess.PIPE, text=True
    )
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def of_a_step(backbone: PipelineBackbone, name: str, *, batch: int, repeats: int) -> Measured:
    """Train `repeats` steps after one in this process; `backbone` has nothing to train yet."""
    plugin_name, values = PRESETS.get(name, (name, {}))
    if plugin_name == "soft_tokens":
        backbone.train_soft_tokens(count=4, buckets=100, seed_key=Key(seed=0))
    else:
        backbone.train_lora(rank=RANK, alpha=RANK, seed_key=Key(seed=0))
    reward: Any = clip_reward()
    recipe = backbone.default_recipe()
    plugin = plugins.load("method", plugin_name)
    options = {**values, **MORE.get(plugin_name, {})}
    context = MethodContext(recipe=recipe, reward=reward, noise_level=backbone.noise_level)
    method = plugin.build(build(plugin.Config, options, source=name), context)
    examples = _examples(method, backbone, recipe=recipe, batch=batch)
    saved = _saved(method, backbone, examples.take(range(batch)), reward=reward)
    clock = NetworkClock()
    watch_pipeline(clock, backbone)
    clock.watch(reward.tower.model.vision_model)
    clock.watch(reward.tower.model.text_model)
    timed = _Timed(clock)
    gc.collect()
    if sys.platform == "linux":
        # Freed memory that the allocator keeps would be used again, and the process would not seem to grow.
        ctypes.CDLL(None).malloc_trim(0)
    before = start_peak()
    config = FitConfig(steps=repeats + 1, batch_size=batch, learning_rate=1e-4)
    fit(method, backbone, examples, config=config, key=Key(seed=1), on_step=timed)
    clock.remove()
    peak = None if before is None else (resident("VmHWM") - before) / 1e6
    return Measured(
        seconds=statistics.median(timed.seconds), outside=statistics.median(timed.shares), saved=saved, peak=peak
    )


def _saved(method: Any, backbone: PipelineBackbone, batch: Examples, *, reward: Any) -> float:
    """MB that autograd keeps for the backward pass of one loss."""
    reference = backbone.reference()
    context = LossContext(backbone=backbone, reference=reference, old=reference, step=0)
    with saved_for_backward((backbone.denoiser, backbone.pipeline.vae, reward.tower.model)) as saved:
        method.loss(batch, context=context, key=Key(seed=1))
    return sum(saved.values()) / 1e6


class _Timed:
    """Called after each step of `fit`: what all steps but the first took."""

    def __init__(self, clock: NetworkClock) -> None:
        self.seconds: list[float] = []
        self.shares: list[float] = []
        self._clock, self._start = clock, 0.0

    def __call__(self, entry: StepLog) -> None:
        now = time.perf_counter()
        if entry.step > 1:
            self.seconds.append(now - self._start)
            self.shares.append(1 - self._clock.seconds / (now - self._start))
        self._clock.reset()
        self._start = time.perf_counter()


def _examples(method: Any, backbone: PipelineBackbone, *, recipe: Recipe, batch: int) -> Examples:
    """Enough for one batch: of pairs that is twice as many pictures."""
    if method.needs in ("prompts", "captioned"):
        texts = prompts(batch)
        conditioning = backbone.encode(texts)
        latents = Key(seed=2).normal((batch, *backbone.latent_shape))
        if method.needs == "prompts":
            return PromptBatch(prompts=texts, conditioning=conditioning, pictures=latents)
        false = backbone.encode([text for text in reversed(texts) for _ in range(3)])
        return Captioned(latents=latents, conditioning=conditioning, negatives=false)
    chooser: Callable[..., Recipe] | None = getattr(method, "collect_recipe", None)
    painted = recipe if chooser is None else chooser(recipe, round_number=0)
    texts = tuple(text for text in prompts(batch) for _ in range(GROUP))
    conditioning = backbone.encode(texts)
    paint = sample_logged if method.needs == "logged" else sample
    scored = Scored(
        prompts=texts,
        conditioning=conditioning,
        rollout=paint(backbone, conditioning, recipe=painted, key=Key(seed=3)),
        reward=Key(seed=4).uniform((len(texts),)),
        group=torch.arange(len(texts)) // GROUP,
    )
    made: Examples = method.prepare(scored, key=Key(seed=5))
    return made


def main() -> None:
    """The process that measures one method."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    for name in ("model", "method"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("batch", "repeats"):
        parser.add_argument(f"--{name}", type=int, required=True)
    given = parser.parse_args()
    found = of_a_step(open_backbone(given.model), given.method, batch=given.batch, repeats=given.repeats)
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
