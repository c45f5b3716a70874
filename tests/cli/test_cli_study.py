"""`redraft study`: pairs of a run or of files, links, progress, the table. Answers come in by the studio's own code."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from answers import Call
from PIL import Image

from redraft.core.config import build
from redraft.store.studies import StudyAnswer
from redraft.store.workspace import Workspace
from redraft.studio.context import open_studio
from redraft.studio.settings import StudioSettings
from redraft.studio.study_invitations import join


@pytest.fixture
def own(workspace: Path, tmp_path: Path) -> Path:
    shutil.copytree(workspace, tmp_path / "workspace")
    return tmp_path / "workspace"


def pair_file(folder: Path, count: int = 3) -> Path:
    lines = []
    for number in range(count):
        for side, shade in (("a", 200), ("b", 10)):
            (folder / side).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 4), (shade, number, 0)).save(folder / side / f"{number}.jpg")
        line = {"prompt": f"cat {number}", "first": f"a/{number}.jpg", "second": f"b/{number}.jpg"}
        lines.append(json.dumps({**line, "first_system": "ours", "second_system": "theirs"}))
    (folder / "pairs.jsonl").write_text("\n".join(lines) + "\n\n")
    return folder / "pairs.jsonl"


def test_the_pictures_of_a_run_become_a_blind_study(call: Call, own: Path) -> None:
    answer = call("study", "create", "-t", "Cats", "--run", "improve-0001", "--count", 8, "-w", own, "--json")
    assert answer.code == 0, answer.err
    made = answer.json()
    assert made["title"] == "Cats"
    (checkpoint,) = call("models", "list", "-w", own, "--json").json()["checkpoints"]
    with Workspace.open(own) as space:
        found = space.studies.pairs(made["id"])
        prompts = json.loads(space.stage_files.load("improve-0001", "examined.json"))["prompts"]
        # The tiny model's pictures differ after training; each pair twice, for those who see it again.
        assert 1 <= made["pairs"] <= 8
        assert len(found) == 2 * made["pairs"]
        assert {pair.first_system for pair in found} == {checkpoint["id"][:12]}
        assert {pair.second_system for pair in found} == {checkpoint["base"]}
        assert {pair.prompt for pair in found} <= set(prompts)
        for pair in found:
            first, second = (Image.open(io.BytesIO(space.pictures.read(id))) for id in (pair.first, pair.second))
            assert first.size == second.size
            assert first.info == {}
    shown = call("study", "show", made["id"][:6], "-w", own, "--json").json()
    assert shown["systems"] == [[checkpoint["id"][:12], checkpoint["base"]]]
    assert call("study", "show", made["id"], "-w", own).out.count("against") == 1


def test_from_files_to_the_table(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    create = ["study", "create", "-t", "Cats", "--pairs", pair_file(tmp_path), "--each", 3, "--repeats", 1]
    text = call(*create, "--invited-only", "-w", folder)
    assert text.code == 0, text.err
    (row,) = call("study", "list", "-w", folder, "--json").json()["studies"]
    assert f"study {row['id']}: 3 pairs, 3 for each participant" in text.out
    assert call("study", "report", row["id"], "-w", folder).out.count("no answers yet") == 1
    links = call("study", "invite", row["id"], "-n", 3, "--url", "https://x.example/", "-w", folder).out.split()
    assert len(set(links)) == 3
    studio = open_studio(build(StudioSettings, {"workspace": folder, "authentication": "accounts"}, source="test"))
    try:
        for link in links:
            assert link.startswith("https://x.example/#/study?invitation=")
            study, account, secret = join(studio, link.split("invitation=")[1])
            assert secret.startswith("rd_")
            while (item := studio.workspace.studies.next(study.id, user=account.id)) is not None:
                assignment, _, questions = item
                for question in questions:
                    # Ours is more beautiful; nobody thinks that it fits the text better.
                    ours = "right" if assignment.swapped else "left"
                    theirs = "left" if assignment.swapped else "right"
                    choice = ours if question == "appeal" else theirs
                    made = StudyAnswer(
                        assignment=assignment.id, question=question, choice=choice,  # type: ignore[arg-type]
                        created_at=1.0, received_at=2.0,
                    )  # fmt: skip
                    studio.workspace.studies.answer(made, user=account.id)
    finally:
        studio.close()
    report = call("study", "report", row["id"], "-w", folder, "--json").json()
    assert (report["study"]["participants"], report["study"]["finished"], report["left_out"]) == (3, 3, 0)
    assert [(line["question"], line["preferred"], line["people"]) for line in report["comparisons"]] == [
        ("appeal", 1.0, 3), ("faithfulness", 0.0, 3),
    ]  # fmt: skip
    assert report["checks"]["steady"]["value"] == 1.0
    table = call("study", "report", row["id"], "-w", folder, "--steady", 0.6).out
    for words in ("appeal", "ours", "theirs", "100.0 %", "answered alike twice: 100 %"):
        assert words in table
    closed = call("study", "close", row["id"], "-w", folder, "--json").json()
    assert (closed["state"], closed["answered"]) == ("closed", 12)
    refused = call("study", "invite", row["id"], "-w", folder)
    assert refused.code == 2
    assert "is closed" in refused.err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: "no json", "line 1"),
        (lambda _: json.dumps({"prompt": "p", "first": "a/0.jpg"}), "KeyError('second')"),
        (lambda line: line.replace("a/0.jpg", "a/9.jpg"), "a/9.jpg' cannot be read"),
        (lambda line: line.replace("a/0.jpg", "b/0.jpg"), "is the same picture twice"),
        (lambda line: line.replace("theirs", "ours"), "compares 'ours' with itself"),
        (lambda line: line.replace("a/0.jpg", "pairs.jsonl"), "are no picture"),
    ],
)
def test_pairs_that_cannot_be_are_told_and_nothing_is_made(call: Call, tmp_path: Path, change, words: str) -> None:  # type: ignore[no-untyped-def]
    path = pair_file(tmp_path, 1)
    path.write_text(change(path.read_text().strip()))
    answer = call("study", "create", "-t", "Cats", "--pairs", path, "-w", tmp_path / "w")
    assert answer.code != 0
    assert words in answer.err
    assert call("study", "list", "-w", tmp_path / "w", "--json").json() == {"studies": []}


def test_what_is_missing_is_named(call: Call, own: Path, tmp_path: Path) -> None:
    for options, words in (
        ([], "give --run NAME, or --pairs FILE"),
        (["--run", "improve-0001", "--pairs", "x"], "one of them"),
        (["--run", "improve-0009"], "'improve-0001'"),
        (["--pairs", tmp_path / "absent"], "cannot be read"),
        (["--run", "improve-0001", "--each", "0"], ""),
    ):
        answer = call("study", "create", "-t", "Cats", *options, "-w", own)
        assert answer.code == 2
        assert words in answer.err
    answer = call("study", "show", "absent", "-w", own)
    assert answer.code == 2
    assert "study 'absent'" in answer.err
