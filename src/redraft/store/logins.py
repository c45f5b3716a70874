"""Sessions of browsers and keys of programs, by the hashes of their secrets. Makes no secret and hashes none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from redraft.core.errors import UnknownNameError
from redraft.store.people import Account, account_columns, account_of
from redraft.store.schema_people import ApiKeyRow, SessionRow, UserRow
from redraft.store.transactions import Database


@dataclass(frozen=True, kw_only=True)
class Session:
    """A login. id and csrf are hashes of secrets that only the browser has; label is for the person to know it by."""

    id: str
    user: str
    csrf: str
    label: str
    created_at: float
    seen_at: float
    expires_at: float


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """A program's key. prefix: its visible beginning. None as a time: never, or not yet."""

    id: str
    user: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: float
    used_at: float | None = None
    expires_at: float | None = None
    revoked_at: float | None = None


class Logins:
    """The sessions and keys of all people. Those of a disabled account are not found."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, session: Session) -> None:
        """Enter a new session."""
        with self._database.writing() as connection:
            connection.execute(sa.insert(SessionRow).values(**vars(session)))

    def session(self, id: str, *, at: float) -> tuple[Session, Account] | None:
        """The session with this hash and whose it is; None when absent, expired, or the account is shut."""
        columns = [column.label(f"session_{column.name}") for column in SessionRow.__table__.columns]
        query = sa.select(*account_columns(), *columns).join(SessionRow, SessionRow.user == UserRow.id)
        query = query.where(SessionRow.id == id, SessionRow.expires_at > at, ~UserRow.disabled)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        values = row._asdict()
        mine = {name.removeprefix("session_"): values[name] for name in values if name.startswith("session_")}
        return Session(**mine), account_of(row)

    def seen(self, id: str, *, at: float, expires_at: float) -> None:
        """Note that a session is in use, and until when it now lasts."""
        with self._database.writing() as connection:
            change = sa.update(SessionRow).where(SessionRow.id == id, SessionRow.expires_at > at)
            connection.execute(change.values(seen_at=at, expires_at=expires_at))

    def sessions(self, user: str, *, at: float) -> tuple[Session, ...]:
        """A person's sessions that have not expired, the newest first."""
        query = sa.select(SessionRow.__table__).where(SessionRow.user == user, SessionRow.expires_at > at)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(SessionRow.created_at.desc(), SessionRow.id))
            return tuple(Session(**row._asdict()) for row in rows)

    def close(self, user: str, *, id: str | None = None, but: str | None = None) -> int:
        """End a person's session `id`, or all of them, or all `but` one. Returns how many ended."""
        ending = sa.delete(SessionRow).where(SessionRow.user == user)
        if id is not None:
            ending = ending.where(SessionRow.id == id)
        if but is not None:
            ending = ending.where(SessionRow.id != but)
        with self._database.writing() as connection:
            return connection.execute(ending).rowcount

    def sweep(self, *, before: float) -> int:
        """Remove sessions that expired before the time `before`. Returns how many."""
        with self._database.writing() as connection:
            return connection.execute(sa.delete(SessionRow).where(SessionRow.expires_at < before)).rowcount

    def add_key(self, key: ApiKey, *, hash: str) -> None:
        """Enter a new key by its hash."""
        with self._database.writing() as connection:
            values = {**vars(key), "scopes": list(key.scopes)}
            connection.execute(sa.insert(ApiKeyRow).values(**values, hash=hash))

    def key(self, hash: str, *, at: float) -> tuple[ApiKey, Account] | None:
        """The key with this hash and whose it is; None when absent, revoked, expired, or the account is shut."""
        columns = [column.label(f"key_{column.name}") for column in _key_columns()]
        query = sa.select(*account_columns(), *columns).join(ApiKeyRow, ApiKeyRow.user == UserRow.id)
        living = sa.or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > at)
        query = query.where(ApiKeyRow.hash == hash, ApiKeyRow.revoked_at.is_(None), living, ~UserRow.disabled)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        values = row._asdict()
        mine = {name.removeprefix("key_"): values[name] for name in values if name.startswith("key_")}
        return _key(mine), account_of(row)

    def used(self, id: str, *, at: float) -> None:
        """Note that a key was used."""
        with self._database.writing() as connection:
            connection.execute(sa.update(ApiKeyRow).where(ApiKeyRow.id == id).values(used_at=at))

    def keys(self, user: str) -> tuple[ApiKey, ...]:
        """A person's keys, revoked ones too, the oldest first."""
        query = sa.select(*_key_columns()).where(ApiKeyRow.user == user).order_by(ApiKeyRow.created_at, ApiKeyRow.id)
        with self._database.reading() as connection:
            return tuple(_key(row._asdict()) for row in connection.execute(query))

    def revoke(self, user: str, *, id: str, at: float) -> None:
        """Revoke a person's key; revoking twice changes nothing. Raises UnknownNameError for one that is not theirs."""
        mine = (ApiKeyRow.id == id, ApiKeyRow.user == user)
        with self._database.writing() as connection:
            if connection.scalar(sa.select(ApiKeyRow.id).where(*mine)) is None:
                raise UnknownNameError(f"key {id!r} is not among the keys of this person")
            change = sa.update(ApiKeyRow).where(*mine, ApiKeyRow.revoked_at.is_(None))
            connection.execute(change.values(revoked_at=at))


def _key_columns() -> Sequence[sa.ColumnElement[Any]]:
    return [column for column in ApiKeyRow.__table__.columns if column.name != "hash"]


def _key(values: dict[str, Any]) -> ApiKey:
    return ApiKey(**{**values, "scopes": tuple(values["scopes"])})
