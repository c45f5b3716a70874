"""Muon (Jordan 2024; scaled as in 2502.16982) in single precision, all matrices of a shape at once.

Not another method: torch's own rounds to bfloat16, which CPUs without such arithmetic emulate, and then takes longer
than the rest of a training step of a tiny model. States are torch's, so that either goes on from the other's.
"""

from __future__ import annotations

import math
from collections import defaultdict

import torch


class SingleMuon(torch.optim.Muon):
    """torch.optim.Muon whose step orthogonalises in float32; `match_rms_adamw`, no weight decay, no closure."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """One step from the gradients of all matrices. Raises ValueError for a closure: nothing is evaluated again."""
        if closure is not None:
            raise ValueError("Muon takes gradients that are there: call backward() first, and step() without a closure")
        for group in self.param_groups:
            updates: dict[tuple[int, ...], list[tuple[torch.nn.Parameter, torch.Tensor]]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(parameter)
                momentum = state["momentum_buffer"].lerp_(parameter.grad, 1 - group["momentum"])
                update = parameter.grad.lerp(momentum, group["momentum"])
                wide = update.shape[0] <= update.shape[1]
                updates[tuple(sorted(update.shape))].append((parameter, update if wide else update.T))
            for shape, members in updates.items():
                found = orthogonal(
                    torch.stack([update for _, update in members]), coefficients=group["ns_coefficients"],
                    steps=group["ns_steps"],
                )  # fmt: skip
                rate = group["lr"] * 0.2 * math.sqrt(max(shape))
                for (parameter, _), update in zip(members, found, strict=True):
                    parameter.add_(update if parameter.shape == update.shape else update.T, alpha=-rate)


def orthogonal(matrices: torch.Tensor, *, coefficients: tuple[float, float, float], steps: int) -> torch.Tensor:
    """Newton-Schulz on N,A,B with A <= B: singular values of each come near 1."""
    a, b, c = coefficients
    found = matrices / matrices.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        gram = found @ found.mT
        found = torch.baddbmm(found, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return found
