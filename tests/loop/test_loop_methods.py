"""Every method runs end to end: named reward, oracle, fitted ratings, blend, free prompts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_cycles import config_for, improve

from redraft.cli.factory import PluginFactory
from redraft.core.errors import UsageError
from redraft.core.records import Prompt
from redraft.loop.cycle import Outcome
from redraft.models.checkpoints import decode
from redraft.rewards.clip_tower import open_tower
from redraft.rewards.scorer_folders import builtin_clip
from redraft.store.workspace import Workspace

SFT = {"methods": {"sft": {"choose": "best_of_n", "keep": 1}}}
RSI = {"methods": {"rsi": {"keep": 4}}}
TOKENS = {"adapter": {"kind": "tokens", "tokens": 2, "token_buckets": 4}}
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "nft on clip": ({"method": "nft", "reward": {"clip": 1.0}}, "clip"),
    "sft on the oracle": ({"method": "sft", **SFT}, "oracle"),
    "draft on fitted ratings": ({"method": "draft"}, "ratings"),
    "draft-lv on clip": ({"method": "draft-lv", "reward": {"clip": 1.0}}, "clip"),
    "nft on a blend": ({"method": "nft", "reward": {"clip": 1.0, "heads": 0.5}}, "blend"),
    "ddpo on clip": ({"method": "ddpo", "reward": {"clip": 1.0}}, "clip"),
    "few-step ddpo": ({"method": "ddpo-add", "reward": {"clip": 1.0}, "rounds": 2}, "clip"),
    "grpo on clip": ({"method": "grpo", "reward": {"clip": 1.0}}, "clip"),
    "dpo on clip": ({"method": "dpo", "reward": {"clip": 1.0}}, "clip"),
    "d3po on clip": ({"method": "d3po", "reward": {"clip": 1.0}}, "clip"),
    "rsi, two rounds": ({"method": "rsi", "reward": {"clip": 1.0, "heads": 0.5}, "rounds": 2, **RSI}, "blend"),
    "refl on clip": ({"method": "refl", "reward": {"clip": 1.0}}, "clip"),
    "alignprop on clip": ({"method": "alignprop", "reward": {"clip": 1.0}}, "clip"),
    "softrepa": ({"method": "softrepa", **TOKENS}, "oracle"),
    "agsm": ({"method": "agsm", **TOKENS}, "oracle"),
}


def check(outcome: Outcome, folder: Path, *, reward: str) -> None:
    assert outcome.reward == reward
    assert outcome.report.measure("oracle") is not None
    rows = {row.role for row in outcome.report.measures}
    assert {"trained", "unseen", "oracle", "distance"} <= rows
    # A random model may paint the same grey twice; then the report says why there is no row.
    assert "diversity" in rows or any("diversity was not measured" in note for note in outcome.report.notes)
    trained = [row.name for row in outcome.report.measures if row.role == "trained"]
    assert trained == [f"reward: {reward}"]
    with Workspace.open(folder) as space:
        stored = decode(space.checkpoints.read(outcome.checkpoint.id)).parameters
        assert space.runs.get(outcome.run).status == "finished"
        assert space.lease.holder() is None
    chosen = outcome.rounds[-1].parameters
    assert set(stored) == set(chosen)
    assert all(torch.equal(stored[name], chosen[name]) for name in stored)


@pytest.mark.parametrize("name", CASES)
def test_a_method_runs_end_to_end(name: str, model: Path, tmp_path: Path) -> None:
    changes, reward = CASES[name]
    # Four steps at this rate cannot touch a wire that is not broken; drift is tested in test_loop_stops.py.
    # A round of policy gradients needs steps with noise: of three sampling steps, two.
    sampling = {"steps": 3}
    outcome = improve(tmp_path, config_for(model, sampling=sampling, tripwires={"most_drift": 100.0}, **changes))
    check(outcome, tmp_path, reward=reward)
    log = outcome.rounds[0].log
    assert [entry["step"] for entry in log] == list(range(1, len(log) + 1))
    changed = "soft_tokens" if "adapter" in changes else "lora_B"
    assert any(bool((value != 0).any()) for key, value in outcome.rounds[0].parameters.items() if changed in key)
    # The scorer that is trained on is not among the unseen ones.
    unseen = {row.name.split("/")[0] for row in outcome.report.measures if row.role == "unseen"}
    assert not unseen & set(changes.get("reward", {}))


def test_full_weights_and_two_rounds(model: Path, tmp_path: Path) -> None:
    outcome = improve(tmp_path, config_for(model, rounds=2, adapter={"kind": "full"}, tripwires={"most_drift": 100.0}))
    check(outcome, tmp_path, reward="oracle")
    assert outcome.checkpoint.kind == "full"
    if outcome.stopped_by is None:
        assert len(outcome.rounds) == 2
        assert outcome.rounds[1].state.step == 8


def test_a_reward_fitted_on_another_clip_is_opened_by_its_folder_alone(model: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(builtin_clip(), tmp_path / "clip"))
    (other / "concepts.safetensors").unlink()  # read off the weights as they were
    weights = load_file(other / "model.safetensors")
    weights["visual_projection.weight"] += 0.01
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    config = config_for(
        model, method="draft", scorers={"clip": {"folder": str(other)}}, tripwires={"most_drift": 100.0}
    )
    outcome = improve(tmp_path / "w", config)
    folder = tmp_path / "w" / "runs" / outcome.run / "reward"
    card = json.loads((folder / "card.json").read_text())
    assert card["clip_folder"] == "../../../../clip"
    reward: Any = PluginFactory(scorers={"mine": {"plugin": "fitted", "folder": str(folder)}}).scorer("mine")
    assert reward.card.clip == card["clip"] == open_tower(other).identity != open_tower(builtin_clip()).identity


def test_free_prompts_need_a_reward_and_run_with_one(model: Path, tmp_path: Path) -> None:
    prompts = [Prompt(text=f"the {number}th winter evening in a harbour town") for number in range(40)]
    for method in ("nft", "draft"):
        with pytest.raises(UsageError, match="name one, for example --reward clip"):
            improve(tmp_path, config_for(model, method=method), prompts=prompts)
    outcome = improve(tmp_path, config_for(model, reward={"clip": 1.0}), prompts=prompts)
    assert outcome.report.measure("oracle") is None
    assert outcome.report.measure("clip-heldout") is not None
    assert outcome.incumbent.verdicts is None
