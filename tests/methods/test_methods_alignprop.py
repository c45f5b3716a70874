"""AlignProp against finite differences, against a literal detached loop, and the law of its one cut."""

from __future__ import annotations

import math

import pytest
import torch
from exact_parts import LatentReward, context_of, gaussian, gradient, prompts_of, recipe_of, set_weights, two_modes

from redraft.core import config as configuration
from redraft.core.errors import ConfigError, NumericsError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import MethodContext
from redraft.core.records import Kernel, Recipe
from redraft.diffusion.exact import ExactBackbone
from redraft.diffusion.kernels import step as kernel_step
from redraft.diffusion.parameterize import split_prediction
from redraft.diffusion.sample import denoise, initial_noise, sample, step_noise
from redraft.methods.alignprop import Alignprop, AlignpropConfig, cut_probabilities, draw_cut
from redraft.testing import check_method

KEY = Key(seed=4)
FAMILIES = [("epsilon", 1.0), ("epsilon", 7.5), ("v", 2.0), ("flow", 3.0)]


def towards_two(latents: torch.Tensor) -> torch.Tensor:
    return -((latents - 2) ** 2) / 2


def alignprop(recipe: Recipe, *, function=towards_two, **options) -> Alignprop:
    return Alignprop.build(AlignpropConfig(**options), MethodContext(recipe=recipe, reward=LatentReward(function)))


class Watched(ExactBackbone):
    """Remembers the timesteps of its calls, and which of them kept a graph."""

    def predict(self, latents, timesteps, *, text, parameters=None):
        self.calls = [*getattr(self, "calls", []), (float(timesteps[0]), torch.is_grad_enabled())]
        return super().predict(latents, timesteps, text=text, parameters=parameters)


def reward_after(latents: torch.Tensor) -> torch.Tensor:
    return towards_two(latents).flatten(1).sum(dim=1).mean()


@pytest.mark.parametrize(("prediction", "scale"), FAMILIES)
@pytest.mark.parametrize("cut", ["gaussian", "uniform"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradient_equals_central_differences_of_the_steps_from_the_cut_on(
    prediction: str, scale: float, cut: str, checkpointing: bool
) -> None:
    """C2: relative 1e-5 in float64; the weights before the cut stand still on both sides."""
    backbone, prompts = two_modes(prediction, guided=scale != 1, kind=Watched)
    recipe = recipe_of(backbone, 10, guidance_scale=scale)
    method = alignprop(recipe, cut=cut, checkpointing=checkpointing)
    loss = method.loss(prompts, context=context_of(backbone), key=KEY)
    first = recipe.steps - int(loss.parts["differentiated_steps"])
    assert 1 <= first < recipe.steps
    exact = gradient(loss.value, backbone)
    constants = {name: value.detach().clone() for name, value in backbone.trainable().items()}

    def value() -> float:
        latents = sample(
            backbone, prompts.conditioning, recipe=recipe, key=KEY.child("sample"),
            parameters_at=lambda index: constants if index < first else None,
        ).latents  # fmt: skip
        return -reward_after(latents).item()

    assert loss.value.item() == pytest.approx(value(), rel=1e-12)
    width = 1e-5
    for name, weight in backbone.trainable().items():
        for place in [(0, 0, 0), (0, 1, 1)]:
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    weight[place] += sign * width
                    values.append(value())
                    weight[place] -= sign * width
            assert exact[name][place].item() == pytest.approx((values[0] - values[1]) / (2 * width), rel=1e-5)


@pytest.mark.parametrize(("prediction", "scale"), FAMILIES)
def test_it_equals_detaching_the_answers_before_the_cut_and_no_latent(prediction: str, scale: float) -> None:
    """Line 3 to the letter, with a stochastic kernel as in the authors' code (eta 1)."""
    backbone, prompts = two_modes(prediction, guided=scale != 1, kind=Watched)
    recipe = Recipe(
        levels=backbone.levels(8), guidance_scale=scale, dtype="float64",
        kernel=Kernel(name="ddim_eta", strength=1.0),
    )  # fmt: skip
    loss = alignprop(recipe, cut="uniform").loss(prompts, context=context_of(backbone), key=KEY)
    cut = recipe.steps - int(loss.parts["differentiated_steps"])
    key = KEY.child("sample")
    latents = initial_noise(key, indices=range(3), shape=backbone.latent_shape).double()
    for index in range(recipe.steps):
        level, next_level = recipe.levels[index], recipe.levels[index + 1]
        answer = denoise(backbone, latents, prompts.conditioning, recipe=recipe, index=index).prediction
        answer = answer.detach() if index < cut else answer
        x0_hat, noise_hat = split_prediction(answer, latents, alpha=level.alpha, sigma=level.sigma, kind=prediction)
        law = kernel_step(latents, x0_hat, noise_hat, level=level, next_level=next_level, kernel=recipe.kernel)
        latents = law.mean + law.std * step_noise(key, index, indices=range(3), shape=backbone.latent_shape).double()
    literal = -reward_after(latents)
    assert loss.value.item() == pytest.approx(literal.item(), rel=1e-12)
    expected = gradient(literal, backbone)
    for name, value in gradient(loss.value, backbone).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-10, atol=1e-13)


def test_a_trajectory_has_one_cut_and_a_graph_from_there_to_its_end() -> None:
    lengths = set()
    for seed in range(12):
        backbone, prompts = two_modes("flow", guided=False, kind=Watched)
        method = alignprop(recipe_of(backbone, 9), cut="uniform", checkpointing=False)
        loss = method.loss(prompts, context=context_of(backbone), key=Key(seed=seed))
        graphs = [graph for _, graph in backbone.calls]
        last = int(loss.parts["differentiated_steps"])
        assert graphs == [False] * (9 - last) + [True] * last
        lengths.add(last)
    assert len(lengths) > 3  # another cut for another key


@pytest.mark.parametrize("options", [{"cut": "uniform"}, {}, {"mean": 0.5, "spread": 0.05}])
def test_cuts_have_the_stated_law(options) -> None:
    config, steps, count = AlignpropConfig(**options), 20, 4000
    law = cut_probabilities(config, steps=steps)
    assert len(law) == steps - 1
    assert law.sum().item() == pytest.approx(1, abs=1e-12)
    drawn = torch.tensor([draw_cut(config, steps=steps, key=Key(seed=seed)) for seed in range(count)])
    assert 1 <= drawn.min().item() <= drawn.max().item() <= steps - 1
    seen = torch.bincount(drawn - 1, minlength=steps - 1) / count
    # Five standard errors of each of 19 shares.
    assert bool(((seen - law).abs() <= 5 * (law * (1 - law) / count).sqrt() + 1e-9).all())


def test_the_default_law_is_the_published_one() -> None:
    """A rounded Gaussian of mean 42 and deviation 5, drawn again until it lies within 1..49 (of 50 steps)."""
    law = cut_probabilities(AlignpropConfig(), steps=50)
    inside = 0.5 * (math.erf((49.5 - 42) / (5 * math.sqrt(2))) - math.erf((0.5 - 42) / (5 * math.sqrt(2))))
    mode = 0.5 * (math.erf(0.1 / math.sqrt(2)) - math.erf(-0.1 / math.sqrt(2)))
    assert law[42 - 1].item() == pytest.approx(mode / inside, rel=1e-12)
    assert int(law.argmax()) + 1 == 42
    assert law[41 - 1].item() == pytest.approx(law[43 - 1].item(), rel=1e-12)
    uniform = cut_probabilities(AlignpropConfig(cut="uniform"), steps=50)
    assert torch.equal(uniform, torch.full((49,), 1 / 49, dtype=torch.float64))
    assert torch.equal(cut_probabilities(AlignpropConfig(), steps=2), torch.ones(1, dtype=torch.float64))


def test_a_target_is_approached_from_both_sides() -> None:
    backbone, prompts = two_modes("epsilon", guided=False, kind=Watched)
    recipe = recipe_of(backbone, 6)
    plain = alignprop(recipe).loss(prompts, context=context_of(backbone), key=KEY)
    reward = plain.parts["reward"]
    assert plain.value.item() == pytest.approx(-reward, rel=1e-12)
    above = alignprop(recipe, target=10.0, reward_coefficient=0.01).loss(prompts, context=context_of(backbone), key=KEY)
    below = alignprop(recipe, target=-1e3, reward_coefficient=0.01).loss(prompts, context=context_of(backbone), key=KEY)
    assert above.value.item() == pytest.approx(0.01 * (10 - reward), rel=1e-12)
    assert below.value.item() == pytest.approx(0.01 * (reward + 1e3), rel=1e-12)
    slopes, up, down = (gradient(loss.value, backbone) for loss in (plain, above, below))
    for name, value in slopes.items():
        torch.testing.assert_close(up[name], 0.01 * value, rtol=1e-10, atol=1e-14)
        torch.testing.assert_close(down[name], -0.01 * value, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_kl_is_the_squared_distance_to_the_reference(checkpointing: bool) -> None:
    """Predictions differ from the reference's by the shift alone: KL = shift^2, its gradient 2 shift / size."""
    backbone = gaussian(shape=(1, 2, 2))
    set_weights(backbone, shift=0.25)
    recipe, prompts, context = recipe_of(backbone, 8), prompts_of(3, backbone), context_of(backbone)
    plain = alignprop(recipe, checkpointing=checkpointing).loss(prompts, context=context, key=KEY)
    held = alignprop(recipe, checkpointing=checkpointing, kl_coefficient=0.5).loss(prompts, context=context, key=KEY)
    assert held.parts["kl"] == pytest.approx(0.0625, rel=1e-12)
    difference = gradient(held.value, backbone)["shift"] - gradient(plain.value, backbone)["shift"]
    torch.testing.assert_close(difference, torch.full_like(difference, 0.5 * 2 * 0.25 / 4), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("prediction", ["epsilon", "flow"])
def test_conformance(prediction: str) -> None:
    backbone = gaussian(shape=(1, 2, 2), prediction=prediction)
    check_method(alignprop(Recipe(levels=backbone.levels(6))), backbone)


def test_messages() -> None:
    backbone = gaussian()
    recipe, prompts = recipe_of(backbone, 4), prompts_of(2, backbone)
    with pytest.raises(
        UsageError, match=r"alignprop needs a differentiable reward, but none is given: choose a scorer"
    ):
        Alignprop.build(AlignpropConfig(), MethodContext(recipe=recipe, reward=None))
    with pytest.raises(UsageError, match=r"alignprop with 1 step of the sampler: there is no step to cut at; use 2"):
        alignprop(recipe_of(backbone, 1))
    with pytest.raises(UsageError, match=r"mean=0.01, spread=0.0001 and 4 steps: .* move the mean"):
        alignprop(recipe, mean=0.01, spread=1e-4)
    with pytest.raises(ConfigError, match=r"the key 'cuts' is unknown: did you mean 'cut'"):
        configuration.build(AlignpropConfig, {"cuts": "uniform"}, source="[methods.alignprop]")
    broken = alignprop(recipe, function=lambda latents: latents / 0)
    with pytest.raises(NumericsError, match=r"the reward of picture 0 is (-?inf|nan): every reward must be finite"):
        broken.loss(prompts, context=context_of(backbone), key=KEY)
