"""The tables of checkpoints, runs and leases, as SQLAlchemy declares them. Not the place for queries.

Those of the studio stand in `schema_people`, `schema_pictures`, `schema_feedback` and `schema_work`. Times are seconds
since 1970 (UTC) and come from the caller. `ledger` and `aliases` are append-only: triggers made by the migration refuse
UPDATE and DELETE. A change here needs a new revision in `migrations/versions`; a test compares.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Integer, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

REVISION = "0003"
"""The newest migration. A workspace that already has it is opened without loading Alembic."""

NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""A growing row number: 64 bits on every database."""


class Row(DeclarativeBase):
    """Base of the tables; constraint names are fixed, so that migrations can name them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class CheckpointRow(Row):
    """A checkpoint whose weights lie in `checkpoints/`. `lineage` is canonical JSON: it is part of the hash."""

    __tablename__ = "checkpoints"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    base: Mapped[str] = mapped_column(Text, index=True)
    run: Mapped[str] = mapped_column(Text, index=True)
    lineage: Mapped[str] = mapped_column(Text)
    bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[float] = mapped_column(Double)


class PictureRow(Row):
    """A picture whose bytes lie in `images/`."""

    __tablename__ = "pictures"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    media_type: Mapped[str] = mapped_column(String(16))
    bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[float] = mapped_column(Double)


class AliasRow(Row):
    """One entry of an alias's history; the last one counts. Checkpoint NULL is the base model as it was delivered.

    `below` links champion entries to a stack: the number of the entry that a rollback returns to, NULL at the bottom.
    """

    __tablename__ = "aliases"
    __table_args__ = (UniqueConstraint("base", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    base: Mapped[str] = mapped_column(Text)
    number: Mapped[int]
    alias: Mapped[str] = mapped_column(String(16))
    checkpoint: Mapped[str | None] = mapped_column(ForeignKey("checkpoints.id"))
    below: Mapped[int | None]
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[float] = mapped_column(Double)


class RunRow(Row):
    """A run: its resolved configuration and how it stands. `result` is JSON text, empty while there is none."""

    __tablename__ = "runs"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    kind: Mapped[str] = mapped_column(Text)
    config: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(16))
    result: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Double)
    changed_at: Mapped[float] = mapped_column(Double)


class LedgerRow(Row):
    """A stage of a run that started or finished, with the hashes that went in and came out."""

    __tablename__ = "ledger"
    __table_args__ = (UniqueConstraint("run", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run: Mapped[str] = mapped_column(ForeignKey("runs.name"))
    number: Mapped[int]
    stage: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(16))
    inputs: Mapped[dict[str, str]] = mapped_column(JSON)
    outputs: Mapped[dict[str, str]] = mapped_column(JSON)
    seed: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[float] = mapped_column(Double)


class LeaseRow(Row):
    """The one row of a lease, made by the migration. `pid` NULL: nobody holds it. `generation` grows at each change."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    generation: Mapped[int] = mapped_column(BigInteger)
    run: Mapped[str] = mapped_column(Text)
    pid: Mapped[int | None]
    host: Mapped[str] = mapped_column(Text)
    process_start: Mapped[str] = mapped_column(Text)
    acquired_at: Mapped[float] = mapped_column(Double)
    heartbeat_at: Mapped[float] = mapped_column(Double)
