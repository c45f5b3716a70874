"""The methods come through the plug-in door, fit the protocol, and their presets are valid configurations."""

from __future__ import annotations

from typing import get_type_hints

import pytest
import torch
from exact_parts import LatentReward, context_of, gaussian, prompts_of, recipe_of, scored_of

from redraft.core import config as configuration
from redraft.core import plugins
from redraft.core.keys import Key
from redraft.core.protocols import MethodContext
from redraft.core.tensors import Loss
from redraft.methods.noising import draw_timesteps
from redraft.methods.presets import PRESETS


def built(name: str, values=None):
    plugin = plugins.load("method", name)
    config = configuration.build(plugin.Config, values or {}, source=name)
    recipe = recipe_of(gaussian(), 60)
    return plugin.build(config, MethodContext(recipe=recipe, reward=LatentReward(lambda latents: -(latents**2))))


@pytest.mark.parametrize("name", ["nft", "draft", "sft", "refl", "alignprop"])
def test_conformance(name: str) -> None:
    backbone, key = gaussian(shape=(1, 2, 2)), Key(seed=1)
    method = built(name)
    assert method.needs in ("prompts", "scored", "logged")
    assert "config" in get_type_hints(type(method).build)
    scored = scored_of([0.0, 1.0, 2.0, 1.0], [0, 0, 1, 1], backbone=backbone)
    examples = method.prepare(scored, key=key) if method.needs != "prompts" else prompts_of(4, backbone)
    before = {name: value.detach().clone() for name, value in backbone.trainable().items()}
    random_state = torch.get_rng_state()
    losses = [method.loss(examples, context=context_of(backbone), key=key) for _ in range(2)]
    assert isinstance(losses[0], Loss)
    assert losses[0].value.shape == ()
    assert losses[0].value.requires_grad
    assert all(isinstance(value, float) for value in losses[0].parts.values())
    assert losses[0].value.item() == losses[1].value.item()
    other = method.loss(examples, context=context_of(backbone), key=Key(seed=2))
    assert other.value.item() != losses[0].value.item()
    for name_, value in backbone.trainable().items():
        assert torch.equal(value, before[name_])
        assert value.grad is None
    assert torch.equal(torch.get_rng_state(), random_state)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_presets_are_configurations_of_their_methods(preset: str) -> None:
    name, values = PRESETS[preset]
    config = built(name, values).config
    assert {option: getattr(config, option) for option in values} == values


@pytest.mark.parametrize("preset", [preset for preset, (method, _) in PRESETS.items() if method == "draft"])
def test_draft_presets_build_what_they_say(preset: str) -> None:
    name, values = PRESETS[preset]
    config = built(name, values).config
    assert (config.last, config.lv_draws) == {
        "draft-1": (1, 0),
        "draft-5": (5, 0),
        "draft-full": ("all", 0),
        "draft-lv": (1, 2),
    }[preset]


def test_training_timesteps_have_the_stated_law() -> None:
    key, count = Key(seed=9), 100_000
    uniform = draw_timesteps(key, count, distribution="uniform", prediction="flow")
    assert 0 < uniform.min().item() <= uniform.max().item() <= 1000
    # Standard error of the mean 0.9, of the share 0.0016.
    assert uniform.mean().item() == pytest.approx(500, abs=4)
    whole = draw_timesteps(key, count, distribution="uniform", prediction="epsilon")
    assert torch.equal(whole, whole.round())
    assert (whole.min().item(), whole.max().item()) == (0, 999)
    normal = draw_timesteps(key, count, distribution="logit_normal", prediction="flow")
    assert (normal < 500).double().mean().item() == pytest.approx(0.5, abs=0.007)
    within = (torch.logit(normal.double() / 1000).abs() < 1).double().mean().item()
    assert within == pytest.approx(0.6827, abs=0.006)
