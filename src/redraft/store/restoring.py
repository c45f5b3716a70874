"""From a backup to a workspace again: everything is checked before anything has its place. Makes no backup."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from redraft.core.errors import DamagedError, UsageError
from redraft.store.backup import DATABASE, FOLDERS, FORMAT, MANIFEST, Backup, check_database
from redraft.store.files import PARTIAL_SUFFIX, make_folder, sync_folder, translate_os_errors

_CHUNK = 1 << 20


def restore(path: Path, folder: Path) -> Backup:
    """Unpack the archive `path` into `folder`, which must not be there yet or be empty.

    Raises UsageError when `folder` is in use or `path` is no backup, DamagedError for one that is cut short or changed,
    StorageError when the disk is full; then `folder` is as it was.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(
            f"{str(folder)!r} is not empty: stop what uses it and move it away, or restore into another folder"
        )
    parent = folder.absolute().parent
    with translate_os_errors(folder, needed=0):
        make_folder(parent)
        unpacked = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=PARTIAL_SUFFIX, dir=parent))
        try:
            with _opened(path) as archive:
                found = _unpack(archive, unpacked, path)
            check_database(unpacked / DATABASE)
            unpacked.chmod(0o755)
            # Thousands of files: one call for all of them.
            os.sync()
            # Over an empty folder this is one step; over one that was filled meanwhile it fails.
            os.rename(unpacked, folder)
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)
        sync_folder(parent)
    return Backup(
        made_at=found["made_at"], revision=found["revision"], files=found["files"], bytes=found["bytes"],
        missing=tuple(found["missing"]),
    )  # fmt: skip


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, mode="r:") as archive:
            yield archive
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {str(path)!r}: name one that `redraft backup` wrote") from error
    except tarfile.ReadError as error:
        raise DamagedError(
            f"{str(path)!r} is no backup, or was cut short ({error}): take another one; nothing was restored"
        ) from error


def _unpack(archive: tarfile.TarFile, folder: Path, path: Path) -> dict[str, Any]:
    """Write every file of the archive; returns its manifest, with which all hashes agree."""
    hashes: dict[str, str] = {}
    manifest: dict[str, Any] | None = None
    for member in archive:
        file = archive.extractfile(member) if member.isreg() else None
        if file is None or not _may_be(member.name):
            raise DamagedError(f"{str(path)!r} holds {member.name!r}, which no backup does: nothing was restored")
        if member.name == MANIFEST:
            manifest = _manifest(file.read(), path)
        else:
            hashes[member.name] = _write(file, folder / member.name, secret=member.name.startswith("secrets/"))
    if manifest is None:
        raise DamagedError(f"{str(path)!r} has no end, it was cut short: take another backup; nothing was restored")
    wrong = sorted(
        name for name in hashes.keys() | manifest["hashes"] if hashes.get(name) != manifest["hashes"].get(name)
    )
    if wrong or DATABASE not in hashes:
        raise DamagedError(
            f"{str(path)!r} is damaged: {', '.join(wrong[:3]) or DATABASE} is not as it was backed up "
            f"({len(wrong)} such files); take another backup; nothing was restored"
        )
    return manifest


def _may_be(name: str) -> bool:
    """Whether a backup may hold a file of this name: nothing that leads out of the workspace."""
    parts = PurePosixPath(name).parts
    if name in (DATABASE, MANIFEST):
        return True
    plain = PurePosixPath(name).as_posix() == name and "\\" not in name and "\0" not in name
    return plain and len(parts) > 1 and parts[0] in FOLDERS and not any(part in ("..", ".") for part in parts)


def _manifest(data: bytes, path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(data)
        if found["format"] != FORMAT:
            raise UsageError(
                f"{str(path)!r} has the format {found['format']!r}, and this Redraft reads {FORMAT}: restore with the "
                "Redraft that made it"
            )
        # All that is used later, so that a damaged manifest is told here.
        Backup(**{name: found[name] for name in Backup.__dataclass_fields__})
        dict(found["hashes"])
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{str(path)!r}: its {MANIFEST} is damaged ({error!r}); nothing was restored") from error
    return found


def _write(file: IO[bytes], path: Path, *, secret: bool) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    if secret:
        path.parent.chmod(0o700)
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o644)
    with open(descriptor, "wb") as written:
        while data := file.read(_CHUNK):
            digest.update(data)
            written.write(data)
    return digest.hexdigest()
