"""ReFL against finite differences and closed forms: its stops, its one step with a graph, hinge, pre-training loss."""

from __future__ import annotations

import pytest
import torch
from exact_parts import LatentReward, context_of, gaussian, gradient, prompts_of, recipe_of, set_weights, two_modes

from redraft.core import config as configuration
from redraft.core.errors import ConfigError, NumericsError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import MethodContext
from redraft.core.records import Kernel, Recipe
from redraft.core.tensors import PromptBatch
from redraft.diffusion.exact import ExactBackbone, Mixture
from redraft.diffusion.parameterize import split_prediction
from redraft.diffusion.sample import denoise, sample
from redraft.methods.fit import FitConfig, fit
from redraft.methods.refl import Refl, ReflConfig, state_at
from redraft.testing import check_method

KEY = Key(seed=6)
REWARD_ALONE = {"margin": None, "reward_coefficient": 1.0, "pretraining_coefficient": 0.0}
LAST = {"earliest": 0.999}


def towards_two(latents: torch.Tensor) -> torch.Tensor:
    return -((latents - 2) ** 2) / 2


def refl(recipe: Recipe, *, function=towards_two, **options) -> Refl:
    return Refl.build(ReflConfig(**options), MethodContext(recipe=recipe, reward=LatentReward(function)))


def with_pictures(prompts: PromptBatch, pictures: torch.Tensor) -> PromptBatch:
    return PromptBatch(prompts=prompts.prompts, conditioning=prompts.conditioning, pictures=pictures)


def test_the_stops_are_the_late_steps() -> None:
    backbone = gaussian()

    def stops(steps: int, **options) -> range:
        return refl(recipe_of(backbone, steps), **options).stops()

    assert stops(40) == range(30, 40)  # the published ones
    assert stops(4) == range(3, 4)
    assert stops(1) == range(0, 1)
    assert stops(8, earliest=0.5, latest=0.75) == range(4, 6)
    assert stops(3, earliest=0.4, latest=0.5) == range(1, 2)
    assert stops(10, earliest=0.0) == range(0, 10)


@pytest.mark.parametrize("prediction", ["epsilon", "flow"])
def test_every_stop_is_as_likely_as_any_other(prediction: str) -> None:
    """A linear reward tells the stop by its gradient: d x0_hat / d shift is -sigma / alpha (epsilon), -sigma (flow)."""
    backbone = gaussian(prediction=prediction)
    recipe, prompts, count = recipe_of(backbone, 8), prompts_of(1, backbone), 400
    slopes = {
        round(level.sigma / (level.alpha if prediction == "epsilon" else 1.0), 9): index
        for index, level in enumerate(recipe.levels[:-1])
    }
    method = refl(recipe, function=lambda latents: latents, earliest=0.5, **REWARD_ALONE)
    seen = [0] * 8
    for seed in range(count):
        loss = method.loss(prompts, context=context_of(backbone), key=Key(seed=seed)).value
        seen[slopes[round(gradient(loss, backbone)["shift"].item(), 9)]] += 1
    assert seen[:4] == [0, 0, 0, 0]
    # Five standard errors of a share of a quarter.
    assert all(abs(number / count - 0.25) < 5 * (0.1875 / count) ** 0.5 for number in seen[4:])


@pytest.mark.parametrize("kernel", [Kernel(), Kernel(name="ddim_eta", strength=1.0)])
def test_the_state_at_a_stop_is_that_of_the_sampler(kernel: Kernel) -> None:
    backbone, prompts = two_modes("v", guided=True)
    recipe = Recipe(levels=backbone.levels(6), guidance_scale=2.0, dtype="float64", kernel=kernel)
    states = {}
    done = sample(
        backbone,
        prompts.conditioning,
        recipe=recipe,
        key=KEY,
        on_step=lambda index, value: states.update({index: value}),
    )
    for stop in range(1, 7):
        found = state_at(backbone, prompts.conditioning, recipe=recipe, key=KEY, stop=stop)
        assert not found.requires_grad
        assert torch.equal(found, states[stop - 1])
    assert torch.equal(states[5], done.latents)


@pytest.mark.parametrize(("prediction", "scale"), [("epsilon", 1.0), ("epsilon", 7.5), ("v", 2.0), ("flow", 3.0)])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradient_equals_central_differences_of_the_one_step(
    prediction: str, scale: float, checkpointing: bool
) -> None:
    """C2: relative 1e-5 in float64; the weights of the steps before the stop stand still."""
    backbone, prompts = two_modes(prediction, guided=scale != 1)
    recipe = recipe_of(backbone, 9, guidance_scale=scale)
    options = {"earliest": 0.56, "latest": 0.66}  # step 5 and no other
    method = refl(recipe, checkpointing=checkpointing, **options, **REWARD_ALONE)
    assert method.stops() == range(5, 6)
    loss = method.loss(prompts, context=context_of(backbone), key=KEY)
    exact = gradient(loss.value, backbone)
    before = state_at(backbone, prompts.conditioning, recipe=recipe, key=KEY.child("sample"), stop=5)
    level = recipe.levels[5]

    @torch.no_grad()
    def value() -> float:
        answer = denoise(backbone, before, prompts.conditioning, recipe=recipe, index=5).prediction
        clean, _ = split_prediction(answer, before, alpha=level.alpha, sigma=level.sigma, kind=prediction)
        return -towards_two(clean).flatten(1).sum(dim=1).mean().item()

    assert loss.value.item() == pytest.approx(value(), rel=1e-12)
    assert loss.parts["reward"] == pytest.approx(-value(), rel=1e-12)
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


def test_a_reward_beyond_the_margin_is_enough() -> None:
    """The hinge is taken for each picture by itself."""
    backbone = gaussian()
    recipe, prompts, context = recipe_of(backbone, 5), prompts_of(6, backbone), context_of(backbone)
    options = {"reward_coefficient": 0.5, "pretraining_coefficient": 0.0, **LAST}
    before = state_at(backbone, prompts.conditioning, recipe=recipe, key=KEY.child("sample"), stop=4)
    clean = denoise(backbone, before, prompts.conditioning, recipe=recipe, index=4).step.mean.flatten()
    margin = clean.sort().values[2:4].mean().item()  # three pictures on either side
    loss = refl(recipe, function=lambda latents: latents, margin=margin, **options)
    found = loss.loss(prompts, context=context, key=KEY)
    assert found.value.item() == pytest.approx(0.5 * (margin - clean).clamp(min=0).mean().item(), rel=1e-9)
    level = recipe.levels[4]
    slope = gradient(found.value, backbone)["shift"].item()
    assert slope == pytest.approx(0.5 * 0.5 * level.sigma / level.alpha, rel=1e-9)  # half of the pictures


@pytest.mark.parametrize("prediction", ["epsilon", "v", "flow"])
def test_the_pretraining_loss_is_the_denoising_error_on_the_given_pictures(prediction: str) -> None:
    """The exact model's error E0 becomes E0 + 2 s mean(residual) + s^2 under a shift s of its answers."""
    backbone = gaussian(shape=(1, 4, 4), prediction=prediction)
    prompts = with_pictures(prompts_of(5, backbone), 1 + 0.5 * KEY.normal((5, 1, 4, 4)).double())
    method = refl(recipe_of(backbone, 4), pretraining_coefficient=3.0, **LAST)
    found = {}
    for shift in (-0.4, 0.0, 0.4):
        set_weights(backbone, shift=shift)
        loss = method.loss(prompts, context=context_of(backbone), key=KEY)
        found[shift] = loss.parts["denoising"]
        alone = refl(method.recipe, pretraining_coefficient=0.0, **LAST)
        rest = alone.loss(prompts, context=context_of(backbone), key=KEY).value.item()
        assert loss.value.item() == pytest.approx(rest + 3 * found[shift], rel=1e-12)
    assert (found[-0.4] + found[0.4]) / 2 - found[0.0] == pytest.approx(0.16, rel=1e-9)
    other = with_pictures(prompts, prompts.pictures + 1)
    assert method.loss(other, context=context_of(backbone), key=KEY).parts["denoising"] != found[0.4]


@pytest.mark.parametrize("prediction", ["epsilon", "flow"])
def test_reward_and_pretraining_balance_where_they_should(prediction: str) -> None:
    """Closed form. With r = the sum of the latents, N of them, coefficients c / N and 1 and one stop, the gradient by
    the shared shift s is c * sigma / alpha (flow: c * sigma) + 2 s + 2 mean(residual), where exact answers have
    residuals of mean 0 on pictures of the data: it vanishes at s = -c sigma / (2 alpha)."""
    side, pull = 200, 4.0
    backbone = gaussian(shape=(1, side, side), prediction=prediction)
    prompts = with_pictures(prompts_of(2, backbone), 1 + 0.5 * KEY.normal((2, 1, side, side)).double())
    recipe = recipe_of(backbone, 10)
    level = recipe.levels[8]
    slope = level.sigma / (level.alpha if prediction == "epsilon" else 1.0)
    method = refl(
        recipe, function=lambda latents: latents, margin=None, reward_coefficient=pull / side**2, earliest=0.85,
        latest=0.9,
    )  # fmt: skip
    assert method.stops() == range(8, 9)

    def total(shift: float) -> tuple[float, float]:
        set_weights(backbone, shift=shift)
        loss = method.loss(prompts, context=context_of(backbone), key=KEY)
        slopes = gradient(loss.value, backbone)["shift"]
        return slopes.sum().item(), slopes.std().item() * side  # of a sum over side^2 elements

    balance, error = total(-pull * slope / 2)
    assert abs(balance) < 4 * error
    away, _ = total(0.0)
    assert away - balance == pytest.approx(pull * slope, rel=1e-9)
    assert pull * slope > 20 * error


@pytest.mark.parametrize("prediction", ["epsilon", "flow"])
def test_without_pictures_the_reference_paints_them(prediction: str) -> None:
    backbone = gaussian(shape=(1, 2, 2), prediction=prediction, trains=("offset",))
    set_weights(backbone, offset=0.7)
    recipe, prompts, context = recipe_of(backbone, 6), prompts_of(3, backbone), context_of(backbone)
    own = sample(
        backbone, prompts.conditioning, recipe=recipe, key=KEY.child("pretraining", "pictures"),
        parameters=context.reference,
    ).latents  # fmt: skip
    method = refl(recipe)
    without = method.loss(prompts, context=context, key=KEY)
    assert without.value.item() == method.loss(with_pictures(prompts, own), context=context, key=KEY).value.item()


def trained(prediction: str, steps: int, **options) -> float:
    """Mean of the data that the model stands for, after `steps` steps on an unbounded reward; 1 at the start."""
    backbone = gaussian(shape=(1, 4, 4), prediction=prediction, trains=("offset",))
    method = refl(
        recipe_of(backbone, 4), function=lambda latents: latents, margin=None, reward_coefficient=0.02, earliest=0.5,
        **options,
    )  # fmt: skip
    config = FitConfig(
        steps=steps, batch_size=8, learning_rate=0.05, gradient_clip=None, weight_decay=0.0,
        ema_decay=0.9,
    )  # fmt: skip
    result = fit(method, backbone, prompts_of(8, backbone), config=config, key=KEY)
    return 1 + result.parameters["offset"].mean().item()


@pytest.mark.parametrize("prediction", ["epsilon", "flow"])
def test_the_pretraining_loss_holds_what_the_release_lets_run_away(prediction: str) -> None:
    released = [trained(prediction, steps, pretraining_coefficient=0.0) for steps in (60, 120)]
    whole = [trained(prediction, steps) for steps in (60, 120)]
    assert released[1] - 1 > 1.8 * (released[0] - 1) > 1.8  # Adam walks on at its learning rate
    assert 1 < whole[1] < released[1] / 2
    assert abs(whole[1] - whole[0]) < 0.3 * (released[1] - released[0])


class Counting(ExactBackbone):
    graph_calls = 0

    def predict(self, latents, timesteps, *, text, parameters=None):
        self.graph_calls += torch.is_grad_enabled()
        return super().predict(latents, timesteps, text=text, parameters=parameters)


def test_memory_does_not_grow_with_the_steps() -> None:
    def kept(steps: int, **options) -> tuple[int, int]:
        backbone = Counting(Mixture(), latent_shape=(1, 8, 8))
        sizes: list[int] = []

        def pack(value: torch.Tensor) -> torch.Tensor:
            sizes.append(value.nbytes)
            return value

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
            refl(recipe_of(backbone, steps), **options).loss(
                prompts_of(2, backbone), context=context_of(backbone), key=KEY
            )
        return sum(sizes), backbone.graph_calls

    assert kept(4) == kept(40)
    assert kept(40)[1] == 2  # the one step, and the pre-training loss
    assert kept(40, pretraining_coefficient=0.0)[1] == 1


@pytest.mark.parametrize("prediction", ["epsilon", "flow"])
def test_conformance(prediction: str) -> None:
    backbone = gaussian(shape=(1, 2, 2), prediction=prediction)
    check_method(refl(Recipe(levels=backbone.levels(6))), backbone)


def test_pictures_go_with_their_prompts() -> None:
    backbone = gaussian()
    batch = with_pictures(prompts_of(3, backbone), torch.arange(3.0).view(3, 1, 1, 1))
    taken = batch.take([2, 0])
    assert taken.pictures is not None
    assert taken.pictures.flatten().tolist() == [2.0, 0.0]
    assert [prompt.text for prompt in taken.prompts] == ["prompt 2", "prompt 0"]
    assert prompts_of(3, backbone).take([1]).pictures is None


def test_messages() -> None:
    backbone = gaussian()
    recipe, prompts = recipe_of(backbone, 4), prompts_of(2, backbone)
    with pytest.raises(UsageError, match=r"refl needs a differentiable reward, but none is given: choose a scorer"):
        Refl.build(ReflConfig(), MethodContext(recipe=recipe, reward=None))
    with pytest.raises(ConfigError, match=r"earliest=0.9 with latest=0.5: there would be no step to stop at"):
        configuration.build(ReflConfig, {"earliest": 0.9, "latest": 0.5}, source="[methods.refl]")
    broken = refl(recipe, function=lambda latents: latents / 0)
    with pytest.raises(NumericsError, match=r"the reward of picture 0 is (-?inf|nan): every reward must be finite"):
        broken.loss(prompts, context=context_of(backbone), key=KEY)
    with pytest.raises(ConfigError, match=r"for a model that predicts flow"):
        refl(recipe).loss(prompts, context=context_of(gaussian(prediction="flow")), key=KEY)
