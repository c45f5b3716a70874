"""Noise search: the best point of the sphere in closed form, its gradient against differences, memory and cost."""

from __future__ import annotations

import math

import pytest
import torch
from exact_parts import LatentReward, gaussian, prompts_of, recipe_of
from inference_parts import KINDS, Counting, check_batches_change_nothing, check_record, stochastic, two_modes

from redraft.core import config as configuration
from redraft.core.errors import ConfigError, NumericsError, UsageError
from redraft.core.keys import Key
from redraft.core.tensors import PromptBatch
from redraft.diffusion.exact import ExactBackbone, Mixture
from redraft.diffusion.sample import denoise, initial_noise, sample
from redraft.methods.noise_search import NoiseSearch, NoiseSearchConfig

SHAPE = (1, 3, 4)
TARGET = torch.linspace(-1.0, 2.5, 12, dtype=torch.float64).reshape(SHAPE)
TO_TARGET = LatentReward(lambda latents: -((latents - TARGET) ** 2) / 2)
KEY = Key(seed=6)


def search(*, reward=TO_TARGET, **options) -> NoiseSearch:
    return NoiseSearch(config=NoiseSearchConfig(**options), reward=reward)


def line_of(backbone: ExactBackbone, prompts: PromptBatch, steps: int) -> tuple[float, float]:
    """slope and offset of the deterministic sampler of Gaussian data: latents = slope * noise + offset."""
    recipe = recipe_of(backbone, steps)
    ends = []
    for value in (0.0, 1.0):
        state = torch.full((len(prompts), *backbone.latent_shape), value, dtype=torch.float64)
        for index in range(steps):
            state = denoise(backbone, state, prompts.conditioning, recipe=recipe, index=index).step.mean
        ends.append(state.flatten()[0].item())
    return ends[1] - ends[0], ends[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_quadratic_reward_reaches_its_optimum_on_the_sphere(kind: str) -> None:
    """The sampler is linear, so the best noise of norm sqrt(D) points to the target: known in closed form."""
    with torch.no_grad():
        backbone = gaussian(shape=SHAPE, prediction=kind)
        prompts = prompts_of(3, backbone)
        slope, offset = line_of(backbone, prompts, 6)
    made = search(rounds=80).enhance(backbone, prompts, recipe=recipe_of(backbone, 6), key=KEY)
    towards = TARGET - offset
    best_noise = math.sqrt(12) * towards / towards.norm() * math.copysign(1, slope)
    best = -((slope * best_noise + offset - TARGET) ** 2).sum().item() / 2
    assert made.scores.shape == (3, 81)
    assert bool((made.before < best - 0.5).all())
    # From the second picture on every noise is on the sphere, so none can be better; the search ends within 1 %.
    assert bool((made.scores[:, 1:] <= best + 1e-9).all())
    assert made.after.tolist() == pytest.approx([best] * 3, abs=0.01 * (best - made.before.max()).item())
    found = (made.latents - offset) / slope
    assert found.flatten(1).norm(dim=1).tolist() == pytest.approx([math.sqrt(12)] * 3, rel=1e-9)
    check_record(made, lambda images, texts: TO_TARGET.score(images, texts).values[:, 0], prompts, backbone)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("checkpointing", [True, False])
def test_one_round_is_one_step_of_adam_along_the_sphere(kind: str, checkpointing: bool) -> None:
    """Adam's first step is the sign of the slope; the slope by central differences, noise of the steps held fixed."""
    backbone, prompts = two_modes(kind)
    recipe = stochastic(backbone, 5, guidance_scale=2.0)
    reward = LatentReward(lambda latents: torch.sin(2 * latents) + latents)
    noise = initial_noise(KEY, indices=range(3), shape=(1, 2, 2)).double()

    def score(noise: torch.Tensor) -> torch.Tensor:
        """Scores of pictures that start from this noise and draw the same noise at every step as `sample` does."""
        state = noise
        for index in range(recipe.steps):
            law = denoise(backbone, state, prompts.conditioning, recipe=recipe, index=index).step
            state = law.mean + law.std * KEY.child("step", index).normal_each(range(3), (1, 2, 2)).double()
        return reward.score(backbone.decode(state), prompts.prompts).values[:, 0]

    with torch.no_grad():
        slope, width = torch.zeros_like(noise), 1e-5
        for place in [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)]:
            step = torch.zeros_like(noise)
            step[(slice(None), *place)] = width
            slope[(slice(None), *place)] = (score(noise + step) - score(noise - step)) / (2 * width)
        slope = (
            slope - (slope * noise).sum((1, 2, 3), keepdim=True) / noise.square().sum((1, 2, 3), keepdim=True) * noise
        )
        moved = noise + 0.02 * slope.sign()
        moved = moved * 2 / moved.square().sum((1, 2, 3), keepdim=True).sqrt()
        expected = torch.stack([score(noise), score(moved)], dim=1)
    made = search(reward=reward, rounds=1, learning_rate=0.02, checkpointing=checkpointing).enhance(
        backbone, prompts, recipe=recipe, key=KEY
    )
    plain = sample(backbone, prompts.conditioning, recipe=recipe, key=KEY).latents
    torch.testing.assert_close(made.scores, expected.detach(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(
        made.before, reward.score(backbone.decode(plain), prompts.prompts).values[:, 0], rtol=1e-12, atol=1e-12
    )


def test_the_score_never_falls_even_when_the_steps_are_far_too_large() -> None:
    backbone, prompts = two_modes("epsilon")
    reward = LatentReward(lambda latents: torch.sin(9 * latents))
    made = search(reward=reward, rounds=6, learning_rate=3.0).enhance(
        backbone, prompts, recipe=recipe_of(backbone, 5), key=KEY
    )
    assert bool((made.after >= made.before).all())
    assert torch.equal(made.after, made.scores.max(dim=1).values)
    assert bool((made.scores[:, -1] < made.after).any())


@pytest.mark.parametrize("kind", KINDS)
def test_batches_change_nothing(kind: str) -> None:
    check_batches_change_nothing(
        search(reward=LatentReward(lambda latents: -((latents - 2) ** 2)), rounds=3), kind=kind
    )


def test_a_small_clip_changes_what_adam_remembers_of_a_steep_slope() -> None:
    backbone, prompts = two_modes("flow")
    recipe = recipe_of(backbone, 4)
    steep = LatentReward(lambda latents: -100 * (latents - 3) ** 2)
    free = search(reward=steep, rounds=4, gradient_clip=1e9).enhance(backbone, prompts, recipe=recipe, key=KEY)
    held = search(reward=steep, rounds=4, gradient_clip=1e-3).enhance(backbone, prompts, recipe=recipe, key=KEY)
    assert torch.equal(free.scores[:, 0], held.scores[:, 0])
    # Adam's first step does not know the size of a slope, its second does.
    torch.testing.assert_close(free.scores[:, 1], held.scores[:, 1], rtol=1e-3, atol=0)
    assert not torch.allclose(free.scores[:, 3], held.scores[:, 3], rtol=1e-4)


def kept_by_the_graph(steps: int, *, checkpointing: bool) -> int:
    """Bytes saved for the backward pass of one round."""
    backbone = Counting(Mixture(), latent_shape=(1, 8, 8))
    sizes: list[int] = []

    def pack(value: torch.Tensor) -> torch.Tensor:
        sizes.append(value.nbytes)
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        search(reward=LatentReward(lambda latents: latents**2), rounds=1, checkpointing=checkpointing).enhance(
            backbone, prompts_of(2, backbone), recipe=recipe_of(backbone, steps), key=KEY
        )
    return sum(sizes)


def test_checkpointing_saves_memory_and_changes_no_picture() -> None:
    assert kept_by_the_graph(20, checkpointing=True) < kept_by_the_graph(20, checkpointing=False) / 3
    backbone, prompts = two_modes("v")
    made = [
        search(reward=LatentReward(torch.sin), rounds=3, checkpointing=flag).enhance(
            backbone, prompts, recipe=recipe_of(backbone, 4), key=KEY
        )
        for flag in (True, False)
    ]
    assert torch.equal(made[0].latents, made[1].latents)


@pytest.mark.parametrize("checkpointing", [True, False])
def test_the_calls_are_those_that_were_made(checkpointing: bool) -> None:
    backbone, prompts = two_modes("flow")
    made = search(reward=LatentReward(torch.sin), rounds=3, checkpointing=checkpointing).enhance(
        backbone, prompts, recipe=recipe_of(backbone, 5), key=KEY
    )
    assert backbone.asked == int(made.network_calls.sum())
    assert made.network_calls.tolist() == [(7 if checkpointing else 4) * 5] * 3
    assert made.backward_calls.tolist() == [15] * 3


def test_messages() -> None:
    blind = LatentReward(torch.sin, differentiable=False)
    with pytest.raises(
        UsageError, match=r"noise_search follows the gradient of a scorer, but 'latent' gives none: choose .*best_of_n"
    ):
        search(reward=blind)
    with pytest.raises(ConfigError, match=r"the key 'round' is unknown: did you mean 'rounds'"):
        configuration.build(NoiseSearchConfig, {"round": 2}, source="--set")
    backbone, prompts = two_modes("epsilon")
    kinked = LatentReward(lambda latents: (latents * 0).sqrt())
    with pytest.raises(NumericsError, match=r"the gradient of scorer 'latent' is not finite for picture 0"):
        search(reward=kinked).enhance(backbone, prompts, recipe=recipe_of(backbone, 3), key=KEY)
    flow = recipe_of(two_modes("flow")[0], 3)
    with pytest.raises(ConfigError, match=r"build the recipe from the model's own levels"):
        search().enhance(backbone, prompts, recipe=flow, key=KEY)
    with pytest.raises(UsageError, match=r"one prompt for each picture is needed"):
        search().enhance(backbone, prompts, recipe=recipe_of(backbone, 3), key=KEY, indices=[1])
