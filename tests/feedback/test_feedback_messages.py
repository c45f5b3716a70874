"""What a file says is shown, not run: no message carries a control character of a file to a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from exchanged import read, write

from redraft.core.errors import UsageError, printable
from redraft.core.feedback import Rating
from redraft.feedback.exchange.rows import Row

EVIL = "\x1b[31mRED\nsecond line"
RATING = {"prompt": "p", "pictures": ["a"], "kind": "rating", "answer": {EVIL: 3}}
PICTURES = {"picture_0": "a", "picture_1": "b"}


def label_studio(*results: dict[str, Any], **data: str) -> dict[str, Any]:
    return {"data": {"prompt": "p", **PICTURES, **data}, "annotations": [{"result": list(results)}]}


def result(name: str, kind: str, value: Any) -> dict[str, Any]:
    return {"from_name": name, "to_name": "picture_0", "type": kind, "value": {kind: value, "selected": value}}


def argilla(responses: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"fields": {"prompt": "p", "picture_0": "a"}, "metadata": metadata, "responses": responses}


def answer(value: Any, **more: Any) -> list[dict[str, Any]]:
    return [{"value": value, "user_id": "u"} | more]


LEFT = result("choice", "pairwise", "left")
BROKEN: dict[str, tuple[str, dict[str, Any]]] = {
    "a rating beside": ("label-studio", label_studio(LEFT, result(EVIL, "rating", 3))),
    "two results": ("label-studio", label_studio(result(EVIL, "number", 3), result(EVIL, "number", 4))),
    "no answer": ("label-studio", label_studio(result(EVIL, EVIL, 3))),
    "a side": ("label-studio", label_studio(result("choice", "pairwise", EVIL))),
    "stars of nothing": ("label-studio", label_studio(result(f"stars_{EVIL}", "rating", 3))),
    "an unknown scale": ("label-studio", label_studio(result(EVIL, "rating", 3), picture_1="")),
    "a picture": ("label-studio", {**label_studio(LEFT), "data": {"prompt": 1, "redraft": EVIL}}),
    "a question": ("argilla", argilla({EVIL: answer(3)})),
    "a rating": ("argilla", argilla({f"rating_{EVIL}": answer(3)})),
    "a rating that is no number": ("argilla", argilla({f"rating_{EVIL}": answer(EVIL)})),
    "a scale": ("argilla", argilla({f"rating_{EVIL}": answer(3)}, scales=json.dumps({EVIL: [1]}))),
    "a rating off its scale": ("argilla", argilla({f"rating_{EVIL}": answer(3)}, scales=json.dumps({EVIL: [1, 2]}))),
    "a user": ("argilla", argilla({"choice": answer(EVIL, user_id=EVIL)})),
    "a draft": ("argilla", argilla({EVIL: answer(3, status="draft")})),
    "a ranking": ("argilla", argilla({"ranking": answer([{"value": EVIL, "rank": 1}])})),
    "a row": ("jsonl", {**RATING, "scales": {EVIL: [1, 2]}}),
    "a row without a scale": ("jsonl", {**RATING, "scales": {"q": [1, 2]}}),
    "a checklist": ("vision-reward", {"prompt": "p", "url": "u", "annotation": {EVIL: 3}}),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_name_with_control_characters_is_quoted(tmp_path: Path, name: str) -> None:
    format, entry = BROKEN[name]
    (tmp_path / "in.json").write_text(json.dumps([entry]))
    _, (fault,) = read(tmp_path / "in.json", format)
    assert r"\x1b[31mRED\nsecond line" in str(fault) or r"\u001b[31mRED\nsecond line" in str(fault)
    assert str(fault).isprintable()


@pytest.mark.parametrize("format", ["rich-hf", "vision-reward", "geneval-crowd"])
def test_so_it_is_when_it_is_written(tmp_path: Path, format: str) -> None:
    row = Row(judgement=Rating(prompt="p", picture="a", values={EVIL: 1.0}, scales={EVIL: (0.0, 1.0)}))
    _, (fault,) = write([row], tmp_path / "out", format)
    assert str(fault).isprintable()


def test_a_labeling_configuration_is_quoted_as_well(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(json.dumps([label_studio(LEFT)]))
    labeling = '<View><Rating name="a&#10;b" toName="x" maxRating="many"/></View>'
    _, (fault,) = read(tmp_path / "in.json", "label-studio", labeling=labeling)
    assert r"'a\nb' of the labeling configuration has no scale" in fault.message


def test_ordinary_names_stay_as_they_are() -> None:
    assert [printable(name) for name in ("quality", "Bildqualität 2", "質")] == ["quality", "Bildqualität 2", "質"]
    assert [printable(name) for name in ("", " a", "a\tb", "\u202eabc")] == ["''", "' a'", r"'a\tb'", r"'\u202eabc'"]
    assert printable("x" * 100) == "x" * 60 + "..."
    with pytest.raises(UsageError, match=r"^quality = 3 is outside its scale of 1 to 2"):
        Rating(prompt="p", picture="a", values={"quality": 3}, scales={"quality": (1, 2)})
