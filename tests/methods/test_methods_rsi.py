"""RSIDiff: one round end to end on exact models, its weights in the loss, and the drift that weighting holds back."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from exact_parts import context_of, gaussian, gradient, prompts_of, recipe_of, scored_of

from redraft.core import config as configuration
from redraft.core.errors import ConfigError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import MethodContext
from redraft.core.records import Prompt, Recipe
from redraft.core.tensors import Conditioning, Rollout, Scored, Scores, Weights
from redraft.diffusion.levels import flow_levels
from redraft.diffusion.objectives import denoising_error
from redraft.methods.fit import FitConfig, fit
from redraft.methods.noising import draw_timesteps
from redraft.methods.rsi import Rsi, RsiConfig
from redraft.testing import check_method

KEY = Key(seed=47)


def rsi(**options) -> Rsi:
    context = MethodContext(recipe=Recipe(levels=flow_levels(4)), reward=None)
    return Rsi.build(configuration.build(RsiConfig, options, source="test"), context)


def pictures(latents: torch.Tensor, reward: torch.Tensor, *, origin: torch.Tensor | None = None) -> Scored:
    """Pictures of one element each, B, every one of another prompt."""
    count = len(latents)
    empty = torch.zeros(count, 1, dtype=torch.float64)
    return Scored(
        prompts=(Prompt(text="any"),) * count,
        conditioning=Conditioning(positive={"mean": empty}, negative={"mean": empty}),
        rollout=Rollout(latents=latents.double().view(-1, 1, 1, 1), recipe=recipe_of(gaussian(), 4)),
        reward=reward.double(),
        group=torch.arange(count),
        origin=None if origin is None else origin.double().view(-1, 1, 1, 1),
    )


def weights_of(backbone, weight: list[float]) -> Weights:
    return Weights(
        latents=Key(seed=2).normal((len(weight), *backbone.latent_shape)).double(),
        conditioning=prompts_of(len(weight), backbone).conditioning,
        weight=torch.tensor(weight, dtype=torch.float64),
    )


@pytest.mark.parametrize("kind", ["epsilon", "v", "flow"])
def test_weights_of_one_are_plain_denoising_and_a_double_weight_is_a_second_copy(kind: str) -> None:
    backbone = gaussian(shape=(1, 2, 2), prediction=kind, trains=("shift", "offset"))

    def slope(weight: list[float]) -> dict[str, torch.Tensor]:
        loss = rsi().loss(weights_of(backbone, weight), context=context_of(backbone), key=KEY)
        assert loss.parts["mean_weight"] == pytest.approx(sum(weight) / len(weight))
        return gradient(loss.value, backbone)

    examples = weights_of(backbone, [1.0] * 4)
    error = denoising_error(
        backbone,
        examples.latents,
        examples.conditioning,
        timesteps=draw_timesteps(KEY.child("timesteps"), 4, distribution="uniform", prediction=kind).double(),
        noise=KEY.child("noise").normal(examples.latents.shape).double(),
    )
    plain, one, double, alone = (
        gradient(error.mean(), backbone),
        *map(slope, ([1.0] * 4, [1.0, 2.0, 1.0, 1.0], [0.0, 1.0, 0.0, 0.0])),
    )
    for name, value in one.items():
        torch.testing.assert_close(value, plain[name], rtol=1e-12, atol=1e-15)
        torch.testing.assert_close(double[name], value + alone[name], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("kind", ["epsilon", "v", "flow"])
def test_the_loss_is_the_weighted_error_of_x0(kind: str) -> None:
    """Equation 5 with lambda = alpha^2 / sigma^2 for epsilon and 1 / sigma^2 for v and flow."""
    backbone = gaussian(shape=(1, 2, 2), prediction=kind)
    examples = weights_of(backbone, [0.3, 1.0])
    loss = rsi().loss(examples, context=context_of(backbone), key=KEY)
    timesteps = draw_timesteps(KEY.child("timesteps"), 2, distribution="uniform", prediction=kind).double()
    alpha, sigma = (level.view(-1, 1, 1, 1) for level in backbone.noise_level(timesteps))
    noisy = alpha * examples.latents + sigma * KEY.child("noise").normal(examples.latents.shape).double()
    # The exact x0_hat of N(1, 0.25).
    x0_hat = 1 + alpha * 0.25 / (alpha**2 * 0.25 + sigma**2) * (noisy - alpha)
    factor = (alpha / sigma) ** 2 if kind == "epsilon" else 1 / sigma**2
    errors = (factor * (x0_hat - examples.latents) ** 2).flatten(1).mean(dim=1)
    assert loss.value.item() == pytest.approx((examples.weight * errors).mean().item(), rel=1e-9)


def recursion(method: Rsi, *, rounds: int = 8) -> tuple[float, float, float]:
    """The 1-D toy of the specification: (mean, standard deviation, mean weight) after some rounds.

    N(0, 1) at first; 5,000 draws a round with the noisy reward x + 0.5 n, 300 kept. In place of a network the law of
    the model goes 0.3 of the way, times the mean weight (the loss is divided by |S|), to that of the weighted pictures.
    """
    mean, variance, origin, weight = 0.0, 1.0, None, torch.ones(1)
    for number in range(rounds):
        key = KEY.child("toy", number)
        drawn = mean + math.sqrt(variance) * key.child("x").normal((5000,)).double()
        reward = drawn + 0.5 * key.child("n").normal((5000,)).double()
        examples = method.prepare(pictures(drawn, reward, origin=origin), key=key)
        origin = drawn if origin is None else origin
        assert len(examples) == 300
        kept, weight = examples.latents.flatten(), examples.weight
        step, share = 0.3 * weight.mean().item(), weight / weight.sum()
        centre = (share * kept).sum().item()
        variance += step * ((share * (kept - centre) ** 2).sum().item() - variance)
        mean += step * (centre - mean)
    return mean, math.sqrt(variance), weight.mean().item()


def test_weighting_holds_back_the_drift_of_recursive_training() -> None:
    """Oracle C9: random < weighted < unweighted, the values within 0.15."""
    unweighted, weighted, random = (
        recursion(rsi(keep=300, **options))
        for options in ({"weighting": "none"}, {}, {"weighting": "none", "rule": "random"})
    )
    assert abs(random[0]) < weighted[0] < unweighted[0]
    assert unweighted[:2] == pytest.approx((2.82, 0.49), abs=0.15)
    assert weighted == pytest.approx((1.30, 0.54, 0.47), abs=0.15)
    assert random[:2] == pytest.approx((0.0, 1.0), abs=0.15)


def test_the_first_round_leaves_each_picture_out_of_its_own_reference() -> None:
    """Otherwise a picture would be its own nearest neighbour. A copy of D0 handed over as such is another matter."""
    latents = Key(seed=5).normal((60,))
    options = {"keep": 60, "distance": "nearest_neighbours", "neighbours": 1, "quantile": 0.5}
    first = rsi(**options).prepare(pictures(latents, -latents.abs()), key=KEY)
    order = torch.argsort(latents.abs())  # the reward is minus the size
    ordered = latents.double()[order]
    torch.testing.assert_close(first.latents.flatten(), ordered)
    gaps = (ordered[:, None] - ordered[None, :]).abs().fill_diagonal_(math.inf).amin(dim=1)
    beta = gaps.quantile(0.5)
    expected = (-(gaps - beta).clamp(min=0) / (2 / 35 * beta)).exp()
    torch.testing.assert_close(first.weight, expected, rtol=1e-6, atol=1e-9)
    again = rsi(**options).prepare(pictures(latents, -latents.abs(), origin=latents), key=KEY)
    assert again.weight.tolist() == [1.0] * 60


def test_later_rounds_are_measured_against_the_first_model() -> None:
    origin = Key(seed=5).normal((500,))
    near, far = origin[:50] * 0.5, origin[:50] * 0.5 + 8
    both = torch.cat([near, far])
    examples = rsi(keep=100).prepare(pictures(both, torch.arange(100.0), origin=origin), key=KEY)
    by_latent = dict(zip(examples.latents.flatten().tolist(), examples.weight.tolist(), strict=True))
    assert min(by_latent[value] for value in near.double().tolist()) > 0.9
    assert max(by_latent[value] for value in far.double().tolist()) < 1e-6
    scaled = rsi(keep=100).prepare(pictures(5 * both, torch.arange(100.0), origin=5 * origin), key=KEY)
    torch.testing.assert_close(scaled.weight, examples.weight)  # calibration takes the scale out
    mended = rsi(keep=100, normalise_weights=True).prepare(pictures(both, torch.arange(100.0), origin=origin), key=KEY)
    torch.testing.assert_close(mended.weight, examples.weight / examples.weight.mean())
    assert mended.weight.mean().item() == pytest.approx(1.0)


def test_beta_and_sigma2_can_be_given_as_published() -> None:
    origin = Key(seed=5).normal((40,))
    scored = pictures(origin + 36.0, torch.arange(40.0), origin=origin)
    examples = rsi(keep=40, beta=35.0, sigma2=2.0).prepare(scored, key=KEY)
    distances = (examples.latents.flatten()[:, None] - origin.double()[None, :]).abs().mean(dim=1)
    expected = (-(distances - 35).clamp(min=0) / 2).exp()
    torch.testing.assert_close(examples.weight, expected)
    ratio = rsi(keep=40, beta=35.0).prepare(scored, key=KEY)
    torch.testing.assert_close(ratio.weight, expected)


def test_pictures_are_kept_by_several_scores_and_a_person_may_choose_among_them() -> None:
    scored = pictures(torch.arange(12.0), torch.zeros(12))
    values = torch.stack([torch.arange(12.0), torch.tensor([11.0, 9, 7, 5, 3, 1, 6, 8, 4, 10, 0, 2])], dim=1)
    names = ("clip", "hps")
    scores = Scores(values=values, names=names, fingerprints=names, mask=torch.ones(12, 2).bool())
    both = replace(scored, scores=scores)
    # Ranks of at least 0.5 in both: pictures 6, 7 and 9.
    assert rsi(keep=3).rows(both, key=KEY) == (9, 7, 6)
    assert rsi(keep=3, heads=["hps"]).rows(both, key=KEY) == (0, 9, 1)
    chosen = rsi(keep=3).weighted(both, rows=(7, 9))
    assert chosen.latents.flatten().tolist() == [7.0, 9.0]
    with pytest.raises(UsageError, match=r"no score 'pick': they have clip, hps"):
        rsi(keep=3, heads=["pick"]).rows(both, key=KEY)
    with pytest.raises(UsageError, match=r"rsi was given no picture to weigh"):
        rsi().weighted(both, rows=())


def test_a_share_is_kept_where_no_number_is_given() -> None:
    scored = pictures(Key(seed=1).normal((200,)), Key(seed=2).normal((200,)))
    assert len(rsi().prepare(scored, key=KEY)) == 12
    assert len(rsi(keep_share=0.5).prepare(scored, key=KEY)) == 100


@pytest.mark.parametrize("kind", ["epsilon", "flow"])
def test_a_round_moves_the_model_to_what_was_preferred(kind: str) -> None:
    """Pictures of the model itself, N(1, 0.25), the reward their value: the offset's optimum is the kept mean - 1."""
    backbone = gaussian(prediction=kind, trains=("offset",))
    latents = 1 + 0.5 * Key(seed=8).normal((2000,)).double()
    method = rsi(keep=200, weighting="none")
    examples = method.prepare(pictures(latents, latents), key=KEY)
    config = FitConfig(steps=150, batch_size=200, learning_rate=0.05, weight_decay=0.0, ema_decay=0.95)
    result = fit(method, backbone, examples, config=config, key=KEY)
    # The noise of 200 pictures a step, averaged over the last 20 steps by the decay, is about 0.01.
    assert result.parameters["offset"].item() == pytest.approx(examples.latents.mean().item() - 1, abs=0.05)


@pytest.mark.parametrize("distance", ["mean", "mahalanobis"])
@pytest.mark.parametrize("kind", ["epsilon", "v", "flow"])
def test_conformance(kind: str, distance: str) -> None:
    check_method(rsi(keep=3, distance=distance), gaussian(shape=(1, 2, 2), prediction=kind))


def test_refusals() -> None:
    backbone = gaussian()
    with pytest.raises(UsageError, match=r"3 of 6 pictures survive preference sampling and 5 were asked for"):
        rsi(keep=5).prepare(scored_of([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0, 0, 1, 1, 2, 2]), key=KEY)
    far = pictures(torch.full((5,), 1e6), torch.arange(5.0), origin=Key(seed=5).normal((40,)))
    with pytest.raises(
        UsageError, match=r"all 5 pictures are so far .* the model has collapsed; go back to an earlier"
    ):
        rsi(keep=5).prepare(far, key=KEY)
    with pytest.raises(UsageError, match=r"rsi was given PromptBatch: it trains on Weights"):
        rsi().loss(prompts_of(1, backbone), context=context_of(backbone), key=KEY)
    with pytest.raises(UsageError, match=r"a training weight is -1: must be 0 or more"):
        rsi().loss(weights_of(backbone, [-1.0]), context=context_of(backbone), key=KEY)
    with pytest.raises(ConfigError, match=r"lowest_floor=0.7 above floor=0.5: the floor can only fall"):
        rsi(lowest_floor=0.7)
