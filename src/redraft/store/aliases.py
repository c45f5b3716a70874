"""Aliases: which checkpoint of a base model is champion, challenger, previous. Append-only; decides nothing."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa

from redraft.core.errors import BusyError, UsageError, unknown_name
from redraft.core.records import Live
from redraft.store.lookup import not_here
from redraft.store.schema import AliasRow, CheckpointRow
from redraft.store.transactions import Database

Alias = Literal["champion", "challenger", "previous"]

ALIASES: tuple[Alias, ...] = ("champion", "challenger", "previous")


class Aliases:
    """The aliases of a workspace. The empty checkpoint "" is the base model as it was delivered."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def current(self, base: str, alias: Alias = "champion") -> Live | None:
        """Where the alias points now, or None when it was never moved (then the base model itself is served).

        None too for a challenger that was taken back: one that was moved to the base itself.
        """
        _check_alias(alias)
        with self._database.reading() as connection:
            row = _last(connection, base, alias)
        return None if row is None or (alias == "challenger" and row.checkpoint is None) else _record(row)

    def list(self) -> tuple[Live, ...]:
        """The present entry of every alias of every base, by base and alias."""
        latest = sa.select(sa.func.max(AliasRow.id)).group_by(AliasRow.base, AliasRow.alias)
        taken_back = sa.and_(AliasRow.alias == "challenger", AliasRow.checkpoint.is_(None))
        query = sa.select(AliasRow.__table__).where(AliasRow.id.in_(latest), ~taken_back)
        query = query.order_by(AliasRow.base, AliasRow.alias)
        with self._database.reading() as connection:
            return tuple(_record(row) for row in connection.execute(query))

    def history(self, base: str) -> tuple[Live, ...]:
        """Every entry of a base's aliases, the oldest first."""
        query = sa.select(AliasRow.__table__).where(AliasRow.base == base).order_by(AliasRow.number)
        with self._database.reading() as connection:
            return tuple(_record(row) for row in connection.execute(query))

    def move(
        self,
        base: str,
        checkpoint: str,
        *,
        alias: Alias = "champion",
        reason: str,
        at: float,
        expected: str | None = None,
    ) -> Live:
        """Point an alias at a checkpoint ("" is the base itself). Moving the champion enters the old one as `previous`.

        One transaction. An alias that points there already stays as it is, so a repeated move does no harm.
        Raises BusyError when `expected` is given and the alias points elsewhere, UnknownNameError for a checkpoint
        that is not there, UsageError for one of another base and for the alias `previous`, which only follows.
        """
        if alias == "previous":
            raise UsageError("the alias 'previous' follows the champion: move 'champion' or use rollback")
        _check_alias(alias)
        with self._database.writing() as connection:
            _check_checkpoint(connection, base, checkpoint)
            row = _last(connection, base, alias)
            now = "" if row is None else row.checkpoint or ""
            if row is not None and now == checkpoint:
                return _record(row)
            if expected is not None and now != expected:
                raise BusyError(
                    f"{alias} of {base!r} is {_show(now)}, but the move was decided against {_show(expected)}: another "
                    "process moved it meanwhile; examine against the present one and decide again"
                )
            live = Live(alias=alias, base=base, checkpoint=checkpoint, reason=reason, at=at)
            number = _append(connection, live, below=None if row is None or alias != "champion" else row.number)
            if alias == "champion":
                old = Live(alias="previous", base=base, checkpoint=now, reason=f"champion before {number}", at=at)
                _append(connection, old, below=None)
        return live

    def rollback(self, base: str, *, reason: str, at: float) -> Live:
        """Return the champion to the one before it, further back each time, down to the base itself. One transaction.

        Raises UsageError when there is nothing to return to.
        """
        with self._database.writing() as connection:
            row = _last(connection, base, "champion")
            if row is None or (row.checkpoint is None and row.below is None):
                raise UsageError(
                    f"the champion of {base!r} is the base model itself: there is nothing to roll back to; see "
                    "`redraft models list`"
                )
            target = _numbered(connection, base, row.below)
            checkpoint, below = ("", None) if target is None else (target.checkpoint or "", target.below)
            live = Live(alias="champion", base=base, checkpoint=checkpoint, reason=reason, at=at)
            number = _append(connection, live, below=below)
            beneath = _numbered(connection, base, below)
            earlier = "" if beneath is None else beneath.checkpoint or ""
            old = Live(alias="previous", base=base, checkpoint=earlier, reason=f"champion before {number}", at=at)
            _append(connection, old, below=None)
        return live


def _check_alias(alias: str) -> None:
    if alias not in ALIASES:
        raise unknown_name("alias", alias, ALIASES)


def _check_checkpoint(connection: sa.Connection, base: str, checkpoint: str) -> None:
    if not checkpoint:
        return
    found = connection.scalar(sa.select(CheckpointRow.base).where(CheckpointRow.id == checkpoint))
    if found is None:
        raise not_here("checkpoint", checkpoint, connection.scalars(sa.select(CheckpointRow.id).limit(20)))
    if found != base:
        raise UsageError(
            f"checkpoint {_show(checkpoint)} was trained from {found!r}: it cannot serve for {base!r}; choose one of "
            "that base"
        )


def _last(connection: sa.Connection, base: str, alias: str) -> sa.Row[Any] | None:
    chosen = sa.select(AliasRow.__table__).where(AliasRow.base == base, AliasRow.alias == alias)
    return connection.execute(chosen.order_by(AliasRow.number.desc()).limit(1)).one_or_none()


def _numbered(connection: sa.Connection, base: str, number: int | None) -> sa.Row[Any] | None:
    chosen = sa.select(AliasRow.__table__).where(AliasRow.base == base, AliasRow.number == number)
    return connection.execute(chosen).one_or_none()


def _append(connection: sa.Connection, live: Live, *, below: int | None) -> int:
    last = connection.scalar(sa.select(sa.func.max(AliasRow.number)).where(AliasRow.base == live.base)) or 0
    values = {**vars(live), "checkpoint": live.checkpoint or None, "number": last + 1, "below": below}
    connection.execute(sa.insert(AliasRow).values(**values))
    return last + 1


def _record(row: sa.Row[Any]) -> Live:
    return Live(alias=row.alias, base=row.base, checkpoint=row.checkpoint or "", reason=row.reason, at=row.at)


def _show(checkpoint: str) -> str:
    return checkpoint[:12] if checkpoint else "the base itself"
