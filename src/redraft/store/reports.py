"""What people say about the safety of pictures: appeals against a blur, reports of a picture. Decides none of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

import sqlalchemy as sa

from redraft.core.errors import UnknownNameError
from redraft.store.schema_people import ReportRow
from redraft.store.transactions import Database
from redraft.store.upsert import insert

ReportKind = Literal["appeal", "report"]
ReportState = Literal["open", "granted", "refused"]


@dataclass(frozen=True, kw_only=True)
class PictureReport:
    """An appeal or report of a person about a painting, and what came of it."""

    id: str
    user: str
    picture: str
    kind: ReportKind
    text: str
    state: ReportState = "open"
    created_at: float
    resolved_at: float | None = None
    resolved_by: str | None = None


class Reports:
    """The appeals and reports of all people."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enter(self, report: PictureReport) -> PictureReport:
        """Enter a report. A person's earlier one of the kind about the picture stays, and is returned instead."""
        with self._database.writing() as connection:
            statement = insert(connection, ReportRow).values(**vars(report))
            same = ["picture", "user", "kind"]
            connection.execute(statement.on_conflict_do_nothing(index_elements=same))
            query = sa.select(ReportRow.__table__).where(ReportRow.picture == report.picture)
            query = query.where(ReportRow.user == report.user, ReportRow.kind == report.kind)
            return _record(connection.execute(query).one())

    def of_person(self, user: str) -> tuple[PictureReport, ...]:
        """A person's reports, the newest first."""
        query = sa.select(ReportRow.__table__).where(ReportRow.user == user)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(ReportRow.created_at.desc(), ReportRow.id))
            return tuple(_record(row) for row in rows)

    def waiting(self, *, limit: int = 100) -> tuple[PictureReport, ...]:
        """Everybody's open reports, the oldest first: for moderators."""
        query = sa.select(ReportRow.__table__).where(ReportRow.state == "open")
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(ReportRow.created_at, ReportRow.id).limit(limit))
            return tuple(_record(row) for row in rows)

    def resolve(self, id: str, state: ReportState, *, by: str, at: float) -> PictureReport:
        """Say what came of a report; a resolved one stays as it is. Raises UnknownNameError."""
        with self._database.writing() as connection:
            change = sa.update(ReportRow).where(ReportRow.id == id, ReportRow.state == "open")
            connection.execute(change.values(state=state, resolved_at=at, resolved_by=by))
            row = connection.execute(sa.select(ReportRow.__table__).where(ReportRow.id == id)).one_or_none()
        if row is None:
            raise UnknownNameError(f"report {id!r} does not exist: see the list of open ones")
        return _record(row)


def _record(row: sa.Row[Any]) -> PictureReport:
    return PictureReport(**{**row._asdict(), "kind": cast(ReportKind, row.kind), "state": cast(ReportState, row.state)})
