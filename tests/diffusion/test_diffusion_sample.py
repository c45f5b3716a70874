"""Sampling: order of convergence, randomness by key and index, logs and replay, dtypes, bad input."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from redraft.core.errors import ConfigError, UsageError
from redraft.core.keys import Key
from redraft.core.records import Kernel, NoiseLevel, Prompt, Recipe
from redraft.core.tensors import Conditioning
from redraft.diffusion.exact import ExactBackbone, Mixture
from redraft.diffusion.levels import alphas_cumprod_scaled_linear, flow_levels, vp_levels
from redraft.diffusion.sample import initial_noise, replay, sample, sample_logged

KEY = Key(seed=21, path=("test",))
PROMPTS = [Prompt(text=text, negative_text="grey") for text in ("a", "b", "c", "d", "e")]
ABAR = alphas_cumprod_scaled_linear(0.00085, 0.012, 1000)
VP = vp_levels(ABAR, 6, spacing="leading", steps_offset=1)
KERNELS = [
    Kernel(name="ddim_eta", strength=1.0),
    Kernel(name="coefficients_preserving", strength=0.7),
    Kernel(name="few_step"),
    Kernel(name="flow_sde", strength=0.7),
]


def fit(kernel: Kernel, epsilon_network: Any, flow_network: Any, **options: Any) -> tuple[Any, Recipe]:
    """The network and recipe that a kernel is tried on: flow for flow_sde, epsilon for the others."""
    if kernel.name == "flow_sde":
        return flow_network, Recipe(levels=flow_levels(6, shift=3.0), kernel=kernel, **options)
    return epsilon_network, Recipe(levels=VP, kernel=kernel, **options)


def test_deterministic_sampling_converges_to_the_flow_of_gaussian_data_at_first_order() -> None:
    # The probability flow takes noise z of N(0, 1) to mean + sqrt(variance) z.
    backbone = ExactBackbone(Mixture(means=(1.5,), variances=(0.3,)), prediction="flow", latent_shape=(1, 4, 4))
    conditioning = backbone.encode(PROMPTS)
    exact = 1.5 + 0.3**0.5 * initial_noise(KEY, indices=range(5), shape=(1, 4, 4)).double()
    errors = []
    for steps in (200, 400, 800):
        sigmas = [1 - index / steps for index in range(steps + 1)]
        levels = tuple(NoiseLevel(alpha=1 - sigma, sigma=sigma, timestep=1000 * sigma) for sigma in sigmas)
        recipe = Recipe(levels=levels, dtype="float64")
        errors.append((sample(backbone, conditioning, recipe=recipe, key=KEY).latents - exact).abs().max().item())
    assert errors[2] < 5e-3
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.03)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.03)


def test_mixture_is_sampled_with_its_weights() -> None:
    mixture = Mixture(means=(-2.0, 3.0), variances=(0.1, 0.2), weights=(0.25, 0.75))
    backbone = ExactBackbone(mixture, prediction="flow", latent_shape=(1, 100, 100))
    recipe = Recipe(levels=flow_levels(100))
    latents = sample(backbone, backbone.encode(PROMPTS[:1]), recipe=recipe, key=KEY).latents
    # 10,000 draws: four standard errors of a share are 0.017; the rest is the error of 100 steps.
    assert (latents > 0).float().mean().item() == pytest.approx(0.75, abs=0.03)
    assert latents[latents > 0].mean().item() == pytest.approx(3.0, abs=0.05)
    assert latents[latents < 0].mean().item() == pytest.approx(-2.0, abs=0.05)


@pytest.mark.parametrize("kernel", [Kernel(), *KERNELS])
def test_batch_splits_and_order_change_nothing(kernel: Kernel, epsilon_network: Any, flow_network: Any) -> None:
    backbone, recipe = fit(kernel, epsilon_network, flow_network, guidance_scale=3.0)
    conditioning = backbone.encode(PROMPTS)
    whole = sample(backbone, conditioning, recipe=recipe, key=KEY).latents
    for rows in ([0], [4, 2], [1, 3]):
        part = sample(backbone, conditioning.take(rows), recipe=recipe, key=KEY, indices=rows).latents
        # Not bit for bit: a convolution may add in another order in another batch.
        torch.testing.assert_close(part, whole[rows], rtol=1e-4, atol=1e-4)
    same_index = sample(backbone, conditioning.take([1, 1]), recipe=recipe, key=KEY, indices=[7, 8]).latents
    assert not torch.allclose(same_index[0], same_index[1])


def test_initial_noise_depends_on_key_and_index_alone() -> None:
    whole = initial_noise(KEY, indices=range(4), shape=(4, 8, 8))
    assert torch.equal(initial_noise(KEY, indices=[3, 1], shape=(4, 8, 8)), whole[[3, 1]])
    assert not torch.equal(initial_noise(KEY.child("other"), indices=range(4), shape=(4, 8, 8)), whole)


@pytest.mark.parametrize("kernel", [Kernel(), *KERNELS])
def test_global_generator_is_not_touched(kernel: Kernel, epsilon_network: Any, flow_network: Any) -> None:
    backbone, recipe = fit(kernel, epsilon_network, flow_network)
    torch.manual_seed(4)
    state = torch.get_rng_state()
    first = sample(backbone, backbone.encode(PROMPTS), recipe=recipe, key=KEY).latents
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(5)
    assert torch.equal(sample(backbone, backbone.encode(PROMPTS), recipe=recipe, key=KEY).latents, first)


def test_latents_leave_as_ordinary_tensors(epsilon_network: Any) -> None:
    latents = sample(epsilon_network, epsilon_network.encode(PROMPTS), recipe=Recipe(levels=VP), key=KEY).latents
    assert not latents.requires_grad
    weight = torch.ones(1, requires_grad=True)
    (weight * latents).square().sum().backward()
    assert weight.grad is not None


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_log_ratio_is_exactly_zero_before_any_update(
    kernel: Kernel, dtype: Any, scale: float, epsilon_network: Any, flow_network: Any
) -> None:
    backbone, recipe = fit(kernel, epsilon_network, flow_network, dtype=dtype, guidance_scale=scale)
    conditioning = backbone.encode(PROMPTS)
    rollout = sample_logged(backbone, conditioning, recipe=recipe, key=KEY)
    again = replay(backbone, rollout, conditioning)
    assert again.requires_grad
    assert torch.equal(again, rollout.log_probabilities)
    same = {name: value.detach().clone() for name, value in backbone.weights.items()}
    assert torch.equal(replay(backbone, rollout, conditioning, parameters=same), rollout.log_probabilities)
    moved = {name: value * 1.01 for name, value in same.items()}
    assert not torch.equal(replay(backbone, rollout, conditioning, parameters=moved), rollout.log_probabilities)


@pytest.mark.parametrize("kernel", KERNELS)
def test_logged_rollout_is_the_rollout_with_its_transitions(
    kernel: Kernel, epsilon_network: Any, flow_network: Any
) -> None:
    backbone, recipe = fit(kernel, epsilon_network, flow_network)
    conditioning = backbone.encode(PROMPTS)
    logged = sample_logged(backbone, conditioning, recipe=recipe, key=KEY)
    assert torch.equal(logged.latents, sample(backbone, conditioning, recipe=recipe, key=KEY).latents)
    assert logged.steps == (0, 1, 2, 3, 4)  # the sixth step, to sigma 0, is no transition
    assert logged.before.shape == logged.after.shape == (5, 5, 4, 8, 8)
    assert logged.log_probabilities.shape == (5, 5)
    assert torch.equal(logged.before[1:], logged.after[:-1])
    assert torch.equal(logged.before[0], initial_noise(KEY, indices=range(5), shape=(4, 8, 8)))


def test_replay_gradient_is_that_of_the_log_probability() -> None:
    backbone = ExactBackbone(Mixture(), prediction="epsilon", latent_shape=(1, 2, 2))
    recipe = Recipe(levels=VP, kernel=KERNELS[0], dtype="float64")
    conditioning = backbone.encode(PROMPTS)
    rollout = sample_logged(backbone, conditioning, recipe=recipe, key=KEY)
    replay(backbone, rollout, conditioning).sum().backward()
    gradient = backbone.trainable()["shift"].grad
    assert gradient is not None

    def total(shift: float) -> float:
        moved = {"shift": torch.full((1, 2, 2), shift, dtype=torch.float64)}
        return replay(backbone, rollout, conditioning, parameters=moved).sum().item()

    assert gradient.sum().item() == pytest.approx((total(1e-4) - total(-1e-4)) / 2e-4, rel=1e-6)


def test_parameters_at_gives_the_start_step(epsilon_network: Any) -> None:
    conditioning, recipe = epsilon_network.encode(PROMPTS), Recipe(levels=VP)
    moved = {name: value.detach() * 1.5 for name, value in epsilon_network.weights.items()}

    def latents(**options: Any) -> torch.Tensor:
        return sample(epsilon_network, conditioning, recipe=recipe, key=KEY, **options).latents

    assert torch.equal(latents(parameters_at=lambda step: moved if step >= 6 else None), latents())
    assert torch.equal(latents(parameters_at=lambda step: moved if step >= 0 else None), latents(parameters=moved))
    late = latents(parameters_at=lambda step: moved if step >= 3 else None)
    assert not torch.allclose(late, latents())
    assert not torch.allclose(late, latents(parameters=moved))


def test_parameters_at_is_replayed(epsilon_network: Any) -> None:
    conditioning, recipe = epsilon_network.encode(PROMPTS), Recipe(levels=VP, kernel=KERNELS[0])
    moved = {name: value.detach() * 1.5 for name, value in epsilon_network.weights.items()}
    late: Any = lambda step: moved if step >= 3 else None  # noqa: E731
    rollout = sample_logged(epsilon_network, conditioning, recipe=recipe, key=KEY, parameters_at=late)
    again = replay(epsilon_network, rollout, conditioning, parameters_at=late)
    assert torch.equal(again, rollout.log_probabilities)
    plain = replay(epsilon_network, rollout, conditioning)
    assert (plain == rollout.log_probabilities).all(dim=1).tolist() == [True, True, True, False, False]


def test_network_runs_in_the_dtype_of_the_recipe_and_arithmetic_in_float32(epsilon_network: Any) -> None:
    recipe = Recipe(levels=VP, dtype="bfloat16")
    latents = sample(epsilon_network, epsilon_network.encode(PROMPTS), recipe=recipe, key=KEY).latents
    assert latents.dtype == torch.float32
    assert epsilon_network.calls == [(5, torch.bfloat16)] * 6
    assert not torch.equal(latents, latents.bfloat16().float())


def test_bad_calls_are_named(epsilon_network: Any, flow_network: Any) -> None:
    conditioning, recipe = epsilon_network.encode(PROMPTS), Recipe(levels=VP)
    with pytest.raises(UsageError, match="2 indices for 5 encoded prompts"):
        sample(epsilon_network, conditioning, recipe=recipe, key=KEY, indices=[1, 2])
    with pytest.raises(UsageError, match="both parameters and parameters_at"):
        sample(epsilon_network, conditioning, recipe=recipe, key=KEY, parameters={}, parameters_at=lambda _: None)
    with pytest.raises(UsageError, match="kernel 'deterministic' in 6 steps: there is no transition"):
        sample_logged(epsilon_network, conditioning, recipe=recipe, key=KEY)
    one = Recipe(levels=VP[-2:], kernel=KERNELS[0])
    with pytest.raises(UsageError, match="in 1 steps: there is no transition"):
        sample_logged(epsilon_network, conditioning, recipe=one, key=KEY)
    with pytest.raises(ConfigError, match=r"flow models need alpha \+ sigma = 1"):
        sample(flow_network, conditioning, recipe=recipe, key=KEY)
    with pytest.raises(ConfigError, match="a model that predicts epsilon"):
        sample(epsilon_network, conditioning, recipe=Recipe(levels=flow_levels(4)), key=KEY)
    half = Conditioning(positive=conditioning.positive, negative={})
    with pytest.raises(UsageError, match="has no negative half"):
        sample(epsilon_network, half, recipe=Recipe(levels=VP, guidance_scale=2.0), key=KEY)
