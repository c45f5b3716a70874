"""Memory of one DRaFT step with K = 1 for several numbers of sampling steps: it must not grow with them.

Each number of steps is measured in a process of its own, because a process's peak never falls. `python -m
benchmarks.memory --model NAME --steps N --last K --batch B` is that process; it prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from benchmarks.subject import Amount, clip_reward, prompts
from benchmarks.table import Figure, Section
from redraft.core.keys import Key
from redraft.core.protocols import LossContext
from redraft.core.tensors import PromptBatch
from redraft.methods.draft import Draft, DraftConfig
from redraft.models.backbone import PipelineBackbone
from redraft.models.load import open_backbone

RANK = 32


@dataclass(frozen=True, kw_only=True)
class Memory:
    """In MB. saved: tensors that autograd keeps for the backward pass, weights not counted; peak: by how much the
    process's peak grew over what it was before the step, with models loaded and prompts encoded."""

    saved: float
    peak: float


def measure(model: str, *, amount: Amount) -> Section:
    """K = 1 for each number of `amount.memory_steps`, and all steps differentiated at the first of them, to compare."""
    first = amount.memory_steps[0]
    figures: list[Figure] = []
    for steps, last in [*((steps, 1) for steps in amount.memory_steps), (first, first)]:
        found = in_new_process(model, steps=steps, last=last, batch=amount.memory_batch)
        aim = "flat over steps" if last == 1 else "for comparison"
        figures += [
            Figure(name=f"K = {last}, {steps} steps: saved for backward", value=found.saved, unit="MB", aim=aim),
            Figure(name=f"K = {last}, {steps} steps: growth of the peak", value=found.peak, unit="MB", aim=aim),
        ]
    saved = [f.value for f in figures[: 2 * len(amount.memory_steps) : 2]]
    peaks = [f.value for f in figures[1 : 2 * len(amount.memory_steps) : 2]]
    figures += [
        Figure(name="K = 1: most / least saved", value=max(saved) / min(saved), unit="x", aim="aim 1.0"),
        Figure(name="K = 1: highest / lowest peak", value=max(peaks) / max(min(peaks), 1e-9), unit="x", aim="aim 1.0"),
    ]
    return Section(
        title=f"Memory of a DRaFT step, {model}, batch {amount.memory_batch}, without checkpointing",
        figures=tuple(figures),
    )


def in_new_process(model: str, *, steps: int, last: int, batch: int) -> Memory:
    """Measure in a fresh interpreter; raises CalledProcessError with its messages on the terminal when it fails."""
    command = [sys.executable, "-m", "benchmarks.memory", f"--model={model}", f"--steps={steps}", f"--last={last}"]
    root = Path(__file__).parents[1]
    done = subprocess.run([*command, f"--batch={batch}"], cwd=root, check=True, stdout=subprocess.PIPE, text=True)
    return Memory(**json.loads(done.stdout.splitlines()[-1]))


def of_one_step(backbone: PipelineBackbone, *, steps: int, last: int, batch: int) -> Memory:
    """Run the loss and its backward pass once in this process. Its peak means nothing after a larger step."""
    texts = prompts(batch)
    method = Draft(config=DraftConfig(last=last), recipe=backbone.default_recipe(steps=steps), reward=clip_reward())
    examples = PromptBatch(prompts=texts, conditioning=backbone.encode(texts))
    reference = backbone.reference()
    context = LossContext(backbone=backbone, reference=reference, old=reference, step=0)
    weights = {
        weight.untyped_storage().data_ptr()
        for network in (backbone.denoiser, backbone.pipeline.vae, method.reward.tower.model)  # type: ignore[attr-defined]
        for weight in network.parameters()
    }
    saved: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    before = _peak()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = method.loss(examples, context=context, key=Key(seed=1))
    torch.autograd.backward(loss.value)
    return Memory(saved=sum(saved.values()) / 1e6, peak=(_peak() - before) / 1e6)


def _peak() -> float:
    """Largest resident size of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    """The process that measures one number of steps."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", required=True)
    for name in ("steps", "last", "batch"):
        parser.add_argument(f"--{name}", type=int, required=True)
    given = parser.parse_args()
    backbone = open_backbone(given.model)
    backbone.train_lora(rank=RANK, alpha=RANK, seed_key=Key(seed=0))
    found = of_one_step(backbone, steps=given.steps, last=given.last, batch=given.batch)
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
