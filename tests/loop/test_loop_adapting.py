"""Trained weights used another way: some steps only, at a scale, mixed. Real tiny pipelines."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_pipelines import tiny_stable_diffusion

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.loop.adapting import AdaptedSteps, mixed
from redraft.loop.painting import Painted, paint
from redraft.models.backbone import PipelineBackbone
from redraft.models.load import open_backbone
from redraft.models.weights import DenoiserWeights

PROMPTS = tuple(Prompt(text=text) for text in "abc")
KEY = Key(seed=4)
STEPS = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_stable_diffusion(tmp_path_factory.mktemp("sd"))


def trained(folder: Path, *, seed: int = 0) -> PipelineBackbone:
    """A backbone whose LoRA changes its pictures visibly."""
    backbone: PipelineBackbone = open_backbone(str(folder), device="cpu", dtype="float32")  # type: ignore[assignment]
    backbone.train_lora(rank=2, alpha=2.0, seed_key=KEY.child(seed))
    with torch.no_grad():
        for name, value in backbone.trainable().items():
            if ".lora_B." in name:
                value.copy_(0.5 * KEY.child(seed, name).normal(value.shape))
    return backbone


def painted(backbone: PipelineBackbone, adapted: AdaptedSteps | None = None) -> Painted:
    recipe = backbone.default_recipe(steps=STEPS, guidance_scale=1.0)
    return paint(backbone, PROMPTS, recipe=recipe, key=KEY, batch=2, adapted=adapted)


@pytest.fixture(params=["epsilon", "flow"])
def backbone(request: pytest.FixtureRequest, folder: Path, model: Path) -> PipelineBackbone:
    return trained(folder if request.param == "epsilon" else model)


@pytest.mark.parametrize("side", ["last", "first"])
def test_all_steps_are_the_adapted_model_and_none_the_base(backbone: PipelineBackbone, side: str) -> None:
    whole = painted(backbone).latents
    every = painted(backbone, AdaptedSteps(count=STEPS, side=side)).latents  # type: ignore[arg-type]
    none = painted(backbone, AdaptedSteps(count=0, side=side)).latents  # type: ignore[arg-type]
    backbone.load_parameters(backbone.reference())
    base = painted(backbone).latents
    # Merged and unmerged weights differ by the rounding of float32 sums.
    torch.testing.assert_close(every, whole, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(none, base, rtol=1e-4, atol=1e-5)
    assert (whole - base).abs().max() > 1e-2


def test_the_mirror_is_the_other_half(backbone: PipelineBackbone) -> None:
    last = painted(backbone, AdaptedSteps(count=1)).latents
    first = painted(backbone, AdaptedSteps(count=STEPS - 1, side="first")).latents
    whole = painted(backbone).latents
    assert (last - first).abs().max() > 1e-3
    # The last step alone, and all steps but it, both differ from the whole.
    assert (whole - last).abs().max() > 1e-3
    assert (whole - first).abs().max() > 1e-3


def test_more_steps_than_there_are_and_a_base_without_weights_are_refused(
    backbone: PipelineBackbone, folder: Path
) -> None:
    with pytest.raises(UsageError, match="9 adapted steps of 4"):
        painted(backbone, AdaptedSteps(count=9))
    bare: PipelineBackbone = open_backbone(str(folder), device="cpu", dtype="float32")  # type: ignore[assignment]
    with pytest.raises(UsageError, match="there are no trained weights that could begin or stop; name a checkpoint"):
        painted(bare, AdaptedSteps(count=1))


def weights(folder: Path, seed: int) -> DenoiserWeights:
    return trained(folder, seed=seed).weights()


def test_a_mix_is_the_sum_of_the_changes_whatever_the_order(folder: Path) -> None:
    from redraft.models.lora import dense

    first, second = weights(folder, 0), weights(folder, 1)
    one, other = dense(mixed([(first, 0.25), (second, 0.5)])), dense(mixed([(second, 0.5), (first, 0.25)]))
    for name, change in dense(first).items():
        torch.testing.assert_close(one[name], 0.25 * change + 0.5 * dense(second)[name], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(one[name], other[name], rtol=1e-5, atol=1e-6)


def test_one_part_at_scale_one_is_itself_and_at_zero_the_base(folder: Path) -> None:
    backbone = trained(folder)
    whole = backbone.weights()
    assert mixed([(whole, 1.0)]) is whole
    backbone.load_weights(mixed([(whole, 0.0)]))
    none = painted(backbone).latents
    bare: PipelineBackbone = open_backbone(str(folder), device="cpu", dtype="float32")  # type: ignore[assignment]
    torch.testing.assert_close(none, painted(bare).latents, rtol=1e-5, atol=1e-6)


def test_full_weights_cannot_be_scaled(folder: Path) -> None:
    backbone: PipelineBackbone = open_backbone(str(folder), device="cpu", dtype="float32")  # type: ignore[assignment]
    backbone.train_full()
    with pytest.raises(UsageError, match="weights of kind 'full': only LoRA factors can be mixed"):
        mixed([(backbone.weights(), 0.5)])
