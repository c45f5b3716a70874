"""DRaFT against finite differences, against hand-truncated gradients, and against its own special cases."""

from __future__ import annotations

import pytest
import torch
from exact_parts import LatentReward, context_of, gaussian, gradient, prompts_of, recipe_of, set_weights, two_modes

from redraft.core import config as configuration
from redraft.core.errors import ConfigError, NumericsError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import MethodContext
from redraft.diffusion.exact import ExactBackbone, Mixture
from redraft.diffusion.sample import denoise, initial_noise
from redraft.methods.draft import Draft, DraftConfig, lv_terms

KEY = Key(seed=3)


def towards_two(latents: torch.Tensor) -> torch.Tensor:
    return -((latents - 2) ** 2) / 2


def draft(recipe, *, function=towards_two, **options) -> Draft:
    return Draft.build(DraftConfig(**options), MethodContext(recipe=recipe, reward=LatentReward(function)))


@pytest.mark.parametrize(("prediction", "scale"), [("epsilon", 1.0), ("epsilon", 7.5), ("v", 2.0), ("flow", 3.0)])
@pytest.mark.parametrize(("checkpointing", "kl"), [(False, 0.0), (True, 0.0), (False, 2.0), (True, 2.0)])
def test_full_gradient_equals_central_differences(
    prediction: str, scale: float, checkpointing: bool, kl: float
) -> None:
    """C2: relative 1e-5 in float64, same noise on both sides; guidance differentiated in both halves."""
    backbone, prompts = two_modes(prediction=prediction, guided=scale != 1)
    method = draft(
        recipe_of(backbone, 12, guidance_scale=scale), last="all", checkpointing=checkpointing, kl_coefficient=kl
    )

    def loss() -> torch.Tensor:
        return method.loss(prompts, context=context_of(backbone), key=KEY).value

    exact = gradient(loss(), backbone)
    width = 1e-5
    for name, weight in backbone.trainable().items():
        for place in [(0, 0, 0), (0, 1, 1)]:
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    weight[place] += sign * width
                    values.append(loss().item())
                    weight[place] -= sign * width
            difference = (values[0] - values[1]) / (2 * width)
            assert exact[name][place].item() == pytest.approx(difference, rel=1e-5)


@pytest.mark.parametrize("last", [1, 3, 7])
def test_truncated_gradient_equals_one_with_constant_earlier_weights(last: int) -> None:
    backbone, prompts = two_modes(prediction="epsilon", guided=True)
    recipe = recipe_of(backbone, 7, guidance_scale=2.0)
    loss = draft(recipe, last=last).loss(prompts, context=context_of(backbone), key=KEY)
    constants = {name: value.detach().clone() for name, value in backbone.trainable().items()}
    latents = initial_noise(KEY.child("sample"), indices=range(3), shape=backbone.latent_shape).double()
    for index in range(recipe.steps):
        weights = constants if index < recipe.steps - last else None
        law = denoise(backbone, latents, prompts.conditioning, recipe=recipe, index=index, parameters=weights).step
        latents = law.mean
    manual = -towards_two(latents).flatten(1).sum(dim=1).mean()
    assert loss.value.item() == pytest.approx(manual.item(), rel=1e-12)
    assert loss.parts["reward"] == pytest.approx(-manual.item(), rel=1e-12)
    expected = gradient(manual, backbone)
    for name, value in gradient(loss.value, backbone).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-10, atol=1e-13)


def lv_gradient(**options) -> torch.Tensor:
    backbone = gaussian(shape=(1, 3, 3))
    prompts = prompts_of(2, backbone)
    loss = draft(recipe_of(backbone, 6), **options).loss(prompts, context=context_of(backbone), key=KEY)
    return gradient(loss.value, backbone)["shift"]


def test_lv_without_draws_is_draft_1_and_a_sum_is_all_terms_times_the_average() -> None:
    recipe = recipe_of(gaussian(), 6)
    assert torch.equal(lv_gradient(last=1, lv_draws=0), lv_gradient(last=1))
    average = lv_gradient(lv_draws=4)
    torch.testing.assert_close(lv_gradient(lv_draws=4, combine="sum"), 5 * average, rtol=1e-12, atol=0)
    # (n + 1) * average = base + n * (average of the draws alone), with the same noise.
    draws = lv_gradient(lv_draws=4, include_base=False)
    torch.testing.assert_close(5 * average, lv_gradient() + 4 * draws, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(lv_gradient(lv_draws=4, checkpointing=True), average, rtol=1e-12, atol=0)
    assert recipe.levels[-2].timestep == 1.0


def test_lv_noises_the_latent_at_the_last_level_and_cuts_the_sampler() -> None:
    """Closed form: x0_hat of N(1, 1/4) at the last level is linear in x1', in the noise and in the shift."""
    backbone = gaussian(shape=(1, 2, 2))
    set_weights(backbone, shift=0.3)
    recipe = recipe_of(backbone, 50)
    alpha, sigma = recipe.levels[-2].alpha, recipe.levels[-2].sigma
    clean = Key(seed=1).normal((3, 1, 2, 2)).double().requires_grad_()
    noise = Key(seed=2).normal((2, 3, 1, 2, 2)).double()
    latents, step = lv_terms(backbone, clean, prompts_of(3, backbone).conditioning, recipe=recipe, noise=noise)
    noised = alpha * clean.detach() + sigma * noise
    total = alpha**2 / 4 + sigma**2
    expected = 1 + alpha / 4 / total * (noised - alpha) - sigma / alpha * 0.3
    torch.testing.assert_close(latents.detach(), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(step.latents.unflatten(0, (2, 3)), noised)
    latents.sum().backward()
    assert clean.grad is None
    torch.testing.assert_close(
        backbone.trainable()["shift"].grad, torch.full((1, 2, 2), -6 * sigma / alpha, dtype=torch.float64)
    )


class Counting(ExactBackbone):
    """Counts network calls that keep a graph."""

    graph_calls = 0

    def predict(self, latents, timesteps, *, text, parameters=None):
        self.graph_calls += torch.is_grad_enabled()
        return super().predict(latents, timesteps, text=text, parameters=parameters)


def kept_by_the_graph(steps: int, **options) -> tuple[int, int]:
    """Bytes saved for the backward pass, and network calls with a graph, of one DRaFT loss."""
    backbone = Counting(Mixture(), latent_shape=(1, 8, 8))
    sizes: list[int] = []

    def pack(value: torch.Tensor) -> torch.Tensor:
        sizes.append(value.nbytes)
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        draft(recipe_of(backbone, steps), **options).loss(
            prompts_of(2, backbone), context=context_of(backbone), key=KEY
        )
    return sum(sizes), backbone.graph_calls


def test_memory_of_truncated_methods_does_not_grow_with_the_steps() -> None:
    assert kept_by_the_graph(4, last=1) == kept_by_the_graph(40, last=1)
    assert kept_by_the_graph(40, last=1)[1] == 1
    assert kept_by_the_graph(5, lv_draws=2) == kept_by_the_graph(20, lv_draws=2)
    assert kept_by_the_graph(20, lv_draws=2)[1] == 2
    assert kept_by_the_graph(20, lv_draws=2, include_base=False)[1] == 1
    full, calls = kept_by_the_graph(40, last="all")
    assert calls == 40
    assert full > 20 * kept_by_the_graph(40, last=1)[0]
    assert kept_by_the_graph(40, last="all", checkpointing=True)[0] < full / 5


@pytest.mark.parametrize("options", [{"last": 1}, {"last": 4}, {"lv_draws": 3}, {"lv_draws": 3, "include_base": False}])
def test_kl_is_the_squared_distance_to_the_reference_on_differentiated_steps(options) -> None:
    """Predictions differ from the reference's by the shift alone: KL = shift^2, its gradient 2 shift / size."""
    backbone = gaussian(shape=(1, 2, 2))
    set_weights(backbone, shift=0.25)
    recipe, prompts, context = recipe_of(backbone, 8), prompts_of(3, backbone), context_of(backbone)
    plain = draft(recipe, **options).loss(prompts, context=context, key=KEY)
    with_kl = draft(recipe, kl_coefficient=0.5, **options).loss(prompts, context=context, key=KEY)
    assert with_kl.parts["kl"] == pytest.approx(0.0625, rel=1e-12)
    assert (with_kl.value - plain.value).item() == pytest.approx(0.5 * 0.0625, rel=1e-9)
    difference = gradient(with_kl.value, backbone)["shift"] - gradient(plain.value, backbone)["shift"]
    torch.testing.assert_close(difference, torch.full_like(difference, 0.5 * 2 * 0.25 / 4), rtol=1e-9, atol=1e-12)
    set_weights(backbone, shift=0.0)
    assert draft(recipe, kl_coefficient=0.5, **options).loss(prompts, context=context, key=KEY).parts["kl"] == 0.0


def test_messages() -> None:
    backbone = gaussian()
    recipe, prompts = recipe_of(backbone, 4), prompts_of(2, backbone)
    with pytest.raises(UsageError, match=r"draft needs a differentiable reward, but none is given: choose a scorer"):
        Draft.build(DraftConfig(), MethodContext(recipe=recipe, reward=None))
    blind = LatentReward(towards_two, differentiable=False)
    with pytest.raises(UsageError, match=r"'latent' gives no gradient: choose .* or a method for any reward"):
        Draft.build(DraftConfig(), MethodContext(recipe=recipe, reward=blind))
    with pytest.raises(UsageError, match=r"last=5: the sampler takes 4 steps; use at most 4"):
        draft(recipe, last=5)
    for values, message in [
        ({"last": 2, "lv_draws": 1}, r"lv_draws=1 with last=2: DRaFT-LV is defined for last=1 only"),
        ({"include_base": False}, r"include_base=False with lv_draws=0: no reward would be left"),
        ({"last": 0}, r"last"),
        ({"lv_draw": 1}, r"the key 'lv_draw' is unknown: did you mean 'lv_draws'"),
    ]:
        with pytest.raises(ConfigError, match=message):
            configuration.build(DraftConfig, values, source="[methods.draft]")
    broken = draft(recipe, function=lambda latents: latents / 0)
    with pytest.raises(NumericsError, match=r"the reward of picture 0 is (-?inf|nan): every reward must be finite"):
        broken.loss(prompts, context=context_of(backbone), key=KEY)
