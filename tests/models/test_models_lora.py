"""Adapters: exactness of a fresh one, C17 (composition), merging, start step, replay, and full weights beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Kernel, Prompt
from redraft.diffusion.sample import replay, sample, sample_logged
from redraft.models import lora
from redraft.models.backbone import PipelineBackbone
from redraft.models.load import open_backbone
from redraft.models.weights import DenoiserWeights

KEY = Key(seed=11)
PROMPTS = [Prompt(text="a red circle"), Prompt(text="two hats")]


def train(backbone: PipelineBackbone, *, name: str = "a", rank: int = 4, alpha: float = 8.0) -> DenoiserWeights:
    """A LoRA with B far from zero, as training would leave it."""
    backbone.train_lora(rank=rank, alpha=alpha, seed_key=KEY.child(name))
    moved = {
        key: 0.3 * KEY.child(name, key).normal(value.shape) if ".lora_B." in key else value.detach().clone()
        for key, value in backbone.trainable().items()
    }
    backbone.load_parameters(moved)
    return backbone.weights()


def prediction(backbone: PipelineBackbone, parameters: lora.Parameters | None = None) -> torch.Tensor:
    latents, times = KEY.child("latents").normal((2, 4, 16, 16)), torch.tensor([800.0, 300.0])
    with torch.no_grad():
        return backbone.predict(latents, times, text=backbone.encode(PROMPTS).positive, parameters=parameters)


def pictures(backbone: PipelineBackbone, **options: object) -> torch.Tensor:
    recipe = backbone.default_recipe(steps=4, guidance_scale=2.0)
    return sample(backbone, backbone.encode(PROMPTS), recipe=recipe, key=KEY, **options).latents  # type: ignore[arg-type]


def test_a_fresh_adapter_is_the_base_exactly(backbone: PipelineBackbone) -> None:
    base = pictures(backbone)
    backbone.train_lora(rank=4, alpha=8, seed_key=KEY)
    assert torch.equal(pictures(backbone), base)
    assert torch.equal(pictures(backbone, parameters=backbone.reference()), base)
    train(backbone)
    assert (pictures(backbone) - base).abs().max() > 1e-2
    assert torch.equal(pictures(backbone, parameters=backbone.reference()), base)


def test_initial_factors_come_from_the_key_alone(backbone: PipelineBackbone) -> None:
    drawn = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        backbone.train_lora(rank=4, alpha=4, seed_key=KEY)
        assert torch.equal(torch.get_rng_state(), state)
        drawn.append({name: value.detach().clone() for name, value in backbone.trainable().items()})
    assert all(torch.equal(drawn[0][name], drawn[1][name]) for name in drawn[0])
    backbone.train_lora(rank=4, alpha=4, seed_key=KEY.child("other"))
    for name, value in backbone.trainable().items():
        if ".lora_A." in name:
            assert not torch.equal(value, drawn[0][name])
            # uniform in +-1/sqrt(fan in)
            assert 0.5 < float(value.detach().abs().max()) * value.shape[1] ** 0.5 <= 1
        else:
            assert not value.any()


@pytest.mark.parametrize("full", [False, True], ids=["lora", "full"])
def test_replay_before_any_update_has_log_ratio_exactly_zero(backbone: PipelineBackbone, full: bool) -> None:
    kernel = Kernel(name="flow_sde" if backbone.prediction == "flow" else "ddim_eta", strength=0.7)
    recipe = replace(backbone.default_recipe(steps=4, guidance_scale=3.0), kernel=kernel)
    conditioning = backbone.encode(PROMPTS)
    for trained in (False, True):
        if full:
            backbone.train_full()
            if trained:
                noise = {n: v + 0.01 * KEY.child(n).normal(v.shape) for n, v in backbone.trainable().items()}
                backbone.load_parameters(noise)
        elif trained:
            train(backbone)
        else:
            backbone.train_lora(rank=4, alpha=8, seed_key=KEY)
        rollout = sample_logged(backbone, conditioning, recipe=recipe, key=KEY)
        replayed = replay(backbone, rollout, conditioning)
        assert replayed.requires_grad
        assert torch.equal(replayed.detach(), rollout.log_probabilities)
        old = replay(backbone, rollout, conditioning, parameters=dict(backbone.trainable()))
        assert torch.equal(old.detach(), rollout.log_probabilities)


def test_composition_equals_the_dense_merge(backbone: PipelineBackbone) -> None:
    """C17: outputs of a mix equal those of W0 + sum of scale * alpha / rank * B A; order does not matter."""
    base = {name: value.clone() for name, value in backbone.denoiser.state_dict().items()}
    first, second = train(backbone, name="a", rank=4, alpha=8), train(backbone, name="b", rank=2, alpha=1)
    mixed = lora.mix([(first, 0.5), (second, 0.8)])
    assert (mixed.rank, mixed.alpha) == (6, 6.0)
    backbone.load_weights(mixed)
    composed = prediction(backbone)
    backbone.load_weights(lora.mix([(second, 0.8), (first, 0.5)]))
    torch.testing.assert_close(prediction(backbone), composed, atol=1e-5, rtol=0)

    changes = [(0.5, lora.dense(first)), (0.8, lora.dense(second))]
    merged = dict(base)
    for factor, change in changes:
        for name, value in change.items():
            merged[f"{name}.weight"] = merged[f"{name}.weight"] + factor * value
    lora.detach(backbone.denoiser)
    backbone.denoiser.load_state_dict(merged)
    plain = prediction(backbone)
    torch.testing.assert_close(composed, plain, atol=1e-5, rtol=0)
    backbone.denoiser.load_state_dict(base)
    assert (prediction(backbone) - plain).abs().max() > 1e-3


def test_interpolation_runs_straight_from_one_adapter_to_the_other(backbone: PipelineBackbone) -> None:
    """2309.17400, section 4.3: the dense change is linear in the coefficients, and the ends are the adapters."""
    first, second = train(backbone, name="a", rank=4, alpha=8), train(backbone, name="b", rank=2, alpha=1)
    ends = []
    for weights in (first, second):
        backbone.load_weights(weights)
        ends.append(prediction(backbone))
    changes = [lora.dense(first), lora.dense(second)]
    for share in (0.0, 0.25, 1.0):
        between = lora.mix([(first, 1 - share), (second, share)])
        for name, value in lora.dense(between).items():
            torch.testing.assert_close(value, (1 - share) * changes[0][name] + share * changes[1][name])
        backbone.load_weights(between)
        for end, found in zip(ends, (share == 0, share == 1), strict=True):
            if found:
                torch.testing.assert_close(prediction(backbone), end, atol=1e-5, rtol=0)
            else:
                assert (prediction(backbone) - end).abs().max() > 1e-3


def test_a_layer_missing_in_one_part_of_a_mix_stays_as_the_other_made_it(backbone: PipelineBackbone) -> None:
    both = train(backbone, name="a")
    backbone.train_lora(rank=3, alpha=3, targets=backbone.lora_targets[:1], seed_key=KEY)
    narrow = backbone.weights()
    mixed = lora.dense(lora.mix([(narrow, 1.0), (both, 0.25)]))
    for name, value in lora.dense(both).items():
        torch.testing.assert_close(mixed[name], 0.25 * value)


def test_scale_zero_is_the_base_and_scale_is_linear_in_the_weights(backbone: PipelineBackbone) -> None:
    base = prediction(backbone)
    weights = train(backbone)
    assert torch.equal(prediction(backbone, lora.scale(weights.parameters, 0)), base)
    assert torch.equal(prediction(backbone, lora.scale(weights.parameters, 1)), prediction(backbone))
    half = lora.dense(replace(weights, parameters=lora.scale(weights.parameters, 0.5)))
    for name, value in lora.dense(weights).items():
        torch.testing.assert_close(half[name], 0.5 * value)
    for outside in (-0.1, 1.5):
        with pytest.warns(UserWarning, match=rf"LoRA scale {outside} is outside \[0, 1\]"):
            lora.scale(weights.parameters, outside)


def test_start_step_runs_from_the_base_to_the_adapted_model(backbone: PipelineBackbone) -> None:
    train(backbone)
    base, adapted = pictures(backbone, parameters=backbone.reference()), pictures(backbone)
    last = [pictures(backbone, parameters_at=lora.adapted_last(4, n, base=backbone.reference())) for n in range(5)]
    first = [pictures(backbone, parameters_at=lora.adapted_first(4, n, base=backbone.reference())) for n in range(5)]
    for series in (last, first):
        assert torch.equal(series[0], base)
        assert torch.equal(series[4], adapted)
        assert not torch.equal(series[2], base)
        assert not torch.equal(series[2], adapted)
    assert not torch.equal(first[1], last[1])
    with pytest.raises(UsageError, match="5 adapted steps of 4: the count must be between 0"):
        lora.adapted_last(4, 5, base=backbone.reference())


@pytest.mark.parametrize("full", [False, True], ids=["lora", "full"])
def test_merged_gives_the_same_pictures_and_puts_the_very_tensors_back(backbone: PipelineBackbone, full: bool) -> None:
    if full:
        backbone.train_full()
        given = {n: v + 0.01 * KEY.child(n).normal(v.shape) for n, v in backbone.trainable().items()}
    else:
        train(backbone)
        given = {n: v * 0.5 for n, v in backbone.trainable().items()}
    state = {name: (value.data_ptr(), value.clone()) for name, value in backbone.denoiser.state_dict().items()}
    for parameters in (None, given):
        expected = prediction(backbone, parameters)
        with backbone.merged(parameters):
            assert not torch.is_grad_enabled()
            assert not lora.layers(backbone.denoiser)
            # 1e-5 of the output: factors and dense product round differently in float32
            assert (prediction(backbone) - expected).abs().max() <= 1e-5 * max(1.0, float(expected.abs().max()))
            with pytest.raises(UsageError, match=r"are merged: leave the merged\(\) block first"):
                prediction(backbone, given)
    with torch.inference_mode(), backbone.merged(given):
        prediction(backbone)
    with pytest.raises(RuntimeError, match="stop"), backbone.merged():
        raise RuntimeError("stop")
    after = backbone.denoiser.state_dict()
    assert after.keys() == state.keys()
    for name, (pointer, value) in state.items():
        assert after[name].data_ptr() == pointer
        assert torch.equal(after[name], value)
    assert all(parameter.requires_grad for parameter in backbone.trainable().values())


def test_only_the_adapter_gets_a_gradient(backbone: PipelineBackbone) -> None:
    train(backbone)
    text = backbone.encode(PROMPTS).positive
    backbone.predict(KEY.normal((2, 4, 16, 16)), torch.tensor([800.0, 300.0]), text=text).sum().backward()
    trainable = backbone.trainable()
    touched = {name for name, value in backbone.denoiser.named_parameters() if value.grad is not None}
    assert touched <= trainable.keys()
    # the last block of the SD3 transformer drops its text half: those factors cannot matter
    assert len(touched) > 0.6 * len(trainable)


def test_full_weights_and_their_reference(backbone: PipelineBackbone) -> None:
    base = prediction(backbone)
    backbone.train_full()
    assert torch.equal(prediction(backbone), base)
    assert all(parameter.requires_grad for parameter in backbone.denoiser.parameters())
    backbone.load_parameters({name: value * 1.01 for name, value in backbone.trainable().items()})
    assert not torch.equal(prediction(backbone), base)
    assert torch.equal(prediction(backbone, backbone.reference()), base)
    with pytest.raises(UsageError, match=r"was prepared for full training.*open the model again"):
        backbone.train_lora(rank=2, alpha=2, seed_key=KEY)
    with pytest.raises(UsageError, match="hold no LoRA factors"):
        lora.scale(backbone.reference(), 0.5)


def test_a_second_adapter_starts_from_the_base_again(backbone: PipelineBackbone) -> None:
    base = prediction(backbone)
    train(backbone)
    backbone.train_lora(rank=2, alpha=2, targets=backbone.lora_targets[:1], seed_key=KEY)
    assert torch.equal(prediction(backbone), base)


def test_convolutions_can_be_adapted_and_merged(folders: dict[str, Path]) -> None:
    backbone = open_backbone(str(folders["sd"]))
    backbone.train_lora(rank=3, alpha=3, targets=("conv1", "to_q"), seed_key=KEY)
    values = {n: v.detach() + 0.1 * KEY.child(n).normal(v.shape) for n, v in backbone.trainable().items()}
    backbone.load_parameters(values)
    expected = prediction(backbone)
    with backbone.merged():
        torch.testing.assert_close(prediction(backbone), expected, atol=1e-5, rtol=1e-5)


def test_wrong_uses_say_what_to_do(backbone: PipelineBackbone) -> None:
    with pytest.raises(UsageError, match="has nothing to save: call train_lora or train_full first"):
        backbone.weights()
    with pytest.raises(UsageError, match=r"LoRA target 'to_qq': no linear or convolution layer .* 'to_q'"):
        backbone.train_lora(rank=4, alpha=4, targets=("to_qq",), seed_key=KEY)
    with pytest.raises(UsageError, match=r"LoRA rank=0, alpha=4: the rank must be at least 1"):
        backbone.train_lora(rank=0, alpha=4, seed_key=KEY)
    backbone.train_lora(rank=4, alpha=4, seed_key=KEY)
    with pytest.raises(UsageError, match="parameter names differ from the trainable ones"):
        prediction(backbone, {"nothing": torch.zeros(1)})
    other = {name: value[:1] for name, value in backbone.trainable().items()}
    with pytest.raises(UsageError, match=r"parameters do not fit the trainable ones .* \(here \(.*given \(1, "):
        backbone.load_parameters(other)
    with pytest.raises(UsageError, match="no adapter to mix"):
        lora.mix([])
