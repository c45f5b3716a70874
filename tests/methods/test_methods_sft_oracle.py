"""Reward-weighted self-training reaches the optimum of the regularised reward: the tilted Gaussian (oracle C1)."""

from __future__ import annotations

import math

import pytest
import torch
from exact_parts import recipe_of

from redraft.core.keys import Key
from redraft.core.protocols import MethodContext
from redraft.core.records import Prompt
from redraft.core.tensors import Rollout, Scored
from redraft.diffusion.exact import ExactBackbone, Mixture
from redraft.methods.fit import FitConfig, fit
from redraft.methods.presets import PRESETS
from redraft.methods.sft import Sft, SftConfig

KEY = Key(seed=53)


def scored_grid(backbone: ExactBackbone, reward) -> Scored:
    """Pictures at the 40,000 mid-quantiles of N(0.5, 0.64): expectations over them have no sampling error. What is
    beyond the last, at 4.2 standard deviations, would add 0.011 to the mean under the linear reward."""
    share = (torch.arange(40_000, dtype=torch.float64) + 0.5) / 40_000
    latents = (0.5 + 0.8 * math.sqrt(2) * torch.erfinv(2 * share - 1)).view(-1, 1, 1, 1)
    prompts = (Prompt(text="any"),) * 40_000
    return Scored(
        prompts=prompts,
        conditioning=backbone.encode(prompts),
        rollout=Rollout(latents=latents, recipe=recipe_of(backbone, 4)),
        reward=reward(latents.flatten()),
        group=torch.zeros(40_000, dtype=torch.long),
    )


@pytest.mark.parametrize("kind", ["epsilon", "flow"])
@pytest.mark.parametrize(
    ("reward", "mean", "variance"),
    [(lambda x: x, 1.7800, 0.6400), (lambda x: -((x - 2) ** 2) / 2, 1.3421, 0.2807)],
    ids=["linear", "quadratic"],
)
def test_softmax_weights_reach_the_tilted_gaussian(kind: str, reward, mean: float, variance: float) -> None:
    """p(x) exp(r(x) / b) for p = N(0.5, 0.64) and b = 0.5, the temperature of the weights."""
    backbone = ExactBackbone(
        Mixture(means=(0.5,), variances=(0.64,)), prediction=kind, trains=("offset", "log_variance")
    )
    method = Sft.build(
        SftConfig(**{**PRESETS["sft-weighted"][1], "temperature": 0.5}),
        MethodContext(recipe=recipe_of(backbone, 4), reward=None),
    )
    config = FitConfig(steps=300, batch_size=8000, learning_rate=0.02, weight_decay=0.0, ema_decay=0.98)
    examples = method.prepare(scored_grid(backbone, reward), key=KEY)
    result = fit(method, backbone, examples, config=config, key=KEY)
    # Linear weights leave 8,000 / 13 effective pictures a step; averaged over some 50 steps, what is left of their
    # noise is below 0.01, besides the missing tail.
    assert 0.5 + result.parameters["offset"].item() == pytest.approx(mean, abs=0.03)
    assert 0.64 * math.exp(result.parameters["log_variance"].item()) == pytest.approx(variance, abs=0.03)
