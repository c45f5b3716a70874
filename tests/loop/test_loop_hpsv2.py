"""The study of preference models: stages that resume, simulated choices, accuracies and rankings in closed form."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from redraft.cli.factory import PluginFactory
from redraft.core.errors import DamagedError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import MethodContext
from redraft.core.records import Prompt
from redraft.loop.reproductions import hpsv2_training
from redraft.loop.reproductions.catalogue import STUDIES, study
from redraft.loop.reproductions.hpsv2_examine import CEILING, OURS, PERSON, START, accuracies, rankings, training_curve
from redraft.loop.reproductions.hpsv2_page import figure, page
from redraft.loop.reproductions.hpsv2_people import (
    Chosen,
    agreements,
    as_preferences,
    ask_people,
    average_taste,
    other_person,
    per_prompt,
    setting_means,
    win_rates,
)
from redraft.loop.reproductions.hpsv2_pictures import Album, read_album, study_prompts
from redraft.loop.reproductions.study import Bench, Stage, Study, read_results, run_study

KEY = Key(seed=0)


def album(prompts: int = 40, each: int = 3) -> Album:
    """Pictures without content, with true facets drawn at random; setting number = place."""
    return Album(
        prompts=tuple(Prompt(text=f"prompt {row}") for row in range(prompts)),
        pixels=torch.zeros(prompts, each, 3, 64, 64, dtype=torch.uint8),
        facets=KEY.child("facets").uniform((prompts, each, 6)),
        setting=torch.arange(each).expand(prompts, -1).clone(),
    )


def a_study(calls: list[str]) -> Study:
    def stage(name: str) -> Stage:
        def run(bench: Bench) -> dict[str, Any]:
            calls.append(name)
            return {"seen": sorted(bench.results)}

        return Stage(name=name, title=name, run=run)

    return Study(
        name="example", title="Title", question="Which?", stages=(stage("a"), stage("b"), stage("c")),
        page=lambda results: ",".join(results), figure=lambda _: b"png",
    )  # fmt: skip


def run(plan: Study, folder: Path, **options: Any) -> Any:
    return run_study(plan, folder, factory=PluginFactory(), say=lambda _: None, **{"seed": 0, **options})


def test_stages_run_once_and_again_when_an_earlier_one_did(tmp_path: Path) -> None:
    calls: list[str] = []
    plan = a_study(calls)
    with pytest.raises(UsageError, match="stage 'b' needs a: run those first"):
        run(plan, tmp_path, names=("b",))
    run(plan, tmp_path, names=("a",))
    assert not (tmp_path / "example.md").exists()
    results = run(plan, tmp_path)
    assert calls == ["a", "b", "c"]
    assert results["c"]["seen"] == ["a", "b"]
    assert (tmp_path / "example.md").read_text() == "a,b,c"
    run(plan, tmp_path)
    assert calls == ["a", "b", "c"]
    (tmp_path / "example" / "b.json").unlink()
    run(plan, tmp_path)
    assert calls[3:] == ["b", "c"]
    run(plan, tmp_path, seed=1, names=("a",))
    assert calls[5:] == ["a"]
    assert list(read_results(plan, tmp_path, seed=1)) == ["a"]
    (tmp_path / "example" / "a.json").write_text("{")
    with pytest.raises(DamagedError, match="is no result of a stage"):
        run(plan, tmp_path)
    with pytest.raises(UsageError, match="has no stage 'z': it has a, b, c"):
        run(plan, tmp_path, names=("z",))


def test_every_study_can_be_opened() -> None:
    for name in STUDIES:
        assert study(name).name == name


def test_an_album_is_read_as_it_was_saved(tmp_path: Path) -> None:
    album().save(tmp_path / "album.safetensors")
    again = read_album(tmp_path / "album.safetensors")
    assert again.prompts == album().prompts
    assert torch.equal(again.facets, album().facets)
    (tmp_path / "album.safetensors").write_bytes(b"half")
    with pytest.raises(DamagedError, match="is no album"):
        read_album(tmp_path / "album.safetensors")


def test_a_killed_training_goes_on_from_its_last_checkpoint(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hpsv2_training, "PICTURES", 8)
    factory = PluginFactory()

    def trained(folder: Path) -> dict[int, Any]:
        backbone: Any = factory.backbone(str(model))
        method = factory.method("sft", context=MethodContext(recipe=backbone.default_recipe(), reward=None))
        return hpsv2_training.train_checkpoints(backbone, method, steps=(0, 1, 2), folder=folder, key=KEY)

    whole = trained(tmp_path / "whole")
    assert list(whole) == [0, 1, 2]
    name = next(iter(whole[0]))
    assert len({float(each[name].abs().sum()) for each in whole.values()}) == 3
    shutil.copytree(tmp_path / "whole", tmp_path / "killed")
    (tmp_path / "killed" / "2-training.safetensors").unlink()
    again = trained(tmp_path / "killed")
    assert all(torch.equal(again[2][name], value) for name, value in whole[2].items())


def test_prompts_to_examine_with_are_none_of_those_to_learn_from() -> None:
    fitted, examined = study_prompts(fitted=60, examined=20, key=KEY)
    assert (len(fitted), len(examined)) == (60, 20)
    assert not {prompt.text for prompt in fitted} & {prompt.text for prompt in examined}


def test_people_without_slips_agree_with_their_average_more_than_noisy_ones() -> None:
    shown = album(prompts=200)
    taste = average_taste(shown, key=KEY)
    found = [
        agreements(taste, ask_people(shown, 1000, crowd=20, slip=slip, key=KEY)).mean().item()
        for slip in (0.0, 0.1, 0.4)
    ]
    assert found[0] > 0.85
    # Standard errors of about 0.012; the steps are several of them.
    assert found[0] > found[1] + 0.03 > found[2] + 0.06
    chosen = ask_people(shown, 1000, crowd=20, slip=0.1, key=KEY)
    assert 0.5 < other_person(chosen).mean() < found[1]
    assert bool((chosen.first != chosen.second).all())
    records = as_preferences(chosen, shown)
    assert [record.answer[0] for record in records[:50]] == [(1 + side) / 2 for side in chosen.side[:50].tolist()]


def choices() -> Chosen:
    """Two prompts: in the first, picture 1 beats 0 twice and ties once; in the second, 0 beats 1."""
    return Chosen(
        prompt=torch.tensor([0, 0, 0, 1]), first=torch.tensor([1, 0, 0, 0]), second=torch.tensor([0, 1, 1, 1]),
        side=torch.tensor([1, -1, 0, 1]), rater=torch.zeros(4, dtype=torch.long), another=torch.tensor([1, 0, 1, -1]),
    )  # fmt: skip


def test_agreement_in_closed_form() -> None:
    scores = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    assert agreements(scores, choices()).tolist() == [1, 1, 0]
    assert per_prompt(agreements(scores, choices()), choices()).tolist() == [1, 0]
    assert other_person(choices()).tolist() == [1, 0.5, 0]
    setting = torch.tensor([[0, 1], [0, 1]])
    assert win_rates(choices(), setting, count=2).tolist() == [0.375, 0.625]
    assert setting_means(scores, choices(), setting, count=2).tolist() == [-1, 1]


def test_accuracies_and_rankings_of_known_scores() -> None:
    shown = album(prompts=150)
    chosen = ask_people(shown, 1500, crowd=20, slip=0.05, key=KEY)
    taste = average_taste(shown, key=KEY)
    noise = KEY.child("noise").normal(taste.shape)
    scores = {START: noise, OURS: taste + 0.1 * noise, "opposite": -taste}
    rows = accuracies(scores, shown, chosen, key=KEY)["rows"]
    assert list(rows) == [START, OURS, "opposite", PERSON, CEILING]
    assert rows[START]["low"] < 0.5 < rows[START]["high"]
    assert rows[OURS]["gain"]["low"] > 0.1
    assert rows["opposite"]["gain"]["high"] < -0.1
    assert rows[OURS]["lead"]["value"] == 0
    assert rows[START]["lead"]["value"] == rows[OURS]["gain"]["value"]
    assert rows["opposite"]["lead"]["low"] > rows[START]["lead"]["high"]
    assert rows["opposite"]["pooled"] == pytest.approx(1 - rows[CEILING]["pooled"], abs=1e-6)
    better = Album(
        prompts=shown.prompts, pixels=shown.pixels, setting=shown.setting,
        facets=(shown.facets * 0.5 + torch.tensor([0.0, 0.2, 0.4])[:, None]).clamp(0, 1),
    )  # fmt: skip
    duels = ask_people(better, 1500, crowd=20, slip=0.05, key=KEY)
    ranked = rankings({"taste": average_taste(better, key=KEY)}, better, duels, names=("x", "y", "z"), key=KEY)
    assert ranked["correlation"]["taste"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert np.all(np.diff(ranked["win_rate"]) > 0)


def test_a_training_curve_that_rises() -> None:
    values = torch.tensor([0.0, 1.0, 1.5]) + 0.1 * KEY.normal((60, 3))
    row = training_curve({"score": values}, steps=(0, 10, 20), key=KEY)["rows"]["score"]
    assert row["correlation"]["value"] == 1
    assert [gain["low"] > 0 for gain in row["gains"]] == [True, True]


def test_the_page_says_what_the_results_say() -> None:
    shown = album(prompts=60)
    chosen = ask_people(shown, 600, crowd=20, slip=0.05, key=KEY)
    taste = average_taste(shown, key=KEY)
    noise = KEY.child("noise").normal(taste.shape)
    scores = {OURS: taste, START: noise, "opposite": -taste, "twin": taste + 0.001 * noise}
    exam = accuracies(scores, shown, chosen, key=KEY)
    exam["ranking"] = rankings(scores, shown, chosen, names=("x", "y", "z"), key=KEY)
    exam["curve"] = training_curve({OURS: taste, CEILING: taste}, steps=(0, 10, 20), key=KEY)
    card = {"metrics": {"held_out/pair_accuracy": 0.75, "held_out/pairs": 100.0}}
    results = {
        "fit": {"choices": 2000, "ties": 0.1, "card": card, "seconds": 60},
        "examination": exam | {"seconds": 60},
    }
    text = page(results)
    ours = exam["rows"][OURS]
    assert f"| {OURS} | {100 * ours['value']:.1f} ({100 * ours['low']:.1f} to {100 * ours['high']:.1f}) |" in text
    assert "is better than the clip and the opposite, not clearly better than the twin, and above 75 %" in text
    lead = {name: 100 * value for name, value in exam["rows"]["opposite"]["lead"].items()}
    assert f"| {lead['value']:+.1f} ({lead['low']:+.1f} to {lead['high']:+.1f}) |\n| twin |" in text
    assert f"| {CEILING} | " in text.split("## Training steps")[1]
    assert "in 2 minutes on one thread" in text
    assert figure(results).startswith(b"\x89PNG")
