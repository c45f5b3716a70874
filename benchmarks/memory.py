"""Memory of one DRaFT step with K = 1 for several numbers of sampling steps: it must not grow with them.

Each number of steps is measured in a process of its own, because a process's peak never falls. `python -m
benchmarks.memory --model NAME --steps N --last K --batch B` is that process; it prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from benchmarks.subject import Amount, clip_reward, draft, prompts
from benchmarks.table import Figure, Section
from redraft.core.keys import Key
from redraft.core.protocols import LossContext
from redraft.core.tensors import PromptBatch
from redraft.methods.draft import DraftConfig
from redraft.models.backbone import PipelineBackbone
from redraft.models.load import open_backbone

RANK = 32


@dataclass(frozen=True, kw_only=True)
class Memory:
    """In MB. saved: tensors that autograd keeps for the backward pass, weights not counted. peak: by how much the
    process grew in the step at most, with models loaded and prompts encoded before; None outside Linux."""

    saved: float
    peak: float | None


def measure(model: str, *, amount: Amount) -> Section:
    """K = 1 for each number of `amount.memory_steps`, and all steps differentiated at the first of them, to compare."""
    first = amount.memory_steps[0]
    runs = [(steps, 1) for steps in amount.memory_steps] + [(first, first)]
    found = [in_new_process(model, steps=steps, last=last, batch=amount.memory_batch) for steps, last in runs]
    figures: list[Figure] = []
    for (steps, last), memory in zip(runs, found, strict=True):
        name, aim = f"K = {last}, {steps} steps", "flat over steps" if last == 1 else "for comparison"
        figures.append(Figure(name=f"{name}: saved for backward", value=memory.saved, unit="MB", aim=aim))
        if memory.peak is not None:
            figures.append(Figure(name=f"{name}: growth of the process", value=memory.peak, unit="MB", aim=aim))
    flat = found[:-1]
    figures.append(_spread("K = 1: most / least saved", [memory.saved for memory in flat]))
    peaks = [memory.peak for memory in flat if memory.peak]
    if peaks:
        figures.append(_spread("K = 1: most / least growth", peaks))
    return Section(
        title=f"Memory of a DRaFT step, {model}, batch {amount.memory_batch}, without checkpointing",
        figures=tuple(figures),
    )


def _spread(name: str, values: list[float]) -> Figure:
    return Figure(name=name, value=max(values) / min(values), unit="x", aim="aim 1.0")


def in_new_process(model: str, *, steps: int, last: int, batch: int) -> Memory:
    """Measure in a fresh interpreter; raises CalledProcessError with its messages on the terminal when it fails."""
    command = [sys.executable, "-m", "benchmarks.memory", f"--model={model}", f"--steps={steps}", f"--last={last}"]
    root = Path(__file__).parents[1]
    done = subprocess.run([*command, f"--batch={batch}"], cwd=root, check=True, stdout=subprocess.PIPE, text=True)
    return Memory(**json.loads(done.stdout.splitlines()[-1]))


def of_one_step(backbone: PipelineBackbone, *, steps: int, last: int, batch: int) -> Memory:
    """Run the loss and its backward pass once in this process. Its peak means nothing after a larger step."""
    texts = prompts(batch)
    reward = clip_reward()
    method = draft(DraftConfig(last=last), recipe=backbone.default_recipe(steps=steps), reward=reward)
    examples = PromptBatch(prompts=texts, conditioning=backbone.encode(texts))
    reference = backbone.reference()
    context = LossContext(backbone=backbone, reference=reference, old=reference, step=0)
    before = start_peak()
    with saved_for_backward((backbone.denoiser, backbone.pipeline.vae, reward.tower.model)) as saved:
        loss = method.loss(examples, context=context, key=Key(seed=1))
    torch.autograd.backward(loss.value)
    peak = None if before is None else (resident("VmHWM") - before) / 1e6
    return Memory(saved=sum(saved.values()) / 1e6, peak=peak)


@contextmanager
def saved_for_backward(networks: Sequence[torch.nn.Module]) -> Iterator[dict[int, int]]:
    """Bytes that autograd keeps within the block, by storage, each counted once; weights of the networks are not."""
    weights = {weight.untyped_storage().data_ptr() for network in networks for weight in network.parameters()}
    saved: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield saved


def start_peak() -> float | None:
    """Make the process's peak its present size, and return that in bytes; None where only Linux could do so.

    getrusage's ru_maxrss cannot start again: opening the models reaches a higher peak than a small step does.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return resident("VmRSS")


def resident(name: str) -> float:
    """A size from /proc/self/status in bytes: VmRSS is the present one, VmHWM the peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * float(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


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
