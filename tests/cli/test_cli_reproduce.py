"""`redraft reproduce` with real child processes on a tiny model: rows, page, figure, and not running an arm twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from answers import Call

pytestmark = pytest.mark.slow


def test_an_arm_runs_once_and_leaves_row_page_and_figure(call: Call, config: Path, tmp_path: Path) -> None:
    arguments = ("reproduce", "methods", "--arms", "nft", "--folder", tmp_path, "--config", config, "--json")
    answer = call(*arguments)
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["rows"] == ["nft"]
    row = json.loads((tmp_path / "methods" / "nft.json").read_text())
    assert row["config"]["method"] == "nft"
    assert row["summary"]["samples"] == 16  # four prompts, four pictures each
    assert row["peak_memory"] > 50 * 2**20
    assert str(tmp_path) not in json.dumps({name: row[name] for name in row if name != "config"})
    assert (tmp_path / "methods.png").read_bytes().startswith(b"\x89PNG")
    assert "| `nft` |" in (tmp_path / "methods.md").read_text()
    written = (tmp_path / "methods" / "nft.json").stat().st_mtime_ns
    assert call(*arguments).code == 0
    assert (tmp_path / "methods" / "nft.json").stat().st_mtime_ns == written


def test_bad_names_are_refused_before_anything_runs(call: Call, tmp_path: Path) -> None:
    answer = call("reproduce", "methds", "--folder", tmp_path)
    assert answer.code == 2
    assert "methods" in answer.err
    answer = call("reproduce", "methods", "--arms", "zzz", "--folder", tmp_path)
    assert answer.code == 2
    assert "has no arm 'zzz'" in answer.err
    assert not list(tmp_path.iterdir())
