"""What a run is equipped with: where its examination and its probes take their prompts."""

from __future__ import annotations

from pathlib import Path

from small_cycles import config_for

from redraft.cli.factory import PluginFactory
from redraft.core.keys import Key
from redraft.loop.equipment import equip


def test_a_small_examination_does_not_make_probes_small(model: Path) -> None:
    """The examination has 12 prompts and a tail of 3; probes ask for 40 and get them, as they would of a larger one."""
    config = config_for(model, probes={"prompts": 40})
    equipment = equip(config, PluginFactory(), prompts=None)
    key = Key(seed=1)
    tails = 2 * config.examine.tail_prompts
    assert len(equipment.suite.prompts(key)) <= 12 + tails
    assert 40 <= len(equipment.watched.prompts(key)) <= 40 + tails


def test_a_large_examination_lends_probes_its_prompts(model: Path) -> None:
    equipment = equip(config_for(model), PluginFactory(), prompts=None)
    assert equipment.watched is equipment.suite
