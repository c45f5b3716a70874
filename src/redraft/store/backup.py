"""Backup of a workspace into one file: the database as SQLite copies it, and every file. Reads no clock.

The file is a plain tar archive: the files, then `redraft.db`, then `redraft.json` with the hash of each. It may be made
while everything runs. Rows never refer to pictures that the archive lacks: the database is copied again until all its
files are there. Nothing half-written ever has the name that was asked for.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from redraft.core.errors import DamagedError, StorageError, UsageError
from redraft.store.files import PARTIAL_SUFFIX, make_folder, sync_folder, translate_os_errors

DATABASE, MANIFEST = "redraft.db", "redraft.json"
FOLDERS = ("images", "checkpoints", "runs", "secrets")
FORMAT = 1
_BLOBS = (("images", "pictures"), ("checkpoints", "checkpoints"))
"""Folders of blobs, and the tables that have a row for each of their files."""
_COPIES = 5


@dataclass(frozen=True, kw_only=True)
class Backup:
    """What an archive holds. files: without the database; bytes: with it. missing: hashes whose file was on no disk."""

    made_at: float
    revision: str
    files: int
    bytes: int
    missing: tuple[str, ...] = ()


def back_up(folder: Path, path: Path, *, at: float) -> Backup:
    """Write the workspace in `folder`, whose rows are in its redraft.db, to a new file `path`.

    Raises UsageError when `path` exists or there is no workspace, DamagedError when the database is not sound,
    StorageError when the disk is full; then there is no such file.
    """
    if not (folder / DATABASE).is_file():
        raise UsageError(f"{str(folder)!r} holds no {DATABASE}: name the folder of a workspace with --workspace")
    _check_free(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL_SUFFIX}")
    with translate_os_errors(path, needed=0):
        make_folder(path.absolute().parent)
        try:
            # Password hashes and signing keys are in it: for its owner's eyes only.
            with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
                    made = _fill(archive, folder, beside=path.absolute().parent, at=at)
                file.flush()
                os.fsync(file.fileno())
            _check_free(path)
            os.rename(partial, path)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(path.absolute().parent)
    return made


def copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite database that may be in use, as one consistent state, and check the copy.

    Raises DamagedError when it is not sound, StorageError when the disk is full.
    """
    with _sqlite_errors(source):
        with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(target)) as writing:
            reading.backup(writing)
        check_database(target)


def check_database(path: Path) -> None:
    """Raises DamagedError unless `path` is a sound SQLite database."""
    with _sqlite_errors(path), closing(sqlite3.connect(path)) as connection:
        found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(5)")]
        if found != ["ok"]:
            raise DamagedError(f"{path} is not sound ({'; '.join(found)}): put back an earlier backup")


def _fill(archive: tarfile.TarFile, folder: Path, *, beside: Path, at: float) -> Backup:
    """Files first and the database last, copied again until the archive has every file that it names."""
    done: dict[str, tuple[int, str]] = {}
    missing: list[str] = []
    with tempfile.TemporaryDirectory(prefix=".redraft-backup-", dir=beside) as temporary:
        copy = Path(temporary) / DATABASE
        for _ in range(_COPIES):
            before, missing = missing, []
            copy_database(folder / DATABASE, copy)
            _add_files(archive, folder, done)
            there = {Path(name).stem for name in done}
            missing = [hash for hash in _named(copy) if hash not in there]
            # What is missing was erased after the copy, and the next one does not name it; or it is gone for good.
            if not missing or missing == before:
                break
        (size, digest), revision = _add(archive, DATABASE, copy), _revision(copy)
    made = Backup(
        made_at=at, revision=revision, files=len(done), bytes=size + sum(size for size, _ in done.values()),
        missing=tuple(missing),
    )  # fmt: skip
    hashes = {name: hash for name, (_, hash) in done.items()} | {DATABASE: digest}
    text = json.dumps({"format": FORMAT, **vars(made), "hashes": hashes}).encode()
    facts = tarfile.TarInfo(MANIFEST)
    facts.size, facts.mode = len(text), 0o600
    archive.addfile(facts, io.BytesIO(text))
    return made


def _add_files(archive: tarfile.TarFile, folder: Path, done: dict[str, tuple[int, str]]) -> None:
    for part in FOLDERS:
        for path in sorted((folder / part).rglob("*")):
            name = path.relative_to(folder).as_posix()
            if name in done or path.is_symlink() or not path.is_file() or path.name.endswith(PARTIAL_SUFFIX):
                continue
            try:
                done[name] = _add(archive, name, path)
            except FileNotFoundError:
                # Erased since the folder was read.
                continue


def _add(archive: tarfile.TarFile, name: str, path: Path) -> tuple[int, str]:
    """Add a file under a name; returns size and SHA-256. One that grows meanwhile is taken as it was at the start."""
    with path.open("rb") as file:
        facts = tarfile.TarInfo(name)
        status = os.fstat(file.fileno())
        facts.size, facts.mtime, facts.mode = status.st_size, status.st_mtime, status.st_mode & 0o777
        hashing = _Hashing(file)
        archive.addfile(facts, hashing)
    return facts.size, hashing.digest.hexdigest()


class _Hashing:
    """A file that is hashed as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _named(database: Path) -> list[str]:
    """The hashes of the blobs that a database has rows for, sorted."""
    with closing(sqlite3.connect(database)) as connection:
        return sorted(str(row[0]) for _, table in _BLOBS for row in connection.execute(f"SELECT id FROM {table}"))


def _revision(database: Path) -> str:
    with closing(sqlite3.connect(database)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def _check_free(path: Path) -> None:
    if path.exists():
        raise UsageError(f"{str(path)!r} exists already: choose another name, or move it away; nothing was overwritten")


@contextmanager
def _sqlite_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            raise StorageError(f"the copy of {path} does not fit on the disk: make room, then try again") from error
        raise DamagedError(f"{path} cannot be copied ({error}): put back an earlier backup") from error
