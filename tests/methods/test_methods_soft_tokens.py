"""Soft tokens: C13 to C15 of the oracles and the tests of section 2.8 of the algorithm notes, for VP and flow models.

The backbone here is linear in its tokens, so the losses are quadratic and their minima exact.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from exact_parts import gaussian, prompts_of, scored_of

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import LossContext, MethodContext
from redraft.core.records import NoiseLevel, Prediction, Prompt, Recipe
from redraft.core.tensors import NEGATIVE_BANK, POSITIVE_BANK, Captioned, Conditioning, Images, Parameters
from redraft.diffusion.guidance import guided_prediction
from redraft.diffusion.levels import flow_levels
from redraft.diffusion.parameterize import training_target
from redraft.methods.alignment import RunawayRules, alignment_shift, contrastive_loss, mean_square
from redraft.methods.captioned_noise import noise_captioned
from redraft.methods.presets import PRESETS
from redraft.methods.soft_tokens import SoftTokens, SoftTokensConfig
from redraft.testing import check_method

KEY = Key(seed=17)
MEAN = 1.5
LEVELS: dict[str, tuple[float, float]] = {"epsilon": (0.8, 0.6), "flow": (0.4, 0.6), "v": (0.8, 0.6)}


class LinearTokens:
    """A TrainableBackbone at one noise level: the answer is tokens[0] * x_t + tokens[1] * caption, caption +1 or -1.

    Both banks hold these two numbers, as tokens of width 1.
    """

    latent_shape = (1, 24, 24)

    def __init__(self, prediction: Prediction = "epsilon", *, banks: int = 2) -> None:
        self.prediction = prediction
        names = (POSITIVE_BANK, NEGATIVE_BANK)[:banks]
        self._trainable = {name: torch.nn.Parameter(torch.zeros(1, 2, 1).double()) for name in names}

    def encode(self, prompts: Sequence[Prompt]) -> Conditioning:
        signs = [[1.0 if "two" in prompt.text else -1.0] for prompt in prompts]
        return captions_of(torch.tensor(signs))

    def predict(
        self,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        *,
        text: Mapping[str, torch.Tensor],
        parameters: Parameters | None = None,
    ) -> torch.Tensor:
        del timesteps
        values: Parameters = self._trainable if parameters is None else parameters
        first, second = values[POSITIVE_BANK].flatten()
        return first * latents + second * text["caption"].view(-1, 1, 1, 1)

    def decode(self, latents: torch.Tensor) -> Images:
        raise NotImplementedError

    def encode_images(self, images: Images) -> torch.Tensor:
        raise NotImplementedError

    def trainable(self) -> Mapping[str, torch.nn.Parameter]:
        return self._trainable

    def reference(self) -> Parameters:
        return {name: torch.zeros_like(value) for name, value in self._trainable.items()}

    def noise_level(self, timesteps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        alpha, sigma = LEVELS[self.prediction]
        return torch.full_like(timesteps, alpha), torch.full_like(timesteps, sigma)

    def levels(self, steps: int) -> tuple[NoiseLevel, ...]:
        raise NotImplementedError


def captions_of(signs: torch.Tensor) -> Conditioning:
    return Conditioning(positive={"caption": signs.double().view(-1, 1)}, negative={})


def method(**options: Any) -> SoftTokens:
    """With the planted false captions of each picture, if nothing else is said."""
    context = MethodContext(recipe=Recipe(levels=flow_levels(4)), reward=None)
    return SoftTokens.build(SoftTokensConfig(**{"negatives": "hard", **options}), context)


def context_of(backbone: LinearTokens, *, old: Parameters | None = None) -> LossContext:
    return LossContext(backbone=backbone, reference=backbone.reference(), old=old or randomised(backbone, 9), step=0)


def randomised(backbone: LinearTokens, seed: int) -> dict[str, torch.Tensor]:
    return {
        name: Key(seed=seed).child(name).normal(value.shape).double() for name, value in backbone.trainable().items()
    }


def set_tokens(backbone: LinearTokens, values: Parameters) -> LinearTokens:
    with torch.no_grad():
        for name, value in backbone.trainable().items():
            value.copy_(values[name])
    return backbone


def pictures_of(signs: torch.Tensor, backbone: LinearTokens) -> torch.Tensor:
    """x0 ~ N(1.5 * sign, 1) in every element."""
    noise = KEY.child("pictures").normal((len(signs), *backbone.latent_shape)).double()
    return MEAN * signs.double().view(-1, 1, 1, 1) + noise


def balanced(backbone: LinearTokens, *, false: int = 3, copies: int = 3) -> Captioned:
    """All combinations of a picture's class and of `false` false captions, equally often: nothing is left to chance."""
    rows = torch.tensor(list(itertools.product((-1, 1), repeat=1 + false))).repeat(copies, 1)
    return Captioned(
        latents=pictures_of(rows[:, 0], backbone),
        conditioning=captions_of(rows[:, 0]),
        negatives=captions_of(rows[:, 1:].flatten()),
    )


def gradient(value: torch.Tensor, backbone: LinearTokens) -> dict[str, torch.Tensor]:
    names = list(backbone.trainable())
    found = torch.autograd.grad(value, [backbone.trainable()[name] for name in names], allow_unused=True)
    return {name: slope for name, slope in zip(names, found, strict=True) if slope is not None}


# --- the formulas ---------------------------------------------------------------------------------------------------


def predictions(count: int = 5, captions: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    slow = KEY.child("slow").normal((count, captions, 2, 3, 3)).double()
    target = KEY.child("target").normal((count, 2, 3, 3)).double()
    return slow, target, torch.ones(count, captions - 1, dtype=torch.bool)


@pytest.mark.parametrize("temperature", [1e-6, 0.01, 0.1, 1.0, math.inf])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_weighted_shifts_sum_to_zero(temperature: float, reduction: str) -> None:
    """C15, tolerance 1e-6."""
    slow, target, valid = predictions()
    valid[2, 1:] = False
    weight, shift = alignment_shift(slow, target, valid, temperature=temperature, reduction=reduction)
    total = (weight[:, :, None, None, None] * shift).sum(dim=1)
    assert total.abs().max() <= 1e-6 * slow.abs().max()
    torch.testing.assert_close(weight.sum(dim=1), torch.ones(5).double())
    assert weight[2, 2:].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("prediction", ["epsilon", "v", "flow"])
def test_one_caption_is_plain_denoising(prediction: Prediction) -> None:
    """C15 through the method: with one picture a batch there is no other caption, so nothing is shifted."""
    backbone = set_tokens(LinearTokens(prediction), randomised(LinearTokens(), 4))
    examples, context = balanced(backbone, copies=1).take([0]), context_of(backbone)
    found = method(gamma_plus=0.7, gamma_minus=0.3, negatives="in_batch").loss(examples, context=context, key=KEY)
    plain = method(objective="plain", negatives="in_batch").loss(examples, context=context, key=KEY)
    assert found.value.item() == pytest.approx(plain.value.item(), rel=1e-12)
    slope, expected = gradient(found.value, backbone), gradient(plain.value, backbone)
    torch.testing.assert_close(slope[POSITIVE_BANK], expected[POSITIVE_BANK])


def test_one_caption_has_weight_one_and_no_shift() -> None:
    slow, target, valid = predictions(captions=1)
    weight, shift = alignment_shift(slow, target, valid, temperature=0.1, reduction="mean")
    assert torch.equal(weight, torch.ones_like(weight))
    assert torch.equal(shift, torch.zeros_like(shift))


def test_limits_of_the_temperature() -> None:
    slow, target, valid = predictions()
    weight, _ = alignment_shift(slow, target, valid, temperature=math.inf, reduction="mean")
    assert torch.equal(weight, torch.full_like(weight, 0.25))
    slow[:, 0] = 0.9 * target  # the own caption explains the picture best
    weight, shift = alignment_shift(slow, target, valid, temperature=1e-7, reduction="mean")
    assert torch.equal(weight, torch.tensor([[1.0, 0, 0, 0]]).double().expand(5, 4))
    assert torch.equal(shift[:, 0], torch.zeros_like(shift[:, 0]))
    slow[:, 2] = target
    weight, _ = alignment_shift(slow, target, valid, temperature=1e-7, reduction="mean")
    assert weight.argmax(dim=1).tolist() == [2] * 5


def test_sum_is_mean_at_a_smaller_temperature() -> None:
    slow, target, valid = predictions()
    by_sum, _ = alignment_shift(slow, target, valid, temperature=1.8, reduction="sum")
    by_mean, _ = alignment_shift(slow, target, valid, temperature=0.1, reduction="mean")
    torch.testing.assert_close(by_sum, by_mean)


@pytest.mark.parametrize(("captions", "equal", "infimum"), [(4, 1.386294, 0.053490), (16, 2.772589, 0.242738)])
def test_softrepa_at_equal_errors_and_at_its_infimum(captions: int, equal: float, infimum: float) -> None:
    """C13, tolerance 1e-6."""
    valid = torch.ones(3, captions - 1, dtype=torch.bool)

    def value(errors: torch.Tensor) -> float:
        return contrastive_loss(errors, valid, scale=4.0, temperature=0.07).item()

    errors = torch.full((3, captions), 0.2, dtype=torch.float64)
    assert value(errors) == pytest.approx(equal, abs=1e-6)
    errors[:, 0], errors[:, 1:] = 0.0, 1e9
    assert value(errors) == pytest.approx(infimum, abs=1e-6)
    # the defect: the loss always asks for larger errors of the others
    errors = torch.rand(3, captions, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    errors.requires_grad_(True)
    contrastive_loss(errors, valid, scale=4.0, temperature=0.07).backward()
    slope = errors.grad
    assert slope is not None
    assert bool((slope[:, 1:] < 0).all() and (slope[:, 0] > 0).all())
    # invalid captions do not compete
    alone = contrastive_loss(errors, torch.zeros_like(valid), scale=4.0, temperature=0.07)
    assert alone.item() == 0.0


# --- the losses -----------------------------------------------------------------------------------------------------


def answer(bank: torch.Tensor, latents: torch.Tensor, sign: torch.Tensor) -> torch.Tensor:
    first, second = bank.detach().flatten()
    return first * latents + second * sign


@pytest.mark.parametrize("prediction", ["epsilon", "v", "flow"])
def test_agsm_is_its_formula(prediction: Prediction) -> None:
    """Recomputed here with loops over pictures and captions."""
    backbone = set_tokens(LinearTokens(prediction), randomised(LinearTokens(), 4))
    examples, context = balanced(backbone, copies=1), context_of(backbone)
    found = method(gamma_plus=0.7, gamma_minus=0.3).loss(examples, context=context, key=KEY)
    noised = noise_captioned(examples, backbone=backbone, negatives="hard", timesteps="uniform", shared=True, key=KEY)
    false = noised.false.positive["caption"].view(-1, 3)
    positive, negative = [], []
    for row in range(len(examples)):
        signs = [noised.true.positive["caption"][row, 0], *false[row]]
        banks = [POSITIVE_BANK, NEGATIVE_BANK, NEGATIVE_BANK, NEGATIVE_BANK]

        online, slow = (
            [answer(weights[bank], noised.latents[row], sign) for bank, sign in zip(banks, signs, strict=True)]
            for weights in (backbone.trainable(), context.old)
        )
        target = noised.target[row]
        weights = torch.softmax(torch.stack([-(each - target).square().mean() / 0.1 for each in slow]), dim=0)
        middle = sum(weight * each for weight, each in zip(weights, slow, strict=True))
        positive.append((online[0] - target - 0.7 * (slow[0] - middle)).square().mean())
        for each, old in zip(online[1:], slow[1:], strict=True):
            negative.append((each - target + 0.3 * (old - middle)).square().mean())
    expected = torch.stack(positive).mean() + torch.stack(negative).mean()
    torch.testing.assert_close(found.value.detach(), expected)
    assert found.parts["positive"] + found.parts["negative"] == pytest.approx(expected.item())


def test_one_timestep_and_one_noise_serve_the_batch() -> None:
    backbone = LinearTokens()
    examples = balanced(backbone)
    noised = noise_captioned(examples, backbone=backbone, negatives="hard", timesteps="uniform", shared=True, key=KEY)
    assert len(noised.timesteps.unique()) == 1
    noise = (noised.latents - 0.8 * examples.latents) / 0.6
    torch.testing.assert_close(noise, noise[:1].expand_as(noise))
    torch.testing.assert_close(noised.target, noise)


def test_pictures_may_have_levels_and_noise_of_their_own() -> None:
    backbone = LinearTokens()
    examples = balanced(backbone)
    noised = noise_captioned(examples, backbone=backbone, negatives="hard", timesteps="uniform", shared=False, key=KEY)
    assert len(noised.timesteps.unique()) == len(examples)
    noise = (noised.latents - 0.8 * examples.latents) / 0.6
    correlation = torch.corrcoef(noise.flatten(1)) - torch.eye(len(examples))
    assert correlation.abs().max() < 0.25  # six deviations of that of 576 independent normal values
    torch.testing.assert_close(noised.target, noise)


@pytest.mark.parametrize("prediction", ["epsilon", "v", "flow"])
def test_the_bases_own_answer_as_the_target(prediction: Prediction) -> None:
    """Tokens that are the base's then have nothing to learn, whatever the noise was."""
    backbone = LinearTokens(prediction)
    examples, context = balanced(backbone, copies=1), context_of(backbone)
    asked = method(objective="plain", target="reference")
    assert asked.loss(examples, context=context, key=KEY).value.item() == 0.0
    assert method(objective="plain").loss(examples, context=context, key=KEY).value.item() > 0.1


@pytest.mark.parametrize("prediction", ["epsilon", "v", "flow"])
def test_the_empty_caption_makes_the_target_guidance(prediction: Prediction) -> None:
    """`cfg_target` of a base that stays asks for classifier-free guidance of scale 1 + gamma_plus, and of no other."""
    base = randomised(LinearTokens(), 6)

    class Based(LinearTokens):
        def reference(self) -> Parameters:
            return base

    backbone = set_tokens(Based(prediction), randomised(LinearTokens(), 4))
    examples = balanced(backbone, copies=1)
    examples = replace(
        examples, conditioning=replace(examples.conditioning, negative={"caption": torch.zeros(len(examples), 1)})
    )
    options = {"objective": "cfg_target", "negatives": "empty", "target": "reference", "gamma_plus": 2.0}
    context = LossContext(backbone=backbone, reference=base, old=base, step=0)
    found = method(**options).loss(examples, context=context, key=KEY)
    noised = noise_captioned(examples, backbone=backbone, negatives="none", timesteps="uniform", shared=True, key=KEY)
    for scale in (2.0, 3.0, 4.0):
        guided = guided_prediction(
            backbone, noised.latents, timestep=noised.timesteps, conditioning=examples.conditioning, scale=scale,
            parameters=base,
        )  # fmt: skip
        own = backbone.predict(noised.latents, noised.timesteps, text=noised.true.positive)
        same = torch.isclose(mean_square(own - guided).mean(), found.value, rtol=1e-9)
        assert bool(same) == (scale == 3.0)


@pytest.mark.parametrize("prediction", ["epsilon", "v", "flow"])
@pytest.mark.parametrize("negatives", ["hard", "in_batch"])
def test_without_gammas_the_gradient_is_plain_denoising(prediction: Prediction, negatives: str) -> None:
    """2.8.1, exactly."""
    backbone = set_tokens(LinearTokens(prediction), randomised(LinearTokens(), 4))
    examples, context = balanced(backbone, copies=1), context_of(backbone)
    loss = method(gamma_plus=0.0, gamma_minus=0.0, negatives=negatives).loss(examples, context=context, key=KEY)
    plain = method(objective="plain").loss(examples, context=context, key=KEY)
    assert torch.equal(loss.value, plain.value)
    found, expected = gradient(loss.value, backbone), gradient(plain.value, backbone)
    assert found.keys() == expected.keys() == {POSITIVE_BANK}
    assert torch.equal(found[POSITIVE_BANK], expected[POSITIVE_BANK])


@pytest.mark.parametrize("objective", ["agsm", "cfg_target", "softrepa"])
@pytest.mark.parametrize("prediction", ["epsilon", "flow"])
def test_one_caption_reduces_to_plain_denoising(objective: str, prediction: Prediction) -> None:
    """2.8.3: in a batch of one, and in a batch whose captions are all the same."""
    backbone = set_tokens(LinearTokens(prediction), randomised(LinearTokens(), 4))
    context = context_of(backbone)
    for count in (1, 3):
        signs = torch.ones(count)
        examples = Captioned(latents=pictures_of(signs, backbone), conditioning=captions_of(signs))
        options = {"objective": objective, "negatives": "in_batch", "denoise_weight": 1.0}
        loss = method(**options).loss(examples, context=context, key=KEY)
        plain = method(objective="plain").loss(examples, context=context, key=KEY)
        assert loss.value.item() == pytest.approx(plain.value.item(), rel=1e-14)
        if objective == "agsm":
            assert (loss.parts["own_weight"], loss.parts["own_weight_gain"], loss.parts["win_rate"]) == (1.0, 0.0, 1.0)
            assert loss.parts["shift_share"] == 0.0


@pytest.mark.parametrize("prediction", ["epsilon", "v", "flow"])
def test_gradient_is_that_of_the_trained_tokens_alone(prediction: Prediction) -> None:
    """2.8.5: finite differences with the slow tokens frozen; none reaches the slow tokens or the target."""
    backbone = set_tokens(LinearTokens(prediction), randomised(LinearTokens(), 4))
    examples, agsm = balanced(backbone, copies=1), method(gamma_plus=0.8, gamma_minus=0.5)
    old = {name: value.requires_grad_(True) for name, value in randomised(backbone, 9).items()}
    context = context_of(backbone, old=old)
    loss = agsm.loss(examples, context=context, key=KEY)
    loss.value.backward()
    assert all(value.grad is None for value in old.values())
    start = {name: value.detach().clone() for name, value in backbone.trainable().items()}
    slopes = {name: value.grad for name, value in backbone.trainable().items()}
    for name, slope in slopes.items():
        assert slope is not None
        for place in range(2):
            values = []
            for step in (1e-5, -1e-5):
                moved = {key: value.clone() for key, value in start.items()}
                moved[name].view(-1)[place] += step
                set_tokens(backbone, moved)
                values.append(agsm.loss(examples, context=context, key=KEY).value.item())
            difference = (values[0] - values[1]) / 2e-5
            assert slope.flatten()[place].item() == pytest.approx(difference, rel=1e-6, abs=1e-8)


def test_a_shift_of_the_noise_is_the_same_shift_of_the_flow_velocity() -> None:
    """2.8.8: with x0 fixed, and alpha times it of v."""
    x0, noise, shift = KEY.normal((3, 2, 1, 4, 4)).double()
    for kind, factor in (("epsilon", 1.0), ("flow", 1.0), ("v", 0.8)):
        plain = training_target(x0, noise, alpha=0.8, sigma=0.6, kind=kind)
        moved = training_target(x0, noise + shift, alpha=0.8, sigma=0.6, kind=kind)
        torch.testing.assert_close(moved - plain, factor * shift)


@pytest.mark.parametrize("prediction", ["epsilon", "flow"])
def test_cfg_target_is_agsm_with_equal_weights(prediction: Prediction) -> None:
    """Up to the factor (P - 1) / P of gamma_plus, with one bank and without the second term."""
    backbone = set_tokens(LinearTokens(prediction, banks=1), randomised(LinearTokens(), 4))
    examples, context = balanced(backbone, copies=1), context_of(backbone)
    agsm = method(gamma_plus=0.8, gamma_minus=0.0, temperature=math.inf, dual_bank=False)
    simple = method(objective="cfg_target", gamma_plus=0.8 * 3 / 4)
    first, second = (each.loss(examples, context=context, key=KEY).value for each in (agsm, simple))
    torch.testing.assert_close(first, second)
    torch.testing.assert_close(gradient(first, backbone), gradient(second, backbone))


def test_softrepa_rewards_tokens_that_tell_captions_apart() -> None:
    backbone = LinearTokens("flow")
    signs = torch.tensor([1, -1, 1, -1])
    examples = Captioned(latents=pictures_of(signs, backbone), conditioning=captions_of(signs))
    softrepa = SoftTokens(config=SoftTokensConfig(**PRESETS["softrepa"][1]))
    # tokens that do not read the caption: each picture has two false captions besides its own
    set_tokens(backbone, {name: torch.tensor([0.5, 0.0]).double().view(1, 2, 1) for name in backbone.trainable()})
    loss = softrepa.loss(examples, context=context_of(backbone), key=KEY)
    assert loss.value.item() == pytest.approx(math.log(3), abs=1e-12)
    slope = gradient(loss.value, backbone)
    assert slope.keys() == {POSITIVE_BANK}
    # v = e - x0 and x0 = 1.5 * caption + noise, so descent must make the caption's coefficient negative
    assert slope[POSITIVE_BANK].flatten()[1] > 0
    # VP models denoise as well, with the published weight
    vp = set_tokens(LinearTokens("epsilon"), backbone.trainable())
    value = softrepa.loss(examples, context=context_of(vp), key=KEY)
    assert value.value.item() == pytest.approx(value.parts["contrast"] + 10 * value.parts["own_error"])
    assert value.parts["contrast"] == pytest.approx(math.log(3), abs=1e-12)


@pytest.mark.parametrize("objective", ["agsm", "softrepa", "cfg_target"])
def test_the_order_of_captions_does_not_matter(objective: str) -> None:
    """Permuting captions permutes columns of the errors only, because noise and timestep are shared."""
    backbone = set_tokens(LinearTokens(), randomised(LinearTokens(), 4))
    examples, context = balanced(backbone, copies=1), context_of(backbone)
    signs = examples.negatives.positive["caption"].view(-1, 3)  # type: ignore[union-attr]
    other = Captioned(
        latents=examples.latents,
        conditioning=examples.conditioning,
        negatives=captions_of(signs[:, [2, 0, 1]].flatten()),
    )
    shuffled = examples.take([5, 3, 1, 0, 2, 4, *range(6, 16)])
    values = [
        method(objective=objective).loss(each, context=context, key=KEY).value for each in (examples, other, shuffled)
    ]
    torch.testing.assert_close(values[1], values[0])
    torch.testing.assert_close(values[2], values[0])


# --- what AGSM converges to -----------------------------------------------------------------------------------------


def caption_coefficients(
    prediction: Prediction, *, rounds: int, **options: float
) -> tuple[list[float], float, LinearTokens]:
    """The positive bank's caption coefficient after each exact minimisation against the slow tokens, which then become
    the minimum; and the coefficient of plain denoising, c*."""
    backbone = LinearTokens(prediction)
    examples = balanced(backbone)
    agsm, plain = method(**options), method(objective="plain")
    baseline = minimised(plain, backbone, examples, names=[POSITIVE_BANK])[POSITIVE_BANK].flatten()[1].item()
    set_tokens(backbone, backbone.reference())
    names = [POSITIVE_BANK, NEGATIVE_BANK] if agsm.config.gamma_minus else [POSITIVE_BANK]
    found = [minimised(agsm, backbone, examples, names=names)[POSITIVE_BANK].flatten()[1].item() for _ in range(rounds)]
    return found, baseline, backbone


def minimised(chosen: SoftTokens, backbone: LinearTokens, examples: Captioned, *, names: list[str]) -> Parameters:
    """Set the tokens to the exact minimum of a quadratic loss whose slow tokens are the present ones."""
    old = {name: value.detach().clone() for name, value in backbone.trainable().items()}
    value = chosen.loss(examples, context=context_of(backbone, old=old), key=KEY).value
    weights = [backbone.trainable()[name] for name in names]
    slope = torch.cat([each.flatten() for each in torch.autograd.grad(value, weights, create_graph=True)])
    rows = [torch.autograd.grad(each, weights, retain_graph=True, allow_unused=True) for each in slope]
    curvature = torch.stack(
        [torch.cat([torch.zeros(2).double() if part is None else part.flatten() for part in row]) for row in rows]
    )
    step = torch.linalg.solve(curvature, slope.detach())
    moved = dict(old)
    for index, name in enumerate(names):
        moved[name] = old[name] - step[2 * index : 2 * index + 2].view(1, 2, 1)
    set_tokens(backbone, moved)
    return moved


@pytest.mark.parametrize("prediction", ["epsilon", "flow", "v"])
@pytest.mark.parametrize(("gamma_plus", "amplification"), [(1.0, 4.0), (0.5, 1.6)])
def test_amplification(prediction: Prediction, gamma_plus: float, amplification: float) -> None:
    """C14: guidance of scale 1 / (1 - gamma_plus (1 - 1/P)) ends up in the tokens, P = 4; tolerance 2 %."""
    options = {"gamma_plus": gamma_plus, "temperature": math.inf}
    found, baseline, backbone = caption_coefficients(prediction, rounds=40, **options)
    assert found[-1] / baseline == pytest.approx(amplification, rel=0.02)
    # a false caption says nothing about the picture
    negative = backbone.trainable()[NEGATIVE_BANK].flatten()[1].item()
    assert abs(negative / baseline) < 0.02


def test_amplification_does_not_depend_on_gamma_minus_and_diverges_beyond_the_bound() -> None:
    for gamma_minus in (0.0, 1.0):
        options = {"gamma_plus": 1.0, "temperature": math.inf, "gamma_minus": gamma_minus}
        found, baseline, _ = caption_coefficients("epsilon", rounds=40, **options)
        assert found[-1] / baseline == pytest.approx(4.0, rel=0.02)
    with pytest.warns(UserWarning, match=r"gamma_plus=1.4 with 4 captions a picture: .* run away"):
        found, baseline, _ = caption_coefficients("epsilon", rounds=40, gamma_plus=1.4, temperature=math.inf)
    # g = 1.4 * 3 / 4 = 1.05: each round adds more than the one before
    steps = torch.tensor(found).diff() / baseline
    assert bool((steps[1:] > steps[:-1]).all())
    assert found[-1] / baseline > 50


@pytest.mark.parametrize("gamma_plus", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("prediction", ["epsilon", "flow"])
def test_amplification_is_bounded_below_one(prediction: Prediction, gamma_plus: float, temperature: float) -> None:
    """C14: at most 1 / (1 - gamma_plus), for any weights; and never less than plain denoising."""
    found, baseline, _ = caption_coefficients(prediction, rounds=25, gamma_plus=gamma_plus, temperature=temperature)
    ratios = [value / baseline for value in found]
    assert max(ratios) <= 1 / (1 - gamma_plus) + 1e-9
    assert ratios[-1] >= 1 - 1e-9


# --- watching, refusing, conforming ---------------------------------------------------------------------------------


def entries(gain: float, share: float, count: int) -> list[dict[str, float]]:
    return [{"own_weight_gain": gain, "shift_share": share}] * count


def test_runaway_is_seen() -> None:
    watched = method(runaway={"window": 3, "patience": 2, "largest_shift": 1.0})
    fine = entries(0.1, 0.3, 10)
    assert watched.stop_reason(fine) is None
    assert watched.stop_reason(entries(-0.1, 2.0, 2)) is None
    # the mean of three is below 0 first at the third step below, hence two in a row at the fourth
    falling = [fine + entries(-0.06, 0.3, count) for count in (1, 2, 3)]
    assert [watched.stop_reason(log) is None for log in falling] == [True, True, False]
    reason = watched.stop_reason(falling[-1])
    assert reason is not None
    assert "step 13: the own caption's weight is below chance for 2 steps in a row (now by 0.06" in reason
    assert "lower gamma_plus" in reason
    reason = watched.stop_reason(fine + entries(0.1, 3.0, 2))
    assert reason is not None
    assert "shift is 2.1 of the error that it is to mend (at most 1 is allowed)" in reason
    assert method(objective="plain").stop_reason([{"own_error": 1.0}] * 99) is None
    against_base = method(target="reference", runaway={"window": 3, "patience": 2, "largest_shift": 1.0})
    assert against_base.stop_reason(entries(0.1, 3.0, 9)) is None
    assert against_base.stop_reason(entries(-0.1, 3.0, 9)) is not None
    assert RunawayRules().patience == 5


def test_runaway_of_the_toy_is_seen_and_the_default_is_quiet() -> None:
    """gamma_plus 1 with these weights runs away (algorithm notes, 2.5): its log stops it; that of 0.5 does not."""
    for gamma_plus, stops in ((1.4, True), (0.5, False)):
        watched = method(gamma_plus=gamma_plus, runaway={"window": 3, "patience": 3})
        backbone = LinearTokens()
        examples, log = balanced(backbone), []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(60):
                old = {name: value.detach().clone() for name, value in backbone.trainable().items()}
                log.append(watched.loss(examples, context=context_of(backbone, old=old), key=KEY).parts)
                minimised(watched, backbone, examples, names=[POSITIVE_BANK, NEGATIVE_BANK])
        assert any(watched.stop_reason(log[:end]) is not None for end in range(len(log) + 1)) is stops


def test_published_and_own_presets() -> None:
    configs = {name: SoftTokensConfig(**PRESETS[name][1]) for name in ("softrepa", "agsm", "agsm-published")}
    assert {name: config.objective for name, config in configs.items()} == {
        "softrepa": "softrepa", "agsm": "agsm", "agsm-published": "agsm",
    }  # fmt: skip
    assert configs["agsm"].gamma_plus == 0.5
    assert configs["agsm-published"].gamma_plus == 1.0


@pytest.mark.parametrize("prediction", ["epsilon", "v", "flow"])
@pytest.mark.parametrize("preset", ["softrepa", "agsm", "agsm-published"])
def test_conformance(prediction: Prediction, preset: str) -> None:
    backbone = set_tokens(LinearTokens(prediction), randomised(LinearTokens(), 4))
    prompts = (Prompt(text="two dogs"), Prompt(text="a dog"), Prompt(text="two cats"))
    check_method(SoftTokens(config=SoftTokensConfig(**PRESETS[preset][1])), backbone, prompts=prompts)


def test_wrong_uses_say_what_to_do() -> None:
    backbone, exact = LinearTokens(), gaussian()
    examples = balanced(backbone)
    context = LossContext(backbone=exact, reference=exact.reference(), old=exact.reference(), step=0)
    with pytest.raises(
        UsageError, match=r"this one trains 'shift': prepare it with train_soft_tokens .*or use a model"
    ):
        method().loss(examples, context=context, key=KEY)
    single = LinearTokens(banks=1)
    with pytest.raises(UsageError, match=r"agsm with dual_bank needs a second bank .*set dual_bank to false"):
        method().loss(examples, context=context_of(single), key=KEY)
    bare = Captioned(latents=examples.latents, conditioning=examples.conditioning)
    with pytest.raises(UsageError, match=r"no false captions of their own: .*set negatives to 'in_batch'"):
        method().loss(bare, context=context_of(backbone), key=KEY)
    with pytest.raises(UsageError, match="soft_tokens was given PromptBatch: it trains on Captioned"):
        method().loss(prompts_of(2, exact), context=context_of(backbone), key=KEY)
    with pytest.raises(UsageError, match="given 2 scored pictures: it trains on Captioned"):
        method().prepare(scored_of([0.0, 1.0], [0, 0]), key=KEY)
    errors = mean_square(torch.ones(2, 3, 1, 2, 2))
    assert torch.equal(errors, torch.ones(2, 3))
