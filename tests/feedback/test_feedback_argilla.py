"""Argilla's records: whose each answer is, and that none of them is passed over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from exchanged import read, write

from redraft.core.feedback import Rating
from redraft.feedback.exchange.rows import Fault, Row

ANNA, BEN = "2c0b5a2e-0000-4000-8000-000000000001", "2c0b5a2e-0000-4000-8000-000000000002"


def answers(*given: tuple[str | None, Any], status: str = "submitted") -> list[dict[str, Any]]:
    return [{"value": value, "user_id": user, "status": status} for user, value in given]


def record(responses: dict[str, Any], pictures: int = 2, **more: Any) -> dict[str, Any]:
    shown = {f"picture_{place}": f"{place}.png" for place in range(pictures)}
    return {"id": "r1", "fields": {"prompt": "p", **shown}, "metadata": {}, "responses": responses} | more


def read_record(entry: dict[str, Any], folder: Path) -> tuple[list[Row], list[Fault]]:
    (folder / "in.json").write_text(json.dumps([entry]))
    return read(folder / "in.json", "argilla")


def said(rows: list[Row]) -> list[tuple[str, Any]]:
    return [(row.judgement.rater, getattr(row.judgement, "answer", None)) for row in rows]


def test_people_whose_accounts_are_gone_are_not_taken_for_one(tmp_path: Path) -> None:
    rows, faults = read_record(
        record({"choice": answers((None, "first"), (None, "second"), (ANNA, "tie"), ("None", "first"))}), tmp_path
    )
    assert faults == []
    assert said(rows) == [("", (1.0, 0.0)), ("", (0.0, 1.0)), ("", (1.0, 0.0)), (ANNA, (0.5, 0.5))]


def test_people_without_an_id_who_answered_several_questions_are_refused(tmp_path: Path) -> None:
    """Which stars go together would be a guess."""
    given = {"stars_0": answers((None, 1), (None, 5), (BEN, 2)), "stars_1": answers((None, 2), (None, 4), (BEN, 3))}
    rows, (fault,) = read_record(record(given), tmp_path)
    assert said(rows) == [(BEN, (2.0, 3.0))]
    assert (fault.where, fault.rows) == ("line 1, entry 1, user without an id", 2)
    assert fault.message == (
        "2 answers to stars_0: nothing says which belong to one person with the answers to the other questions; give "
        "each its user_id"
    )


def test_a_person_who_answered_twice_is_refused(tmp_path: Path) -> None:
    rows, (fault,) = read_record(record({"choice": answers((ANNA, "first"), (BEN, "tie"), (ANNA, "second"))}), tmp_path)
    assert said(rows) == [(BEN, (0.5, 0.5))]
    assert (fault.where, fault.rows) == (f"line 1, entry 1, user {ANNA}", 2)
    assert fault.message == (
        "2 answers to choice: a person gives one, and nothing says which is meant; remove the others"
    )


def test_a_draft_beside_an_answer_is_no_second_answer(tmp_path: Path) -> None:
    given = answers((ANNA, "first")) + answers((ANNA, "second"), status="draft")
    rows, (fault,) = read_record(record({"choice": given}), tmp_path)
    assert said(rows) == [(ANNA, (1.0, 0.0))]
    assert "is draft" in fault.message


def test_what_a_record_has_besides_goes_with_the_first_person_who_can_be_read(tmp_path: Path) -> None:
    entry = record({"choice": answers((ANNA, "neither"), (BEN, "first"))}, metadata={"batch": 7}, vectors={"v": [1]})
    entry["fields"]["context"] = "spring"
    rows, (fault,) = read_record(entry, tmp_path)
    assert "choice is 'neither'" in fault.message
    assert rows[0].details == {
        "record": {"id": "r1", "vectors": {"v": [1]}}, "metadata": {"batch": 7}, "fields": {"context": "spring"},
    }  # fmt: skip
    _, faults = write(rows, tmp_path / "out.json", "argilla")
    assert faults == []
    (back,) = json.loads((tmp_path / "out.json").read_text())
    assert (back["metadata"], back["vectors"], back["fields"]["context"]) == ({"batch": 7}, {"v": [1]}, "spring")


def test_a_rating_whose_scale_nothing_tells_is_refused(tmp_path: Path) -> None:
    entry = record({"rating_quality": answers((ANNA, 5))}, pictures=1)
    rows, (fault,) = read_record(entry, tmp_path)
    assert rows == []
    assert fault.message == (
        "nothing says the scale of rating_quality, for records do not tell what a question's numbers are: give its "
        r"""lowest and highest one in the record's metadata, such as {"scales": "{\"quality\": [1, 5]}"}"""
    )
    entry["metadata"] = json.loads(fault.message[fault.message.index("{") :])  # the way out leads out
    (row,), faults = read_record(entry, tmp_path)
    assert faults == []
    assert isinstance(row.judgement, Rating)
    assert (row.judgement.values, row.judgement.scales) == ({"quality": 5.0}, {"quality": (1.0, 5.0)})
