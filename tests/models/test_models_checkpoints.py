"""The checkpoint format: round trips, damage of every kind, weights of another base."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from redraft.core.errors import DamagedError, UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.models import checkpoints, lora
from redraft.models.backbone import PipelineBackbone
from redraft.models.load import open_backbone
from redraft.models.weights import DenoiserWeights

KEY = Key(seed=5)
WEIGHTS = DenoiserWeights(
    kind="lora",
    parameters={"layer.lora_A.default.weight": KEY.normal((2, 3)), "layer.lora_B.default.weight": KEY.normal((4, 2))},
    base="somewhere",
    base_fingerprint="0123456789abcdef",
    rank=2,
    alpha=3.0,
    targets=("to_q", "to_out.0"),
)


def prediction(backbone: PipelineBackbone) -> torch.Tensor:
    text = backbone.encode([Prompt(text="a red circle")]).positive
    with torch.no_grad():
        return backbone.predict(KEY.normal((1, 4, 16, 16)), torch.tensor([500.0]), text=text)


@pytest.mark.parametrize("full", [False, True], ids=["lora", "full"])
def test_saved_weights_give_the_same_prediction_in_a_new_backbone(backbone: PipelineBackbone, full: bool) -> None:
    if full:
        backbone.train_full()
    else:
        backbone.train_lora(rank=3, alpha=5, seed_key=KEY)
    values = {name: value + 0.1 * KEY.child(name).normal(value.shape) for name, value in backbone.trainable().items()}
    backbone.load_parameters(values)
    content = checkpoints.encode(backbone.weights())
    assert checkpoints.encode(backbone.weights()) == content
    again = open_backbone(backbone.base)
    again.load_weights(checkpoints.decode(content))
    assert torch.equal(prediction(again), prediction(backbone))
    assert again.trainable().keys() == backbone.trainable().keys()
    # other parameters of the same names can be saved too, for example an average of the weights
    assert (
        checkpoints.decode(checkpoints.encode(backbone.weights(backbone.reference()))).kind == backbone.weights().kind
    )
    again.load_weights(backbone.weights(backbone.reference()))
    assert torch.equal(prediction(again), prediction(open_backbone(backbone.base)))


def test_all_fields_survive() -> None:
    found = checkpoints.decode(checkpoints.encode(WEIGHTS))
    assert replace(found, parameters={}) == replace(WEIGHTS, parameters={})
    assert all(torch.equal(found.parameters[name], value) for name, value in WEIGHTS.parameters.items())
    half = replace(WEIGHTS, parameters={name: value.bfloat16() for name, value in WEIGHTS.parameters.items()})
    assert (
        checkpoints.decode(checkpoints.encode(half)).parameters["layer.lora_A.default.weight"].dtype == torch.bfloat16
    )


def test_any_flipped_bit_and_any_cut_is_found() -> None:
    content = checkpoints.encode(WEIGHTS)
    for position in range(len(content)):
        flipped = bytearray(content)
        flipped[position] ^= 1
        try:
            found = checkpoints.decode(bytes(flipped))
        except (DamagedError, UsageError):
            continue
        # a bit in the readable header may change a name or a number, but never the weights
        assert position < len(content) - sum(value.nbytes for value in WEIGHTS.parameters.values())
        assert all(torch.equal(found.parameters[name], value) for name, value in WEIGHTS.parameters.items())
    for length in (0, 5, 100, len(content) - 1):
        with pytest.raises(DamagedError, match=rf"these {length} bytes are no checkpoint .*restore it from a backup"):
            checkpoints.decode(content[:length])


def test_a_flipped_weight_is_damage() -> None:
    content = bytearray(checkpoints.encode(WEIGHTS))
    content[-3] ^= 4
    with pytest.raises(DamagedError, match="tensors do not match their SHA-256"):
        checkpoints.decode(bytes(content))


def test_safetensors_of_others_and_of_the_future_are_refused() -> None:
    with pytest.raises(UsageError, match="hold 1 tensors but were not written by Redraft"):
        checkpoints.decode(save({"a": torch.zeros(1)}))
    later = save({"a": torch.zeros(1)}, metadata={"redraft": json.dumps({"version": 2, "sha256": ""})})
    with pytest.raises(UsageError, match="format version 2, this Redraft reads 1"):
        checkpoints.decode(later)
    with pytest.raises(DamagedError, match="header cannot be read"):
        checkpoints.decode(save({"a": torch.zeros(1)}, metadata={"redraft": "{"}))


def test_weights_of_another_base_are_refused_by_name(folders: dict[str, Path]) -> None:
    one, other = open_backbone(str(folders["sd"])), open_backbone(str(folders["other"]))
    one.train_lora(rank=2, alpha=2, seed_key=KEY)
    other.train_lora(rank=2, alpha=2, seed_key=KEY)
    content = checkpoints.encode(one.weights())
    with pytest.raises(UsageError) as caught:
        other.load_weights(checkpoints.decode(content))
    assert f"were trained on the base {str(folders['sd'])!r}" in str(caught.value)
    assert f"do not fit {str(folders['other'])!r}" in str(caught.value)
    with pytest.raises(UsageError, match="do not fit"):
        lora.mix([(one.weights(), 1.0), (other.weights(), 1.0)])
