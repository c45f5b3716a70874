"""`redraft feedback import | export` as people call it: files, faults, workspaces, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

from answers import Call

GOOD = '{"prompt": "p", "pictures": ["a", "b"], "kind": "pair", "answer": [1, 0]}'


def rows_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_image_rewards_file_becomes_rows_and_says_its_pairs(call: Call, test_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    source = test_data / "imagereward/test.json"
    found = call("feedback", "import", source, "--format", "image-reward", "--output", out)
    assert found.code == 0
    assert "466 rows imported (466 ranks), 0 refused" in found.out
    assert "6,399 strict and 831 tied pairs" in found.out
    assert len(rows_of(out)) == 466
    as_pairs = call(
        "feedback", "import", source, "--format", "image-reward", "-o", tmp_path / "pairs.jsonl", "--pairs", "--json"
    ).json()
    assert as_pairs["kinds"] == {"pair": 7230}


def test_faults_are_counted_shown_and_kept_beside(call: Call, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("\n".join([GOOD, "{", GOOD, GOOD.replace("1,", "NaN,")]))
    found = call("feedback", "import", tmp_path / "in.jsonl", "--format", "jsonl")
    assert found.code == 0
    assert "2 rows imported (2 pair), 2 refused" in found.out
    assert "line 4: holds NaN" in found.err
    assert len(rows_of(tmp_path / "in.rows.jsonl")) == 2
    faults = rows_of(tmp_path / "in.rows.faults.jsonl")
    assert [fault["where"] for fault in faults] == ["line 2", "line 4"]


def test_faults_of_an_earlier_time_do_not_stay_beside_a_clean_import(call: Call, tmp_path: Path) -> None:
    source, out, faults = tmp_path / "in.jsonl", tmp_path / "out.jsonl", tmp_path / "out.faults.jsonl"
    arguments = ("feedback", "import", source, "--format", "jsonl", "--output", out)
    source.write_text(f"{GOOD}\n{{\n")
    assert call(*arguments).code == 0
    assert faults.exists()
    source.write_text(GOOD)
    assert call(*arguments).code == 2  # the output exists: its faults stay
    assert faults.exists()
    out.unlink()
    assert call(*arguments).code == 0
    assert not faults.exists()


def test_faults_of_a_file_that_a_workspace_knows_stay(call: Call, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(f"{GOOD}\n{{\n")
    arguments = (
        "feedback",
        "import",
        tmp_path / "in.jsonl",
        "-f",
        "jsonl",
        "--workspace",
        tmp_path / "space",
        "--json",
    )
    first = call(*arguments).json()
    assert first["refused"] == 1
    again = call(*arguments).json()
    assert again["known"]
    assert again["seed"] is None  # it was not read again
    assert again["faults"] == first["faults"]
    (fault,) = rows_of(Path(first["faults"]))
    assert fault["where"] == "line 2"
    # Another file of that name keeps its own.
    (tmp_path / "day2").mkdir()
    (tmp_path / "day2/in.jsonl").write_text(GOOD)
    assert call(*arguments[:2], tmp_path / "day2/in.jsonl", *arguments[3:]).json()["refused"] == 0
    assert rows_of(Path(first["faults"])) == [fault]


def test_a_list_that_was_cut_between_entries_counts_as_a_refused_row(call: Call, tmp_path: Path) -> None:
    entry = '{"prompt": "p", "file_path": ["a", "b"], "human_preference": [1, 0]}'
    (tmp_path / "in.json").write_text(f"[{entry},\n{entry},\n")
    arguments = ("feedback", "import", tmp_path / "in.json", "--format", "hpdv2", "--output")
    found = call(*arguments, tmp_path / "out.jsonl")
    assert found.code == 0
    assert (
        "line 3: the file ends within its list: it was cut off, and whatever followed is lost; fetch it again"
        in found.err
    )
    assert f"warning: 1 row was refused; it is in {tmp_path / 'out.faults.jsonl'}" in found.err
    assert "2 rows imported (2 pair), 1 refused" in found.out
    assert call(*arguments, tmp_path / "again.jsonl", "--json").json()["refused"] == 1


def test_a_file_without_a_good_row_leaves_no_output(call: Call, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("{}\n")
    found = call("feedback", "import", tmp_path / "in.jsonl", "--format", "jsonl")
    assert found.code == 2
    assert "no row of" in found.err
    assert "line 1: lacks 'prompt'" in found.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "in.rows.faults.jsonl"]


def test_existing_files_are_not_written_over(call: Call, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(GOOD)
    (tmp_path / "out.jsonl").write_text("mine")
    found = call("feedback", "import", tmp_path / "in.jsonl", "-f", "jsonl", "-o", tmp_path / "out.jsonl")
    assert found.code == 2
    assert "exists already: give a new file" in found.err
    assert (tmp_path / "out.jsonl").read_text() == "mine"


def test_an_unknown_format_is_named(call: Call, tmp_path: Path) -> None:
    found = call("feedback", "import", tmp_path / "in", "--format", "hpd")
    assert found.code == 2
    assert "did you mean 'hpdv2'?" in found.err


def test_rows_go_out_as_parquet_and_come_back(call: Call, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("\n".join([GOOD, GOOD.replace("pair", "thumbs")]))
    out = tmp_path / "out.parquet"
    found = call("feedback", "export", out, "--format", "pick-a-pic", "--from", tmp_path / "in.jsonl", "--json").json()
    assert (found["rows"], found["refused"]) == (1, 1)
    assert "pick-a-pic holds pair, not thumbs" in found["first_faults"][0]
    call("feedback", "import", out, "--format", "pick-a-pic", "-o", tmp_path / "back.jsonl")
    (row,) = rows_of(tmp_path / "back.jsonl")
    assert {key: row[key] for key in ("prompt", "pictures", "kind", "answer")} == json.loads(GOOD)


def test_counts_of_an_export_are_of_what_was_written(call: Call, tmp_path: Path) -> None:
    shares = GOOD.replace("[1, 0]", "[0.7, 0.3]")
    (tmp_path / "in.jsonl").write_text("\n".join([GOOD, *[shares] * 7, GOOD.replace("[1, 0]", "[0.5, 0.5]")]))
    rows = tmp_path / "in.jsonl"
    found = call("feedback", "export", tmp_path / "out.json", "--format", "image-reward", "--from", rows)
    assert "2 rows exported (2 pair), 7 refused" in found.out
    assert "1 strict and 1 tied pairs" in found.out
    told = call("feedback", "export", tmp_path / "more.json", "-f", "image-reward", "--from", rows, "--json").json()
    assert (told["rows"], told["refused"], told["kinds"]) == (2, 7, {"pair": 2})


def test_pictures_that_are_missing_are_told_and_counted(call: Call, tmp_path: Path) -> None:
    from pyarrow import parquet

    folder = tmp_path / "pictures"
    (folder / "C").mkdir(parents=True)
    for name in ("1.png", "2.png", "C/3.png"):
        (folder / name).write_bytes(name.encode())
    (folder / "5.png").touch()
    sides = [("A/1.png", "B/1.png"), ("elsewhere/2.png", "C/3.png"), ("4.png", "C/3.png"), ("5.png", "C/3.png")]
    rows = [GOOD.replace('["a", "b"]', json.dumps(both)) for both in sides]
    (tmp_path / "in.jsonl").write_text("\n".join(rows))
    arguments = ("--format", "pick-a-pic", "--from", tmp_path / "in.jsonl", "--pictures", folder)
    found = call("feedback", "export", tmp_path / "out.parquet", *arguments)
    assert found.code == 0
    assert "A/1.png is not there, and 1.png may be of others of that name" in found.err
    assert "warning: 4.png is not there" in found.err
    assert "warning: 5.png is an empty file" in found.err
    assert "warning: 4 pictures are missing, so their columns are empty: lay the folder out as the rows" in found.err
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.column("jpg_0").to_pylist() == [None, b"2.png", None, None]
    assert table.column("jpg_1").to_pylist() == [None, b"C/3.png", b"C/3.png", b"C/3.png"]
    told = call("feedback", "export", tmp_path / "more.parquet", *arguments, "--json").json()
    assert told["missing_pictures"] == 4
    assert len(told["first_missing_pictures"]) == 4


def test_pictures_are_put_only_where_there_is_a_place_and_a_folder(call: Call, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(GOOD)
    rows = ("--from", tmp_path / "in.jsonl", "--pictures")
    found = call("feedback", "export", tmp_path / "out.json", "--format", "hpdv2", *rows, tmp_path)
    assert found.code == 2
    assert "hpdv2 has no place for pictures: leave out --pictures, or export to pick-a-pic" in found.err
    found = call("feedback", "export", tmp_path / "out", "--format", "pick-a-pic", *rows, tmp_path / "none")
    assert found.code == 2
    assert "none' is no folder: give the folder of the pictures" in found.err
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_label_studio_gets_its_configuration_and_is_read_by_it(call: Call, tmp_path: Path) -> None:
    rating = {
        "prompt": "p", "pictures": ["a"], "kind": "rating", "answer": {"look": 4.5}, "scales": {"look": [0, 5]}
    }  # fmt: skip
    (tmp_path / "in.jsonl").write_text(json.dumps(rating))
    tasks = tmp_path / "tasks.json"
    found = call("feedback", "export", tasks, "--format", "label-studio", "--from", tmp_path / "in.jsonl")
    assert found.code == 0
    assert 'min="0" max="5"' in (tmp_path / "tasks.config.xml").read_text()
    assert call("feedback", "import", tasks, "--format", "label-studio").code == 0
    (row,) = rows_of(tmp_path / "tasks.rows.jsonl")
    assert {key: row[key] for key in rating} == rating


def test_an_export_whose_configuration_is_there_already_leaves_nothing(call: Call, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(GOOD)
    (tmp_path / "tasks.config.xml").write_text("mine")
    arguments = ("feedback", "export", tmp_path / "tasks.json", "-f", "label-studio", "--from", tmp_path / "in.jsonl")
    found = call(*arguments)
    assert found.code == 2
    assert "tasks.config.xml' exists already: give a new file, or remove it first" in found.err
    assert (tmp_path / "tasks.config.xml").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "tasks.config.xml"]
    (tmp_path / "tasks.config.xml").unlink()
    assert call(*arguments).code == 0


def test_a_workspace_takes_a_file_once_and_gives_it_back(call: Call, test_data: Path, tmp_path: Path) -> None:
    space, source = tmp_path / "space", test_data / "imagereward/test.json"
    arguments = ("feedback", "import", source, "--format", "image-reward", "--workspace", space, "--json")
    first = call(*arguments).json()
    assert (first["rows"], first["refused"], first["known"]) == (466, 0, False)
    second = call(*arguments).json()
    assert (second["rows"], second["known"], second["import"]) == (466, True, first["import"])
    other = call("feedback", "import", source, "--format", "hpdv2", "--workspace", space)
    assert other.code == 2
    assert "is in the workspace as 'image-reward' already" in other.err
    found = call("feedback", "export", tmp_path / "out.json", "--format", "image-reward", "--workspace", space)
    assert found.code == 0
    assert json.loads((tmp_path / "out.json").read_text()) == json.loads(source.read_text())


def test_export_needs_one_source(call: Call, tmp_path: Path) -> None:
    found = call("feedback", "export", tmp_path / "out", "--format", "jsonl")
    assert found.code == 2
    assert "give --from ROWS or --workspace FOLDER, one of them" in found.err


def test_a_file_whose_winner_always_stands_first_is_warned_about(call: Call, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("\n".join([GOOD] * 20))
    found = call("feedback", "import", tmp_path / "in.jsonl", "--format", "jsonl")
    assert "the first picture wins every pair" in found.err


def test_what_was_imported_is_what_a_reward_learns_from(call: Call, test_data: Path, tmp_path: Path) -> None:
    from redraft.rewards.preference_rows import read_preferences

    out = tmp_path / "rows.jsonl"
    call("feedback", "import", test_data / "imagereward/test.json", "-f", "image-reward", "-o", out)
    found = read_preferences(out)
    assert len(found) == 466
    assert found[0].kind == "ranks"
    assert found[0].answer == (1.0, 2.0, 5.0, 3.0)
