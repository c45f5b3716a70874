"""Noise schedules as lists of `NoiseLevel`: x = alpha * x0 + sigma * noise, from the noisiest level to sigma 0.

Not a scheduler: nothing here takes a step or keeps a state. All tables are float64; the floats of a level are exact.

Every schedule ends at alpha 1, sigma 0, so the last step of a sampler gives x0_hat itself. The schedulers of Stable
Diffusion with `set_alpha_to_one=False` end at abar_0 instead, a level that still holds a little noise; we use x0_hat
for them too, because a picture is wanted and because the step to sigma 0 must be free of noise for every kernel.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import torch

from redraft.core.errors import ConfigError
from redraft.core.records import NoiseLevel

TRAINING_STEPS = 1000
CLEAN = NoiseLevel(alpha=1.0, sigma=0.0, timestep=0.0)


def alphas_cumprod_scaled_linear(beta_start: float, beta_end: float, count: int) -> torch.Tensor:
    """abar of the "scaled_linear" schedule: betas linear in their square root; float64, shape `count`.

    Stable Diffusion 1.x, 2.x and XL use 0.00085, 0.012, 1000 (Rombach et al. 2112.10752).
    Raises ConfigError unless 0 < beta_start <= beta_end < 1 and count >= 1.
    """
    if not (0 < beta_start <= beta_end < 1 and count >= 1):
        raise ConfigError(
            f"betas from {beta_start} to {beta_end} in {count} steps: 0 < beta_start <= beta_end < 1 and at least one "
            "step are needed; Stable Diffusion has 0.00085, 0.012, 1000"
        )
    betas = torch.linspace(math.sqrt(beta_start), math.sqrt(beta_end), count, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, dim=0)


def vp_levels(
    alphas_cumprod: torch.Tensor,
    steps: int,
    *,
    spacing: Literal["leading", "trailing"],
    steps_offset: int = 0,
) -> tuple[NoiseLevel, ...]:
    """The `steps` + 1 levels of a variance-preserving model: alpha = sqrt(abar), sigma = sqrt(1 - abar).

    Timesteps as diffusers' DDIMScheduler: "leading" counts up from `steps_offset` (1 for Stable Diffusion 1.x),
    "trailing" counts down from the last one (Lin et al. 2305.08891, table 2). Each step ends at the level where the
    next one begins; diffusers' own "trailing" steps do so only when `steps` divides the number of training steps,
    otherwise they end up to one timestep off.

    Raises ConfigError when `steps` is not within 1..len(alphas_cumprod), or the offset leads beyond the table.
    """
    count = len(alphas_cumprod)
    if not 1 <= steps <= count:
        raise ConfigError(f"steps={steps}: must be within 1..{count}, the number of training steps; choose fewer")
    if spacing == "leading":
        timesteps = [index * (count // steps) + steps_offset for index in reversed(range(steps))]
    elif spacing == "trailing":
        timesteps = [round(count - index * (count / steps)) - 1 for index in range(steps)]
    else:
        raise ConfigError(f"spacing={spacing!r}: must be 'leading' or 'trailing'; see the model's scheduler config")
    return few_step_levels(alphas_cumprod, timesteps)


def few_step_levels(
    alphas_cumprod: torch.Tensor, timesteps: Sequence[int] = (999, 749, 499, 249)
) -> tuple[NoiseLevel, ...]:
    """The levels of a variance-preserving model at chosen falling timesteps, then sigma 0.

    The default is that of distilled few-step samplers (SDXL Turbo, 2311.17042): trailing spacing with four steps.
    Raises ConfigError when there is none, when they do not fall, or when one is outside the table.
    """
    count = len(alphas_cumprod)
    falling = all(earlier > later for earlier, later in itertools.pairwise(timesteps))
    if not timesteps or not falling or timesteps[0] >= count or timesteps[-1] < 0:
        raise ConfigError(
            f"timesteps {tuple(timesteps)}: must fall and lie within 0..{count - 1}; mend the list, the number of "
            "steps or the offset"
        )
    abar = [float(alphas_cumprod[timestep]) for timestep in timesteps]
    return (
        *(
            NoiseLevel(alpha=math.sqrt(value), sigma=math.sqrt(1 - value), timestep=float(timestep))
            for value, timestep in zip(abar, timesteps, strict=True)
        ),
        CLEAN,
    )


def flow_levels(steps: int, *, shift: float = 1.0) -> tuple[NoiseLevel, ...]:
    """The `steps` + 1 levels of a rectified-flow model: alpha = 1 - sigma, timestep = 1000 * sigma.

    As diffusers' FlowMatchEulerDiscreteScheduler without dynamic shifting: sigmas fall evenly from 1 to the shifted
    1/1000 and are then shifted, sigma -> shift * sigma / (1 + (shift - 1) * sigma) (Esser et al. 2403.03206, eq. 23).
    Raises ConfigError when steps < 1 or shift <= 0.
    """
    if steps < 1 or not shift > 0:
        raise ConfigError(
            f"steps={steps}, shift={shift}: a flow schedule needs steps >= 1 and shift > 0; Stable Diffusion 3 has "
            "shift 3"
        )
    # The smallest sigma is shifted twice, here and below, because diffusers does so.
    lowest = _shifted(1 / TRAINING_STEPS, shift)
    fractions = [index / max(steps - 1, 1) for index in range(steps)]
    sigmas = [_shifted(1 + (lowest - 1) * fraction, shift) for fraction in fractions]
    return (
        *(NoiseLevel(alpha=1 - sigma, sigma=sigma, timestep=TRAINING_STEPS * sigma) for sigma in sigmas),
        CLEAN,
    )


def vp_noise_level(alphas_cumprod: torch.Tensor, timesteps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(alpha, sigma), each B, at real timesteps B in 0..len(alphas_cumprod) of a variance-preserving model.

    abar is read from the table, interpolated linearly between two integers; the end of the range means the last
    entry (timestep 1000 is 999). The result is float32, or float64 for float64 timesteps.
    Raises ConfigError for a timestep out of range.
    """
    count = len(alphas_cumprod)
    table = alphas_cumprod.to(device=timesteps.device, dtype=torch.float64)
    place = _checked(timesteps, count).clamp(max=count - 1)
    lower = place.floor().long()
    upper = (lower + 1).clamp(max=count - 1)
    abar = torch.lerp(table[lower], table[upper], place - lower)
    dtype = _result_type(timesteps)
    return abar.sqrt().to(dtype), (1 - abar).sqrt().to(dtype)


def flow_noise_level(timesteps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(1 - t / 1000, t / 1000), each B, at real timesteps B in 0..1000 of a rectified-flow model.

    The result is float32, or float64 for float64 timesteps. Raises ConfigError for a timestep out of range.
    """
    sigma = _checked(timesteps, TRAINING_STEPS) / TRAINING_STEPS
    dtype = _result_type(timesteps)
    return (1 - sigma).to(dtype), sigma.to(dtype)


def _shifted(sigma: float, shift: float) -> float:
    return shift * sigma / (1 + (shift - 1) * sigma)


def _checked(timesteps: torch.Tensor, last: int) -> torch.Tensor:
    real = timesteps.to(torch.float64)
    if not bool(((real >= 0) & (real <= last)).all()):
        raise ConfigError(
            f"timesteps between {real.min().item():g} and {real.max().item():g}: must lie within 0..{last}; draw them "
            "in that range"
        )
    return real


def _result_type(timesteps: torch.Tensor) -> torch.dtype:
    return torch.float64 if timesteps.dtype == torch.float64 else torch.float32
