"""Gradients through the sampler: finite differences (C2), truncation, published oracles (C3, C4), checkpointing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Kernel, NoiseLevel, Prompt, Recipe
from redraft.core.tensors import Conditioning
from redraft.diffusion.exact import ExactBackbone, Mixture
from redraft.diffusion.levels import alphas_cumprod_scaled_linear, flow_levels, vp_levels
from redraft.diffusion.objectives import noisy
from redraft.diffusion.sample import denoise, sample, sample_differentiable

KEY = Key(seed=8, path=("gradient",))
PROMPTS = [Prompt(text="left"), Prompt(text="right")]
MEANS = {"left": -0.5, "right": 0.5}
VP = vp_levels(alphas_cumprod_scaled_linear(0.00085, 0.012, 1000), 50, spacing="leading", steps_offset=1)
TWO_HILLS = Mixture(means=(-1.0, 1.5), variances=(0.2, 0.3), weights=(0.4, 0.6))


def smooth(x: torch.Tensor) -> torch.Tensor:
    return -(x - 2).square() / 2


def rough(x: torch.Tensor) -> torch.Tensor:
    return torch.sin(60 * x) / 60


@pytest.mark.parametrize("prediction", ["epsilon", "v", "flow"])
@pytest.mark.parametrize("kernel", [Kernel(), Kernel(name="ddim_eta", strength=1.0)])
@pytest.mark.parametrize("name", ["shift", "offset", "log_variance"])
def test_full_gradient_is_the_finite_difference(prediction: Any, kernel: Kernel, name: str) -> None:
    # C2, with common random numbers, guidance and a nonlinear denoiser.
    backbone = ExactBackbone(
        TWO_HILLS, prediction=prediction, latent_shape=(1, 2, 2), prompt_means=MEANS, trains=[name]
    )
    levels = flow_levels(12) if prediction == "flow" else VP[-13:]
    recipe = Recipe(levels=levels, kernel=kernel, guidance_scale=1.5, dtype="float64")
    conditioning = backbone.encode(PROMPTS)
    done = sample_differentiable(backbone, conditioning, recipe=recipe, key=KEY, last=12, checkpointing=True)
    (gradient,) = torch.autograd.grad(smooth(done.latents).sum(), [backbone.trainable()[name]])

    def reward(value: float) -> float:
        moved = {name: torch.full((1, 2, 2), value, dtype=torch.float64)}
        return smooth(sample(backbone, conditioning, recipe=recipe, key=KEY, parameters=moved).latents).sum().item()

    h = 1e-5
    assert gradient.sum().item() == pytest.approx((reward(h) - reward(-h)) / (2 * h), rel=1e-5)


def test_truncated_gradient_is_that_with_earlier_weights_constant() -> None:
    backbone = ExactBackbone(TWO_HILLS, latent_shape=(1, 2, 2))
    recipe, conditioning = Recipe(levels=VP, dtype="float64"), backbone.encode(PROMPTS)
    done = sample_differentiable(backbone, conditioning, recipe=recipe, key=KEY, last=3, checkpointing=False)
    (gradient,) = torch.autograd.grad(smooth(done.latents).sum(), [backbone.trainable()["shift"]])

    def reward(value: float) -> float:
        moved = {"shift": torch.full((1, 2, 2), value, dtype=torch.float64)}
        late = sample(
            backbone,
            conditioning,
            recipe=recipe,
            key=KEY,
            parameters_at=lambda step: moved if step >= 47 else None,
        )
        return smooth(late.latents).sum().item()

    assert gradient.sum().item() == pytest.approx((reward(1e-4) - reward(-1e-4)) / 2e-4, rel=1e-6)


@pytest.mark.parametrize("last", [1, 4, 12])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_values_are_those_of_sample_and_predictions_those_of_the_last_steps(
    last: int, checkpointing: bool, epsilon_network: Any
) -> None:
    recipe = Recipe(levels=VP[-13:], kernel=Kernel(name="ddim_eta", strength=0.5), guidance_scale=2.0)
    conditioning = epsilon_network.encode(PROMPTS)
    visited: list[torch.Tensor] = []
    plain = sample(epsilon_network, conditioning, recipe=recipe, key=KEY, on_step=lambda _, x: visited.append(x))
    done = sample_differentiable(
        epsilon_network, conditioning, recipe=recipe, key=KEY, last=last, checkpointing=checkpointing
    )
    assert torch.equal(done.latents, plain.latents)
    assert [step.level for step in done.predictions] == list(recipe.levels[12 - last : 12])
    if last < 12:
        assert not done.predictions[0].latents.requires_grad
        assert torch.equal(done.predictions[0].latents, visited[11 - last])
    for index, (latents, _, prediction) in enumerate(done.predictions, start=12 - last):
        again = denoise(epsilon_network, latents, conditioning, recipe=recipe, index=index).prediction
        assert torch.equal(prediction, again)
        assert prediction.requires_grad


def test_checkpointing_changes_no_gradient_and_runs_the_network_again(epsilon_network: Any) -> None:
    recipe, conditioning = Recipe(levels=VP[-7:], guidance_scale=2.0), epsilon_network.encode(PROMPTS)
    gradients, calls = [], []
    for checkpointing in (False, True):
        epsilon_network.calls.clear()
        done = sample_differentiable(
            epsilon_network, conditioning, recipe=recipe, key=KEY, last=4, checkpointing=checkpointing
        )
        loss = done.latents.square().mean() + sum(step.prediction.square().mean() for step in done.predictions)
        gradients.append(torch.autograd.grad(loss, list(epsilon_network.weights.values())))
        calls.append(len(epsilon_network.calls))
    assert calls == [6, 10]
    for plain, checkpointed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, checkpointed, rtol=1e-5, atol=1e-7)


def saved_bytes(run: Callable[[], Any]) -> int:
    """Bytes that autograd keeps for the backward pass, each tensor counted once."""
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = run()
    assert result.latents.requires_grad
    return sum(tensor.numel() * tensor.element_size() for tensor in kept.values())


def test_graph_does_not_grow_with_the_number_of_steps_and_checkpointing_shrinks_it(flow_network: Any) -> None:
    conditioning = flow_network.encode(PROMPTS)

    def saved(steps: int, last: int, checkpointing: bool) -> int:
        recipe = Recipe(levels=flow_levels(steps))
        return saved_bytes(
            lambda: sample_differentiable(
                flow_network, conditioning, recipe=recipe, key=KEY, last=last, checkpointing=checkpointing
            )
        )

    assert saved(10, 1, False) == saved(20, 1, False) == saved(50, 1, False)
    assert saved(10, 10, False) > 5 * saved(10, 1, False)
    assert saved(10, 10, True) < 0.5 * saved(10, 10, False)


def test_last_out_of_range_is_named(flow_network: Any) -> None:
    recipe, conditioning = Recipe(levels=flow_levels(5)), flow_network.encode(PROMPTS)
    for last in (0, 6):
        with pytest.raises(UsageError, match=rf"last={last}: must be within 1\.\.5"):
            sample_differentiable(flow_network, conditioning, recipe=recipe, key=KEY, last=last, checkpointing=False)


class TestPublishedOracle:
    """Section 3.3 of the algorithms note: data N(1, 0.5^2), Stable Diffusion's schedule, 50 DDIM steps, shift theta.

    One picture of 400 x 400 elements is 160,000 independent trajectories, each with its own theta.
    """

    recipe = Recipe(levels=VP, dtype="float64")
    draws = 400 * 400

    def backbone(self) -> ExactBackbone:
        return ExactBackbone(Mixture(means=(1.0,), variances=(0.25,)), latent_shape=(1, 400, 400))

    def gradient(self, reward: Callable[[torch.Tensor], torch.Tensor], last: int) -> torch.Tensor:
        backbone = self.backbone()
        conditioning = backbone.encode([Prompt(text="")])
        done = sample_differentiable(
            backbone, conditioning, recipe=self.recipe, key=KEY, last=last, checkpointing=False
        )
        return torch.autograd.grad(reward(done.latents).sum(), [backbone.trainable()["shift"]])[0]

    def test_full_gradient(self) -> None:
        gradient = self.gradient(smooth, 50)
        # The published -2.0347 has an error of its own from 400,000 draws; 4 standard errors of both together.
        error = gradient.std().item() * (1 / self.draws + 1 / 400_000) ** 0.5
        assert gradient.mean().item() == pytest.approx(-2.0347, abs=4 * error)

    def test_last_step_gradient(self) -> None:
        gradient = self.gradient(smooth, 1)
        error = gradient.std().item() * (1 / self.draws + 1 / 400_000) ** 0.5
        assert gradient.mean().item() == pytest.approx(-0.04283, abs=4 * error)

    def variance_ratio(self, reward: Callable[[torch.Tensor], torch.Tensor], count: int) -> float:
        """Var(mean of `count` renoised gradients) / Var(DRaFT-1 gradient)."""
        backbone = self.backbone()
        conditioning: Conditioning = backbone.encode([Prompt(text="")])
        clean = sample(backbone, conditioning, recipe=self.recipe, key=KEY).latents
        level: NoiseLevel = VP[-2]
        alpha, sigma = (torch.tensor([value], dtype=torch.float64) for value in (level.alpha, level.sigma))
        total = torch.zeros(backbone.latent_shape, dtype=torch.float64)
        for draw in range(count):
            noise = KEY.child("renoise", draw).normal(clean.shape).double()
            latents = noisy(clean, noise, alpha=alpha, sigma=sigma)
            estimate = denoise(backbone, latents, conditioning, recipe=self.recipe, index=49).step.mean
            total += torch.autograd.grad(reward(estimate).sum(), [backbone.trainable()["shift"]])[0]
        return ((total / count).var() / self.gradient(reward, 1).var()).item()

    @pytest.mark.parametrize(("count", "expected"), [(2, 0.50), (8, 0.127)])
    def test_renoising_divides_the_variance_of_a_rough_reward(self, count: int, expected: float) -> None:
        assert self.variance_ratio(rough, count) == pytest.approx(expected, rel=0.1)  # C3

    @pytest.mark.parametrize("count", [1, 2, 8])
    def test_renoising_gains_nothing_for_a_smooth_reward(self, count: int) -> None:
        assert 0.97 < self.variance_ratio(smooth, count) < 1.0  # C4
