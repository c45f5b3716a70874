"""What is known of raters: gold items with their right answers, who passed them, and how much a person weighs.

Whether an answer passes and what a rater weighs is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from redraft.store.answer_records import SubjectKind
from redraft.store.schema_feedback import AnswerRow, GoldItemRow, GoldResultRow, RaterQualityRow
from redraft.store.schema_people import UserRow
from redraft.store.schema_pictures import GalleryRow, RequestRow
from redraft.store.transactions import Database
from redraft.store.upsert import insert


@dataclass(frozen=True, kw_only=True)
class GoldItem:
    """A subject whose right answer is known. expected: what a passing answer holds, JSON-able."""

    id: str
    kind: SubjectKind
    subject: str
    form: str
    expected: Mapping[str, Any]
    active: bool = True
    created_at: float


@dataclass(frozen=True, kw_only=True)
class GoldResult:
    """Whether a person's answer to a gold item passed."""

    answer: str
    item: str
    user: str
    passed: bool
    at: float


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How much a person's answers weigh (1 is a full vote), and from what that was found, JSON-able."""

    user: str
    weight: float
    evidence: Mapping[str, Any]
    at: float


@dataclass(frozen=True, kw_only=True)
class GoldRecord:
    """A gold item about a painting, the words of that, and how many answers to it were judged and passed."""

    item: GoldItem
    prompt: str | None
    answers: int
    passed: int


class Raters:
    """Gold items, their results and the weights of raters."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_gold(self, item: GoldItem) -> None:
        """Enter a gold item; one about the same subject is replaced by it, and keeps its id."""
        values = {**vars(item), "expected": dict(item.expected)}
        with self._database.writing() as connection:
            statement = insert(connection, GoldItemRow).values(**values)
            changed = {name: values[name] for name in values if name not in ("id", "subject")}
            connection.execute(statement.on_conflict_do_update(index_elements=["subject"], set_=changed))

    def unseen_gold(self, user: str, *, limit: int = 100) -> tuple[GoldItem, ...]:
        """Active gold items that a person has not answered, by id."""
        answered = sa.select(AnswerRow.number).where(AnswerRow.subject == GoldItemRow.subject, AnswerRow.user == user)
        query = sa.select(GoldItemRow.__table__).where(GoldItemRow.active, ~answered.exists())
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(GoldItemRow.id).limit(limit))
            return tuple(GoldItem(**row._asdict()) for row in rows)

    def gold_about(self, subject: str) -> GoldItem | None:
        """The gold item about a subject, active or not, or None."""
        with self._database.reading() as connection:
            query = sa.select(GoldItemRow.__table__).where(GoldItemRow.subject == subject)
            row = connection.execute(query).one_or_none()
        return None if row is None else GoldItem(**row._asdict())

    def gold_records(self, *, before: tuple[float, str] | None = None, limit: int) -> tuple[GoldRecord, ...]:
        """Gold items about pictures with what became of them, the newest first, after the one with that time and id."""
        judged = sa.func.count(GoldResultRow.answer).label("answers")
        passed = sa.func.count(sa.case((GoldResultRow.passed, 1))).label("passed")
        query = sa.select(GoldItemRow.__table__, RequestRow.prompt, judged, passed)
        query = query.join(GalleryRow, GalleryRow.id == GoldItemRow.subject)
        query = query.join(RequestRow, RequestRow.id == GalleryRow.request)
        query = query.outerjoin(GoldResultRow, GoldResultRow.item == GoldItemRow.id)
        if before is not None:
            query = query.where(sa.tuple_(GoldItemRow.created_at, GoldItemRow.id) < before)
        query = query.group_by(GoldItemRow.id, RequestRow.id)
        query = query.order_by(GoldItemRow.created_at.desc(), GoldItemRow.id.desc()).limit(limit)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return tuple(_gold_record(row) for row in rows)

    def unsafe_paintings(self, reviewer: str, *, limit: int = 100) -> tuple[str, ...]:
        """Paintings that lean unsafe, of people who consent, which a reviewer has not answered about; the newest first.

        Whether somebody is such a reviewer is decided elsewhere. Withheld and quarantined ones are nobody's to see.
        """
        answered = sa.select(AnswerRow.number).where(AnswerRow.subject == GalleryRow.id, AnswerRow.user == reviewer)
        query = sa.select(GalleryRow.id).join(UserRow, UserRow.id == GalleryRow.owner)
        query = query.where(GalleryRow.unsafe, GalleryRow.safety.in_(("ok", "blurred")), ~answered.exists())
        query = query.where(sa.or_(UserRow.consent_improve, UserRow.id == reviewer), ~UserRow.disabled)
        with self._database.reading() as connection:
            return tuple(connection.scalars(query.order_by(GalleryRow.created_at.desc(), GalleryRow.id).limit(limit)))

    def note_gold(self, result: GoldResult) -> None:
        """Enter how an answer to a gold item was judged; judging it again replaces that."""
        with self._database.writing() as connection:
            statement = insert(connection, GoldResultRow).values(**vars(result))
            changed = {"passed": result.passed, "at": result.at}
            connection.execute(statement.on_conflict_do_update(index_elements=["answer"], set_=changed))

    def gold_results(self, user: str, *, since: float = float("-inf")) -> tuple[GoldResult, ...]:
        """How a person's answers to gold items were judged since then, the oldest first."""
        query = sa.select(GoldResultRow.__table__).where(GoldResultRow.user == user, GoldResultRow.at >= since)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(GoldResultRow.at, GoldResultRow.answer))
            return tuple(GoldResult(**row._asdict()) for row in rows)

    def set_quality(self, quality: Quality) -> None:
        """Enter or replace how much a person weighs."""
        values = {**vars(quality), "evidence": dict(quality.evidence)}
        with self._database.writing() as connection:
            statement = insert(connection, RaterQualityRow).values(**values)
            connection.execute(statement.on_conflict_do_update(index_elements=["user"], set_=values))

    def quality(self, user: str) -> Quality | None:
        """How much a person weighs, or None while nothing was found."""
        with self._database.reading() as connection:
            query = sa.select(RaterQualityRow.__table__).where(RaterQualityRow.user == user)
            row = connection.execute(query).one_or_none()
        return None if row is None else Quality(**row._asdict())


def _gold_record(row: sa.Row[Any]) -> GoldRecord:
    values = row._asdict()
    about = {name: values.pop(name) for name in ("prompt", "answers", "passed")}
    return GoldRecord(item=GoldItem(**values), **about)
