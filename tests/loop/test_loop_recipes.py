"""The house's recipes are valid configurations of methods that exist; light configuration stays light."""

from __future__ import annotations

import pytest

from redraft.cli.options import run_config
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
    assert recipe_for("builtin:sd", "draft-1") == recipe_for("builtin:sd", "draft")
    own, family = recipe_for("builtin:sd", "draft-5"), recipe_for("builtin:sd", "draft")
    assert own["fit"]["steps"] == 40
    assert {**own, "fit": family["fit"]} == family
    assert recipe_for("a/folder", "somebody-elses") == {}


def test_the_built_in_models_train_all_their_linear_layers_and_others_those_of_their_family() -> None:
    assert "ff.net.2" in recipe_for("builtin:sd", "somebody-elses")["adapter"]["targets"]
    assert "adapter" not in recipe_for("a/folder", "nft")


def test_the_built_in_clip_is_the_reward_of_built_in_models_only() -> None:
    assert recipe_for("builtin:sd", "draft-5")["reward"] == {"clip": 1.0}
    assert "reward" not in recipe_for("a/folder", "draft-5")


def test_a_reward_facets_or_prompts_of_ones_own_replace_that_of_the_recipe() -> None:
    def reward(given: dict[str, object]) -> dict[str, float]:
        return run_config({}, given={"method": "draft-5", **given}, source="test").reward

    assert reward({}) == {"clip": 1.0}
    assert reward({"reward": {"ratings": 1.0}}) == {"ratings": 1.0}
    assert reward({"facets": {"scorer": "oracle"}}) == {}
    assert reward({"prompts": "mine.txt"}) == {}
    with pytest.raises(ConfigError, match="reward ratings, clip: fitted ratings cannot be blended"):
        reward({"reward": {"ratings": 1.0, "clip": 1.0}})


def test_a_wrong_value_is_named_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"examine\.prompts = 3: .*greater than or equal to 12"):
        build(RunConfig, {"examine": {"prompts": 3}}, source="test")
    with pytest.raises(ConfigError, match=r"'fit\.lerning_rate' is unknown: did you mean 'learning_rate'"):
        build(RunConfig, {"fit": {"lerning_rate": 1}}, source="test")
