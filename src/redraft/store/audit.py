"""The audit log: who did what to what. Append-only: the database refuses to change or remove an entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from redraft.store.schema_people import AuditRow
from redraft.store.transactions import Database


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One deed. actor: a user's id, or "" for the service. detail holds ids and numbers, never a person's words."""

    id: int
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    at: float


class Audit:
    """The audit log of a workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, action: str, *, actor: str, subject: str, detail: Mapping[str, Any], at: float) -> AuditEntry:
        """Add an entry; durable when it returns."""
        values: dict[str, Any] = {
            "actor": actor,
            "action": action,
            "subject": subject,
            "detail": dict(detail),
            "at": at,
        }
        with self._database.writing() as connection:
            id = connection.execute(sa.insert(AuditRow).values(**values).returning(AuditRow.id)).scalar_one()
        return AuditEntry(id=id, **values)

    def entries(
        self, *, actor: str | None = None, before: int | None = None, limit: int = 100
    ) -> tuple[AuditEntry, ...]:
        """Entries (of an actor), the newest first; `before` is the id of the last one of the page before."""
        query = sa.select(AuditRow.__table__).order_by(AuditRow.id.desc()).limit(limit)
        if actor is not None:
            query = query.where(AuditRow.actor == actor)
        if before is not None:
            query = query.where(AuditRow.id < before)
        with self._database.reading() as connection:
            return tuple(AuditEntry(**row._asdict()) for row in connection.execute(query))
