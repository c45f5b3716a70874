"""The connection to the database: transactions, durability, migrations, and its errors in our own words. No queries."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from redraft.core.errors import (
    BusyError,
    DamagedError,
    EnvironmentFaultError,
    RedraftError,
    StorageError,
    UsageError,
)
from redraft.store.schema import REVISION

_WAL_ATTEMPTS = 20
_PATIENCE_SECONDS = 60
_MIGRATIONS = Path(__file__).parent / "migrations"
# SQLSTATE codes of PostgreSQL: serialization failure, deadlock, lock not available; disk full.
_CONFLICTS = ("40001", "40P01", "55P03")
_DISK_FULL = "53100"


class Database:
    """A database of one workspace. Threads may share it; another process opens its own.

    On SQLite: write-ahead log, synchronous FULL (a commit is on the disk when it returns), foreign keys on, and
    writers queue from the start of their transaction, so that what they read cannot change before they write.
    """

    def __init__(self, url: str | sa.URL) -> None:
        try:
            self._engine = sa.create_engine(url)
        except exc.ArgumentError as error:
            raise UsageError(
                "the database URL cannot be read: it must look like postgresql+psycopg://user:password@host/name; mend "
                "it, or leave it out to keep everything in redraft.db"
            ) from error
        except ModuleNotFoundError as error:
            raise EnvironmentFaultError(
                f"the database URL needs the Python package {error.name!r}, which is not installed: install it, or "
                "leave the URL out to keep everything in redraft.db"
            ) from error
        self.name = self._engine.url.render_as_string(hide_password=True)
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _prepare_sqlite)
            sa.event.listen(self._engine, "begin", _begin_sqlite)
        else:
            sa.event.listen(self._engine, "connect", _prepare_postgresql)
        # SQLite's read transactions are snapshots; PostgreSQL must be told.
        self._reading: dict[str, Any] = (
            {} if self._engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        )

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that sees one consistent state."""
        with (
            self._translated(),
            self._engine.connect().execution_options(**self._reading) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that is committed, durably, when the block ends, and undone when it raises.

        Raises BusyError when another process wrote the same entry or holds the database too long, StorageError when
        the disk is full or read-only, DamagedError when the database is not one.
        """
        with (
            self._translated(),
            self._engine.connect().execution_options(redraft_writing=True) as connection,
            connection.begin(),
        ):
            yield connection

    def revision(self) -> str | None:
        """The schema that the database has; None for an empty one."""
        with self.reading() as connection:
            return _revision(connection)

    def migrate(self) -> None:
        """Bring the schema to `REVISION`. Raises UsageError when a newer Redraft has made it."""
        with self.reading() as connection:
            if _revision(connection) == REVISION:
                return
        # This waits for any other process that is migrating; Alembic then finds nothing left to do.
        with self.writing() as connection:
            exclude_others(connection, "migrate")
            found = _revision(connection)
            config, known = _alembic()
            if found not in (None, *known):
                raise UsageError(
                    f"{self.name} has the schema {found!r}, newer than {REVISION!r} which this Redraft knows: "
                    "install the Redraft that made it, or choose another workspace"
                )
            from alembic import command

            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except exc.IntegrityError as error:
            raise BusyError(
                f"{self.name}: another process wrote the same entry at the same moment ({error.orig}); try again"
            ) from error
        except exc.ProgrammingError:
            # A statement that cannot run is a mistake of this room, not of the disk or the caller.
            raise
        except exc.DataError as error:
            # Whose value it is may be told; where the database stands is no business of theirs.
            raise UsageError(
                f"the database cannot keep a value ({error.orig}): texts must be without the character U+0000 and not "
                "longer than their field, numbers not larger than theirs; correct it"
            ) from error
        except exc.DatabaseError as error:
            raise self._explain(error) from error

    def _explain(self, error: exc.DatabaseError) -> RedraftError:
        code = getattr(error.orig, "sqlite_errorcode", None)
        state = getattr(error.orig, "sqlstate", None)
        # The low byte is SQLite's primary result code; the rest refines it.
        primary = None if code is None else code & 0xFF
        if primary == sqlite3.SQLITE_FULL or state == _DISK_FULL:
            return StorageError(
                f"{self.name} cannot grow, the disk is full: nothing of this change was kept; make room there, then "
                "resume"
            )
        if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return DamagedError(
                f"{self.name} is not a sound SQLite database ({error.orig}): put back a copy of it, or move it away "
                "and start a new workspace"
            )
        if state in _CONFLICTS:
            return BusyError(
                f"{self.name}: another process wrote the same rows at the same moment ({error.orig}); try again"
            )
        if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return BusyError(
                f"{self.name} was held by another process for over {_PATIENCE_SECONDS} s: let it finish or stop it, "
                "then try again"
            )
        return StorageError(
            f"{self.name} cannot be used ({error.orig}): the workspace must be a folder that this user may write, or "
            "the database server must answer; mend that, then try again"
        )


def exclude_others(connection: sa.Connection, name: str, *, shared: bool = False) -> None:
    """Let no other transaction pass its own `exclude_others(name)` before this writing one ends.

    Those that are `shared` do not exclude each other. On SQLite writers exclude each other already; on PostgreSQL this
    is for what no lock of a row can guard.
    """
    if connection.dialect.name == "postgresql":
        number = int.from_bytes(hashlib.sha256(f"redraft {name}".encode()).digest()[:8], "big", signed=True)
        lock = sa.func.pg_advisory_xact_lock_shared if shared else sa.func.pg_advisory_xact_lock
        connection.execute(sa.select(lock(sa.literal(number, sa.BigInteger))))


def _alembic() -> tuple[Any, tuple[str, ...]]:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    # Alembic reads options through ConfigParser, to which a percent sign in a path is special.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    revisions = ScriptDirectory.from_config(config).walk_revisions()
    return config, tuple(revision.revision for revision in revisions)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # Without this the driver opens transactions by its own rules, too late for BEGIN IMMEDIATE.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {_PATIENCE_SECONDS * 1000}")
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL. Of processes that switch a new file at once SQLite lets one, and does not let the others wait."""
    for left in reversed(range(_WAL_ATTEMPTS)):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or not left:
                raise
            # A transaction does wait for the lock, up to busy_timeout.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("COMMIT")


def _prepare_postgresql(connection: Any, _record: object) -> None:
    # A prepared statement keeps the plan that was right while its table was small: a scan of all of it. So each is
    # planned as it comes, and a pooler between may give every transaction another connection.
    connection.prepare_threshold = None


def _begin_sqlite(connection: sa.Connection) -> None:
    writing = connection.get_execution_options().get("redraft_writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
