"""Reward guidance: a linear reward tilts Gaussian data exactly, a quadratic one to first order in the strength."""

from __future__ import annotations

import math

import pytest
import torch
from exact_parts import LatentReward, gaussian, prompts_of, recipe_of
from inference_parts import (
    KINDS,
    check_batches_change_nothing,
    check_record,
    stochastic,
    two_modes,
    without_pure_noise,
)

from redraft.core import config as configuration
from redraft.core.errors import ConfigError, UsageError
from redraft.core.keys import Key
from redraft.core.tensors import PromptBatch
from redraft.diffusion.exact import ExactBackbone, Mixture
from redraft.diffusion.sample import denoise, sample
from redraft.methods.reward_guidance import RewardGuidance, RewardGuidanceConfig

KEY = Key(seed=8)
TIMES_3 = LatentReward(lambda latents: 3 * latents)


def guidance(*, reward=TIMES_3, largest_shift: float = 1e9, **options) -> RewardGuidance:
    return RewardGuidance(config=RewardGuidanceConfig(largest_shift=largest_shift, **options), reward=reward)


def moved_by(method: RewardGuidance, backbone: ExactBackbone, prompts: PromptBatch, recipe) -> torch.Tensor:
    made = method.enhance(backbone, prompts, recipe=recipe, key=KEY)
    return made.latents - sample(backbone, prompts.conditioning, recipe=recipe, key=KEY).latents


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strength", [0.1, 0.8])
@pytest.mark.parametrize("noisy", [False, True])
def test_a_linear_reward_is_the_sampler_of_the_tilted_data(kind: str, strength: float, noisy: bool) -> None:
    """N(m, v) tilted by exp(strength * c x) is N(m + strength * c * v, v): the same sampler on that data."""
    backbone = gaussian(shape=(1, 4, 4), prediction=kind)
    tilted = ExactBackbone(
        Mixture(means=(1 + strength * 3 * 0.25,), variances=(0.25,)), prediction=kind, latent_shape=(1, 4, 4)
    )
    recipe = without_pure_noise(stochastic(backbone, 9) if noisy else recipe_of(backbone, 9))
    prompts = prompts_of(3, backbone)
    made = guidance(strength=strength).enhance(backbone, prompts, recipe=recipe, key=KEY)
    expected = sample(tilted, tilted.encode(prompts.prompts), recipe=recipe, key=KEY).latents
    torch.testing.assert_close(made.latents, expected, rtol=1e-9, atol=1e-9)
    check_record(made, lambda images, texts: TIMES_3.score(images, texts).values[:, 0], prompts, backbone)


@pytest.mark.parametrize("kind", KINDS)
def test_a_linear_reward_shifts_the_mean_by_strength_times_slope_times_variance(kind: str) -> None:
    """The same for every picture, and closer with more steps.

    Epsilon and v models begin at alpha > 0 with noise of mean 0, as all samplers do: that much of the mean is lost.
    """
    backbone = gaussian(shape=(1, 4, 4), prediction=kind)
    prompts, wrong = prompts_of(2, backbone), []
    for steps in (20, 80):
        recipe = recipe_of(backbone, steps)
        shift = moved_by(guidance(strength=0.4), backbone, prompts, recipe)
        torch.testing.assert_close(shift, torch.full_like(shift, shift.mean().item()), rtol=1e-6, atol=1e-6)
        first = recipe.levels[0]
        lost = first.alpha * 0.5 / math.sqrt(first.alpha**2 * 0.25 + first.sigma**2)
        expected = 0.4 * 3 * 0.25 * (1 - lost)
        wrong.append(abs(shift.mean().item() / expected - 1))
    assert wrong[1] < 0.5 * wrong[0]
    assert wrong[1] < 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_a_quadratic_reward_shifts_the_mean_by_its_covariance_as_the_strength_goes_to_0(kind: str) -> None:
    """d mean / d strength = Cov(x, r(x)); for r = -(x - 2)^2 / 2 and N(1, 1/4) that is 1/4.

    The guided sampler is affine in its noise, so the mean over noise is the picture of noise 0.
    """
    backbone = gaussian(prediction=kind)
    quadratic = LatentReward(lambda latents: -((latents - 2) ** 2) / 2)
    recipe, prompts = recipe_of(backbone, 100), prompts_of(4_000, backbone)
    slopes = []
    for strength in (1e-1, 1e-3):
        shift = moved_by(guidance(reward=quadratic, strength=strength), backbone, prompts, recipe)
        slopes.append(shift.mean().item() / strength)
    # Statistical: the shift spreads by 0.25 a picture, 0.004 in the mean of 4,000; steps: 100 leave about 1 %.
    assert slopes[1] == pytest.approx(0.25, abs=0.015)
    # Posterior variance is not 0: at finite strength the tilt is exp(-s (x-2)^2 / 2), whose exact mean moves less.
    assert slopes[0] < slopes[1]


@pytest.mark.parametrize("kind", KINDS)
def test_the_slope_goes_through_the_network_and_both_halves_of_the_guidance(kind: str) -> None:
    """One guided step by hand, with the slope by central differences."""
    backbone, prompts = two_modes(kind)
    recipe = recipe_of(backbone, 4, guidance_scale=3.0)
    reward = LatentReward(lambda latents: torch.sin(2 * latents) + latents)
    last = recipe.steps - 1
    level = recipe.levels[last]
    states = {}
    sample(
        backbone, prompts.conditioning, recipe=recipe, key=KEY,
        on_step=lambda index, latents: states.update({index: latents}),
    )  # fmt: skip
    before = states[last - 1]

    def score(state: torch.Tensor) -> torch.Tensor:
        # The step to sigma 0 is the clean estimate.
        x0_hat = denoise(backbone, state, prompts.conditioning, recipe=recipe, index=last).step.mean
        return reward.score(backbone.decode(x0_hat), prompts.prompts).values[:, 0]

    slope, width = torch.zeros_like(before), 1e-6
    with torch.no_grad():
        for place in [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)]:
            step = torch.zeros_like(before)
            step[(slice(None), *place)] = width
            slope[(slice(None), *place)] = (score(before + step) - score(before - step)) / (2 * width)
    shift = moved_by(guidance(reward=reward, strength=0.7, begin=0.75), backbone, prompts, recipe)
    torch.testing.assert_close(shift, 0.7 * level.sigma**2 / level.alpha * slope, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_no_strength_is_plain_sampling_and_no_step_moves_more_than_the_largest_shift(kind: str) -> None:
    backbone, prompts = two_modes(kind)
    recipe = recipe_of(backbone, 6, guidance_scale=2.0)
    assert torch.equal(moved_by(guidance(strength=0.0), backbone, prompts, recipe), torch.zeros(3, 1, 2, 2).double())
    # The last step alone is guided, and its shift is the picture's.
    only_last = guidance(strength=1e9, begin=0.9, largest_shift=0.05)
    assert only_last.guided_steps(recipe) == (5,)
    shift = moved_by(only_last, backbone, prompts, recipe)
    assert shift.square().flatten(1).mean(dim=1).sqrt().tolist() == pytest.approx([0.05] * 3, rel=1e-9)


def test_which_steps_are_guided() -> None:
    vp, flow = (recipe_of(two_modes(kind)[0], 10) for kind in ("epsilon", "flow"))
    assert guidance().guided_steps(vp) == tuple(range(10))
    # The first level of a flow model is pure noise.
    assert guidance().guided_steps(flow) == tuple(range(1, 10))
    assert guidance(begin=0.2, end=0.5).guided_steps(vp) == (2, 3, 4)
    backbone, prompts = two_modes("flow")
    made = guidance(begin=0.2, end=0.5).enhance(backbone, prompts, recipe=flow, key=KEY)
    assert backbone.asked == int(made.network_calls.sum()) == 3 * 20
    assert backbone.asked_with_graph == int(made.backward_calls.sum()) == 9


@pytest.mark.parametrize("kind", KINDS)
def test_batches_change_nothing(kind: str) -> None:
    check_batches_change_nothing(guidance(strength=0.3, largest_shift=0.2), kind=kind)


def test_messages() -> None:
    with pytest.raises(UsageError, match=r"reward_guidance follows the gradient of a scorer, but 'latent' gives none"):
        guidance(reward=LatentReward(torch.sin, differentiable=False))
    for values, message in [
        ({"begin": 0.5, "end": 0.5}, r"begin=0.5 with end=0.5: no step would be guided"),
        ({"strength": -1}, r"strength = -1: Input should be greater than or equal to 0"),
        ({"strenght": 1}, r"the key 'strenght' is unknown: did you mean 'strength'"),
    ]:
        with pytest.raises(ConfigError, match=message):
            configuration.build(RewardGuidanceConfig, values, source="--set")
    backbone, prompts = two_modes("epsilon")
    wrong = recipe_of(two_modes("flow")[0], 3)
    with pytest.raises(ConfigError, match=r"build the recipe from the model's own levels"):
        guidance().enhance(backbone, prompts, recipe=wrong, key=KEY)
