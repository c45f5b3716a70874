"""What holds for all methods together: each keeps the contract, for every kind of model, and most are short to read."""

from __future__ import annotations

import inspect
import statistics
from pathlib import Path
from typing import Any

import pytest
from exact_parts import LatentReward, gaussian
from test_methods_soft_tokens import LinearTokens, randomised, set_tokens

from redraft.core import config as configuration
from redraft.core import plugins
from redraft.core.protocols import MethodContext
from redraft.core.records import Prediction, Prompt, Recipe
from redraft.diffusion.levels import flow_levels
from redraft.methods.presets import PRESETS
from redraft.testing import check_method

METHODS = tuple(
    name for name in plugins.names("method") if plugins.load("method", name).__module__.startswith("redraft.")
)
PROMPTS = tuple(Prompt(text=text) for text in ("two dogs", "a dog", "two cats"))
# For three prompts and four pictures of each: what presets for thousands of pictures ask for would leave nothing.
FEWER: dict[str, dict[str, Any]] = {"rsi": {"keep": 3}}


def test_there_are_eleven_of_them() -> None:
    assert set(METHODS) == {
        "alignprop", "d3po", "ddpo", "dpo", "draft", "grpo", "nft", "refl", "rsi", "sft", "soft_tokens",
    }  # fmt: skip


def backbone_for(method: str, prediction: Prediction) -> Any:
    if method == "soft_tokens":
        return set_tokens(LinearTokens(prediction), randomised(LinearTokens(), 4))
    return gaussian(shape=(1, 2, 2), prediction=prediction)


@pytest.mark.parametrize("prediction", ["epsilon", "v", "flow"])
@pytest.mark.parametrize("name", [*METHODS, *PRESETS])
def test_it_keeps_its_contract(name: str, prediction: Prediction) -> None:
    method, values = PRESETS.get(name, (name, {}))
    plugin, backbone = plugins.load("method", method), backbone_for(method, prediction)
    options = {**values, **FEWER.get(method, {})}
    config = configuration.build(plugin.Config, options, source=name)
    context = MethodContext(
        # Soft tokens sample nothing, and their backbone has no schedule.
        recipe=Recipe(levels=flow_levels(6) if method == "soft_tokens" else backbone.levels(6), dtype="float64"),
        reward=LatentReward(lambda latents: -(latents**2)),
        noise_level=backbone.noise_level,
    )
    check_method(plugin.build(config, context), backbone, prompts=PROMPTS)


def test_their_files_are_short() -> None:
    files = {Path(inspect.getfile(plugins.load("method", name))) for name in METHODS}
    assert len(files) == len(METHODS)  # one file each
    lengths = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    assert statistics.median(lengths) < 150
    assert lengths[-1] < 300
