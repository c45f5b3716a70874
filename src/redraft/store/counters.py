"""Counters with a limit: daily quotas, attempts to log in. Limits and windows are arguments."""

from __future__ import annotations

import sqlalchemy as sa

from redraft.store.schema_people import CounterRow
from redraft.store.transactions import Database
from redraft.store.upsert import insert


class Counters:
    """How often something happened for an owner (a person, an address) in a window such as "2026-11-21"."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, owner: str, name: str, *, window: str, most: int, expires_at: float, amount: int = 1) -> int | None:
        """Count `amount` more if that leaves the count at `most` at the highest. Returns the count, or None: no room.

        Of several processes that take the last one at the same moment, one gets it. `expires_at`: when `sweep` may
        forget the window.
        """
        if amount > most:
            return None
        values = {"owner": owner, "name": name, "window": window, "count": amount, "expires_at": expires_at}
        with self._database.writing() as connection:
            statement = insert(connection, CounterRow).values(**values)
            total = CounterRow.count + statement.excluded["count"]
            statement = statement.on_conflict_do_update(
                index_elements=["owner", "name", "window"], set_={"count": total}, where=total <= most
            )
            return connection.scalar(statement.returning(CounterRow.count))

    def give_back(self, owner: str, name: str, *, window: str, amount: int = 1) -> None:
        """Count `amount` less, never below 0: what was taken was not used."""
        lower = sa.case((CounterRow.count > amount, CounterRow.count - amount), else_=0)
        with self._database.writing() as connection:
            connection.execute(sa.update(CounterRow).where(*_is(owner, name, window)).values(count=lower))

    def count(self, owner: str, name: str, *, window: str) -> int:
        """How many were counted."""
        with self._database.reading() as connection:
            return connection.scalar(sa.select(CounterRow.count).where(*_is(owner, name, window))) or 0

    def sweep(self, *, before: float) -> int:
        """Forget windows that expired before the time `before`. Returns how many."""
        with self._database.writing() as connection:
            return connection.execute(sa.delete(CounterRow).where(CounterRow.expires_at < before)).rowcount


def _is(owner: str, name: str, window: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (CounterRow.owner == owner, CounterRow.name == name, CounterRow.window == window)
