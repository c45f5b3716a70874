"""How well captions explain noisy pictures, and what follows for a loss (SoftREPA 2503.08250, AGSM 2605.30038).

Pure functions of predictions and errors. P captions of a picture, its own first; `valid` B,P-1 is False for a false
caption that is none. Not a method: `soft_tokens` asks the network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from pydantic import Field
from torch.nn.functional import pad

from redraft.core.config import Config


class RunawayRules(Config):
    """When the slow tokens of AGSM run away; see `runaway`."""

    window: int = Field(default=50, ge=1, description="steps of the running means")
    patience: int = Field(default=5, ge=1, description="steps in a row with the own caption's weight below chance")
    largest_shift: float = Field(default=1.0, gt=0, description="of the target's shift, as a share of the error")


def mean_square(difference: torch.Tensor) -> torch.Tensor:
    """Mean over C,H,W of the square of *,C,H,W."""
    return difference.square().flatten(-3).mean(dim=-1)


def alignment_shift(
    slow: torch.Tensor,
    target: torch.Tensor,
    valid: torch.Tensor,
    *,
    temperature: float,
    reduction: Literal["mean", "sum"],
) -> tuple[torch.Tensor, torch.Tensor]:
    """(w, d): the weight B,P of each caption and the shift B,P,C,H,W of each target (2605.30038, as released).

    w = softmax over captions of -error(slow - target) / temperature, d = slow - sum_k w_k slow_k, so that the weighted
    sum of d is 0. slow: predictions B,P,C,H,W. target: B,C,H,W. reduction: of the squared error over C,H,W.
    """
    error = mean_square(slow - target[:, None])
    if reduction == "sum":
        error = error * target[0].numel()
    weight = torch.softmax((-error / temperature).masked_fill(~_with_own(valid), -math.inf), dim=1)
    mean = (weight[:, :, None, None, None] * slow).sum(dim=1, keepdim=True)
    return weight, slow - mean


def contrastive_loss(errors: torch.Tensor, valid: torch.Tensor, *, scale: float, temperature: float) -> torch.Tensor:
    """Mean of -log softmax_p(scale * exp(-error / temperature)) of the own caption (2503.08250). errors: B,P.

    log P where all errors are equal; its infimum, log(1 + (P - 1) exp(-scale)), asks for infinite errors of the others.
    """
    logits = (scale * torch.exp(-errors / temperature)).masked_fill(~_with_own(valid), -math.inf)
    return -torch.log_softmax(logits, dim=1)[:, 0].mean()


def weight_parts(weight: torch.Tensor, valid: torch.Tensor) -> dict[str, float]:
    """Of weights B,P: the own caption's, its gain over chance (1 / number of captions), its margin over the best false
    one, and the share of pictures where it wins."""
    own, best = weight[:, 0], pad(weight[:, 1:], (0, 1)).amax(dim=1)
    return {
        "own_weight": own.mean().item(),
        "own_weight_gain": (own - 1 / _with_own(valid).sum(dim=1)).mean().item(),
        "own_weight_margin": (own - best).mean().item(),
        "win_rate": (own > best).double().mean().item(),
    }


def share_of_error(shift: torch.Tensor, error: torch.Tensor) -> float:
    """Root mean square of `shift` over that of `error`; 0 where there is no shift."""
    size = shift.square().mean().sqrt().item()
    return size / max(error.square().mean().sqrt().item(), torch.finfo(error.dtype).tiny) if size else 0.0


def runaway(log: Sequence[Mapping[str, float]], rules: RunawayRules) -> str | None:
    """Why AGSM should stop after the last entry of `log` (the named numbers of each step, in order), or None.

    It runs away when slow tokens explain pictures worse under their own caption than under false ones, so that the
    push grows with its own effect: the running mean of `own_weight_gain` is below 0 for `patience` steps in a row, or
    that of `shift_share` exceeds `largest_shift`.
    """

    def running(name: str, end: int) -> float:
        return math.fsum(entry[name] for entry in log[end - rules.window : end]) / rules.window

    if len(log) < rules.window:
        return None
    share = running("shift_share", len(log))
    if share > rules.largest_shift:
        return (
            f"step {len(log)}: the target's shift is {share:.3g} of the error that it is to mend (at most "
            f"{rules.largest_shift:g} is allowed): the soft tokens run away; lower gamma_plus"
        )
    first = len(log) - rules.patience + 1
    gains = [running("own_weight_gain", end) for end in range(first, len(log) + 1) if end >= rules.window]
    if len(gains) < rules.patience or max(gains) >= 0:
        return None
    return (
        f"step {len(log)}: the own caption's weight is below chance for {rules.patience} steps in a row (now by "
        f"{-gains[-1]:.3g}, mean of {rules.window} steps): the soft tokens run away; lower gamma_plus or the learning "
        "rate"
    )


def _with_own(valid: torch.Tensor) -> torch.Tensor:
    """B,P: the own caption is always valid."""
    return pad(valid, (1, 0), value=True)
