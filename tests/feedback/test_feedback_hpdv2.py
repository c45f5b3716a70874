"""HPD v2's entries of several people: whose each annotation is, and what their average says when people are gone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from exchanged import preference, read, write

from redraft.feedback.exchange.rows import Fault, Row

PEOPLE = [
    replace(preference("ranks", answer, rater=rater, weight=weight), item="7", format="elsewhere")
    for rater, weight, answer in (("anna", 2.0, (1.0, 2.0)), ("ben", 0.5, (2.0, 1.0)), ("", 3.0, (1.0, 1.0)))
]
ENTRY = {
    "prompt": "p", "image_path": ["a", "b"], "rank": [1, 2], "note": "kept",
    "raw_annotations": [
        {"rank": [1, 2], "user_hash": "x"}, {"rank": [1.0, 2], "user_hash": "y"}, {"rank": [2, 1], "user_hash": "z"},
    ],
}  # fmt: skip


def changed(rows: list[Row], folder: Path, change: Callable[[dict[str, Any]], None]) -> tuple[list[Row], list[Fault]]:
    """The rows written as one entry, which is changed and read again."""
    _, faults = write(rows, folder / "out.json", "hpdv2")
    assert faults == []
    (entry,) = json.loads((folder / "out.json").read_text())
    change(entry)
    (folder / "in.json").write_text(json.dumps([entry]))
    return read(folder / "in.json", "hpdv2")


def entry_of(rows: list[Row], folder: Path) -> dict[str, Any]:
    """The one entry that rows are written as."""
    _, faults = write(rows, folder / "back.json", "hpdv2")
    assert faults == []
    (entry,) = json.loads((folder / "back.json").read_text())
    return dict(entry)


def read_entry(entry: Any, folder: Path) -> tuple[list[Row], list[Fault]]:
    (folder / "in.json").write_text(json.dumps([entry]))
    return read(folder / "in.json", "hpdv2")


def test_annotations_that_were_moved_or_removed_keep_what_is_theirs(tmp_path: Path) -> None:
    def shuffled(entry: dict[str, Any]) -> None:
        entry["raw_annotations"].reverse()

    def without_the_first(entry: dict[str, Any]) -> None:
        del entry["raw_annotations"][0]

    assert changed(PEOPLE, tmp_path, shuffled) == (PEOPLE[::-1], [])
    assert changed(PEOPLE, tmp_path, without_the_first) == (PEOPLE[1:], [])


def test_people_told_by_place_are_refused(tmp_path: Path) -> None:
    """As earlier versions wrote them."""

    def list_them(entry: dict[str, Any]) -> None:
        entry["redraft"] = json.dumps([json.dumps({"weight": 2.0}), None, None])

    rows, (fault,) = changed(PEOPLE, tmp_path, list_them)
    assert (rows, fault.rows, fault.where) == ([], 3, "line 1, entry 1, redraft")
    assert fault.message == (
        "stands beside raw_annotations and tells of them by their place, which says nothing once one was removed or "
        "moved: export these answers again, or remove it"
    )


def test_an_entry_with_its_average_alone_keeps_what_is_put_aside(tmp_path: Path) -> None:
    entry = {"prompt": "p", "image_path": ["a", "b"], "rank": [2, 1], "raw_annotations": []}
    (row,), _ = read_entry(entry, tmp_path)
    heavy = replace(row, judgement=replace(row.judgement, weight=2.0))
    assert read_entry(entry_of([heavy], tmp_path), tmp_path) == ([heavy], [])


def test_what_an_entry_has_besides_goes_with_the_first_person_who_can_be_read(tmp_path: Path) -> None:
    broken = {**ENTRY, "raw_annotations": [{"rank": [1, "x"], "user_hash": "w"}, *ENTRY["raw_annotations"]]}
    rows, (fault,) = read_entry(broken, tmp_path)
    assert fault.where == "line 1, entry 1, annotation 1"
    assert [row.details.get("note") for row in rows] == ["kept", None, None]
    back = entry_of(rows, tmp_path)
    assert back["note"] == "kept"
    assert back["rank"] == [4 / 3, 5 / 3]  # the file's average was one of four people


def test_an_average_is_the_files_until_people_change(tmp_path: Path) -> None:
    rows, faults = read_entry(ENTRY, tmp_path)
    assert faults == []
    assert entry_of(rows, tmp_path) == ENTRY
    assert entry_of([rows[0], *rows[:0:-1]], tmp_path)["rank"] == [1, 2]  # in another order they are the same people
    assert entry_of(rows[:2], tmp_path)["rank"] == [1, 2]
    assert entry_of(rows[1:], tmp_path)["rank"] == [1.5, 1.5]
    assert entry_of([rows[0], rows[2]], tmp_path)["rank"] == [1.5, 1.5]
    said = replace(rows[1].judgement, answer=(2.0, 1.0))  # type: ignore[arg-type]
    assert entry_of([rows[0], replace(rows[1], judgement=said), rows[2]], tmp_path)["rank"] == [5 / 3, 4 / 3]
