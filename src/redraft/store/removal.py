"""The order in which rows of paintings and people are removed, so that no row is left that refers to one that is gone.

A test holds that every table with a column of a person is named here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from redraft.store.schema import PictureRow, Row
from redraft.store.schema_feedback import (
    AnswerRow,
    AskDecisionRow,
    AskStateRow,
    DuelRow,
    GoldItemRow,
    GoldResultRow,
    PointRow,
    RaterQualityRow,
    StandingAnswerRow,
    TrainingPersonRow,
)
from redraft.store.schema_people import (
    ApiKeyRow,
    CounterRow,
    ReportRow,
    RoomMemberRow,
    RoomPictureRow,
    RoomRow,
    SessionRow,
    UserRow,
)
from redraft.store.schema_pictures import EmbeddingRow, GalleryFacetRow, GalleryRow, RequestRow
from redraft.store.schema_work import JobRow, StudyAnswerRow, StudyAssignmentRow, StudyPairRow, StudyRow

Doomed = tuple[type[Row], sa.ColumnElement[bool]]


def remove_paintings(connection: sa.Connection, ids: sa.Select[Any]) -> dict[str, int]:
    """Remove the paintings that `ids` selects, and what refers to them. Returns how many rows went, by table.

    Duels of others lose the picture and the prompt, their answers stay. A gold item about one of them goes.
    """
    for column in (DuelRow.first, DuelRow.second):
        kept = {column.key: None, "prompt": None}
        connection.execute(sa.update(DuelRow).where(column.in_(ids)).values(**kept))
    gold = sa.select(GoldItemRow.id).where(GoldItemRow.subject.in_(ids))
    return _remove(
        connection,
        (GoldResultRow, GoldResultRow.item.in_(gold)),
        (GoldItemRow, GoldItemRow.subject.in_(ids)),
        (GalleryFacetRow, GalleryFacetRow.picture.in_(ids)),
        (EmbeddingRow, EmbeddingRow.picture.in_(ids)),
        (RoomPictureRow, RoomPictureRow.picture.in_(ids)),
        (ReportRow, ReportRow.picture.in_(ids)),
        (GalleryRow, GalleryRow.id.in_(ids)),
    )


def remove_person(connection: sa.Connection, user: str) -> dict[str, int]:
    """Remove a person whose paintings are gone, and all that is theirs. Returns how many rows went, by table."""
    connection.execute(sa.update(StudyRow).where(StudyRow.owner == user).values(owner=None))
    rooms = sa.select(RoomRow.id).where(RoomRow.owner == user)
    assignments = sa.select(StudyAssignmentRow.id).where(StudyAssignmentRow.user == user)
    return _remove(
        connection,
        (StandingAnswerRow, StandingAnswerRow.user == user),
        (AnswerRow, AnswerRow.user == user),
        (GoldResultRow, GoldResultRow.user == user),
        (AskDecisionRow, AskDecisionRow.user == user),
        (AskStateRow, AskStateRow.user == user),
        (DuelRow, DuelRow.user == user),
        (PointRow, PointRow.user == user),
        (RaterQualityRow, RaterQualityRow.user == user),
        (TrainingPersonRow, TrainingPersonRow.user == user),
        (RequestRow, RequestRow.owner == user),
        (ReportRow, ReportRow.user == user),
        (RoomPictureRow, RoomPictureRow.room.in_(rooms)),
        (RoomMemberRow, sa.or_(RoomMemberRow.user == user, RoomMemberRow.room.in_(rooms))),
        (RoomRow, RoomRow.owner == user),
        (JobRow, JobRow.owner == user),
        (StudyAnswerRow, StudyAnswerRow.assignment.in_(assignments)),
        (StudyAssignmentRow, StudyAssignmentRow.user == user),
        (CounterRow, CounterRow.owner == user),
        (SessionRow, SessionRow.user == user),
        (ApiKeyRow, ApiKeyRow.user == user),
        (UserRow, UserRow.id == user),
    )


def unused_pictures(hashes: Sequence[str]) -> sa.ColumnElement[bool]:
    """Which of these pictures no painting and no study needs."""
    needed = [
        sa.select(column).where(column == PictureRow.id).exists()
        for column in (GalleryRow.picture, StudyPairRow.first, StudyPairRow.second)
    ]
    return sa.and_(PictureRow.id.in_(hashes), *(~condition for condition in needed))


def _remove(connection: sa.Connection, *doomed: Doomed) -> dict[str, int]:
    removed: dict[str, int] = {}
    for table, condition in doomed:
        count = connection.execute(sa.delete(table).where(condition)).rowcount
        removed[table.__tablename__] = removed.get(table.__tablename__, 0) + count
    return removed
