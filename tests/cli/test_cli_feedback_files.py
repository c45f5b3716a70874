"""What `redraft feedback` does to files that it did not make, to other processes, and to imports that were cut off."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from answers import Call

from redraft.cli.answer_files import faults_beside, new_file
from redraft.core.errors import BusyError, UsageError
from redraft.feedback.exchange.rows import Fault

GOOD = '{"prompt": "p", "pictures": ["a", "b"], "kind": "pair", "answer": [1, 0]}'


def test_a_file_that_has_the_name_of_the_faults_is_left_alone(call: Call, tmp_path: Path) -> None:
    """Also where it is the very file that shall be read."""
    for content in (GOOD, f"{GOOD}\n{{", "precious\n"):
        mine = tmp_path / "rows.faults.jsonl"
        mine.write_text(content)
        for command in (("import", mine, "-f", "jsonl", "-o"), ("export", "--from", mine, "-f", "hpdv2")):
            found = call("feedback", *command, tmp_path / "rows.jsonl")
            assert found.code == 2
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


def test_a_process_that_was_killed_early_leaves_faults_that_are_known_for_such(call: Call, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(f"{{\n{GOOD}\n")
    for left in ("", '{"where": "line 1", "message": "is no JSON", "rows": 1}\n{"whe'):
        (tmp_path / "out.faults.jsonl").write_text(left)
        found = call("feedback", "import", tmp_path / "in.jsonl", "-f", "jsonl", "-o", tmp_path / "out.jsonl")
        assert found.code == 0
        assert json.loads((tmp_path / "out.faults.jsonl").read_text())["where"] == "line 1"
        (tmp_path / "out.jsonl").unlink()


def test_a_fault_is_on_the_disk_at_once(tmp_path: Path) -> None:
    with faults_beside(tmp_path / "out.jsonl") as faults:
        faults.add(Fault(where="line 1", message="is no JSON"))
        assert json.loads(faults.path.read_text())["where"] == "line 1"


def test_what_is_left_of_another_run_is_not_read_and_written_over_at_once(call: Call, tmp_path: Path) -> None:
    (tmp_path / ".out.jsonl.partial").write_text(GOOD)
    for command in (("import", "-o", tmp_path / "out.jsonl"), ("export", tmp_path / "out.jsonl", "--from")):
        found = call("feedback", *command, tmp_path / ".out.jsonl.partial", "-f", "jsonl")
        assert found.code == 2
        assert "is called until it is whole: give the file another name" in found.err
        assert (tmp_path / ".out.jsonl.partial").read_text() == GOOD


_RACE = """
import sys
import time
from pathlib import Path
from redraft.cli.answer_files import new_file
from redraft.core.errors import BusyError, UsageError

folder, me = Path(sys.argv[1]), sys.argv[2]
fails = [number for number in range(150) if (number + int(me)) % 3 == 0]
for number in range(150):
    while True:
        try:
            with new_file(folder / f"{number}") as partial:
                partial.write_text(me * 2000)
                if number in fails:
                    raise RuntimeError
        except BusyError:  # another makes it now, and may fail: without a further try nobody might have made it
            time.sleep(0.001)
            continue
        except (UsageError, RuntimeError):
            pass
        break
"""


def test_processes_that_make_the_same_files_and_fail_at_times_never_mix_them(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    running = [subprocess.Popen([sys.executable, "-c", _RACE, str(folder), str(me)]) for me in range(3)]
    assert [process.wait(timeout=120) for process in running] == [0, 0, 0]
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert len(made) == 150
    assert all(text in {str(me) * 2000 for me in range(3) if (int(name) + me) % 3} for name, text in made.items())


def test_an_import_that_ends_with_an_error_leaves_no_entry(call: Call, tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and nothing else")
    (tmp_path / "in.jsonl").write_text(GOOD)
    space = ("-w", tmp_path / "space")
    assert call("feedback", "import", tmp_path / "bad.parquet", "-f", "pick-a-pic", *space).code == 2
    assert call("feedback", "import", tmp_path / "in.jsonl", "-f", "jsonl", *space).code == 0
    found = call("feedback", "export", tmp_path / "out.jsonl", "-f", "jsonl", *space, "--json").json()
    assert (found["rows"], found["unfinished"]) == (1, [])


def test_a_long_name_of_a_file_comes_into_a_workspace(call: Call, tmp_path: Path) -> None:
    source = tmp_path / ("\u7d75" * 78 + ".jsonl")
    source.write_text(f"{GOOD}\n{{\n")
    found = call("feedback", "import", source, "-f", "jsonl", "-w", tmp_path / "space", "--json")
    assert found.code == 0
    assert Path(found.json()["faults"]).exists()


def test_details_that_a_format_does_not_expect_cost_their_own_row(call: Call, tmp_path: Path) -> None:
    odd = {"kind": "ranks", "answer": [1, 2], "origin": {"format": "hpdv2", "details": {"annotation": 5}}}
    (tmp_path / "in.jsonl").write_text(f"{json.dumps(json.loads(GOOD) | odd)}\n{GOOD}\n")
    found = call("feedback", "export", tmp_path / "out.json", "-f", "hpdv2", "--from", tmp_path / "in.jsonl")
    assert found.code == 0
    assert "1 row exported (1 pair), 1 refused" in found.out
    assert "line 1: cannot be written (TypeError: " in found.err


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


def test_sides_that_came_with_the_file_do_not_bind_an_import_to_a_seed(call: Call, tmp_path: Path) -> None:
    row = json.loads(GOOD) | {"origin": {"sides": {"seed": 5, "number": 1, "swapped": True}}}
    (tmp_path / "in.jsonl").write_text("\n".join([json.dumps(row)] * 6))
    command = ("feedback", "import", tmp_path / "in.jsonl", "-w", tmp_path / "space", "-f", "jsonl", "--json")
    assert call(*command).code == 0
    interrupted(tmp_path / "space")
    assert call(*command).json()["rows"] == 6


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
