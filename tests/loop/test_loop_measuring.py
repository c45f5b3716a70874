"""Measuring finished runs: real tiny runs, all that can be asked for, and figures that must agree with each other."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from small_cycles import config_for, improve

from redraft.cli.factory import PluginFactory
from redraft.core.errors import UsageError
from redraft.loop.contestants import Contestant, Part
from redraft.loop.measuring import MeasureConfig, measure
from redraft.loop.reproductions.catalogue import reproduction
from redraft.loop.reproductions.charts import Curves, RoundGrid
from redraft.world import GENEVAL_TASKS

EXAMINE = {"prompts": 12, "tail_prompts": 6, "diversity_prompts": 4, "diversity_pictures": 2, "reference_pictures": 16}


def quiet(text: str) -> None:
    """Says nothing."""


@pytest.fixture(scope="module")
def finished(model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run of two rounds with probes, and its configuration."""
    folder = tmp_path_factory.mktemp("measured") / "workspace"
    config = config_for(
        model, method="sft", rounds=2, reward={"clip": 1.0}, tripwires={"most_drift": 1e6}, examine={"prompts": 12}
    )
    outcome = improve(folder, config)
    return {
        "config": config,
        "part": Part(workspace=str(folder), run=outcome.run, checkpoint=outcome.checkpoint.id),
    }


def asked(finished: dict[str, Any], contestant: Contestant, **changes: Any) -> MeasureConfig:
    run = finished["config"].model_copy(update={"examine": finished["config"].examine.model_copy(update=EXAMINE)})
    return MeasureConfig(run=run, contestant=contestant, **changes)


@pytest.fixture(scope="module")
def everything(finished: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("pictures")
    config = asked(
        finished, Contestant(parts=(finished["part"],)), rounds=True, curve=True, training=True,
        ambiguous=("a b", "b a", "c d"), ambiguous_pictures=2, timed=4, shown=3,
    )  # fmt: skip
    answer = measure(config, PluginFactory(), folder=folder, note=quiet)
    return {"folder": folder, **json.loads(json.dumps(answer))}


def test_all_rows_are_there(everything: dict[str, Any]) -> None:
    names = set(everything["metrics"])
    assert {"oracle", "oracle/counting", "reward: clip", "clip", "clip-heldout", "heads/aesthetics", "frechet"} <= names
    assert {"diversity", "tasks/oracle", "tail/oracle", "tail/clip-heldout", "wins/clip", "wins/oracle"} <= names
    assert {"seen/over_counted", "seen/repeated", "training/reward", "ambiguous/reward", "ambiguous/unsafe"} <= names
    for name, row in everything["metrics"].items():
        assert row["low"] <= row["difference"] <= row["high"], name
        assert row["candidate"] - row["incumbent"] == pytest.approx(row["difference"], abs=1e-6), name
    assert everything["metrics"]["reward: clip"]["role"] == "trained"
    assert everything["metrics"]["wins/clip"]["incumbent"] == 0.5


def test_the_last_round_is_the_checkpoint(everything: dict[str, Any]) -> None:
    rounds = everything["rounds"]
    assert [row["round"] for row in rounds] == [1, 2]
    for name in ("oracle", "clip-heldout", "frechet"):
        assert rounds[1]["metrics"][name] == everything["metrics"][name]
    assert rounds[0]["metrics"]["clip"]["candidate"] != rounds[1]["metrics"]["clip"]["candidate"]
    assert rounds[1]["picture"] == everything["picture"]
    assert rounds[0]["picture"] != everything["base_picture"]


def test_the_curve_counts_steps_pictures_and_seconds(everything: dict[str, Any]) -> None:
    points = everything["curve"]  # four steps a round, a probe every second one, and one before
    assert [point["step"] for point in points] == [0, 2, 4, 6, 8]
    assert [point["round"] for point in points] == [0, 1, 1, 2, 2]
    assert [point["samples"] for point in points] == [0, 16, 16, 32, 32]
    seconds = [point["seconds"] for point in points]
    assert seconds[0] == 0
    assert all(early < late for early, late in pairwise(seconds))
    assert set(points[0]["effects"]) == {"reward", "heldout", "oracle", "diversity"}
    assert points[0]["effects"]["reward"]["difference"] == 0
    assert points[4]["effects"]["reward"]["difference"] != 0


def test_facts_say_what_a_picture_costs(everything: dict[str, Any], finished: dict[str, Any]) -> None:
    facts = everything["facts"]
    assert facts["parameters"] > 0
    assert facts["time_ratio_low"] <= facts["time_ratio"] <= facts["time_ratio_high"]
    # A merged LoRA is the base's own network: it cannot take several times as long.
    assert 0.2 < facts["time_ratio"] < 5


def test_the_base_against_itself_changes_nothing_and_is_painted_once(
    finished: dict[str, Any], everything: dict[str, Any]
) -> None:
    folder: Path = everything["folder"]
    before = sorted(path.name for path in folder.iterdir())
    answer = measure(asked(finished, Contestant()), PluginFactory(), folder=folder, note=quiet)
    assert sorted(path.name for path in folder.iterdir()) == before
    assert all(row["difference"] == 0 for name, row in answer["metrics"].items() if name != "frechet")
    assert answer["facts"] == {}
    assert answer["metrics"]["wins/clip"]["candidate"] == 0.5


def test_scale_zero_and_no_step_are_the_base_and_half_is_between(
    finished: dict[str, Any], everything: dict[str, Any]
) -> None:
    part = finished["part"]

    def clip(contestant: Contestant) -> float:
        answer = measure(asked(finished, contestant), PluginFactory(), folder=everything["folder"], note=quiet)
        return float(answer["metrics"]["clip"]["candidate"])

    base = everything["metrics"]["clip"]["incumbent"]
    # The same pictures up to rounding of sums; a level of an 8-bit pixel may differ here and there.
    assert clip(Contestant(parts=(part.model_copy(update={"scale": 0.0}),))) == pytest.approx(base, abs=1e-3)
    assert clip(Contestant(parts=(part,), share=0.0)) == pytest.approx(base, abs=1e-3)
    assert clip(Contestant(parts=(part,), share=1.0)) == pytest.approx(
        everything["metrics"]["clip"]["candidate"], abs=1e-3
    )


def test_a_method_at_inference_names_its_calls(finished: dict[str, Any], everything: dict[str, Any]) -> None:
    contestant = Contestant(enhance="best_of_n", options={"count": 3})
    answer = measure(asked(finished, contestant), PluginFactory(), folder=everything["folder"], note=quiet)
    assert answer["facts"]["network_calls"] == 6  # three pictures of two steps
    assert answer["metrics"]["reward: clip"]["difference"] > 0  # the best of three, the first of which is the base's


def test_rounds_of_two_runs_and_of_no_run_are_refused(finished: dict[str, Any], tmp_path: Path) -> None:
    config = asked(finished, Contestant(), rounds=True)
    with pytest.raises(UsageError, match="rounds and curve of a contestant with 0 parts"):
        measure(config, PluginFactory(), folder=tmp_path, note=quiet)
    missing = Contestant(parts=(finished["part"].model_copy(update={"round": 7}),))
    with pytest.raises(UsageError, match="has no finished stage 'round-6-train'"):
        measure(asked(finished, missing), PluginFactory(), folder=tmp_path, note=quiet)


@pytest.mark.parametrize("name", ["draft", "rsidiff", "agsm", "grpo", "dpo", "safety"])
def test_what_the_plans_show_is_what_is_measured(name: str, everything: dict[str, Any]) -> None:
    plan = reproduction(name)
    asked_for = {metric for section in plan.sections for metric, _ in section.metrics}
    asked_for |= {metric for metric, _ in plan.metrics}
    for chart in plan.charts:
        if not isinstance(chart, Curves | RoundGrid):
            asked_for |= {metric for metric, _ in chart.metrics}  # type: ignore[attr-defined]
    # "reward" is the trained one by whatever name; a task of twelve prompts may have too few for a row.
    missing = asked_for - set(everything["metrics"]) - {"reward"} - {f"oracle/{task}" for task in GENEVAL_TASKS}
    assert not missing
    for chart in plan.charts:
        if isinstance(chart, Curves):
            assert {metric for metric, _ in chart.metrics} <= set(everything["curve"][0]["effects"])
