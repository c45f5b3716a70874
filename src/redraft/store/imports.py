"""Imported preferences: rows of other projects' files, as their reader gave them. Not what a row means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import sqlalchemy as sa

from redraft.store.lookup import not_here
from redraft.store.schema_feedback import ImportRow, PreferenceRow
from redraft.store.transactions import Database
from redraft.store.upsert import insert

ImportState = Literal["running", "finished"]


@dataclass(frozen=True, kw_only=True)
class Import:
    """A file that was imported: its format, name, hash and licence, and how many rows were stored and refused."""

    id: str
    format: str
    source: str
    sha256: str
    licence: str
    state: ImportState
    stored: int
    refused: int
    created_at: float
    finished_at: float | None


@dataclass(frozen=True, kw_only=True)
class Preference:
    """One imported preference. number: from 1 in the order of the file. form: "pair", "ranking", "rating" and so on.

    content: JSON text with what the form holds (pictures, scores, labels). rater: as the file calls them, may be "".
    """

    number: int
    form: str
    prompt: str
    content: str
    rater: str = ""


class Imports:
    """The imported preferences of a workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, id: str, *, format: str, source: str, sha256: str, licence: str, at: float) -> Import:
        """Enter a file under the new `id`, or return the entry of a file with these bytes: each comes in once.

        A returned entry that is still running was interrupted: add its rows again, those that are there stay.
        """
        values = {"format": format, "source": source, "sha256": sha256, "licence": licence, "created_at": at}
        with self._database.writing() as connection:
            statement = insert(connection, ImportRow).values(id=id, state="running", stored=0, refused=0, **values)
            connection.execute(statement.on_conflict_do_nothing())
            row = connection.execute(sa.select(ImportRow.__table__).where(ImportRow.sha256 == sha256)).one()
        return _record(row)

    def add(self, id: str, preferences: Sequence[Preference]) -> None:
        """Keep a part of a file's rows in one transaction; a number that is there already is left as it is.

        Parts of some 10,000 rows are fast. Raises UnknownNameError for an import that was not begun.
        """
        rows = [{"batch": id, **vars(preference)} for preference in preferences]
        with self._database.writing() as connection:
            _get(connection, id)
            if rows:
                connection.execute(insert(connection, PreferenceRow).on_conflict_do_nothing(), rows)

    def finish(self, id: str, *, refused: int, at: float) -> Import:
        """Say that all rows were added, and how many of the file were refused. Raises UnknownNameError."""
        count = sa.select(sa.func.count()).select_from(PreferenceRow).where(PreferenceRow.batch == id)
        with self._database.writing() as connection:
            _get(connection, id)
            change = sa.update(ImportRow).where(ImportRow.id == id)
            done = {"state": "finished", "refused": refused, "finished_at": at}
            connection.execute(change.values(stored=count.scalar_subquery(), **done))
            return _get(connection, id)

    def remove(self, id: str) -> None:
        """Remove a file's preferences and its entry. Raises UnknownNameError."""
        with self._database.writing() as connection:
            _get(connection, id)
            connection.execute(sa.delete(PreferenceRow).where(PreferenceRow.batch == id))
            connection.execute(sa.delete(ImportRow).where(ImportRow.id == id))

    def remove_rater(self, rater: str) -> int:
        """Remove all preferences of an imported rater, in every file. Returns how many there were."""
        with self._database.writing() as connection:
            return connection.execute(sa.delete(PreferenceRow).where(PreferenceRow.rater == rater)).rowcount

    def get(self, id: str) -> Import:
        """The entry of an import. Raises UnknownNameError."""
        with self._database.reading() as connection:
            return _get(connection, id)

    def list(self) -> tuple[Import, ...]:
        """All imports, the oldest first."""
        with self._database.reading() as connection:
            query = sa.select(ImportRow.__table__).order_by(ImportRow.created_at, ImportRow.id)
            return tuple(_record(row) for row in connection.execute(query))

    def preferences(self, id: str, *, after: int = 0, limit: int = 10_000) -> tuple[Preference, ...]:
        """Preferences of an import by number, from `after` on; the last one's number begins the next page."""
        columns = (PreferenceRow.number, PreferenceRow.form, PreferenceRow.prompt, PreferenceRow.content)
        query = sa.select(*columns, PreferenceRow.rater).where(PreferenceRow.batch == id, PreferenceRow.number > after)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(PreferenceRow.number).limit(limit))
            return tuple(Preference(**row._asdict()) for row in rows)


def _get(connection: sa.Connection, id: str) -> Import:
    row = connection.execute(sa.select(ImportRow.__table__).where(ImportRow.id == id)).one_or_none()
    if row is None:
        raise not_here("import", id, connection.scalars(sa.select(ImportRow.id).limit(20)))
    return _record(row)


def _record(row: sa.Row[Any]) -> Import:
    return Import(**{**row._asdict(), "state": cast(ImportState, row.state)})
