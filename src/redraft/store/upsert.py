"""What SQLAlchemy spells once for each database though both mean the same: ON CONFLICT, many rows, many values.

No queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from redraft.store.schema import Row

Item = TypeVar("Item")

_PLACE = "place in the batch"
_MOST_PARAMETERS = 20_000  # SQLite takes 32,766 in a statement, PostgreSQL 65,535


def insert(connection: sa.Connection, table: type[Row]) -> postgresql.Insert:
    """An INSERT with `on_conflict_do_nothing` and `on_conflict_do_update`, for the database of `connection`."""
    if connection.dialect.name == "sqlite":
        return cast(postgresql.Insert, sqlite.insert(table))
    return postgresql.insert(table)


def insert_rows(connection: sa.Connection, statement: postgresql.Insert, rows: Sequence[Mapping[str, Any]]) -> None:
    """Execute an INSERT of `insert` for rows with the same columns, in this order. Values must fit into JSON.

    PostgreSQL gets all rows as one JSON document in one statement: one statement for each takes the driver and the
    server several times as long. SQLite's driver is at its fastest with one for each.
    """
    if connection.dialect.name == "sqlite":
        connection.execute(statement, rows)
    else:
        connection.execute(_of_document(connection, statement, rows))


def insert_numbered(
    connection: sa.Connection, statement: postgresql.Insert, rows: Sequence[Mapping[str, Any]], *, owner: str
) -> dict[str, int]:
    """`insert_rows` into a table with the columns "id" and "number": the number of each row that was inserted, by id.

    Nobody else may insert rows meanwhile that have an id and the `owner` column of a row given here.
    """
    table = statement.table
    if connection.dialect.name != "sqlite":
        returning = _of_document(connection, statement, rows).returning(table.c.id, table.c.number)
        return {row.id: row.number for row in connection.execute(returning)}
    # Asked for afterwards, because a RETURNING would make SQLite's driver send the rows in a slower way.
    connection.execute(statement, rows)
    owners = {row["id"]: row[owner] for row in rows}
    found = sa.select(table.c.id, table.c.number, table.c[owner]).where(among(connection, table.c.id, owners))
    return {row.id: row.number for row in connection.execute(found) if row[2] == owners[row.id]}


def _of_document(
    connection: sa.Connection, statement: postgresql.Insert, rows: Sequence[Mapping[str, Any]]
) -> postgresql.Insert:
    names = list(rows[0])
    types = {name: statement.table.c[name].type for name in names}
    # Without an ORDER BY nothing would say that growing row numbers are given in the order of the rows.
    placed = [{**row, _PLACE: place} for place, row in enumerate(rows)]
    given = rows_given(connection, {**types, _PLACE: sa.Integer()}, placed)
    query = sa.select(*(given.c[name] for name in names)).order_by(given.c[_PLACE])
    return statement.from_select(names, query)


def rows_given(
    connection: sa.Connection, types: Mapping[str, sa.types.TypeEngine[Any]], rows: Sequence[Mapping[str, Any]]
) -> sa.FromClause:
    """A table of `rows` for use in a query, sent as one JSON document. `types`: its columns.

    On SQLite only for texts and whole numbers: it does not read other numbers exactly to the last digit.
    """
    document = sa.literal(rows, sa.JSON)
    if connection.dialect.name == "sqlite":
        row = sa.func.json_each(document).table_valued("value")
        values = (sa.func.json_extract(row.c.value, f'$."{name}"').label(name) for name in types)
        return sa.select(*values).subquery()
    columns = (sa.column(name, type) for name, type in types.items())
    return sa.func.json_to_recordset(document).table_valued(*columns).render_derived(with_types=True)


def among(connection: sa.Connection, column: Any, values: Iterable[str]) -> sa.ColumnElement[bool]:
    """Whether a column of texts is one of `values`. PostgreSQL gets them as one array, whose planning is cheap."""
    wanted = sorted(set(values))
    if connection.dialect.name == "sqlite":
        return cast(sa.ColumnElement[bool], column.in_(wanted))
    return cast(sa.ColumnElement[bool], column == sa.any_(sa.literal(wanted, postgresql.ARRAY(sa.Text))))


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
