"""One resumable training loop for all built-in models: rate with a cooldown, EMA, saved state. Knows no model."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from scripts.builtin_models.muon import SingleMuon

BEFORE = "before.json"
"""Beside a state: how many steps those runs took that this one goes on from, each with a schedule of its own."""


def learning_rate_factor(step: int, *, steps: int, warmup: int = 100, cooldown: float = 0.3) -> float:
    """Linear warm-up, constant, then 1 - sqrt down to zero over the last `cooldown` share (2405.18392, section 4).

    Unlike a cosine, the constant part does not depend on `steps`: a longer run continues a shorter one's path.
    """
    if step < warmup:
        return (step + 1) / warmup
    begin = steps * (1 - cooldown)
    return 1 - math.sqrt(min(1.0, max(0.0, (step - begin) / (steps - begin))))


def split_parameters(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(matrices inside repeated blocks, everything else): the first go to Muon, the second to AdamW."""
    matrices, others = [], []
    for name, parameter in model.named_parameters():
        inside = any(part in name for part in ("blocks.", "layers.", "attentions."))
        plain = parameter.ndim == 2 and "embed" not in name and "norm" not in name and min(parameter.shape) > 8
        (matrices if inside and plain else others).append(parameter)
    return matrices, others


class Trainer:
    """Model, EMA copy, optimisers and step counter, saved together and resumed from `folder/state.pt`."""

    def __init__(
        self,
        model: nn.Module,
        *,
        folder: Path,
        steps: int,
        learning_rate: float,
        muon_rate: float = 0.0,
        ema: float = 0.999,
    ) -> None:
        self.model, self.folder, self.steps, self.ema_decay = model, folder, steps, ema
        self.rates = [learning_rate]
        matrices, others = split_parameters(model) if muon_rate else ([], list(model.parameters()))
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(others, lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
        ]
        if matrices:
            self.optimizers.append(SingleMuon(matrices, lr=muon_rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"))
            self.rates.append(muon_rate)
        self.ema = {name: value.detach().clone() for name, value in model.state_dict().items()}
        self.step, self.seconds = 0, 0.0
        self.history: list[dict[str, float]] = []
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "state.pt").exists():
            self._load()

    def _load(self) -> None:
        state = torch.load(self.folder / "state.pt", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.ema = state["ema"]
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.seconds, self.history = state["step"], state["seconds"], state["history"]

    def save(self) -> None:
        """Write the state to a new file, then rename it over the old one."""
        state = {
            "model": self.model.state_dict(), "ema": self.ema, "step": self.step, "seconds": self.seconds,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers], "history": self.history,
        }  # fmt: skip
        torch.save(state, self.folder / "state.partial")
        os.replace(self.folder / "state.partial", self.folder / "state.pt")

    def run(
        self,
        loss_of: Callable[[int], torch.Tensor],
        *,
        measure: Callable[[], dict[str, Any]] | None = None,
        measure_every: int = 0,
        log_every: int = 50,
        save_every: float = 60.0,
    ) -> None:
        """Train to `steps`. `loss_of(step)` must depend on the step alone, so that a run can be resumed."""
        begin, saved, running = time.time() - self.seconds, time.time(), 0.0
        while self.step < self.steps:
            factor = learning_rate_factor(self.step, steps=self.steps)
            for optimizer, rate in zip(self.optimizers, self.rates, strict=True):
                for group in optimizer.param_groups:
                    group["lr"] = rate * factor
                optimizer.zero_grad(set_to_none=True)
            loss = loss_of(self.step)
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            for optimizer in self.optimizers:
                optimizer.step()
            self.step += 1
            self._update_ema()
            running += loss.item()
            self.seconds = time.time() - begin
            if self.step % log_every == 0:
                print(
                    f"{self.folder.name} step {self.step}/{self.steps} {self.seconds:.0f}s loss "
                    f"{running / log_every:.5f}",
                    flush=True,
                )
                running = 0.0
            if measure is not None and (self.step % measure_every == 0 or self.step == self.steps):
                row = {"step": self.step, "seconds": self.seconds, **measure()}
                self.history.append(row)
                begin = time.time() - self.seconds
                print(self.folder.name, {k: round(v, 4) for k, v in row.items()}, flush=True)
            if time.time() - saved > save_every or self.step == self.steps:
                self.save()
                saved = time.time()
        sys.stdout.flush()

    @torch.no_grad()
    def _update_ema(self) -> None:
        decay = min(self.ema_decay, (1 + self.step) / (10 + self.step))
        for name, value in self.model.state_dict().items():
            if value.is_floating_point():
                self.ema[name].lerp_(value, 1 - decay)
            else:
                self.ema[name].copy_(value)
