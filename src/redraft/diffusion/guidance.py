"""Classifier-free guidance (Ho and Salimans 2207.12598): positive and negative half in one call of the network.

Not a sampler, and no memory of earlier calls.
"""

from __future__ import annotations

import torch

from redraft.core.errors import UsageError
from redraft.core.protocols import Backbone
from redraft.core.tensors import Conditioning, Parameters


def guided_prediction(
    backbone: Backbone,
    latents: torch.Tensor,
    *,
    timestep: float | torch.Tensor,
    conditioning: Conditioning,
    scale: float,
    parameters: Parameters | None = None,
) -> torch.Tensor:
    """negative + scale * (positive - negative), B,C,H,W in float32 at least; scale 1 asks the positive half only.

    latents B,C,H,W enter the network in their own dtype. timestep: one for all, or B.
    Raises UsageError when the conditioning has another number of rows, or no negative half though scale is not 1.
    """
    if len(conditioning) != len(latents):
        raise UsageError(
            f"{len(latents)} latents with {len(conditioning)} encoded prompts: one prompt for each picture is needed; "
            "repeat or take rows of the conditioning"
        )
    times = _timesteps(timestep, latents)
    if scale == 1:
        return _at_least_float32(backbone.predict(latents, times, text=conditioning.positive, parameters=parameters))
    if not conditioning.negative:
        raise UsageError(
            f"guidance_scale={scale} with a conditioning that has no negative half: encode the prompts with their "
            "negative text, or use guidance_scale=1"
        )
    text = {name: torch.cat([conditioning.negative[name], value]) for name, value in conditioning.positive.items()}
    both = backbone.predict(torch.cat([latents, latents]), torch.cat([times, times]), text=text, parameters=parameters)
    # Combined in float32: guidance multiplies the rounding of a half-precision network by its scale.
    negative, positive = _at_least_float32(both).chunk(2)
    return negative + scale * (positive - negative)


def _timesteps(timestep: float | torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
    # Never half precision: bfloat16 cannot tell timestep 981 from 984.
    dtype = torch.promote_types(latents.dtype, torch.float32)
    return torch.as_tensor(timestep, dtype=dtype, device=latents.device).expand(len(latents))


def _at_least_float32(value: torch.Tensor) -> torch.Tensor:
    return value.to(torch.promote_types(value.dtype, torch.float32))
