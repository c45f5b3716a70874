"""What `redraft feedback` does to files that it did not make, to other processes, and to imports that were cut off."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from answers import Call

from redraft.cli.answer_files import new_file
from redraft.core.errors import BusyError, UsageError

GOOD = '{"prompt": "p", "pictures": ["a", "b"], "kind": "pair", "answer": [1, 0]}'


def test_a_file_that_has_the_name_of_the_faults_is_left_alone(call: Call, tmp_path: Path) -> None:
    """Also where it is the very file that shall be read."""
    for content in (GOOD, f"{GOOD}\n{{", "precious\n", ""):
        mine = tmp_path / "rows.faults.jsonl"
        mine.write_text(content)
        for command in (("import", mine, "-f", "jsonl", "-o"), ("export", "--from", mine, "-f", "hpdv2")):
            found = call("feedback", *command, tmp_path / "rows.jsonl")
            assert found.code == 2
            if content:
                assert "stands where refused rows would be kept, and holds something else" in found.err
            assert mine.read_text() == content
            assert not (tmp_path / "rows.jsonl").exists()


def test_two_processes_do_not_make_one_file(tmp_path: Path) -> None:
    target = tmp_path / "rows.jsonl"
    with new_file(target) as first:
        first.write_text("one")
        with pytest.raises(BusyError, match=r"rows\.jsonl is being written by another process"), new_file(target):
            pass
    assert target.read_text() == "one"
    with pytest.raises(UsageError, match="exists already"), new_file(target):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_what_a_killed_process_left_is_written_over(call: Call, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(GOOD)
    (tmp_path / ".in.rows.jsonl.partial").write_text("a part of something\n" * 99)
    assert call("feedback", "import", tmp_path / "in.jsonl", "-f", "jsonl").code == 0
    assert len((tmp_path / "in.rows.jsonl").read_text().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "in.rows.jsonl"]


@pytest.mark.parametrize("name", [".", "/", ""])
def test_a_path_that_names_no_file(call: Call, name: str) -> None:
    found = call("feedback", "import", name, "-f", "jsonl")
    assert found.code == 2
    assert "cannot be read (Is a directory): give a file of answers" in found.err
    found = call("feedback", "export", name, "-f", "label-studio", "--from", "x.jsonl")
    assert found.code == 2
    assert "is no name of a file: give a new file" in found.err


def test_generators_of_other_pictures_cost_their_own_row(call: Call, tmp_path: Path) -> None:
    ranks = {"prompt": "p", "pictures": ["a", "b", "c"], "kind": "ranks", "answer": [1, 2, 3]}
    bad = json.dumps({**ranks, "origin": {"models": ["m1"]}})
    (tmp_path / "in.jsonl").write_text(f"{bad}\n{GOOD}\n")
    found = call("feedback", "import", tmp_path / "in.jsonl", "-f", "jsonl", "--pairs")
    assert found.code == 0
    assert "line 1: origin: models names 1 generators of 3 pictures: one a picture" in found.err
    assert "1 row imported (1 pair), 1 refused" in found.out


def test_names_out_of_a_file_do_not_reach_the_terminal_as_they_are(call: Call, tmp_path: Path) -> None:
    name = "\x1b[31mred\nsecond line"
    row = {"prompt": "p", "pictures": ["a"], "kind": "rating", "answer": {name: 4}, "scales": {name: [1, 5]}}
    (tmp_path / "in.jsonl").write_text(json.dumps(row))
    found = call("feedback", "import", tmp_path / "in.jsonl", "-f", "jsonl")
    assert found.code == 0
    assert "\x1b[31mred" not in found.out
    assert "'\\x1b[31mred\\nsecond line' 4.000" in found.out


def test_options_that_nobody_would_hear_are_refused(call: Call, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(GOOD)
    command = ("feedback", "import", tmp_path / "in.jsonl", "-f", "jsonl")
    assert "--licence without --workspace" in call(*command, "--licence", "MIT").err
    found = call(*command, "--pictures", tmp_path / "pictures")
    assert found.code == 2
    assert "--pictures with jsonl: its files hold no pictures; leave it out" in found.err


def test_a_folder_that_is_no_workspace_stays_empty(call: Call, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    found = call("feedback", "export", tmp_path / "out.jsonl", "-f", "jsonl", "-w", tmp_path / "empty")
    assert found.code == 2
    assert "is no workspace: give its folder" in found.err
    assert list((tmp_path / "empty").iterdir()) == []
    found = call("feedback", "import", tmp_path / "absent.jsonl", "-f", "jsonl", "-w", tmp_path / "empty")
    assert found.code == 2
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_list_without_entries_says_so(call: Call, tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text("[]")
    found = call("feedback", "import", tmp_path / "in.json", "-f", "hpdv2")
    assert found.code == 2
    assert "in.json holds no entry: give a file of answers" in found.err


def interrupted(space: Path) -> None:
    """As a process leaves it that was killed before its end."""
    with sqlite3.connect(space / "redraft.db") as database:
        changed = database.execute("UPDATE imports SET state = 'running', stored = 0, finished_at = NULL").rowcount
        database.execute("DELETE FROM preferences WHERE number > 2")
    assert changed == 1


def test_an_import_that_was_cut_off_goes_on_with_its_seed_and_is_told_of(call: Call, tmp_path: Path) -> None:
    entries = [{"prompt": "p", "img_better": f"{n}a.png", "img_worse": f"{n}b.png"} for n in range(6)]
    (tmp_path / "in.json").write_text(json.dumps(entries))
    place = (tmp_path / "in.json", "-w", tmp_path / "space")
    command = ("feedback", "import", *place, "-f", "image-reward", "--json")
    swapped = call(*command, "--seed", 3).json()["pairs"]["swapped"]
    interrupted(tmp_path / "space")
    export = ("feedback", "export", "-f", "jsonl", "-w", tmp_path / "space")
    found = call(*export, tmp_path / "part.jsonl")
    assert "2 rows exported" in found.out
    assert "warning: the import of 'in.json' as image-reward was interrupted, only a part of its" in found.err
    found = call(*command, "--seed", 7)
    assert found.code == 2
    assert "--seed 7: this import was interrupted, and its sides were drawn with seed 3; repeat it with" in found.err
    again = call(*command, "--seed", 3).json()
    assert (again["rows"], again["pairs"]["swapped"]) == (6, swapped)
    found = call(*export, tmp_path / "whole.jsonl")
    assert "6 rows exported" in found.out
    assert found.err.count("interrupted") == 0


def test_a_wrong_format_that_was_cut_off_does_not_stand_in_the_way(call: Call, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("\n".join([GOOD] * 6))
    place = (tmp_path / "in.jsonl", "-w", tmp_path / "space")
    assert call("feedback", "import", *place, "-f", "jsonl").code == 0
    refused = call("feedback", "import", *place, "-f", "image-reward")
    assert refused.code == 2
    assert "each file comes in once" in refused.err
    interrupted(tmp_path / "space")
    wrong = call("feedback", "import", *place, "-f", "image-reward")
    assert "no row of" in wrong.err
    assert call("feedback", "import", *place, "-f", "jsonl", "--json").json()["rows"] == 6
