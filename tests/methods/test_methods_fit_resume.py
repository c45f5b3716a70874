"""An interrupted training ends bit-equal to an undisturbed one; damaged and foreign states are refused."""

from __future__ import annotations

import pytest
import safetensors.torch
import torch
from exact_parts import LatentReward, gaussian, prompts_of, recipe_of, scored_of
from formula_parts import Formula, numbers, plain, quadratic

from redraft.core.errors import DamagedError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import MethodContext
from redraft.methods.draft import Draft, DraftConfig
from redraft.methods.fit import FitConfig, FitState, Keep, OldPolicy, begin, fit
from redraft.methods.nft import Nft, NftConfig
from redraft.methods.sft import Sft, SftConfig

KEY = Key(seed=41)


def flat(state: FitState) -> dict[str, torch.Tensor]:
    return state.to_tensors()[0]


def bit_equal(one: FitState, other: FitState) -> bool:
    left, right = flat(one), flat(other)
    return (
        left.keys() == right.keys()
        and all(left[name].dtype == right[name].dtype and torch.equal(left[name], right[name]) for name in left)
        and one.to_tensors()[1] == other.to_tensors()[1]
    )


def stored(state: FitState) -> FitState:
    """Through real bytes and back."""
    tensors, text = state.to_tensors()
    return FitState.from_tensors(safetensors.torch.load(safetensors.torch.save(tensors)), text)


def real_case(name: str):
    """A method with its examples and a maker of fresh backbones."""

    def fresh():
        return gaussian(shape=(1, 2, 2), prediction="flow", trains=("shift", "offset"))

    backbone = fresh()
    recipe = recipe_of(backbone, 4)
    reward = LatentReward(lambda latents: -((latents - 2) ** 2))
    context = MethodContext(recipe=recipe, reward=reward)
    scored = scored_of([0.1, 0.9, 0.3, 0.5, 0.2, 0.8, 0.7], [0, 0, 0, 1, 1, 2, 2], backbone=backbone)
    if name == "draft":
        return Draft.build(DraftConfig(lv_draws=2), context), prompts_of(7, backbone), fresh
    method = {"nft": Nft.build(NftConfig(), context), "sft": Sft.build(SftConfig(keep=2), context)}[name]
    return method, method.prepare(scored, key=KEY), fresh


@pytest.mark.parametrize("name", ["nft", "draft", "sft"])
def test_resumed_training_is_bit_equal_to_uninterrupted(name: str) -> None:
    method, examples, fresh = real_case(name)
    config = FitConfig(
        steps=14,
        batch_size=5,
        micro_batch=2,
        learning_rate=0.02,
        warmup=4,
        save_every=1,
        old_policy=OldPolicy(follows="step", slope=0.01, maximum=0.5),
    )
    saved: list[FitState] = []

    def on_step(log):
        return Keep() if log.step == 3 else None

    whole = fit(method, fresh(), examples, config=config, key=KEY, on_step=on_step, save=saved.append)
    assert [state.step for state in saved] == list(range(1, 15))
    assert bit_equal(saved[-1], whole.state)
    cut = int(KEY.child("cut", name).integers(1, 13, shape=(1,)))
    rest: list[FitState] = []
    backbone = fresh()
    resumed = fit(
        method,
        backbone,
        examples,
        config=config,
        key=KEY,
        state=stored(saved[cut - 1]),
        on_step=on_step,
        save=rest.append,
    )
    assert len(rest) == 14 - cut
    assert bit_equal(resumed.state, whole.state)
    assert resumed.log == whole.log[cut:]
    assert all(torch.equal(resumed.parameters[name], whole.parameters[name]) for name in whole.parameters)
    assert all(torch.equal(backbone.trainable()[name], value) for name, value in whole.state.policy.items())
    # Something was trained, and every part of the state had a chance to differ.
    assert not torch.equal(whole.state.policy["shift"], whole.state.averaged["shift"])
    assert not torch.equal(whole.state.policy["shift"], whole.state.old["shift"])
    assert whole.state.kept_step == 3


def test_resuming_a_finished_round_does_nothing() -> None:
    method, examples, fresh = real_case("nft")
    done = fit(method, fresh(), examples, config=FitConfig(steps=3, batch_size=4), key=KEY)
    again = fit(method, fresh(), examples, config=FitConfig(steps=3, batch_size=4), key=KEY, state=stored(done.state))
    assert again.log == ()
    assert bit_equal(again.state, done.state)


def test_damaged_or_foreign_states_are_refused() -> None:
    tensors, text = begin(gaussian(trains=("shift", "offset"))).to_tensors()
    missing = {name: value for name, value in tensors.items() if name != "old/shift"}
    with pytest.raises(DamagedError, match=r"lacks weights \(old/shift\).*resume from an earlier state"):
        FitState.from_tensors(missing, text)
    with pytest.raises(DamagedError, match=r"has a tensor 'extra/shift' that no state has"):
        FitState.from_tensors({**tensors, "extra/shift": tensors["old/shift"]}, text)
    with pytest.raises(DamagedError, match=r"text '\{\}' must be JSON with step, round_start, kept_step"):
        FitState.from_tensors(tensors, "{}")
    foreign = FitState.from_tensors(tensors, text)
    with pytest.raises(UsageError, match=r"do not have the same weights to train \('offset' is in one only\)"):
        fit(Formula(quadratic), gaussian(), numbers([1.0]), config=plain(), key=KEY, state=foreign)
