"""Each person's own bias as a shrunken random effect. Not a judgement of people: who is careless is decided elsewhere.

    y_n = f(x_n) + b_r + e_n,   b_r ~ N(0, tau^2),   e_n ~ N(0, sigma^2)

The best linear unbiased prediction of b_r is the mean residual of r's n_r answers, shrunken by
tau^2 / (tau^2 + sigma^2 / n_r) (Henderson 1975). tau^2 comes from the method of moments (DerSimonian and Laird 1986),
so that people who do not differ more than chance has it get no bias at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from redraft.core.errors import NumericsError, UsageError


@dataclass(frozen=True, kw_only=True)
class RaterEffects:
    """bias R: what each person adds, 0 for those nobody heard of. spread: tau; slip: sigma of one number."""

    bias: torch.Tensor
    spread: float
    slip: float


def rater_effects(residuals: torch.Tensor, rater: torch.Tensor, *, mask: torch.Tensor, count: int) -> RaterEffects:
    """Effects of `count` people from residuals N,K (answer minus prediction) where mask N,K; rater N.

    All sliders of an answer share the person's bias; they enter as one mean, for their slips within an answer are not
    independent where the picture was hard. Raises UsageError when nothing was answered, NumericsError for NaN.
    """
    answered = mask.any(1)
    if not bool(answered.any()):
        raise UsageError("no slider was answered: no person's bias can be told")
    values = (torch.where(mask, residuals, 0.0).sum(1) / mask.sum(1).clamp(min=1))[answered].double()
    if not bool(torch.isfinite(values).all()):
        raise NumericsError("a residual of an answer is not finite: check the prediction it was taken from")
    who = rater[answered]
    number = torch.bincount(who, minlength=count).double()
    total = torch.zeros(count, dtype=torch.float64).index_add_(0, who, values)
    heard = number > 0
    # The common level belongs to the heads, not to the people.
    mean = torch.where(heard, total / number.clamp(min=1), 0.0)
    within = (values - mean[who]).square().sum().item()
    people, free = int(heard.sum()), len(values) - int(heard.sum())
    if people < 2 or free < 1:
        return RaterEffects(bias=torch.zeros(count), spread=0.0, slip=values.std(correction=0).item())
    noise = within / free
    level = (total.sum() / number.sum()).item()
    between = (number * (mean - level).square())[heard].sum().item()
    scale = (number.sum() - number.square().sum() / number.sum()).item()
    tau = max(0.0, (between - (people - 1) * noise) / scale)
    share = tau / (tau + noise / number.clamp(min=1)) if tau > 0 else torch.zeros(count, dtype=torch.float64)
    bias = torch.where(heard, share * (mean - level), 0.0)
    return RaterEffects(bias=bias.float(), spread=tau**0.5, slip=noise**0.5)
