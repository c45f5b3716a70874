"""What must survive an interruption of training, and its form as named tensors and JSON. No disk, no training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from redraft.core.errors import DamagedError
from redraft.core.protocols import TrainableBackbone
from redraft.core.tensors import Parameters
from redraft.methods.fit_config import FitConfig

_WEIGHTS = ("policy", "averaged", "old", "kept")
_COUNTERS = ("step", "round_start", "kept_step")


@dataclass(frozen=True, kw_only=True)
class FitState:
    """Training between two optimizer steps. Batches and noise depend on key and step, so no sampler is in here.

    step: optimizer steps finished, over all rounds; round_start: its value when this round began. policy: the trained
    weights; averaged: their exponential moving average; old: see `OldPolicy`; kept: the averaged weights at
    `kept_step`, the last step that was marked with `Keep`. optimizer: AdamW's slots by name of the weight.
    """

    step: int
    round_start: int
    policy: Parameters
    averaged: Parameters
    old: Parameters
    kept: Parameters
    kept_step: int
    optimizer: Mapping[str, Mapping[str, torch.Tensor]]

    def to_tensors(self) -> tuple[dict[str, torch.Tensor], str]:
        """A flat dict of named tensors and a JSON text: what a store keeps. `from_tensors` is the exact inverse."""
        tensors = {f"{kind}/{name}": value for kind in _WEIGHTS for name, value in getattr(self, kind).items()}
        for name, slots in self.optimizer.items():
            tensors |= {f"optimizer.{slot}/{name}": value for slot, value in slots.items()}
        return tensors, json.dumps({counter: getattr(self, counter) for counter in _COUNTERS}, sort_keys=True)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor], text: str) -> FitState:
        """The state that `to_tensors` wrote. Raises DamagedError naming what is missing or not known."""
        weights: dict[str, dict[str, torch.Tensor]] = {kind: {} for kind in _WEIGHTS}
        optimizer: dict[str, dict[str, torch.Tensor]] = {}
        for path, value in tensors.items():
            kind, _, name = path.partition("/")
            if kind in weights:
                weights[kind][name] = value
            elif kind.startswith("optimizer."):
                optimizer.setdefault(name, {})[kind.removeprefix("optimizer.")] = value
            else:
                raise DamagedError(f"the training state has a tensor {path!r} that no state has: train from the start")
        for kind in _WEIGHTS:
            missing = weights["policy"].keys() ^ weights[kind].keys()
            if missing or not weights[kind]:
                raise DamagedError(
                    f"the training state lacks weights ({kind}/{min(missing, default='*')}): it was cut off while "
                    "being written; resume from an earlier state"
                )
        try:
            counters = {counter: int(json.loads(text)[counter]) for counter in _COUNTERS}
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedError(
                f"the training state's text {text[:80]!r} must be JSON with {', '.join(_COUNTERS)} ({error}): resume "
                "from an earlier state"
            ) from error
        return cls(
            step=counters["step"],
            round_start=counters["round_start"],
            policy=weights["policy"],
            averaged=weights["averaged"],
            old=weights["old"],
            kept=weights["kept"],
            kept_step=counters["kept_step"],
            optimizer=optimizer,
        )


def begin(backbone: TrainableBackbone) -> FitState:
    """The state before the first step: policy, average, old and kept are the backbone's present weights."""

    def copy() -> dict[str, torch.Tensor]:
        return {name: value.detach().clone() for name, value in backbone.trainable().items()}

    return FitState(
        step=0, round_start=0, policy=copy(), averaged=copy(), old=copy(), kept=copy(), kept_step=0, optimizer={}
    )


def next_round(state: FitState, *, config: FitConfig) -> FitState:
    """The state that the next round starts from; here `old` follows when it follows by rounds."""
    old = dict(state.old)
    if config.old_policy.follows == "round":
        decay = config.old_policy.decay(state.step)
        old = {name: decay * value + (1 - decay) * state.policy[name] for name, value in state.old.items()}
    optimizer = {} if config.fresh_optimizer else state.optimizer
    return replace(state, round_start=state.step, old=old, optimizer=optimizer)
