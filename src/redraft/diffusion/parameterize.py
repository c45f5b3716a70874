"""What a network's output means: from epsilon, v or flow velocity to (x0_hat, noise_hat), and from data to targets.

Not a noise schedule: alpha and sigma are arguments, floats or tensors that broadcast against B,C,H,W (B,1,1,1).
"""

from __future__ import annotations

import torch

from redraft.core.errors import ConfigError
from redraft.core.records import Prediction


def split_prediction(
    prediction: torch.Tensor,
    latents: torch.Tensor,
    *,
    alpha: float | torch.Tensor,
    sigma: float | torch.Tensor,
    kind: Prediction,
) -> tuple[torch.Tensor, torch.Tensor]:
    """(x0_hat, noise_hat), each B,C,H,W, with latents = alpha * x0_hat + sigma * noise_hat.

    epsilon (Ho et al. 2006.11239): prediction = noise; alpha > 0.
    v (Salimans and Ho 2202.00512): prediction = alpha * noise - sigma * x0, with alpha^2 + sigma^2 = 1.
    flow (Liu et al. 2209.03003): prediction = noise - x0, with alpha + sigma = 1.
    Raises ConfigError for an unknown kind, or for epsilon at a float alpha of 0, where x0 cannot be known.
    """
    if kind == "epsilon":
        if isinstance(alpha, float) and alpha == 0:
            raise ConfigError(
                "alpha=0.0 with an epsilon model: noise alone does not tell x0; start the schedule at alpha > 0, or "
                "use a v or flow model"
            )
        return (latents - sigma * prediction) / alpha, prediction
    if kind == "v":
        return alpha * latents - sigma * prediction, alpha * prediction + sigma * latents
    if kind == "flow":
        return latents - sigma * prediction, latents + alpha * prediction
    raise _unknown(kind)


def training_target(
    x0: torch.Tensor,
    noise: torch.Tensor,
    *,
    alpha: float | torch.Tensor,
    sigma: float | torch.Tensor,
    kind: Prediction,
) -> torch.Tensor:
    """What the network should answer at alpha * x0 + sigma * noise, B,C,H,W. Raises ConfigError for an unknown kind."""
    if kind == "epsilon":
        return noise
    if kind == "v":
        return alpha * noise - sigma * x0
    if kind == "flow":
        return noise - x0
    raise _unknown(kind)


def _unknown(kind: str) -> ConfigError:
    return ConfigError(f"prediction {kind!r}: must be 'epsilon', 'v' or 'flow'; see the model's scheduler config")
