"""`redraft train`: what people chose as pairs or by hand, facets, going on with a run; and what is refused at once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from answers import Call
from PIL import Image


def pairs(folder: Path, *shares: list[float]) -> Path:
    for name, colour in (("a", "red"), ("b", "blue")):
        Image.new("RGB", (64, 64), colour).save(folder / f"{name}.png")
    path = folder / "pairs.jsonl"
    rows = [{"prompt": "a red star", "pictures": ["a.png", "b.png"], "kind": "pair", "answer": each} for each in shares]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def refused(call: Call, folder: Path, *arguments: object) -> str:
    """The message of a command that made no workspace, hence no run."""
    answer = call("train", *arguments, "-w", folder / "space")
    assert (answer.code, answer.out) == (2, "")
    assert not (folder / "space").exists()
    return answer.err


@pytest.fixture
def small(config: Path, tmp_path: Path) -> Path:
    """The configuration of the other tests, for any method and reward."""
    text = re.sub(r"^(method|reward) = .*\n", "", config.read_text(), flags=re.MULTILINE)
    path = tmp_path / "any.toml"
    path.write_text(text)
    return path


def test_pairs_are_trained_on_and_the_run_says_so(call: Call, small: Path, tmp_path: Path) -> None:
    source = pairs(tmp_path, [1, 0], [0.5, 0.5], [0.2, 0.8])
    answer = call("train", "dpo", "--pairs", source, "-w", tmp_path / "space", "-c", small, "--json")
    assert answer.code == 0, answer.err
    summary = answer.json()
    assert (summary["method"], summary["reward"], summary["samples"], summary["promoted"]) == ("dpo", "pairs", 0, False)
    assert "trained" not in {row["role"] for row in summary["metrics"].values()}


def test_pairs_without_a_choice_are_refused_before_there_is_a_run(call: Call, tmp_path: Path) -> None:
    ties = refused(call, tmp_path, "dpo", "--pairs", pairs(tmp_path, [0.5, 0.5]))
    assert "there are 1 pairs and none with a preferred picture (no pairs, or ties only)" in ties
    assert "collect more answers" in ties
    assert "holds no answer" in refused(call, tmp_path, "dpo", "--pairs", pairs(tmp_path))
    assert "cannot be read" in refused(call, tmp_path, "dpo", "--pairs", tmp_path / "none.jsonl")
    message = refused(call, tmp_path, "nft", "--pairs", pairs(tmp_path, [1, 0]))
    assert "--pairs with nft: it does not train on finished pairs of pictures; use dpo" in message


def test_a_workspace_without_answers_has_no_pairs(call: Call, tmp_path: Path) -> None:
    answer = call("train", "dpo", "--pairs", "answers", "-w", tmp_path / "space")
    assert answer.code == 2
    assert "holds no duel, thumb or star that may be trained on (people must consent)" in answer.err
    assert call("runs", "list", "-w", tmp_path / "space", "--json").json() == {"runs": []}


def test_a_choice_by_hand_is_for_methods_that_select(call: Call, tmp_path: Path) -> None:
    message = refused(call, tmp_path, "nft", "--selection", tmp_path / "kept.jsonl")
    assert "--selection with nft: its pictures are not chosen by hand; use rsi" in message


def test_facets_and_reward_exclude_each_other(call: Call, tmp_path: Path) -> None:
    message = refused(call, tmp_path, "ddpo", "--facets", "oracle", "--reward", "clip")
    assert "facets of 'oracle' and reward clip: give one of them" in message


def test_a_method_or_a_run(call: Call, tmp_path: Path) -> None:
    assert "no method was given: `redraft train METHOD`" in refused(call, tmp_path)
    assert "a run goes on with the method that it began with" in refused(call, tmp_path, "nft", "--resume")
    answer = call("train", "--resume", "-w", tmp_path / "space")
    assert answer.code == 2
    assert "there is no unfinished run to resume with `redraft train`" in answer.err


def test_a_run_waits_for_the_choice_of_a_person_and_train_goes_on_with_it(
    call: Call, small: Path, tmp_path: Path
) -> None:
    space, kept = tmp_path / "space", tmp_path / "kept.jsonl"
    options = tmp_path / "rsi.toml"
    options.write_text(small.read_text() + "[methods.rsi]\nkeep = 2\n")
    answer = call("train", "rsi", "--reward", "clip", "--selection", kept, "-w", space, "-c", options)
    assert (answer.code, answer.out) == (2, "")
    assert "round 1 waits for your choice among 4 pictures: open " in answer.err
    page = (space / "runs" / "train-0001" / "selection-round-1.html").read_text(encoding="utf-8")
    (collection,) = re.findall(r'data-collection="(\w+)"', page)
    offered = re.findall(r'data-picture="(\d+)"', page)
    rows = [{"collection": collection, "picture": int(row)} for row in offered[:3]]
    kept.write_text("".join(json.dumps(row) + "\n" for row in rows))
    # Of another command's runs, none is taken up.
    assert call("improve", "--resume", "-w", space).code == 2
    answer = call("train", "--resume", "-w", space, "--json")
    assert answer.code == 0, answer.err
    assert answer.json()["run"] == "train-0001"
