"""`redraft prompts show` on built folders, on files, and on what is neither."""

from __future__ import annotations

from pathlib import Path

from answers import Call

SCENE = "a furry {} dog on a mossy rock in a jungle at sunset, oil painting"
COLOURS = ("red", "green", "blue", "brown", "black", "white", "pink", "orange", "yellow", "grey", "purple", "golden")


def built(call: Call, folder: Path) -> Path:
    path = folder / "mine.txt"
    path.write_text("".join(SCENE.format(colour) + "\n" for colour in COLOURS) + "a dog\n")
    assert call("prompts", "build", path, "-o", folder / "built", "--held-out", 0.5).code == 0
    return folder / "built"


def test_a_built_folder(call: Call, tmp_path: Path) -> None:
    folder = built(call, tmp_path)
    shown = call("prompts", "show", folder, "--json", "-n", 2).json()
    other = call("prompts", "show", folder, "--json", "--part", "held-out").json()
    assert shown["prompts"] + other["prompts"] == 12
    assert shown["styles"] == {"painting": shown["prompts"]}
    assert shown["sources"] == {"mine.txt": shown["prompts"]}
    assert shown["changed"] == []
    assert len(shown["examples"]) == 2
    assert shown["examples"][0]["prompt"].startswith("a furry ")
    dropped = call("prompts", "show", folder, "--part", "dropped")
    assert dropped.code == 0
    assert "1 prompts in dropped.jsonl" in dropped.out
    assert "dropped: 1 specificity\n" in dropped.out
    assert "a dog   [specificity: " in dropped.out


def test_a_folder_that_was_edited_says_so(call: Call, tmp_path: Path) -> None:
    folder = built(call, tmp_path)
    with (folder / "train.jsonl").open("a") as file:
        file.write('{"prompt": "a cat"}\n')
    answer = call("prompts", "show", folder)
    assert answer.code == 0
    assert "changed since it was built: train.jsonl" in answer.out
    assert answer.out.splitlines()[0].endswith(" prompts in train.jsonl")


def test_a_prompts_file(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("".join(f"prompt {number}\n" for number in range(10)))
    shown = call("prompts", "show", path, "--json", "--count", 3).json()
    assert shown["prompts"] == 10
    assert [row["prompt"] for row in shown["examples"]] == ["prompt 0", "prompt 3", "prompt 6"]
    assert call("prompts", "show", path, "--count", 0).out.splitlines()[0] == f"{path}: 10 prompts"


def test_what_is_neither_is_refused(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    answer = call("prompts", "show", folder)
    assert answer.code == 2
    assert "is not what `redraft prompts build` makes (FileNotFoundError" in answer.err
    (folder / "summary.json").write_text("[]")
    assert "is not what `redraft prompts build` makes (TypeError" in call("prompts", "show", folder).err
    assert call("prompts", "show", tmp_path / "none.txt").code == 2
    assert call("prompts", "show", folder, "--part", "training").code == 2
