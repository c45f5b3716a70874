"""The runs of a workspace: name, resolved configuration, status. What their stages did is in the ledger."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, cast

import sqlalchemy as sa

from redraft.core.errors import UsageError
from redraft.store.lookup import not_here
from redraft.store.schema import RunRow
from redraft.store.transactions import Database

RunStatus = Literal["running", "finished", "failed"]

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run. `config` is the whole resolved configuration as JSON text, `result` JSON text or empty.

    A run whose process was killed is still "running": the training lease tells whether somebody works on it.
    """

    name: str
    kind: str
    config: str
    status: RunStatus
    result: str
    created_at: float
    changed_at: float


class Runs:
    """The list of runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def fresh_name(self, kind: str) -> str:
        """A name that no run has, such as `improve-0003`; take the lease with it before creating the run."""
        with self._database.reading() as connection:
            last = connection.scalar(sa.select(sa.func.max(RunRow.number))) or 0
        return f"{kind}-{last + 1:04d}"

    def create(self, name: str, *, kind: str, config: str, at: float) -> Run:
        """Enter a run as running. Raises UsageError when the name exists or cannot be a folder."""
        check_run_name(name)
        with self._database.writing() as connection:
            if connection.scalar(sa.select(RunRow.name).where(RunRow.name == name)) is not None:
                raise UsageError(f"a run {name!r} exists already: resume it, or start one with another name")
            number = (connection.scalar(sa.select(sa.func.max(RunRow.number))) or 0) + 1
            times = {"created_at": at, "changed_at": at}
            connection.execute(
                sa.insert(RunRow).values(
                    name=name, number=number, kind=kind, config=config, status="running", result="", **times
                )
            )
        return Run(name=name, kind=kind, config=config, status="running", result="", **times)

    def set_status(self, name: str, status: RunStatus, *, at: float, result: str = "") -> Run:
        """Change how a run stands; `result` (JSON text) replaces the earlier one. Raises UnknownNameError."""
        with self._database.writing() as connection:
            change = sa.update(RunRow).where(RunRow.name == name)
            connection.execute(change.values(status=status, result=result, changed_at=at))
        return self.get(name)

    def get(self, name: str) -> Run:
        """The run called `name`. Raises UnknownNameError with the nearest names."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(RunRow.__table__).where(RunRow.name == name)).one_or_none()
            if row is None:
                raise not_here("run", name, connection.scalars(sa.select(RunRow.name)))
        return _record(row)

    def list(self) -> tuple[Run, ...]:
        """All runs, the oldest first."""
        with self._database.reading() as connection:
            return tuple(
                _record(row) for row in connection.execute(sa.select(RunRow.__table__).order_by(RunRow.number))
            )

    def latest_unfinished(self, *, kind: str | None = None) -> Run | None:
        """The newest run (of a kind) that is not finished: what `--resume` without a name means."""
        query = sa.select(RunRow.__table__).where(RunRow.status != "finished").order_by(RunRow.number.desc()).limit(1)
        if kind is not None:
            query = query.where(RunRow.kind == kind)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _record(row)


def check_run_name(name: str) -> None:
    """Raise UsageError unless `name` can be the name of a run and of its folder."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a run: use up to 100 of a-z, 0-9, '.', '_' and '-', beginning with a "
            "letter or digit"
        )


def _record(row: sa.Row[Any]) -> Run:
    return Run(
        name=row.name,
        kind=row.kind,
        config=row.config,
        status=cast(RunStatus, row.status),
        result=row.result,
        created_at=row.created_at,
        changed_at=row.changed_at,
    )
