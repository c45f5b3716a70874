"""A backbone in closed form: the perfect denoiser of a Gaussian mixture, with three parameters to train.

For tests and for checking methods against oracles in milliseconds. Not a model of pictures: every latent element is an
independent draw from the same one-dimensional mixture, so one picture of 1,400,400 is 160,000 samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from redraft.core.errors import ConfigError, UsageError
from redraft.core.records import NoiseLevel, Prediction, Prompt
from redraft.core.tensors import Conditioning, Images, Parameters
from redraft.diffusion.levels import (
    alphas_cumprod_scaled_linear,
    flow_levels,
    flow_noise_level,
    vp_levels,
    vp_noise_level,
)
from redraft.diffusion.parameterize import training_target

PARAMETERS = ("shift", "offset", "log_variance")


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """A one-dimensional Gaussian mixture: means, variances (> 0) and weights (sum 1) of its components."""

    means: tuple[float, ...] = (1.0,)
    variances: tuple[float, ...] = (0.25,)
    weights: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        same = len(self.means) == len(self.variances) == len(self.weights) >= 1
        if not same or min(self.variances) <= 0 or min(self.weights) <= 0 or abs(sum(self.weights) - 1) > 1e-9:
            raise ConfigError(
                f"a mixture with means {self.means}, variances {self.variances}, weights {self.weights}: equally many "
                "of each are needed, variances and weights above 0, weights with sum 1"
            )


class ExactBackbone:
    """A TrainableBackbone whose prediction is exact for the data `mixture`, moved by the mean of the prompt.

    Parameters, each of shape C,H,W and 0 at the start; `trains` names those that `trainable` returns:
    shift is added to the raw prediction (the theta of the DRaFT oracle); offset is added to the data's mean and
    log_variance to the logarithm of its variances, so that with one component these two can represent every Gaussian.
    prompt_means: what a prompt's text adds to the mean (0 for other texts), so that guidance has a meaning.
    alphas_cumprod: the schedule of an epsilon or v model (default: Stable Diffusion 1.x).
    decode: pixel channel j is the sigmoid of latent channel j modulo C; encode_images is its inverse; 1 <= C <= 3.
    Raises ConfigError for another C or an unknown name in `trains`.
    """

    def __init__(
        self,
        mixture: Mixture,
        *,
        prediction: Prediction = "epsilon",
        latent_shape: tuple[int, int, int] = (1, 1, 1),
        prompt_means: Mapping[str, float] | None = None,
        trains: Sequence[str] = ("shift",),
        dtype: torch.dtype = torch.float64,
        alphas_cumprod: torch.Tensor | None = None,
    ) -> None:
        if not 1 <= latent_shape[0] <= 3 or not set(trains) <= set(PARAMETERS):
            raise ConfigError(
                f"latent_shape={latent_shape}, trains={tuple(trains)}: 1 to 3 channels, and names among {PARAMETERS} "
                "are allowed"
            )
        self.prediction: Prediction = prediction
        self.latent_shape = latent_shape
        self._mixture, self._prompt_means, self._dtype = mixture, dict(prompt_means or {}), dtype
        default = alphas_cumprod_scaled_linear(0.00085, 0.012, 1000)
        self._alphas_cumprod = default if alphas_cumprod is None else alphas_cumprod
        self._frozen = {name: torch.zeros(latent_shape, dtype=dtype) for name in PARAMETERS if name not in set(trains)}
        self._trainable = {name: torch.nn.Parameter(torch.zeros(latent_shape, dtype=dtype)) for name in trains}

    def encode(self, prompts: Sequence[Prompt]) -> Conditioning:
        """The mean that each text (and negative text) adds: B,1."""
        return Conditioning(
            positive={"mean": self._means([prompt.text for prompt in prompts])},
            negative={"mean": self._means([prompt.negative_text for prompt in prompts])},
        )

    def predict(
        self,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        *,
        text: Mapping[str, torch.Tensor],
        parameters: Parameters | None = None,
    ) -> torch.Tensor:
        """E[target | latents] of the mixture plus `shift`, B,C,H,W. Raises UsageError for unknown parameter names."""
        weights = self._with(parameters)
        alpha, sigma = (level.reshape(-1, 1, 1, 1) for level in self.noise_level(timesteps))
        mean = text["mean"].reshape(-1, 1, 1, 1) + weights["offset"]
        x0_hat = self._posterior_mean(latents, alpha, sigma, mean, weights["log_variance"].exp())
        # Written so that it is finite at alpha 0 and not at sigma 0, where no network is ever asked.
        noise_hat = (latents - alpha * x0_hat) / sigma
        exact = training_target(x0_hat, noise_hat, alpha=alpha, sigma=sigma, kind=self.prediction)
        return exact + weights["shift"]

    def decode(self, latents: torch.Tensor) -> Images:
        """Latents to pixels in 0..1 by the sigmoid, in the latents' dtype; differentiable."""
        channels = [channel % self.latent_shape[0] for channel in range(3)]
        return Images(pixels=torch.sigmoid(latents)[:, channels])

    def encode_images(self, images: Images) -> torch.Tensor:
        """Pixels to latents: the inverse of decode."""
        return torch.logit(images.pixels[:, : self.latent_shape[0]])

    def trainable(self) -> Mapping[str, torch.nn.Parameter]:
        """The parameters named in `trains`."""
        return self._trainable

    def reference(self) -> Parameters:
        """Zeros: the exact model."""
        return {name: torch.zeros_like(value) for name, value in self._trainable.items()}

    def noise_level(self, timesteps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(alpha, sigma), each B, at real timesteps B in 0..1000."""
        if self.prediction == "flow":
            return flow_noise_level(timesteps)
        return vp_noise_level(self._alphas_cumprod, timesteps)

    def levels(self, steps: int) -> tuple[NoiseLevel, ...]:
        """Flow without shift, or leading spacing with offset 1 (Stable Diffusion 1.x)."""
        if self.prediction == "flow":
            return flow_levels(steps)
        return vp_levels(self._alphas_cumprod, steps, spacing="leading", steps_offset=1)

    def _means(self, texts: Sequence[str]) -> torch.Tensor:
        return torch.tensor([[self._prompt_means.get(text, 0.0)] for text in texts], dtype=self._dtype)

    def _with(self, parameters: Parameters | None) -> Mapping[str, torch.Tensor]:
        if parameters is None:
            return {**self._frozen, **self._trainable}
        if set(parameters) != set(self._trainable):
            raise UsageError(
                f"parameters named {sorted(parameters)}: this backbone trains {sorted(self._trainable)}; give a value "
                "for each of these"
            )
        return {**self._frozen, **parameters}

    def _posterior_mean(
        self,
        latents: torch.Tensor,
        alpha: torch.Tensor,
        sigma: torch.Tensor,
        mean: torch.Tensor,
        variance_factor: torch.Tensor,
    ) -> torch.Tensor:
        estimates, logits = [], []
        for center, variance, weight in zip(
            self._mixture.means, self._mixture.variances, self._mixture.weights, strict=True
        ):
            spread = variance * variance_factor
            total = alpha.square() * spread + sigma.square()
            residual = latents - alpha * (mean + center)
            estimates.append(mean + center + alpha * spread / total * residual)
            logits.append(torch.log(weight / total.sqrt()) - residual.square() / (2 * total))
        share = torch.softmax(torch.stack(logits), dim=0)
        return (share * torch.stack(estimates)).sum(dim=0)
