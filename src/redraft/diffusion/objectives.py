"""Denoising objectives: the squared error of the network's raw answer on noised clean latents.

Not a loss of a method (those weigh, compare or clip these errors), and never guided: training sees positive text only.
"""

from __future__ import annotations

import torch

from redraft.core.protocols import TrainableBackbone
from redraft.core.tensors import Conditioning, Parameters
from redraft.diffusion.parameterize import training_target


def noisy(clean: torch.Tensor, noise: torch.Tensor, *, alpha: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """alpha * clean + sigma * noise, B,C,H,W, with one (alpha, sigma) a picture, each B."""
    return _per_picture(alpha, clean) * clean + _per_picture(sigma, clean) * noise


def denoising_error(
    backbone: TrainableBackbone,
    clean: torch.Tensor,
    conditioning: Conditioning,
    *,
    timesteps: torch.Tensor,
    noise: torch.Tensor,
    parameters: Parameters | None = None,
) -> torch.Tensor:
    """Mean over C,H,W of the squared error of the raw prediction (epsilon, v or flow), B (Ho et al. 2006.11239 eq. 14).

    clean, noise: B,C,H,W. timesteps: B, real, in 0..1000.
    """
    alpha, sigma = (level.to(clean.device) for level in backbone.noise_level(timesteps))
    prediction = backbone.predict(
        noisy(clean, noise, alpha=alpha, sigma=sigma),
        timesteps.to(clean.device),
        text=conditioning.positive,
        parameters=parameters,
    )
    target = training_target(
        clean, noise, alpha=_per_picture(alpha, clean), sigma=_per_picture(sigma, clean), kind=backbone.prediction
    )
    return (prediction - target).square().flatten(1).mean(dim=1)


def _per_picture(value: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
    return value.to(latents.dtype).reshape(-1, *(1 for _ in latents.shape[1:]))
