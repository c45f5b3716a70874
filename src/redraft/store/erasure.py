"""Erasing a person, or single paintings: rows, embeddings, files, and a receipt that names what had learned from them.

What training reads are the tables themselves, so that the next training set is without an erased person. The weights
of models that learned from them before stay: the receipt names those models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from redraft.core.errors import UnknownNameError
from redraft.store.blobs import BLOBS, Blobs
from redraft.store.person_locks import hold_people
from redraft.store.pictures import SUFFIXES
from redraft.store.removal import remove_paintings, remove_person, unused_pictures
from redraft.store.schema import CheckpointRow, PictureRow
from redraft.store.schema_feedback import TrainingPersonRow
from redraft.store.schema_people import ErasureRow, UserRow
from redraft.store.schema_pictures import GalleryRow
from redraft.store.transactions import Database, exclude_others
from redraft.store.upsert import chunks


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What an erasure removed: rows by table (`pictures` are files), and the runs and checkpoints that had learned."""

    id: str
    user: str
    removed: dict[str, int]
    runs: tuple[str, ...]
    checkpoints: tuple[str, ...]
    at: float


class Erasure:
    """Removes what belongs to people. Blobs that another person's row still needs stay."""

    def __init__(self, database: Database, pictures: Blobs) -> None:
        self._database = database
        self._pictures = pictures

    def person(self, user: str, *, receipt: str, at: float) -> Receipt:
        """Erase a person and all that is theirs; `receipt` is the id of the receipt. Durable when it returns.

        Studies they began and audit entries stay without them: the first are answers of others, the second hold ids
        only. Erasing again returns the first receipt. Raises UnknownNameError for who never had an account.
        """
        with self._database.writing() as connection:
            exclude_others(connection, BLOBS)
            hold_people(connection, [user])
            if connection.scalar(sa.select(UserRow.id).where(UserRow.id == user)) is None:
                return self._finished(connection, user)
            runs = tuple(connection.scalars(_runs(user)))
            checkpoints = tuple(connection.scalars(_checkpoints(runs)))
            mine = sa.select(GalleryRow.id).where(GalleryRow.owner == user)
            hashes = list(connection.scalars(sa.select(GalleryRow.picture).where(GalleryRow.owner == user).distinct()))
            removed = remove_paintings(connection, mine)
            for table, count in remove_person(connection, user).items():
                removed[table] = removed.get(table, 0) + count
            gone = _remove_rows(connection, hashes)
            removed["pictures"] = len(gone)
            done = Receipt(id=receipt, user=user, removed=removed, runs=runs, checkpoints=checkpoints, at=at)
            values = {**vars(done), "runs": list(runs), "checkpoints": list(checkpoints)}
            connection.execute(sa.insert(ErasureRow).values(**values))
        self._remove_files(gone)
        return done

    def paintings(self, ids: Sequence[str], *, owner: str) -> int:
        """Erase paintings of a person, with their embeddings, files and reports. Returns how many there were.

        Those of others are left alone, as if they did not exist.
        """
        mine = sa.select(GalleryRow.id).where(GalleryRow.id.in_(ids), GalleryRow.owner == owner)
        with self._database.writing() as connection:
            exclude_others(connection, BLOBS)
            hashes = set(connection.scalars(sa.select(GalleryRow.picture).where(GalleryRow.id.in_(mine))))
            removed = remove_paintings(connection, mine)
            gone = _remove_rows(connection, sorted(hashes))
        self._remove_files(gone)
        return removed["gallery"]

    def receipts(self) -> tuple[Receipt, ...]:
        """All receipts, the oldest first."""
        query = sa.select(ErasureRow.__table__).order_by(ErasureRow.at, ErasureRow.id)
        with self._database.reading() as connection:
            return tuple(_receipt(row) for row in connection.execute(query))

    def _finished(self, connection: sa.Connection, user: str) -> Receipt:
        row = connection.execute(sa.select(ErasureRow.__table__).where(ErasureRow.user == user)).one_or_none()
        if row is None:
            raise UnknownNameError(f"user {user!r} has no account here, and none was erased: there is nothing to erase")
        return _receipt(row)

    def _remove_files(self, gone: dict[str, str]) -> None:
        # The same picture may have been put again since: its row, which cannot appear now, says so. What a crash
        # leaves here is collected with the garbage.
        with self._database.writing() as connection:
            exclude_others(connection, BLOBS)
            for part in chunks(list(gone)):
                back = set(connection.scalars(sa.select(PictureRow.id).where(PictureRow.id.in_(part))))
                for id in part:
                    if id not in back:
                        self._pictures.remove(id, SUFFIXES[gone[id]])


def _runs(user: str) -> sa.Select[Any]:
    return sa.select(TrainingPersonRow.run).where(TrainingPersonRow.user == user).order_by(TrainingPersonRow.run)


def _checkpoints(runs: Sequence[str]) -> sa.Select[Any]:
    return sa.select(CheckpointRow.id).where(CheckpointRow.run.in_(runs)).order_by(CheckpointRow.created_at)


def _remove_rows(connection: sa.Connection, hashes: Sequence[str]) -> dict[str, str]:
    """Remove the rows of pictures that nothing needs any more. Returns their media types by hash."""
    gone: dict[str, str] = {}
    for part in chunks(hashes):
        unused = unused_pictures(part)
        found = sa.select(PictureRow.id, PictureRow.media_type).where(unused)
        gone |= {row.id: row.media_type for row in connection.execute(found)}
        connection.execute(sa.delete(PictureRow).where(unused))
    return gone


def _receipt(row: sa.Row[Any]) -> Receipt:
    return Receipt(**{**row._asdict(), "runs": tuple(row.runs), "checkpoints": tuple(row.checkpoints)})
