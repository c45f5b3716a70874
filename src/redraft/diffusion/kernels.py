"""One step between two noise levels: where its mean is, how wide its noise, and the density of where it went.

Not a sampler: the network has been asked before, and whoever calls draws the noise.

All kernels but one share x' = alpha' * x0_hat + sqrt(sigma'^2 - std^2) * noise_hat + std * z. They differ in `std`:

    deterministic            0                                              DDIM = Euler (2010.02502, 2209.03003)
    ddim_eta                 eta * std of the forward posterior             2010.02502 eq. 16; eta 1 is DDPM
    coefficients_preserving  sigma' * sin(strength * pi / 2)                2509.05952
    few_step                 sigma': predict x0, noise it again             consistency and ADD sampling (2311.17042)

and `flow_sde` is the Euler-Maruyama step of Flow-GRPO (2505.05470). A step to sigma 0 is deterministic for all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from redraft.core.errors import ConfigError, UsageError
from redraft.core.records import Kernel, NoiseLevel


@dataclass(frozen=True, kw_only=True)
class Step:
    """The Gaussian law of the next state: mean B,C,H,W and one standard deviation. std 0: the mean itself."""

    mean: torch.Tensor
    std: float


def step(
    latents: torch.Tensor,
    x0_hat: torch.Tensor,
    noise_hat: torch.Tensor,
    *,
    level: NoiseLevel,
    next_level: NoiseLevel,
    kernel: Kernel,
) -> Step:
    """The law of the next state, given that latents B,C,H,W at `level` are alpha * x0_hat + sigma * noise_hat.

    Raises ConfigError where `standard_deviation` does.
    """
    std = standard_deviation(level, next_level, kernel=kernel)
    if kernel.name == "flow_sde" and std > 0:
        return Step(mean=_flow_sde_mean(latents, noise_hat - x0_hat, level, next_level, std), std=std)
    kept = math.sqrt(max(next_level.sigma**2 - std**2, 0.0))
    return Step(mean=next_level.alpha * x0_hat + kept * noise_hat, std=std)


def standard_deviation(level: NoiseLevel, next_level: NoiseLevel, *, kernel: Kernel) -> float:
    """The standard deviation of the step's noise; 0 for a step to sigma 0.

    Raises ConfigError when the noise would exceed what the next level holds (strength too large), when the next level
    is not less noisy, or when flow_sde is asked between levels that are not of a rectified flow.
    """
    if not next_level.sigma < level.sigma:
        raise ConfigError(
            f"a step from sigma {level.sigma:g} to {next_level.sigma:g}: sigma must fall; build the levels with "
            "redraft.diffusion.levels"
        )
    if next_level.sigma == 0 or kernel.name == "deterministic":
        return 0.0
    if kernel.name == "few_step":
        return next_level.sigma
    if kernel.name == "flow_sde":
        return _flow_sde_std(level, next_level, kernel.strength)
    if kernel.name == "coefficients_preserving":
        return _within(next_level.sigma * math.sin(min(kernel.strength, 1.0) * math.pi / 2), next_level, kernel)
    return _within(kernel.strength * _posterior_std(level, next_level), next_level, kernel)


def log_probability(value: torch.Tensor, *, mean: torch.Tensor, std: float) -> torch.Tensor:
    """Log-density, B, of `value` B,C,H,W under the normal law of a step: the SUM over C,H,W.

    Losses that follow published clip ranges divide it by the number of latent elements.
    Raises UsageError for std 0: such a step has no density.
    """
    if not std > 0:
        raise UsageError(
            f"the log-probability of a step with std={std}: only a step with noise has a density; leave out the steps "
            "of a deterministic kernel and the step to sigma 0"
        )
    elements = value[0].numel()
    squares = ((value - mean) / std).square().flatten(1).sum(dim=1)
    return -0.5 * squares - elements * (math.log(std) + 0.5 * math.log(2 * math.pi))


def _posterior_std(level: NoiseLevel, next_level: NoiseLevel) -> float:
    """Std of q(x' | x, x0) of the forward process; for alpha^2 + sigma^2 = 1 it is eq. 16 of DDIM with eta 1."""
    added = level.sigma**2 - (level.alpha * next_level.sigma / next_level.alpha) ** 2
    return next_level.sigma / level.sigma * math.sqrt(max(added, 0.0))


def _within(std: float, next_level: NoiseLevel, kernel: Kernel) -> float:
    # A strength just at the limit may exceed it by rounding.
    too_wide = std > next_level.sigma * (1 + 1e-9)
    if too_wide or (kernel.name == "coefficients_preserving" and kernel.strength > 1):
        raise ConfigError(
            f"kernel {kernel.name} with strength {kernel.strength}: its noise would exceed sigma "
            f"{next_level.sigma:g} of the next level; use a strength of at most 1"
        )
    return std


def _flow_sde_std(level: NoiseLevel, next_level: NoiseLevel, strength: float) -> float:
    if abs(level.alpha + level.sigma - 1) > 1e-6:
        raise ConfigError(
            f"kernel flow_sde at alpha {level.alpha:g}, sigma {level.sigma:g}: it is defined for rectified flow only "
            "(alpha + sigma = 1); use ddim_eta or coefficients_preserving for this model"
        )
    # At sigma 1 the diffusion is infinite; Flow-GRPO puts the second sigma of the schedule into the denominator.
    cleared = 1 - (next_level.sigma if level.sigma == 1 else level.sigma)
    return strength * math.sqrt(level.sigma / cleared * (level.sigma - next_level.sigma))


def _flow_sde_mean(
    latents: torch.Tensor, velocity: torch.Tensor, level: NoiseLevel, next_level: NoiseLevel, std: float
) -> torch.Tensor:
    """x + [v + g^2 / (2 s) * (x + (1 - s) v)] dt with g^2 |dt| = std^2 (2505.05470 eq. 9)."""
    pull = std**2 / (2 * level.sigma)
    time = next_level.sigma - level.sigma
    return latents * (1 - pull) + velocity * (time - pull * (1 - level.sigma))
