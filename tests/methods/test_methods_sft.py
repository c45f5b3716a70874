"""Weighted denoising: equal to the plain objective, linear in its weights, and a fit that finds the optimum."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from exact_parts import context_of, gaussian, gradient, prompts_of, scored_of, set_weights

from redraft.core import config as configuration
from redraft.core.errors import ConfigError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import MethodContext
from redraft.core.records import Recipe
from redraft.core.tensors import Conditioning, Weights
from redraft.diffusion.levels import flow_levels
from redraft.diffusion.objectives import denoising_error
from redraft.methods.fit import FitConfig, fit
from redraft.methods.noising import draw_timesteps
from redraft.methods.sft import Sft, SftConfig, drop_prompts

KEY = Key(seed=31)


def sft(**options) -> Sft:
    context = MethodContext(recipe=Recipe(levels=flow_levels(4)), reward=None)
    return Sft.build(configuration.build(SftConfig, options, source="test"), context)


def weights_of(backbone, weight: list[float]) -> Weights:
    return Weights(
        latents=Key(seed=2).normal((len(weight), *backbone.latent_shape)).double(),
        conditioning=prompts_of(len(weight), backbone).conditioning,
        weight=torch.tensor(weight, dtype=torch.float64),
    )


@pytest.mark.parametrize("prediction", ["epsilon", "v", "flow"])
def test_uniform_weights_are_plain_denoising(prediction: str) -> None:
    backbone = gaussian(shape=(1, 2, 2), prediction=prediction, trains=("shift", "offset"))
    examples = weights_of(backbone, [1.0] * 6)
    loss = sft().loss(examples, context=context_of(backbone), key=KEY)
    error = denoising_error(
        backbone,
        examples.latents,
        examples.conditioning,
        timesteps=draw_timesteps(KEY.child("timesteps"), 6, distribution="uniform", prediction=prediction).double(),
        noise=KEY.child("noise").normal(examples.latents.shape).double(),
    )
    assert loss.value.item() == pytest.approx(error.mean().item(), rel=1e-12)
    assert loss.parts["denoising"] == pytest.approx(error.mean().item(), rel=1e-12)
    expected = gradient(error.mean(), backbone)
    for name, value in gradient(loss.value, backbone).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-10, atol=1e-12)
    weighted = sft().loss(replace(examples, weight=torch.arange(6.0).double()), context=context_of(backbone), key=KEY)
    assert weighted.value.item() == pytest.approx((torch.arange(6.0) * error).mean().item(), rel=1e-12)


def test_reference_term_is_the_squared_distance_of_predictions() -> None:
    backbone = gaussian(shape=(1, 2, 2))
    set_weights(backbone, shift=0.5)
    examples, context = weights_of(backbone, [1.0] * 4), context_of(backbone)
    plain = sft().loss(examples, context=context, key=KEY)
    pulled = sft(reference_coefficient=3.0).loss(examples, context=context, key=KEY)
    assert pulled.parts["kl"] == pytest.approx(0.25, rel=1e-12)
    assert (pulled.value - plain.value).item() == pytest.approx(0.75, rel=1e-9)
    difference = gradient(pulled.value, backbone)["shift"] - gradient(plain.value, backbone)["shift"]
    torch.testing.assert_close(difference, torch.full_like(difference, 3.0 * 2 * 0.5 / 4), rtol=1e-9, atol=1e-12)


def test_prompt_dropout_replaces_whole_rows_by_the_negative_text() -> None:
    count = 4000
    positive = torch.arange(count).double()[:, None, None].expand(-1, 2, 3)
    both = Conditioning(
        positive={"tokens": positive, "pooled": positive[:, 0]},
        negative={"tokens": -1 - positive, "pooled": -1 - positive[:, 0]},
    )
    dropped = drop_prompts(both, probability=0.1, key=KEY)
    gone = dropped.positive["pooled"][:, 0] < 0
    # 4,000 coins of 0.1: standard error 0.0047, four of them.
    assert gone.double().mean().item() == pytest.approx(0.1, abs=0.019)
    torch.testing.assert_close(dropped.positive["tokens"][gone], both.negative["tokens"][gone])
    torch.testing.assert_close(dropped.positive["tokens"][~gone], both.positive["tokens"][~gone])
    assert drop_prompts(both, probability=0.0, key=KEY) is both
    with pytest.raises(UsageError, match=r"prompt_dropout=0.1 with a conditioning that has no negative half"):
        drop_prompts(Conditioning(positive=both.positive, negative={}), probability=0.1, key=KEY)


def test_prepare_chooses_as_configured() -> None:
    scored = scored_of([0.1, 0.9, 0.4, 0.8, 0.7, 0.0], [0, 0, 0, 1, 1, 1])
    assert len(sft().prepare(scored, key=KEY)) == 2
    assert len(sft(keep=2, threshold=0.5).prepare(scored, key=KEY)) == 3
    assert len(sft(choose="correct", threshold=0.5, keep=1).prepare(scored, key=KEY)) == 2
    soft = sft(choose="softmax", temperature=0.2).prepare(scored, key=KEY)
    assert len(soft) == 6
    assert soft.weight.mean().item() == pytest.approx(1.0)
    with pytest.raises(ConfigError, match=r"choose='correct' without a threshold"):
        sft(choose="correct")


def test_fit_moves_the_model_to_the_pictures_it_keeps() -> None:
    """For N(m, s^2) pictures and a Gaussian model of that variance the optimum of the offset is m - 1."""
    backbone = gaussian(shape=(1, 8, 8), prediction="flow", trains=("offset",))
    latents = 2.5 + 0.5 * Key(seed=8).normal((64, 1, 8, 8)).double()
    examples = Weights(
        latents=latents,
        conditioning=prompts_of(64, backbone).conditioning,
        weight=torch.ones(64, dtype=torch.float64),
    )
    config = FitConfig(steps=150, batch_size=64, learning_rate=0.05, weight_decay=0.0, ema_decay=0.95)
    result = fit(sft(), backbone, examples, config=config, key=KEY)
    # 64 elements x 64 pictures: the mean of the pictures is known to 0.008; Adam leaves some noise in each element.
    assert result.parameters["offset"].mean().item() == pytest.approx(latents.mean().item() - 1, abs=0.05)
    assert result.log[-1].loss < result.log[0].loss


def test_messages() -> None:
    backbone = gaussian()
    with pytest.raises(UsageError, match=r"a training weight is -1: must be 0 or more; .* use 'nft'"):
        sft().loss(weights_of(backbone, [1.0, -1.0]), context=context_of(backbone), key=KEY)
    with pytest.raises(UsageError, match=r"sft was given PromptBatch: it trains on Weights"):
        sft().loss(prompts_of(1, backbone), context=context_of(backbone), key=KEY)
