"""Checkpoints by content: weights in a file, lineage in a row, one hash over both. Not their meaning: bytes only."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any, Literal, cast

import sqlalchemy as sa

from redraft.core.errors import DamagedError, UsageError
from redraft.core.records import Checkpoint, Lineage
from redraft.store.blobs import BLOBS, Blobs
from redraft.store.lookup import not_here
from redraft.store.schema import CheckpointRow
from redraft.store.transactions import Database, exclude_others

Kind = Literal["lora", "full", "head", "tokens"]

SUFFIX = ".safetensors"

_WAY_OUT = "put back a copy of the file, use another checkpoint (`redraft models list`), or train it again"


class Checkpoints:
    """The checkpoints of a workspace. They are added, never changed."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    def put(self, weights: bytes, *, kind: Kind, lineage: Lineage, at: float) -> Checkpoint:
        """Keep weights (the bytes of a safetensors file) with their lineage; durable when it returns.

        The same weights with the same lineage are the same checkpoint: putting them twice changes nothing.
        Raises StorageError when the disk is full, with the size needed; then no trace of it is left.
        """
        described = _canonical(lineage)
        id = _identify(weights, kind=kind, lineage=described)
        self._blobs.write(id, SUFFIX, weights)
        with self._database.writing() as connection:
            exclude_others(connection, BLOBS, shared=True)
            if connection.scalar(sa.select(CheckpointRow.id).where(CheckpointRow.id == id)) is None:
                values = {"base": lineage.base, "run": lineage.run, "lineage": described}
                connection.execute(
                    sa.insert(CheckpointRow).values(id=id, kind=kind, bytes=len(weights), created_at=at, **values)
                )
        # A garbage collection may have run between file and row; now that the row is there it keeps the file.
        self._blobs.ensure(id, SUFFIX, weights)
        return Checkpoint(id=id, kind=kind, lineage=lineage, bytes=len(weights))

    def get(self, name: str) -> Checkpoint:
        """The record of a checkpoint, by its id or the beginning of it (at least 4 digits).

        Raises UnknownNameError when there is none, UsageError when several begin so.
        """
        with self._database.reading() as connection:
            query = sa.select(CheckpointRow.__table__).where(CheckpointRow.id.startswith(name, autoescape=True))
            rows = connection.execute(query.limit(2)).all() if len(name) >= 4 else []
            if not rows:
                newest = sa.select(CheckpointRow.id).order_by(CheckpointRow.created_at.desc()).limit(20)
                raise not_here("checkpoint", name, (id[:12] for id in connection.scalars(newest)))
        if len(rows) > 1:
            raise UsageError(
                f"checkpoint {name!r} is ambiguous: {rows[0].id} and {rows[1].id} both begin so; give more digits"
            )
        return _record(rows[0])

    def read(self, id: str) -> bytes:
        """The weights of a checkpoint, verified against its hash.

        Raises UnknownNameError for an unknown id, DamagedError when the bytes or the lineage were changed or lost.
        """
        checkpoint = self.get(id)
        weights = self._blobs.read(checkpoint.id, SUFFIX, what="checkpoint", way_out=_WAY_OUT)
        found = _identify(weights, kind=checkpoint.kind, lineage=_canonical(checkpoint.lineage))
        if found != checkpoint.id:
            raise DamagedError(
                f"checkpoint {checkpoint.id}: its file {self._blobs.path(checkpoint.id, SUFFIX)} is damaged "
                f"({len(weights):,} bytes, {checkpoint.bytes:,} were written; the SHA-256 of weights and lineage must "
                f"be its name, but is {found}): {_WAY_OUT}"
            )
        return weights

    def list(self, *, base: str | None = None) -> tuple[Checkpoint, ...]:
        """All checkpoints (of a base model), the oldest first."""
        query = sa.select(CheckpointRow.__table__).order_by(CheckpointRow.created_at, CheckpointRow.id)
        if base is not None:
            query = query.where(CheckpointRow.base == base)
        with self._database.reading() as connection:
            return tuple(_record(row) for row in connection.execute(query))


def _canonical(lineage: Lineage) -> str:
    return json.dumps(asdict(lineage), sort_keys=True, separators=(",", ":"))


def _identify(weights: bytes, *, kind: str, lineage: str) -> str:
    # JSON text holds no line break, so the last one parts weights from lineage: no two inputs give the same bytes.
    digest = hashlib.sha256(weights)
    digest.update(f"\n[{json.dumps(kind)},{lineage}]".encode())
    return digest.hexdigest()


def _record(row: sa.Row[Any]) -> Checkpoint:
    try:
        values = json.loads(row.lineage)
        lineage = Lineage(**{**values, "reward_fingerprints": tuple(values["reward_fingerprints"])})
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(
            f"checkpoint {row.id}: its lineage in the database is damaged ({error}): put back a copy of the database, "
            "or use another checkpoint (`redraft models list`)"
        ) from error
    return Checkpoint(id=row.id, kind=cast(Kind, row.kind), lineage=lineage, bytes=row.bytes)
