"""DPG-Bench's question trees: questions on a picture, of which one may presuppose another. It asks nobody.

Hu et al. 2024 (arXiv 2403.05135): a question counts as yes only if it and all questions it depends on are answered yes.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redraft.core.errors import UsageError

COLUMNS = ("item_id", "text", "proposition_id", "dependency", "tuple", "question_natural_language")


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question of a tree. category: the broad one of its tuple ("attribute" of "attribute - color (car, red)")."""

    number: int
    text: str
    parents: tuple[int, ...]
    category: str


@dataclass(frozen=True, kw_only=True)
class Item:
    """A prompt with its questions."""

    id: str
    text: str
    questions: tuple[Question, ...]


def effective(questions: Sequence[Question], answers: Mapping[int, bool]) -> dict[int, bool]:
    """Number of each question -> whether it and everything it depends on, directly or not, was answered yes."""
    by_number = {question.number: question for question in questions}
    known: dict[int, bool] = {}

    def holds(number: int) -> bool:
        if number not in known:
            known[number] = answers[number] and all(holds(parent) for parent in by_number[number].parents)
        return known[number]

    return {number: holds(number) for number in by_number}


def tree_score(questions: Sequence[Question], answers: Mapping[int, bool]) -> float:
    """Share of questions that count as yes, 0..1."""
    return sum(effective(questions, answers).values()) / len(questions)


def read_items(path: Path) -> tuple[Item, ...]:
    """The items of DPG-Bench's CSV, in file order. A dependency of 0 means none.

    Raises:
        UsageError: for a file without the columns, and naming the line, for a row that is not as published; for a
            question that depends on one that is not there, or on itself.
    """
    rows = _rows(path)
    texts: dict[str, str] = {}
    questions: dict[str, list[Question]] = {}
    for number, row in rows:
        try:
            question, item = _question(row), row["item_id"].strip()
        except (ValueError, AttributeError) as error:
            raise UsageError(
                f"{path} line {number} is no row of DPG-Bench ({error}): proposition_id is a whole number, dependency "
                "a list of them with commas, 0 for none; fetch the file again"
            ) from error
        texts.setdefault(item, row["text"].strip())
        questions.setdefault(item, []).append(question)
    for item, found in questions.items():
        _require_tree(item, found)
    return tuple(Item(id=item, text=texts[item], questions=tuple(found)) for item, found in questions.items())


def _rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Rows with their numbers, without a second header, which some copies of the file have."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows: list[tuple[int, dict[str, Any]]] = list(enumerate(reader, start=2))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read ({error}): give the folder with dpg_bench.csv by --data") from error
    lacking = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if lacking or not rows:
        raise UsageError(f"{path} lacks {', '.join(lacking) or 'rows'}: give DPG-Bench's CSV with its header")
    first = str(rows[0][1]["proposition_id"]).strip()
    return rows if first.isdecimal() else rows[1:]


def _question(row: Mapping[str, Any]) -> Question:
    parents = tuple(int(part) for part in row["dependency"].split(",") if int(part))
    category = row["tuple"].split("(")[0].split("-")[0].strip().lower()
    text = row["question_natural_language"].strip()
    if not (text and category and row["item_id"].strip() and row["text"].strip()):
        raise ValueError("an empty cell")
    return Question(number=int(row["proposition_id"]), text=text, parents=parents, category=category)


def _require_tree(item: str, questions: Sequence[Question]) -> None:
    """Raise UsageError unless numbers are distinct and every dependency leads to a question that has none."""
    open_questions = {question.number: set(question.parents) for question in questions}
    if len(open_questions) < len(questions):
        raise UsageError(f"{item} has two questions of one number: fetch the file again")
    while open_questions:
        free = [number for number, parents in open_questions.items() if not parents & open_questions.keys()]
        strange = {parent for question in questions for parent in question.parents} - {q.number for q in questions}
        if strange or not free:
            what = f"on {sorted(strange)}, which it does not have" if strange else "on each other in a circle"
            raise UsageError(f"the questions of {item} depend {what}: such a tree cannot be scored; mend the file")
        for number in free:
            del open_questions[number]
