"""Step kernels: closed forms, densities, what they keep of the marginal law, and bad input."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from scipy import stats

from redraft.core.errors import ConfigError, UsageError
from redraft.core.keys import Key
from redraft.core.records import Kernel, NoiseLevel, Prompt, Recipe
from redraft.diffusion.exact import ExactBackbone, Mixture
from redraft.diffusion.kernels import log_probability, standard_deviation, step
from redraft.diffusion.levels import alphas_cumprod_scaled_linear, few_step_levels
from redraft.diffusion.sample import denoise, sample

DETERMINISTIC = Kernel()
DDPM = Kernel(name="ddim_eta", strength=1.0)
HALF = Kernel(name="ddim_eta", strength=0.5)
PRESERVING = Kernel(name="coefficients_preserving", strength=0.6)
FEW = Kernel(name="few_step")
SDE = Kernel(name="flow_sde", strength=0.7)
STOCHASTIC = [DDPM, HALF, PRESERVING, FEW, SDE]


def straight(steps: int, *, start: float = 1.0) -> tuple[NoiseLevel, ...]:
    """Evenly spaced levels of a rectified flow, from pure noise (or sigma `start`) to none."""
    sigmas = [start * (1 - index / steps) for index in range(steps + 1)]
    return tuple(NoiseLevel(alpha=1 - sigma, sigma=sigma, timestep=1000 * sigma) for sigma in sigmas)


def law(mean: float, variance: float, *, levels: tuple[NoiseLevel, ...], kernel: Kernel) -> list[tuple[float, float]]:
    """Mean and variance at every level, exactly: with Gaussian data a step is affine, so two points give it."""
    backbone = ExactBackbone(Mixture(means=(mean,), variances=(variance,)), prediction="flow")
    recipe = Recipe(levels=levels, kernel=kernel, dtype="float64")
    conditioning = backbone.encode([Prompt(text=""), Prompt(text="")])
    points = torch.tensor([0.0, 1.0], dtype=torch.float64).reshape(2, 1, 1, 1)
    laws = [(levels[0].alpha * mean, levels[0].alpha ** 2 * variance + levels[0].sigma ** 2)]
    with torch.no_grad():
        for index in range(recipe.steps):
            done = denoise(backbone, points, conditioning, recipe=recipe, index=index).step
            at_zero, at_one = done.mean.flatten().tolist()
            slope = at_one - at_zero
            laws.append((at_zero + slope * laws[-1][0], slope**2 * laws[-1][1] + done.std**2))
    return laws


@pytest.mark.parametrize("kernel", [DETERMINISTIC, *STOCHASTIC])
def test_mean_of_gaussian_data_is_kept_at_every_level(kernel: Kernel) -> None:
    for level, (mean, _) in zip(straight(12), law(1.7, 0.4, levels=straight(12), kernel=kernel), strict=True):
        assert mean == pytest.approx(1.7 * level.alpha, abs=1e-12)


@pytest.mark.parametrize("kernel", [DETERMINISTIC, DDPM, HALF, PRESERVING, FEW])
def test_point_data_keep_their_marginal_exactly(kernel: Kernel) -> None:
    laws = law(1.7, 1e-14, levels=straight(12), kernel=kernel)
    for level, (_, variance) in zip(straight(12), laws, strict=True):
        assert variance == pytest.approx(level.sigma**2, abs=1e-12)


@pytest.mark.parametrize("kernel", [DETERMINISTIC, DDPM, HALF, SDE])
def test_variance_of_gaussian_data_converges_at_first_order(kernel: Kernel) -> None:
    # From the true marginal at sigma 0.9: at sigma 1 the diffusion of flow_sde is infinite, and its order lower.
    coarse, middle, fine = (
        abs(law(1.7, 0.4, levels=straight(steps, start=0.9), kernel=kernel)[-1][1] - 0.4) for steps in (200, 400, 800)
    )
    assert fine < 0.01
    # First order: half the step, half the error; 5 % for the next order.
    assert coarse / middle == pytest.approx(2, rel=0.05)
    assert middle / fine == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("kernel", [PRESERVING, FEW])
def test_variance_lost_by_wide_kernels_has_its_closed_form(kernel: Kernel) -> None:
    # x' = a' E[x0|x] + s' (cos noise_hat + sin z): Var' = (a a' v + s s' cos)^2 / D^2 Var + s'^2 sin^2, D = a^2 v + s^2
    variance, angle = 0.4, math.pi / 2 * (kernel.strength or 1.0)
    levels, expected = straight(12), 1.0
    laws = law(1.7, variance, levels=straight(12), kernel=kernel)
    for index, (now, then) in enumerate(itertools.pairwise(levels)):
        total = now.alpha**2 * variance + now.sigma**2
        kept = now.alpha * then.alpha * variance + now.sigma * then.sigma * math.cos(angle)
        expected = (kept / total) ** 2 * expected + (then.sigma * math.sin(angle)) ** 2
        assert laws[index + 1][1] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("kernel", [DETERMINISTIC, *STOCHASTIC])
def test_sampled_variance_is_that_of_the_law(kernel: Kernel) -> None:
    backbone = ExactBackbone(Mixture(means=(1.7,), variances=(0.4,)), prediction="flow", latent_shape=(1, 300, 300))
    recipe = Recipe(levels=straight(12), kernel=kernel)
    latents = sample(backbone, backbone.encode([Prompt(text="")]), recipe=recipe, key=Key(seed=2)).latents.double()
    mean, variance = law(1.7, 0.4, levels=straight(12), kernel=kernel)[-1]
    # 90,000 draws: four standard errors of a mean and of a Gaussian variance.
    assert latents.mean().item() == pytest.approx(mean, abs=4 * math.sqrt(variance / 90_000))
    assert latents.var().item() == pytest.approx(variance, rel=4 * math.sqrt(2 / 90_000))


def test_ddpm_width_is_that_of_the_forward_posterior() -> None:
    # q(x'|x, x0) from Bayes' rule in one dimension: precision = 1/s'^2 + (a/a')^2 / (s^2 - (a s'/a')^2)
    level = NoiseLevel(alpha=0.3, sigma=0.9, timestep=0)
    next_level = NoiseLevel(alpha=0.6, sigma=0.5, timestep=0)
    ratio = level.alpha / next_level.alpha
    precision = 1 / next_level.sigma**2 + ratio**2 / (level.sigma**2 - ratio**2 * next_level.sigma**2)
    assert standard_deviation(level, next_level, kernel=DDPM) == pytest.approx(precision**-0.5, rel=1e-12)


@pytest.mark.parametrize(("sigma", "next_sigma"), [(1.0, 0.9), (0.9, 0.7), (0.2, 0.05)])
def test_flow_sde_is_that_of_flow_grpo(sigma: float, next_sigma: float) -> None:
    # As in the reference code, with s = 1 replaced by the second sigma inside the denominator only.
    x, v = Key(seed=1).normal((2, 1, 2, 2)).double(), Key(seed=2).normal((2, 1, 2, 2)).double()
    dt = next_sigma - sigma
    g = 0.7 * math.sqrt(sigma / (1 - (next_sigma if sigma == 1 else sigma)))
    mean = x * (1 + g**2 / (2 * sigma) * dt) + v * (1 + g**2 * (1 - sigma) / (2 * sigma)) * dt
    done = step(
        x,
        x - sigma * v,
        x + (1 - sigma) * v,
        level=NoiseLevel(alpha=1 - sigma, sigma=sigma, timestep=1000 * sigma),
        next_level=NoiseLevel(alpha=1 - next_sigma, sigma=next_sigma, timestep=1000 * next_sigma),
        kernel=SDE,
    )
    assert done.std == pytest.approx(g * math.sqrt(-dt), rel=1e-12)
    torch.testing.assert_close(done.mean, mean, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kernel", [DETERMINISTIC, *STOCHASTIC])
def test_step_to_sigma_zero_is_x0_hat_without_noise(kernel: Kernel) -> None:
    x, x0, noise = (Key(seed=seed).normal((2, 1, 2, 2)) for seed in (1, 2, 3))
    done = step(x, x0, noise, level=straight(4)[3], next_level=straight(4)[4], kernel=kernel)
    assert done.std == 0
    assert torch.equal(done.mean, x0)


def test_few_step_log_probability_has_its_closed_form() -> None:
    # C19: x' = a' x0_hat + s' z is normal with mean a' x0_hat and std s'.
    abar = alphas_cumprod_scaled_linear(0.00085, 0.012, 1000)
    levels = few_step_levels(abar)
    x, x0, noise, reached = (Key(seed=seed).normal((3, 4, 16, 16)) for seed in range(4))
    for level, next_level in itertools.pairwise(levels[:-1]):
        done = step(x, x0, noise, level=level, next_level=next_level, kernel=FEW)
        ours = log_probability(reached, mean=done.mean, std=done.std)
        density = stats.norm(loc=math.sqrt(abar[int(next_level.timestep)]) * x0.double().numpy(), scale=done.std)
        expected = density.logpdf(reached.double().numpy()).sum(axis=(1, 2, 3))
        assert done.std == pytest.approx(math.sqrt(1 - abar[int(next_level.timestep)]), rel=1e-12)
        assert ours.tolist() == pytest.approx(expected.tolist(), rel=1e-6)


@pytest.mark.parametrize("steps", [4, 9])
def test_few_step_log_probability_of_a_flow_model_has_its_closed_form(steps: int) -> None:
    # C19 for rectified flows: normal with mean (1 - s') x0_hat and std s'.
    x, x0, noise, reached = (Key(seed=seed).normal((3, 4, 16, 16)) for seed in range(4))
    for level, next_level in itertools.pairwise(straight(steps)[:-1]):
        done = step(x, x0, noise, level=level, next_level=next_level, kernel=FEW)
        ours = log_probability(reached, mean=done.mean, std=done.std)
        density = stats.norm(loc=(1 - next_level.sigma) * x0.double().numpy(), scale=next_level.sigma)
        expected = density.logpdf(reached.double().numpy()).sum(axis=(1, 2, 3))
        assert ours.tolist() == pytest.approx(expected.tolist(), rel=1e-6)


def test_bad_steps_are_named() -> None:
    now, then = straight(4)[1], straight(4)[2]
    with pytest.raises(UsageError, match=r"std=0\.0: only a step with noise has a density"):
        log_probability(torch.zeros(1, 1, 1, 1), mean=torch.zeros(1, 1, 1, 1), std=0.0)
    with pytest.raises(ConfigError, match="sigma must fall"):
        standard_deviation(then, now, kernel=DDPM)
    with pytest.raises(ConfigError, match="strength of at most 1"):
        standard_deviation(now, then, kernel=Kernel(name="coefficients_preserving", strength=1.2))
    with pytest.raises(ConfigError, match="strength of at most 1"):
        standard_deviation(now, then, kernel=Kernel(name="ddim_eta", strength=3.0))
    vp = few_step_levels(alphas_cumprod_scaled_linear(0.00085, 0.012, 1000))
    with pytest.raises(ConfigError, match="rectified flow only"):
        standard_deviation(vp[0], vp[1], kernel=SDE)
