"""The append-only ledger: which stage of a run started or finished, from which hashes to which. No rules of stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import sqlalchemy as sa

from redraft.store.lookup import not_here
from redraft.store.schema import LedgerRow, RunRow
from redraft.store.transactions import Database

StageStatus = Literal["started", "finished"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the ledger. `number` counts from 1 within the run; inputs and outputs map names to hashes."""

    run: str
    number: int
    stage: str
    status: StageStatus
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    seed: int
    at: float


class Ledger:
    """The ledger of a workspace. There is no way to change or remove an entry: the database refuses it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(
        self,
        run: str,
        stage: str,
        *,
        status: StageStatus,
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
        seed: int,
        at: float,
    ) -> Entry:
        """Add an entry at the end of the run's ledger; durable when it returns. Raises UnknownNameError for a run."""
        with self._database.writing() as connection:
            if connection.scalar(sa.select(RunRow.name).where(RunRow.name == run)) is None:
                raise not_here("run", run, connection.scalars(sa.select(RunRow.name)))
            last = connection.scalar(sa.select(sa.func.max(LedgerRow.number)).where(LedgerRow.run == run)) or 0
            entry = Entry(
                run=run,
                number=last + 1,
                stage=stage,
                status=status,
                inputs=dict(inputs),
                outputs=dict(outputs),
                seed=seed,
                at=at,
            )
            connection.execute(sa.insert(LedgerRow).values(**vars(entry)))
        return entry

    def entries(self, run: str) -> tuple[Entry, ...]:
        """All entries of a run in the order they were made; empty for a run that has none."""
        query = sa.select(LedgerRow.__table__).where(LedgerRow.run == run).order_by(LedgerRow.number)
        with self._database.reading() as connection:
            return tuple(_record(row) for row in connection.execute(query))

    def last_finished(self, run: str, *, stage: str | None = None) -> Entry | None:
        """The newest entry with status finished (of one stage), or None."""
        finished = (entry for entry in reversed(self.entries(run)) if entry.status == "finished")
        return next((entry for entry in finished if stage in (None, entry.stage)), None)


def _record(row: sa.Row[Any]) -> Entry:
    return Entry(
        run=row.run,
        number=row.number,
        stage=row.stage,
        status=cast(StageStatus, row.status),
        inputs=row.inputs,
        outputs=row.outputs,
        seed=row.seed,
        at=row.at,
    )
