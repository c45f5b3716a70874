"""Label Studio's tasks: whose answer each annotation is, after Label Studio or a person went over the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exchanged import pair, read, write

from redraft.feedback.exchange.rows import Fault, Row

PEOPLE = [
    replace(
        pair(answer, rater=rater), judgement=replace(pair(answer, rater=rater).judgement, weight=weight), models=(),
        item="7", format="elsewhere",
    )
    for rater, weight, answer in (("anna", 2.0, (1.0, 0.0)), ("ben", 0.5, (0.0, 1.0)), ("", 1.0, (0.5, 0.5)))
]  # fmt: skip
THEIRS = {
    "result": [
        {"id": "x", "from_name": "choice", "to_name": "picture_0", "type": "pairwise", "value": {"selected": "left"}}
    ],
}


def through_label_studio(task: dict[str, Any]) -> None:
    """What Label Studio makes of a task: it answers to new ids, and everything is the importing person's."""
    for place, annotation in enumerate(task["annotations"]):
        given = annotation.pop("id", None)
        annotation |= {"id": 41 + place, "import_id": given, "completed_by": 1, "unique_id": f"u{place}"}


def changed(rows: list[Row], folder: Path, change: Callable[[dict[str, Any]], None]) -> tuple[list[Row], list[Fault]]:
    """The rows written as one task, which is changed and read again."""
    beside, faults = write(rows, folder / "out.json", "label-studio")
    assert faults == []
    (task,) = json.loads((folder / "out.json").read_text())
    change(task)
    (folder / "in.json").write_text(json.dumps([task]))
    return read(folder / "in.json", "label-studio", labeling=beside)


def unchanged(_task: dict[str, Any]) -> None: ...


def shuffled(task: dict[str, Any]) -> None:
    task["annotations"].reverse()


def without_the_first(task: dict[str, Any]) -> None:
    del task["annotations"][0]


@pytest.mark.parametrize("there", [False, True])
def test_annotations_that_were_moved_or_removed_keep_their_people(tmp_path: Path, there: bool) -> None:
    def both(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
        def apply(task: dict[str, Any]) -> None:
            if there:
                through_label_studio(task)
            change(task)

        return apply

    assert changed(PEOPLE, tmp_path, both(shuffled)) == (PEOPLE[::-1], [])
    assert changed(PEOPLE, tmp_path, both(without_the_first)) == (PEOPLE[1:], [])


def test_an_annotation_added_in_label_studio_is_its_own_persons(tmp_path: Path) -> None:
    def add(task: dict[str, Any]) -> None:
        through_label_studio(task)
        task["annotations"][0] = {**THEIRS, "id": 60, "import_id": None, "completed_by": 5}

    rows, faults = changed(PEOPLE, tmp_path, add)
    assert faults == []
    assert [row.judgement.rater for row in rows] == ["5", "ben", ""]
    assert [row.judgement.weight for row in rows] == [1.0, 0.5, 1.0]


def test_an_annotation_that_lost_its_id_is_nobodys(tmp_path: Path) -> None:
    def lose(task: dict[str, Any]) -> None:
        through_label_studio(task)
        for annotation in task["annotations"][:2]:
            del annotation["import_id"]

    rows, faults = changed(PEOPLE, tmp_path, lose)
    assert rows == PEOPLE[2:]
    assert [fault.where for fault in faults] == ["line 1, entry 1, annotation 1", "line 1, entry 1, annotation 2"]
    assert {fault.message for fault in faults} == {
        "nothing says whose it is: data.redraft tells of 2 more by their ids, and it has neither one of these nor an "
        'import_id; keep ids as they were written, or give it "import_id": null if it is somebody else\'s'
    }


def test_of_two_annotations_with_one_id_the_second_is_nobodys(tmp_path: Path) -> None:
    def copy(task: dict[str, Any]) -> None:
        task["annotations"] = [task["annotations"][place] for place in (0, 0, 1, 2)]

    rows, (fault,) = changed(PEOPLE, tmp_path, copy)
    assert rows == PEOPLE
    assert fault.where == "line 1, entry 1, annotation 2"
    assert "so it may be another person's: remove its id, or itself" in fault.message


def test_people_listed_by_place_are_refused(tmp_path: Path) -> None:
    """As earlier versions wrote them: the order of a file that Label Studio or a person has changed proves nothing."""

    def list_them(task: dict[str, Any]) -> None:
        task["data"]["redraft"] = json.dumps([json.dumps({"rater": "anna"}), json.dumps({"rater": "ben"})])

    rows, (fault,) = changed(PEOPLE, tmp_path, list_them)
    assert rows == []
    assert (fault.where, fault.rows) == ("line 1, entry 1, the task", 3)
    assert "lists people by the place of their annotations" in fault.message
    assert "export these answers again" in fault.message


@pytest.mark.parametrize("text", ["{", "5", '{"1": 2}', '{"1": {"beside": 3}}', '{"1": {"rater": 3}}'])
def test_what_is_no_text_of_ours_is_refused_with_its_way_out(tmp_path: Path, text: str) -> None:
    def spoil(task: dict[str, Any]) -> None:
        task["data"]["redraft"] = text

    rows, (fault,) = changed(PEOPLE, tmp_path, spoil)
    assert rows == []
    assert f"data.redraft is {text!r}" in fault.message
    assert (
        "leave it as it was written, or remove it to read the answers as those of Label Studio's own" in fault.message
    )


def test_the_id_that_an_annotation_had_comes_back(tmp_path: Path) -> None:
    annotation = {**THEIRS, "id": 9, "import_id": 3, "completed_by": 4, "lead_time": 2.5}
    task = {"data": {"prompt": "p", "picture_0": "a", "picture_1": "b"}, "annotations": [annotation]}
    (tmp_path / "in.json").write_text(json.dumps([task]))
    rows, _ = read(tmp_path / "in.json", "label-studio")
    heavy = [replace(row, judgement=replace(row.judgement, weight=3.0)) for row in rows]
    assert changed(heavy, tmp_path, unchanged) == (heavy, [])
    (back,), _ = changed(heavy, tmp_path, through_label_studio)
    assert back.judgement == replace(heavy[0].judgement, weight=3.0)
    assert (back.details["annotation"]["id"], back.details["annotation"]["import_id"]) == (41, 9)


def test_different_tasks_have_different_ids(tmp_path: Path) -> None:
    rows = [replace(PEOPLE[0], item=str(number)) for number in range(50)]
    write(rows, tmp_path / "out.json", "label-studio")
    tasks = json.loads((tmp_path / "out.json").read_text())
    ids = {annotation["id"] for task in tasks for annotation in task["annotations"]}
    assert len(ids) == 50
    assert all(2**52 <= number < 2**53 for number in ids)


def test_what_a_task_has_besides_goes_with_the_first_person_who_can_be_read(tmp_path: Path) -> None:
    task = {
        "id": 77, "meta": {"batch": "B7"},
        "data": {"prompt": "p", "picture_0": "a", "picture_1": "b", "campaign": "spring"},
        "annotations": [{"result": [], "was_cancelled": True}, {**THEIRS, "completed_by": 4}, THEIRS],
    }  # fmt: skip
    (tmp_path / "in.json").write_text(json.dumps([task]))
    rows, (fault,) = read(tmp_path / "in.json", "label-studio")
    assert "was skipped" in fault.message
    assert rows[0].details["task"] == {"id": 77, "meta": {"batch": "B7"}}
    assert rows[0].details["data"] == {"campaign": "spring"}
    assert rows[1].details == {}
