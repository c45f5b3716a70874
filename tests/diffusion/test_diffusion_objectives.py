"""Parameterisations, guidance, denoising objectives and the exact backbone itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from redraft.core.errors import ConfigError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import Backbone
from redraft.core.records import Prompt
from redraft.core.tensors import Images
from redraft.diffusion.exact import ExactBackbone, Mixture
from redraft.diffusion.guidance import guided_prediction
from redraft.diffusion.levels import alphas_cumprod_scaled_linear, flow_noise_level, vp_noise_level
from redraft.diffusion.objectives import denoising_error, noisy
from redraft.diffusion.parameterize import split_prediction, training_target

KEY = Key(seed=31)
PROMPTS = [Prompt(text="left"), Prompt(text="right", negative_text="left"), Prompt(text="other")]
MEANS = {"left": -2.0, "right": 2.0}
KINDS = ["epsilon", "v", "flow"]
TIMES = torch.tensor([20.0, 500.0, 900.0], dtype=torch.float64)


def level(kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    abar = alphas_cumprod_scaled_linear(0.00085, 0.012, 1000)
    return flow_noise_level(TIMES) if kind == "flow" else vp_noise_level(abar, TIMES)


@pytest.mark.parametrize("kind", KINDS)
def test_split_is_the_inverse_of_the_training_target(kind: Any) -> None:
    x0, noise = KEY.child("x0").normal((3, 2, 4, 4)).double(), KEY.child("noise").normal((3, 2, 4, 4)).double()
    alpha, sigma = (value.reshape(3, 1, 1, 1) for value in level(kind))
    latents = alpha * x0 + sigma * noise
    target = training_target(x0, noise, alpha=alpha, sigma=sigma, kind=kind)
    x0_hat, noise_hat = split_prediction(target, latents, alpha=alpha, sigma=sigma, kind=kind)
    torch.testing.assert_close(x0_hat, x0, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(noise_hat, noise, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_any_prediction_splits_into_the_latents(kind: Any) -> None:
    latents, answer = KEY.child("x").normal((3, 2, 4, 4)).double(), KEY.child("y").normal((3, 2, 4, 4)).double()
    alpha, sigma = (value.reshape(3, 1, 1, 1) for value in level(kind))
    x0_hat, noise_hat = split_prediction(answer, latents, alpha=alpha, sigma=sigma, kind=kind)
    torch.testing.assert_close(alpha * x0_hat + sigma * noise_hat, latents, rtol=1e-10, atol=1e-10)


def test_unknown_or_impossible_parameterisations_are_named() -> None:
    x = torch.zeros(1, 1, 1, 1)
    with pytest.raises(ConfigError, match="prediction 'sample': must be 'epsilon', 'v' or 'flow'"):
        split_prediction(x, x, alpha=1.0, sigma=0.0, kind="sample")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="prediction 'sample': must be"):
        training_target(x, x, alpha=1.0, sigma=0.0, kind="sample")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="noise alone does not tell x0"):
        split_prediction(x, x, alpha=0.0, sigma=1.0, kind="epsilon")


def test_guidance_is_the_linear_combination_in_one_call(epsilon_network: Any) -> None:
    conditioning, latents = epsilon_network.encode(PROMPTS), KEY.normal((3, 4, 8, 8))
    times = torch.tensor([1.0, 500.0, 981.0])
    positive = epsilon_network.predict(latents, times, text=conditioning.positive)
    negative = epsilon_network.predict(latents, times, text=conditioning.negative)

    def guided(scale: float) -> torch.Tensor:
        epsilon_network.calls.clear()
        return guided_prediction(epsilon_network, latents, timestep=times, conditioning=conditioning, scale=scale)

    torch.testing.assert_close(guided(7.5), negative + 7.5 * (positive - negative), rtol=1e-5, atol=1e-5)
    assert epsilon_network.calls == [(6, torch.float32)]
    torch.testing.assert_close(guided(0.0), negative, rtol=1e-5, atol=1e-5)
    assert torch.equal(guided(1.0), positive)
    assert epsilon_network.calls == [(3, torch.float32)]


def test_guidance_never_rounds_the_timestep_and_combines_in_float32() -> None:
    seen: list[torch.Tensor] = []

    class Listener(ExactBackbone):
        def predict(self, latents: torch.Tensor, timesteps: torch.Tensor, **options: Any) -> torch.Tensor:
            seen.append(timesteps)
            return super().predict(latents, timesteps, **options).to(latents.dtype)

    backbone = Listener(Mixture(), prompt_means=MEANS)
    latents = KEY.normal((3, 1, 1, 1)).bfloat16()
    conditioning = backbone.encode(PROMPTS)
    guided = guided_prediction(backbone, latents, timestep=981.0, conditioning=conditioning, scale=3.0)
    assert guided.dtype == torch.float32
    assert seen[0].dtype == torch.float32
    assert seen[0].tolist() == [981.0] * 6


def test_guidance_with_another_number_of_prompts_is_named(epsilon_network: Any) -> None:
    with pytest.raises(UsageError, match="2 latents with 3 encoded prompts"):
        guided_prediction(
            epsilon_network,
            torch.zeros(2, 4, 8, 8),
            timestep=1.0,
            conditioning=epsilon_network.encode(PROMPTS),
            scale=1.0,
        )


@pytest.mark.parametrize("kind", KINDS)
def test_exact_denoising_error_is_the_posterior_variance(kind: Any) -> None:
    # E|target - E[target|x]|^2 in closed form: Var(x0|x) = v s^2 / D, D = a^2 v + s^2, and noise = (x - a x0) / s.
    variance = 0.6
    backbone = ExactBackbone(
        Mixture(means=(0.0,), variances=(variance,)), prediction=kind, latent_shape=(1, 200, 200), prompt_means=MEANS
    )
    conditioning = backbone.encode(PROMPTS)
    means = conditioning.positive["mean"].reshape(3, 1, 1, 1)
    clean = means + variance**0.5 * KEY.child("clean").normal((3, 1, 200, 200)).double()
    noise = KEY.child("noise").normal((3, 1, 200, 200)).double()
    error = denoising_error(backbone, clean, conditioning, timesteps=TIMES, noise=noise)
    alpha, sigma = level(kind)
    posterior = variance * sigma**2 / (alpha**2 * variance + sigma**2)
    factor = {"epsilon": alpha / sigma, "v": alpha**2 / sigma + sigma, "flow": alpha / sigma + 1}[kind]
    # 40,000 elements each: four standard errors of a Gaussian variance are 2.8 %.
    torch.testing.assert_close(error, factor**2 * posterior, rtol=0.028, atol=0)


def test_denoising_error_sees_the_positive_text_only_and_other_parameters() -> None:
    backbone = ExactBackbone(Mixture(), prediction="flow", latent_shape=(1, 2, 2), prompt_means=MEANS)
    clean, noise = KEY.child("clean").normal((3, 1, 2, 2)).double(), KEY.child("noise").normal((3, 1, 2, 2)).double()
    with_negative, without = (
        backbone.encode([Prompt(text="left", negative_text=negative)] * 3) for negative in ("right", "")
    )
    error = denoising_error(backbone, clean, with_negative, timesteps=TIMES, noise=noise)
    assert torch.equal(error, denoising_error(backbone, clean, without, timesteps=TIMES, noise=noise))
    error.sum().backward()
    assert backbone.trainable()["shift"].grad is not None
    moved = {"shift": torch.ones(1, 2, 2, dtype=torch.float64)}
    assert not torch.allclose(
        denoising_error(backbone, clean, without, timesteps=TIMES, noise=noise, parameters=moved), error
    )


def test_noisy_mixes_each_picture_with_its_own_level() -> None:
    mixed = noisy(
        torch.ones(2, 1, 1, 1),
        torch.full((2, 1, 1, 1), 10.0),
        alpha=torch.tensor([0.5, 1.0]),
        sigma=torch.tensor([1.0, 0.0]),
    )
    assert mixed.flatten().tolist() == [10.5, 1.0]


def test_exact_backbone_is_a_backbone_with_reference_and_inverse_decoder() -> None:
    backbone = ExactBackbone(Mixture(), latent_shape=(3, 2, 2), trains=("shift", "offset"))
    assert isinstance(backbone, Backbone)
    assert set(backbone.trainable()) == set(backbone.reference()) == {"shift", "offset"}
    latents = KEY.normal((2, 3, 2, 2)).double()
    images = backbone.decode(latents)
    assert images.pixels.shape == (2, 3, 2, 2)
    torch.testing.assert_close(backbone.encode_images(Images(pixels=images.pixels)), latents)
    with torch.no_grad():
        backbone.trainable()["shift"].fill_(1.0)
    assert backbone.reference()["shift"].abs().max() == 0


def test_exact_mixture_is_the_posterior_mean_by_integration() -> None:
    mixture = Mixture(means=(-1.0, 2.0), variances=(0.3, 0.1), weights=(0.4, 0.6))
    backbone = ExactBackbone(mixture, prediction="epsilon")
    grid = torch.linspace(-8, 8, 20001, dtype=torch.float64)
    density = sum(
        weight * torch.exp(-((grid - mean) ** 2) / (2 * variance)) / variance**0.5
        for mean, variance, weight in zip(mixture.means, mixture.variances, mixture.weights, strict=True)
    )
    alpha, sigma = level("epsilon")
    latents = torch.tensor([-0.5, 0.4, 1.0], dtype=torch.float64)
    weight = density * torch.exp(-((latents[:, None] - alpha[:, None] * grid) ** 2) / (2 * sigma[:, None] ** 2))
    x0_hat = (weight * grid).sum(dim=1) / weight.sum(dim=1)
    answer = backbone.predict(latents.reshape(3, 1, 1, 1), TIMES, text=backbone.encode(PROMPTS).positive)
    torch.testing.assert_close(answer.detach().flatten(), (latents - alpha * x0_hat) / sigma, rtol=1e-8, atol=1e-8)


def test_bad_exact_backbones_are_named() -> None:
    with pytest.raises(ConfigError, match="weights with sum 1"):
        Mixture(means=(0.0, 1.0), variances=(1.0, 1.0), weights=(0.5, 0.6))
    with pytest.raises(ConfigError, match="1 to 3 channels"):
        ExactBackbone(Mixture(), latent_shape=(4, 1, 1))
    with pytest.raises(ConfigError, match="names among"):
        ExactBackbone(Mixture(), trains=("theta",))
    backbone = ExactBackbone(Mixture())
    with pytest.raises(UsageError, match=r"parameters named \['theta'\]"):
        backbone.predict(
            torch.zeros(1, 1, 1, 1),
            torch.ones(1),
            text=backbone.encode(PROMPTS[:1]).positive,
            parameters={"theta": torch.ones(1)},
        )
