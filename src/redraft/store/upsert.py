"""INSERT ... ON CONFLICT, which SQLAlchemy spells once for each database though both mean the same. No queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from redraft.store.schema import Row

Item = TypeVar("Item")

_MOST_PARAMETERS = 20_000  # SQLite takes 32,766 in a statement, PostgreSQL 65,535


def insert(connection: sa.Connection, table: type[Row]) -> postgresql.Insert:
    """An INSERT with `on_conflict_do_nothing` and `on_conflict_do_update`, for the database of `connection`."""
    if connection.dialect.name == "sqlite":
        return cast(postgresql.Insert, sqlite.insert(table))
    return postgresql.insert(table)


def chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Parts of `items` that each fit into one statement as parameters."""
    for start in range(0, len(items), _MOST_PARAMETERS):
        yield items[start : start + _MOST_PARAMETERS]


def scalars_in(connection: sa.Connection, query: Any, column: Any, values: Sequence[Any]) -> list[Any]:
    """All first columns of `query` where `column` is one of `values`, however many there are."""
    found: list[Any] = []
    for part in chunks(values):
        found += connection.scalars(query.where(column.in_(part)))
    return found
