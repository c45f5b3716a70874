"""Durable files: write to a temporary name, fsync, rename, fsync the folder. Knows nothing of what the bytes mean.

A reader sees the old content or the new one, never a part; a process killed while writing leaves at most a hidden
`.partial` file, which `Workspace.gc` removes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from redraft.core.errors import BusyError, StorageError

PARTIAL_SUFFIX = ".partial"

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_numbers = itertools.count()


def write_file(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that it is on the disk when this returns; makes missing folders.

    Raises StorageError when the disk is full, read-only or gone; then `path` is as it was before.
    """
    write_files({path: data})


def write_files(files: Mapping[Path, bytes]) -> None:
    """The same for several: all are on the disk when this returns, and each folder was synced once.

    Raises StorageError about the first that cannot be written; then all are as they were before, or, should the disk
    fail later than that, some are new.
    """
    # Not in threads: these wake up after each sync, and on a machine with few cores take them from who paints there.
    temporary = {path: _temporary(path) for path in files}
    try:
        for path, data in files.items():
            with translate_os_errors(path, needed=len(data)):
                _make_folder(path.parent)
                temporary[path].write_bytes(data)
        # Synced when all are written: the disk is at work on all of them by then.
        for path, data in files.items():
            with translate_os_errors(path, needed=len(data)):
                _sync(temporary[path], os.O_RDONLY)
        for path in files:
            with translate_os_errors(path, needed=0):
                os.replace(temporary[path], path)
    except BaseException:
        for path in temporary.values():
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        raise
    for folder in dict.fromkeys(path.parent for path in files):
        with translate_os_errors(folder, needed=0):
            sync_folder(folder)


def lock(file: BinaryIO, path: Path) -> None:
    """Keep an open file for this process until it is closed. Raises BusyError when another one has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BusyError(
            f"{path} is being written by another process: two runs never share a file; wait for it, or give another "
            "--output"
        ) from error


def _temporary(path: Path) -> Path:
    # Process and counter make the name unique on this machine, the host name on a folder shared by machines.
    return path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}{PARTIAL_SUFFIX}")


def make_folder(path: Path) -> None:
    """Make `path` and its missing parents, durably. Raises StorageError."""
    with translate_os_errors(path, needed=0):
        _make_folder(path)


@contextlib.contextmanager
def translate_os_errors(path: Path, *, needed: int) -> Iterator[None]:
    """Turn an OSError inside the block into a StorageError about `path`, which needed `needed` more bytes."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageError(
                f"{path} needs {needed:,} bytes, but the disk or its quota is full ({_free(path)} free): nothing was "
                "written; make room there (old runs may be removed) or use a workspace on another disk, then resume"
            ) from error
        raise StorageError(
            f"{path} cannot be written or read ({error.strerror or error}): the workspace must be a folder that this "
            "user may read and write; mend its rights or choose another workspace"
        ) from error


def _make_folder(path: Path) -> None:
    missing = list(itertools.takewhile(lambda folder: not folder.is_dir(), (path, *path.parents)))
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make what was renamed into `folder` durable."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _free(path: Path) -> str:
    for folder in path.parents:
        with contextlib.suppress(OSError):
            return f"{shutil.disk_usage(folder).free:,} bytes"
    return "an unknown number of bytes"
