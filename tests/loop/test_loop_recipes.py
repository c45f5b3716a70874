"""The house's recipes are valid configurations of methods that exist; light configuration stays light."""

from __future__ import annotations

import pytest

from redraft.core import plugins
from redraft.core.config import build
from redraft.core.errors import ConfigError
from redraft.loop.config import RunConfig
from redraft.loop.recipes import recipe_for
from redraft.methods.presets import PRESETS


@pytest.mark.parametrize("method", [*plugins.names("method"), *PRESETS])
def test_every_method_has_a_recipe_that_is_a_valid_configuration(method: str) -> None:
    recipe = recipe_for("builtin:sd3", method)
    config = build(RunConfig, {**recipe, "method": method}, source="recipe")
    assert config.rounds == recipe["rounds"]
    assert config.fit.steps == recipe["fit"]["steps"]
    # The tripwires look at least twice in a run: the first probe, and one after training began.
    assert 0 < config.probes.every <= config.fit.steps * config.rounds


def test_a_preset_has_its_familys_recipe_and_a_plugin_none() -> None:
    assert recipe_for("builtin:sd", "draft-lv") == recipe_for("builtin:sd", "draft")
    assert recipe_for("a/folder", "somebody-elses") == {}


def test_the_built_in_models_train_all_their_linear_layers_and_others_those_of_their_family() -> None:
    assert "ff.net.2" in recipe_for("builtin:sd", "somebody-elses")["adapter"]["targets"]
    assert "adapter" not in recipe_for("a/folder", "nft")


def test_a_wrong_value_is_named_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"examine\.prompts = 3: .*greater than or equal to 12"):
        build(RunConfig, {"examine": {"prompts": 3}}, source="test")
    with pytest.raises(ConfigError, match=r"'fit\.lerning_rate' is unknown: did you mean 'learning_rate'"):
        build(RunConfig, {"fit": {"lerning_rate": 1}}, source="test")
