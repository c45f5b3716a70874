"""How a configuration is put together, and how names become things. Nothing is painted."""

from __future__ import annotations

import pickle

import pytest

from redraft.cli.factory import PluginFactory
from redraft.cli.options import merged, parse_rewards, run_config
from redraft.core.errors import ConfigError, UnknownNameError, UsageError
from redraft.core.protocols import MethodContext
from redraft.core.records import NoiseLevel, Recipe
from redraft.methods.presets import PRESETS

RECIPE = Recipe(
    levels=(NoiseLevel(alpha=0, sigma=1, timestep=1000), NoiseLevel(alpha=1, sigma=0, timestep=0)),
)


def test_later_layers_win_key_by_key_and_none_leaves_the_earlier() -> None:
    first = {"fit": {"steps": 1, "batch_size": 2}, "seed": 3, "reward": {"clip": 1.0}}
    second = {"fit": {"steps": 5}, "seed": None, "method": "sft", "reward": {"heads": 2.0}}
    assert merged(first, second) == {
        "fit": {"steps": 5, "batch_size": 2}, "seed": 3, "method": "sft", "reward": {"heads": 2.0},
    }  # fmt: skip
    assert first["fit"] == {"steps": 1, "batch_size": 2}
    assert merged({"seed": 0}, {"seed": False}) == {"seed": False}


def test_recipe_then_file_then_command_line() -> None:
    recipe = run_config({}, given={"method": "draft-lv"}, source="test")
    assert (recipe.method, recipe.rounds, recipe.fit.batch_size) == ("draft-lv", 1, 16)
    file = {"method": "draft", "fit": {"batch_size": 3, "steps": 7}}
    both = run_config(file, given={"fit": {"steps": 9}, "method": None}, source="test")
    assert (both.method, both.fit.batch_size, both.fit.steps) == ("draft", 3, 9)
    # What neither says is the recipe's, not the method's default.
    assert both.fit.ema_decay == recipe.fit.ema_decay
    with pytest.raises(ConfigError, match="the key 'roundz' is unknown: did you mean 'rounds'"):
        run_config({"roundz": 2}, given={}, source="test")


def test_rewards_are_names_with_weights() -> None:
    assert parse_rewards(None) is None
    assert parse_rewards([]) is None
    assert parse_rewards(["clip", "heads=0.5"]) == {"clip": 1.0, "heads": 0.5}
    for wrong in ("clip=", "=2", "clip=nan"):
        with pytest.raises(UsageError):
            parse_rewards([wrong])


def test_the_factory_goes_through_pickle() -> None:
    factory = PluginFactory(
        device="cpu", methods={"nft": {"beta": 0.5}}, scorers={"clip": {}},
    )  # fmt: skip
    copy = pickle.loads(pickle.dumps(factory))
    assert copy == factory
    assert copy.method_needs("nft") == "scored"
    assert copy.scorer("clip").fingerprint == factory.scorer("clip").fingerprint


def test_presets_are_their_method_with_options_on_top() -> None:
    context = MethodContext(recipe=RECIPE, reward=PluginFactory().scorer("clip"))
    for name, (plugin, values) in PRESETS.items():
        assert PluginFactory().method_needs(name) == PluginFactory().method_needs(plugin)
        if values.get("last") == 5:
            continue
        method = PluginFactory().method(name, context=context)
        for key, value in values.items():
            assert getattr(method.config, key) == value  # type: ignore[attr-defined]
    tuned = PluginFactory(methods={"draft": {"kl_coefficient": 2.0}, "draft-lv": {"lv_draws": 3}})
    method = tuned.method("draft-lv", context=context)
    assert (method.config.kl_coefficient, method.config.lv_draws) == (2.0, 3)  # type: ignore[attr-defined]


def test_wrong_names_and_options_say_what_is_known() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'nft'"):
        PluginFactory().method_needs("nfft")
    with pytest.raises(ConfigError, match=r"\[methods.nft\]: the key 'betta' is unknown: did you mean 'beta'"):
        PluginFactory(methods={"nft": {"betta": 1}}).method("nft", context=MethodContext(recipe=RECIPE, reward=None))
    with pytest.raises(UnknownNameError, match="did you mean 'clip-heldout'"):
        PluginFactory().scorer("clip-held-out")
