"""Everything that the tables hold of one person, for the person to take along. Not the bytes of the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from redraft.store.schema import Row
from redraft.store.schema_feedback import (
    AnswerRow,
    AskDecisionRow,
    AskStateRow,
    DuelRow,
    GoldResultRow,
    PointRow,
    RaterQualityRow,
    TrainingPersonRow,
)
from redraft.store.schema_people import (
    ApiKeyRow,
    AuditRow,
    ReportRow,
    RoomMemberRow,
    RoomRow,
    SessionRow,
    UserRow,
)
from redraft.store.schema_pictures import EmbeddingRow, GalleryRow, RequestRow
from redraft.store.schema_work import JobRow, StudyAnswerRow, StudyAssignmentRow, StudyRow
from redraft.store.transactions import Database


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A table of which a person's rows are given out, whose `column` names the person, without the `hidden` columns."""

    table: type[Row]
    column: str
    hidden: tuple[str, ...] = ()


# Hidden is what gives access (hashes of secrets), and what would unblind a running comparison.
_PARTS = (
    _Part(table=UserRow, column="id", hidden=("password",)),
    _Part(table=SessionRow, column="user", hidden=("id", "csrf")),
    _Part(table=ApiKeyRow, column="user", hidden=("hash",)),
    _Part(table=RequestRow, column="owner"),
    _Part(table=GalleryRow, column="owner"),
    _Part(table=AnswerRow, column="user", hidden=("token",)),
    _Part(table=AskDecisionRow, column="user"),
    _Part(table=AskStateRow, column="user"),
    _Part(table=DuelRow, column="user", hidden=("first_checkpoint", "second_checkpoint", "swapped")),
    _Part(table=PointRow, column="user"),
    _Part(table=RaterQualityRow, column="user"),
    _Part(table=GoldResultRow, column="user", hidden=("item",)),
    _Part(table=TrainingPersonRow, column="user"),
    _Part(table=ReportRow, column="user", hidden=("resolved_by",)),
    _Part(table=RoomRow, column="owner"),
    _Part(table=RoomMemberRow, column="user"),
    _Part(table=JobRow, column="owner"),
    _Part(table=StudyRow, column="owner"),
    _Part(table=StudyAssignmentRow, column="user", hidden=("swapped",)),
    _Part(table=AuditRow, column="actor"),
)


class PersonalData:
    """What the workspace knows of each person."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rows(self, user: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """(table, row) for every row of a person, of one moment, streamed. Bytes stay bytes.

        The pictures' bytes are read with `Pictures.read` by the column `picture` of the rows of `gallery`.
        """
        with self._database.reading() as connection:
            streaming = connection.execution_options(yield_per=1000)
            for name, query in _queries(user):
                for row in streaming.execute(query):
                    yield name, row._asdict()


def exported_tables() -> frozenset[str]:
    """The names of the tables that `PersonalData.rows` reads."""
    return frozenset(name for name, _ in _queries(""))


def _queries(user: str) -> Iterator[tuple[str, sa.Select[Any]]]:
    for part in _PARTS:
        table = part.table.__table__
        shown = [column for column in table.columns if column.name not in part.hidden]
        yield (
            part.table.__tablename__,
            sa.select(*shown).where(table.c[part.column] == user).order_by(*table.primary_key),
        )
    embeddings = sa.select(EmbeddingRow.__table__).join(GalleryRow, GalleryRow.id == EmbeddingRow.picture)
    yield EmbeddingRow.__tablename__, embeddings.where(GalleryRow.owner == user).order_by(EmbeddingRow.picture)
    choices = sa.select(StudyAnswerRow.__table__)
    choices = choices.join(StudyAssignmentRow, StudyAssignmentRow.id == StudyAnswerRow.assignment)
    yield StudyAnswerRow.__tablename__, choices.where(StudyAssignmentRow.user == user)
