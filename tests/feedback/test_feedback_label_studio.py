"""Label Studio's tasks: whose answer each annotation is, whoever went over the file, and that no result is lost."""

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


def result(name: str, kind: str, value: Any, about: str = "img1") -> dict[str, Any]:
    return {
        "from_name": name,
        "to_name": about,
        "type": kind,
        "value": {"selected" if kind == "pairwise" else kind: value},
    }


LEFT, RIGHT = (result("cmp", "pairwise", side, "img1,img2") for side in ("left", "right"))
STARS = result("q", "rating", 4)
COMMENT = {"from_name": "why", "to_name": "img1", "type": "textarea", "value": {"text": ["because", "see bob@x.org"]}}
CONFIGURATION = """<View><Text name="t" value="$text"/><Image name="img1" value="$left"/>
<Image name="img2" value="$right"/><Pairwise name="cmp" toName="img1,img2"/><Rating name="q" toName="img1"/>
<TextArea name="why" toName="img1"/></View>"""


def read_results(folder: Path, *results: dict[str, Any]) -> tuple[list[Row], list[Fault]]:
    """What comes of an annotation with these results, beside a good one of somebody else."""
    people = [{"completed_by": 3, "result": list(results)}, {"completed_by": 4, "result": [RIGHT]}]
    task = {"data": {"text": "p", "left": "l.png", "right": "r.png"}, "annotations": people}
    (folder / "in.json").write_text(json.dumps([task]))
    return read(folder / "in.json", "label-studio", labeling=CONFIGURATION)


def said(rows: list[Row]) -> list[tuple[str, Any]]:
    return [(row.judgement.rater, getattr(row.judgement, "answer", None)) for row in rows]


def test_a_rating_beside_a_comparison_is_told(tmp_path: Path) -> None:
    for results in ((LEFT, STARS), (STARS, LEFT)):
        rows, (fault,) = read_results(tmp_path, *results)
        assert said(rows) == [("3", (1.0, 0.0)), ("4", (0.0, 1.0))]
        assert str(fault) == (
            "line 1, entry 1, annotation 1, q: was not read, for it stands beside a comparison, and an annotation is "
            "read as one kind of answer: ask this in a project of its own"
        )


def test_a_second_comparison_is_told(tmp_path: Path) -> None:
    rows, (fault,) = read_results(tmp_path, LEFT, {**RIGHT, "from_name": "again"})
    assert said(rows) == [("3", (1.0, 0.0)), ("4", (0.0, 1.0))]
    assert fault.where == "line 1, entry 1, annotation 1, again"


def test_two_results_of_one_control_that_contradict_each_other_are_a_fault(tmp_path: Path) -> None:
    rows, (fault,) = read_results(tmp_path, LEFT, RIGHT)
    assert said(rows) == [("4", (0.0, 1.0))]
    assert fault.message == "two results of 'cmp', 'left' and 'right': only one of them can be meant; remove the other"
    rows, faults = read_results(tmp_path, LEFT, LEFT)
    assert (said(rows), faults) == ([("3", (1.0, 0.0)), ("4", (0.0, 1.0))], [])


@pytest.mark.parametrize("choice", ["cause", "tie"])
def test_a_comment_is_kept_and_comes_back(tmp_path: Path, choice: str) -> None:
    """Also a choice that judges nothing, even if its control is called as one of ours."""
    reason = result(choice, "choices", ["colour"])
    rows, faults = read_results(tmp_path, LEFT, COMMENT, reason)
    assert faults == []
    assert said(rows) == [("3", (1.0, 0.0)), ("4", (0.0, 1.0))]
    clean = {**COMMENT, "value": {"text": ["because", "see person-b752a9a4f7b86f6b"]}}
    assert rows[0].details["annotation"] == {"completed_by": 3, "result": [clean, reason]}
    assert changed(rows, tmp_path, unchanged) == (rows, [])
    (task,) = json.loads((tmp_path / "out.json").read_text())
    # The configuration that is written has no control for them, so Label Studio would lose them elsewhere.
    assert [[item["type"] for item in found["result"]] for found in task["annotations"]] == [["pairwise"]] * 2


def test_a_comment_of_label_studio_joins_those_before(tmp_path: Path) -> None:
    rows, _ = read_results(tmp_path, LEFT, COMMENT)

    def comment(task: dict[str, Any]) -> None:
        through_label_studio(task)
        task["annotations"][0]["result"].append({**COMMENT, "value": {"text": ["later"]}})

    back, faults = changed(rows, tmp_path, comment)
    assert faults == []
    assert [item["value"]["text"][0] for item in back[0].details["annotation"]["result"]] == ["because", "later"]


def test_a_comment_alone_is_no_answer(tmp_path: Path) -> None:
    rows, (fault,) = read_results(tmp_path, COMMENT)
    assert said(rows) == [("4", (0.0, 1.0))]
    assert fault.message == (
        "a result of type 'textarea' by 'why' and no answer: pairwise, rating and number are read, and of choices "
        "those of our own configurations"
    )


def test_a_relation_between_areas_costs_the_comparison_nothing(tmp_path: Path) -> None:
    relation = {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"}
    rows, faults = read_results(tmp_path, relation, LEFT)
    assert faults == []
    assert said(rows) == [("3", (1.0, 0.0)), ("4", (0.0, 1.0))]
    assert rows[0].details["annotation"]["result"] == [relation]
    _, (fault,) = read_results(tmp_path, relation)
    assert "a result of type 'relation' by 'None' and no answer" in fault.message
