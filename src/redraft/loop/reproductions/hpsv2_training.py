"""Short checkpoints of a base model trained from nothing on renders: does a score rise while the model really improves?

The text encoder and the autoencoder are those that ship; the denoiser begins with random weights.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from redraft.core.errors import DamagedError
from redraft.core.keys import Key
from redraft.core.protocols import Method
from redraft.core.tensors import Parameters, Weights
from redraft.loop.renders import render_latents
from redraft.methods.fit import FitConfig, FitState, begin, fit
from redraft.store.files import write_file
from redraft.world import draw_prompts

PICTURES = 4000
_STATE = "training.safetensors"
_TRAINING = FitConfig(batch_size=32, learning_rate=1e-3, weight_decay=0.0, ema_decay=0.98, warmup=50)


def train_checkpoints(
    backbone: Any, method: Method, *, steps: tuple[int, ...], folder: Path, key: Key
) -> dict[int, Parameters]:
    """Averaged weights after each of `steps` optimizer steps (rising; 0 is the untrained denoiser).

    method: one that trains on `Weights`, such as sft. Every checkpoint is kept in `folder`, so that a killed run goes
    on from the last one.
    """
    backbone.train_full()
    _randomise(backbone, key=key.child("weights"))
    found: dict[int, Parameters] = {}
    examples: Weights | None = None
    state = begin(backbone)
    for goal in steps:
        path = folder / f"{goal}-{_STATE}"
        if path.is_file():
            state = _read(path)
        else:
            if goal > state.step:
                examples = examples or _examples(backbone, key=key)
                config = _TRAINING.model_copy(update={"steps": goal})
                state = fit(method, backbone, examples, config=config, key=key, state=state).state
            _write(path, state)
        found[goal] = state.averaged
    return found


def _examples(backbone: Any, *, key: Key) -> Weights:
    prompts = draw_prompts(np.random.default_rng(key.child("prompts").entropy), PICTURES, weights="zipf")
    return Weights(
        latents=render_latents(prompts, backbone=backbone, key=key), conditioning=backbone.encode(prompts),
        weight=torch.ones(len(prompts)),
    )  # fmt: skip


@torch.no_grad()
def _randomise(backbone: Any, *, key: Key) -> None:
    """Matrices and kernels normal with variance 1 / fan-in, norms 1, biases 0; drawn by name from `key`."""
    for name, value in backbone.trainable().items():
        if value.ndim > 1:
            value.copy_(key.child(name).normal(value.shape) / math.sqrt(value[0].numel()))
        else:
            value.fill_(1.0 if name.endswith("weight") else 0.0)


def _write(path: Path, state: FitState) -> None:
    from safetensors.torch import save

    tensors, facts = state.to_tensors()
    write_file(path, save({name: value.contiguous() for name, value in tensors.items()}, metadata={"state": facts}))


def _read(path: Path) -> FitState:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            return FitState.from_tensors(tensors, file.metadata()["state"])
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise DamagedError(f"{path} is no state of a training ({error}): remove it and run the stage again") from error
