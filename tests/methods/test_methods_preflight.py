"""The preflight refuses what is known to fail, each with the value, the rule and a way out, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from exact_parts import gaussian, prompts_of, set_weights
from policy_parts import MODELS, painted, recipe_for, transitions_of

from redraft.core.errors import NumericsError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import MethodContext
from redraft.core.records import Kernel, Recipe
from redraft.core.tensors import Pairs, Parameters
from redraft.diffusion.exact import ExactBackbone, Mixture
from redraft.diffusion.levels import flow_levels
from redraft.methods.dpo import Dpo, DpoConfig
from redraft.methods.fit import FitConfig, fit
from redraft.methods.preflight import (
    log_ratio_noise,
    require_clip_above_noise,
    require_group_size,
    require_same_architecture,
    require_spread,
    require_stochastic,
    require_whole_batches,
)

KEY = Key(seed=71)


def test_a_kernel_without_density_is_refused() -> None:
    stochastic = Recipe(levels=flow_levels(4), kernel=Kernel(name="flow_sde", strength=0.7))
    assert require_stochastic(stochastic, method="grpo") is stochastic
    with pytest.raises(UsageError, match=r"grpo with kernel 'deterministic' in 4 steps: .*; use ddim_eta, coeff"):
        require_stochastic(Recipe(levels=flow_levels(4)), method="grpo")
    with pytest.raises(UsageError, match=r"ddpo with kernel 'few_step' in 1 steps: .*2 steps or more"):
        require_stochastic(Recipe(levels=flow_levels(1), kernel=Kernel(name="few_step")), method="ddpo")


class OtherReference(ExactBackbone):
    """Its reference has the weights that a test names, all ones."""

    shapes: Mapping[str, tuple[int, ...]] = {}

    def reference(self) -> Parameters:
        return {name: torch.ones(shape, dtype=torch.float64) for name, shape in self.shapes.items()}


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"offset": (1, 1, 1)}, r"2 weights do not fit, 'offset' first \(reference \(1, 1, 1\), trained none\)"),
        ({}, r"1 weights do not fit, 'shift' first \(reference none, trained \(1, 1, 1\)\)"),
        (
            {"shift": (1, 2, 2)},
            r"'shift' first \(reference \(1, 2, 2\), trained \(1, 1, 1\)\); take the reference from",
        ),
    ],
)
def test_a_reference_of_another_architecture_is_refused_before_a_step(
    shapes: Mapping[str, tuple[int, ...]], message: str
) -> None:
    backbone = OtherReference(Mixture(), trains=("shift",))
    backbone.shapes = shapes
    pairs = Pairs(
        preferred=torch.ones(2, 1, 1, 1).double(), rejected=torch.zeros(2, 1, 1, 1).double(),
        conditioning=prompts_of(2, backbone).conditioning, probability=torch.ones(2),
    )  # fmt: skip
    method = Dpo.build(DpoConfig(), MethodContext(recipe=Recipe(levels=flow_levels(4)), reward=None))
    with pytest.raises(UsageError, match=rf"the reference is of another architecture: .*{message}"):
        fit(method, backbone, pairs, config=FitConfig(steps=1, batch_size=2), key=KEY)
    assert backbone.trainable()["shift"].item() == 0.0
    require_same_architecture({"a": torch.ones(2)}, trained={"a": torch.zeros(2)})


def test_groups_of_one_are_refused() -> None:
    require_group_size(2, method="grpo")
    with pytest.raises(UsageError, match=r"grpo with a group of 1 picture: its advantage is always 0"):
        require_group_size(1, method="grpo")


def test_rewards_without_spread_are_refused_only_where_no_group_has_any() -> None:
    group = torch.tensor([0, 0, 1, 1])
    require_spread(torch.tensor([1.0, 1.0, 0.0, 1.0]), group)
    with pytest.raises(UsageError, match=r"all 4 pictures .*\(2 groups, first reward 1\): .*use a finer reward"):
        require_spread(torch.tensor([1.0, 1.0, 0.0, 0.0]), group)
    with pytest.raises(NumericsError, match=r"the reward of picture 3 is inf"):
        require_spread(torch.tensor([1.0, 1.0, 0.0, torch.inf]), group)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pictures_per_prompt": 7}, r"pictures_per_prompt=7 does not divide pictures collected=96: use .* 6 or 8"),
        ({"batch_size": 40}, r"batch_size=40 does not divide pictures collected=96: use batch_size 32 or 48"),
        ({"batch_size": 192}, r"batch_size=192 does not divide pictures collected=96: use batch_size 96, or"),
        ({"micro_batch": 5}, r"micro_batch=5 does not divide batch_size of a process=32: use micro_batch 4 or 8"),
        ({"processes": 3}, r"processes=3 does not divide batch_size=32: use processes 2 or 4"),
        ({"processes": 2, "micro_batch": 32}, r"micro_batch=32 does not divide batch_size of a process=16"),
    ],
)
def test_batches_that_do_not_divide_are_refused(changes: dict, message: str) -> None:
    plan = {"pictures_per_prompt": 8, "batch_size": 32}
    require_whole_batches(96, **plan, micro_batch=8, processes=2)
    with pytest.raises(UsageError, match=message):
        require_whole_batches(96, **(plan | changes))


@pytest.mark.parametrize(("kind", "kernel"), MODELS)
def test_noise_of_the_log_ratio_is_measured_and_a_clip_below_it_refused(kind: str, kernel: str) -> None:
    backbone = gaussian(shape=(1, 8, 8), prediction=kind, dtype=torch.float32)
    recipe = Recipe(levels=backbone.levels(4), kernel=recipe_for(backbone, kernel).kernel)
    examples = transitions_of(painted(backbone, recipe=recipe, key=KEY), torch.ones(8))
    assert log_ratio_noise(backbone, examples) == 0.0
    require_clip_above_noise(1e-4, noise=0.0)
    # A replay at half precision is what a run with autocast would do.
    rough = Recipe(levels=recipe.levels, kernel=recipe.kernel, dtype="bfloat16")
    rounded = transitions_of(painted(backbone, recipe=recipe, key=KEY), torch.ones(8))
    rounded = replace(rounded, rollout=replace(rounded.rollout, recipe=rough))
    noise = log_ratio_noise(backbone, rounded)
    assert noise > 1e-5
    with pytest.raises(
        UsageError, match=r"clip_range=1e-05, but log-ratios differ from 0 by up to .* raise clip_range"
    ):
        require_clip_above_noise(1e-5, noise=noise)
    painter = {name: value.detach().clone() for name, value in backbone.trainable().items()}
    set_weights(backbone, shift=0.5)
    assert log_ratio_noise(backbone, examples) > 1e-3
    assert log_ratio_noise(backbone, examples, parameters=painter) == 0.0


def test_noise_that_is_no_number_is_refused() -> None:
    with pytest.raises(UsageError, match=r"by up to nan"):
        require_clip_above_noise(1e-4, noise=float("nan"))
