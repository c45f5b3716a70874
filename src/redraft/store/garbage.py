"""Garbage collection: files that no row knows. Never removes a row, so no checkpoint and no picture that has one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from redraft.store.blobs import BLOBS
from redraft.store.files import PARTIAL_SUFFIX, translate_os_errors
from redraft.store.schema import CheckpointRow, PictureRow
from redraft.store.transactions import Database, exclude_others

_BLOB = re.compile(r"[0-9a-f]{64}\.[a-z]+")


@dataclass(frozen=True, kw_only=True)
class Garbage:
    """What a collection removed, or would: paths and their bytes in all."""

    files: tuple[Path, ...]
    bytes: int


def collect(
    database: Database, *, checkpoints: Path, pictures: Path, runs: Path, before: float, remove: bool = True
) -> Garbage:
    """Remove blobs without a row and half-written files, if they were last written before the time `before`.

    With `remove` False they are only found. `before` spares what other processes are writing now: a time an hour ago is
    safe. Raises StorageError.
    """
    # Inside a writing transaction no row can appear between the look and the removal.
    with database.writing() as connection:
        exclude_others(connection, BLOBS)
        kept = set(connection.scalars(sa.select(CheckpointRow.id))) | set(connection.scalars(sa.select(PictureRow.id)))
        blobs = [path for folder in (checkpoints, pictures) for path in _old(folder, before)]
        found = [path for path in (*blobs, *_old(runs, before)) if path.name.endswith(PARTIAL_SUFFIX)]
        # Only what has the name of a blob: another file here is somebody's own.
        found += [path for path in blobs if _BLOB.fullmatch(path.name) and path.stem not in kept]
        size = sum(_remove(path) if remove else path.stat().st_size for path in found)
    return Garbage(files=tuple(found), bytes=size)


def _old(folder: Path, before: float) -> list[Path]:
    with translate_os_errors(folder, needed=0):
        return sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_mtime < before)


def _remove(path: Path) -> int:
    with translate_os_errors(path, needed=0):
        size = path.stat().st_size
        path.unlink()
        return size
