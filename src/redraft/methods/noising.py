"""Clean latents to noisy ones at random noise levels, for the losses that need nothing else of the diffusion.

Not the sampler's schedule: that is in the recipe. Not a loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from redraft.core.keys import Key
from redraft.core.protocols import TrainableBackbone
from redraft.core.records import Prediction
from redraft.core.tensors import Conditioning, Parameters
from redraft.diffusion.guidance import guided_prediction
from redraft.diffusion.objectives import noisy

TimestepDistribution = Literal["uniform", "logit_normal"]


@dataclass(frozen=True, kw_only=True)
class Noised:
    """latents = alpha * clean + sigma * noise, B,C,H,W; alpha and sigma B,1,1,1; timesteps B."""

    clean: torch.Tensor
    noise: torch.Tensor
    latents: torch.Tensor
    timesteps: torch.Tensor
    alpha: torch.Tensor
    sigma: torch.Tensor

    def prediction(
        self,
        backbone: TrainableBackbone,
        conditioning: Conditioning,
        *,
        parameters: Parameters | None = None,
        guidance_scale: float = 1.0,
    ) -> torch.Tensor:
        """The network's answer to the noisy latents, B,C,H,W: under the positive text alone, or guided."""
        return guided_prediction(
            backbone,
            self.latents,
            timestep=self.timesteps,
            conditioning=conditioning,
            scale=guidance_scale,
            parameters=parameters,
        )


def add_noise(
    clean: torch.Tensor, *, backbone: TrainableBackbone, distribution: TimestepDistribution, key: Key
) -> Noised:
    """Fresh noise at a random level for each picture of `clean` B,C,H,W."""
    timesteps = draw_timesteps(
        key.child("timesteps"), len(clean), distribution=distribution, prediction=backbone.prediction
    ).to(clean.device, torch.promote_types(clean.dtype, torch.float32))
    noise = key.child("noise").normal(clean.shape).to(clean)
    alpha, sigma = (level.to(clean) for level in backbone.noise_level(timesteps))
    return Noised(
        clean=clean,
        noise=noise,
        latents=noisy(clean, noise, alpha=alpha, sigma=sigma),
        timesteps=timesteps,
        alpha=alpha.view(-1, 1, 1, 1),
        sigma=sigma.view(-1, 1, 1, 1),
    )


def draw_timesteps(key: Key, count: int, *, distribution: TimestepDistribution, prediction: Prediction) -> torch.Tensor:
    """`count` training timesteps, float32, for `Backbone.predict` and `TrainableBackbone.noise_level`.

    `logit_normal`: 1000 * sigmoid(z), z ~ N(0, 1) (Esser et al. 2403.03206, section 3.1). Flow models: real, in
    (0, 1000]. Epsilon and v models were trained at whole timesteps only, so theirs are whole, in 0..999.
    """
    # 1 - u is never 0: at sigma 0 there is nothing to denoise.
    share = 1 - key.uniform((count,)) if distribution == "uniform" else torch.sigmoid(key.normal((count,)))
    return 1000 * share if prediction == "flow" else (1000 * share).ceil() - 1
