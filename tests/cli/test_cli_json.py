"""`--json` prints one object on stdout and nothing else there; its shape is that of docs and of other commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from answers import Call

METRIC = {"incumbent", "candidate", "difference", "low", "high", "unit", "role"}
ROLES = {"trained", "unseen", "oracle", "diversity", "distance"}


def check_comparison(result: dict[str, Any]) -> None:
    assert result["verdict"] in ("promote", "hold", "reject")
    assert result["reasons"]
    assert all(isinstance(reason, str) and reason for reason in result["reasons"])
    assert result["seconds"] > 0
    # Both keys are always there; null when no tripwire stopped it.
    assert result["stopped_by"] is None
    assert isinstance(result["run"], str)
    for row in result["metrics"].values():
        assert set(row) >= METRIC
        assert row["role"] in ROLES
        assert row["low"] <= row["difference"] <= row["high"]
    assert {"oracle", "oracle/counting"} <= set(result["metrics"])


def test_improve(workspace: Path, model: Path) -> None:
    result = json.loads((workspace.parent / "answer.json").read_text())
    check_comparison(result)
    assert result["run"] == "improve-0001"
    assert result["method"] == "nft"
    assert result["model"] == str(model)
    assert len(result["checkpoint"]) == 64
    assert result["metrics"]["reward: clip"]["role"] == "trained"
    page = Path(result["report"])
    assert page.is_file()
    assert "<html" in page.read_text()[:500].lower()


def test_compare_of_the_base_with_itself_finds_no_difference(call: Call, workspace: Path, model: Path) -> None:
    answer = call(
        "compare", "base", "base", "-w", workspace, "-m", model, "--steps", 2, "--guidance", 1.0,
        "--exam-prompts", 12, "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    result = answer.json()
    check_comparison(result)
    assert result["method"] == "compare"
    for name, row in result["metrics"].items():
        assert row["difference"] == 0, name
    assert result["verdict"] == "hold"


def test_evaluate(call: Call, workspace: Path, model: Path) -> None:
    answer = call("evaluate", "challenger", "-w", workspace, "-m", model, "--steps", 2, "--exam-prompts", 12, "--json")
    assert answer.code == 0, answer.err
    result = answer.json()
    assert {"model", "checkpoint", "suite", "prompts", "seconds", "metrics"} <= set(result)
    # 12 of the six tasks and the default long tail.
    assert result["prompts"] == 12 + 96
    for row in result["metrics"].values():
        assert set(row) == {"value", "low", "high", "count", "unit"}
        assert row["low"] <= row["value"] <= row["high"]
        if row["unit"] == "share":
            assert 0 <= row["low"] < row["high"] <= 1, "a share is never known for sure from some prompts"
    # An interval needs two prompts: this small paper has one with a single object.
    assert "oracle/counting" in result["metrics"]
    assert "oracle/single_object" not in result["metrics"]


def test_models(call: Call, workspace: Path) -> None:
    result = call("models", "list", "-w", workspace, "--json").json()
    (checkpoint,) = result["checkpoints"]
    assert set(checkpoint) == {"id", "base", "kind", "bytes", "method", "run", "aliases"}
    assert (checkpoint["kind"], checkpoint["method"], checkpoint["run"]) == ("lora", "nft", "improve-0001")
    # A tiny random model cannot be proven better on 12 prompts: the gate holds it, and it is the challenger.
    assert checkpoint["aliases"] == ["challenger"]
    shown = call("models", "show", checkpoint["id"][:8], "-w", workspace, "--json").json()
    assert set(shown) == {"id", "kind", "lineage", "history"}
    assert shown["id"] == checkpoint["id"]
    assert shown["lineage"]["config"]["fit"]["steps"] == 6
    assert shown["lineage"]["parent"] == ""


def test_runs(call: Call, workspace: Path) -> None:
    (row,) = call("runs", "list", "-w", workspace, "--json").json()["runs"]
    assert (row["name"], row["kind"], row["status"], row["error"]) == ("improve-0001", "improve", "finished", None)
    shown = call("runs", "show", "improve-0001", "-w", workspace, "--json").json()
    assert set(shown) >= {"name", "status", "config", "stages", "result"}
    assert shown["result"]["verdict"] == row["verdict"] == "hold"
    finished = [stage["stage"] for stage in shown["stages"] if stage["status"] == "finished"]
    assert finished == [
        "incumbent", "round-0-collect", "round-0-judge", "round-0-train", "examine-incumbent", "examine-candidate",
    ]  # fmt: skip
    assert all(len(digest) == 64 for stage in shown["stages"] for digest in stage["outputs"].values())


def test_doctor(call: Call, tmp_path: Path) -> None:
    answer = call("doctor", "-w", tmp_path / "new", "--json")
    result = answer.json()
    assert set(result) == {"healthy", "findings"}
    assert all(set(finding) == {"subject", "state", "text", "way_out"} for finding in result["findings"])
    subjects = {finding["subject"] for finding in result["findings"]}
    assert {"python", "torch", "diffusers", "torchvision", "builtin:sd", "builtin:sd3", "workspace"} <= subjects
    assert answer.code == (0 if result["healthy"] else 1)
    assert result["healthy"] == all(finding["state"] != "fault" for finding in result["findings"])
    # Every warning and fault says what to do.
    assert all(finding["way_out"] for finding in result["findings"] if finding["state"] != "ok")
    assert not (tmp_path / "new").exists()


def test_a_printed_configuration_is_whole_and_runs_nothing(call: Call, config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    answer = call("improve", "-w", folder, "-c", config, "--train-steps", 9, "--print-config", "--seed", 4)
    printed = answer.json()
    assert (printed["fit"]["steps"], printed["seed"], printed["fit"]["batch_size"]) == (9, 4, 4)
    assert printed["gate"]["least_prompts"] == 64
    assert not folder.exists()
