"""Files by content hash: `FOLDER/ab/abcd....SUFFIX`. Knows neither rows nor what the bytes are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from redraft.core.errors import DamagedError
from redraft.store.files import translate_os_errors, write_file, write_files

BLOBS = "blobs"
"""What is excluded while rows of blobs are entered (shared), and while blobs without a row are removed."""


class Blobs:
    """A folder of immutable files; each is named by a hash that the caller has computed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, id: str, suffix: str) -> Path:
        """Where the blob lies, whether it is there or not."""
        return self.folder / id[:2] / f"{id}{suffix}"

    def write(self, id: str, suffix: str, data: bytes) -> None:
        """Keep `data`, durably. A sound copy that is already there is only marked as new; a damaged one is replaced.

        Raises StorageError.
        """
        self.write_all([(id, suffix, data)])

    def write_all(self, blobs: Iterable[tuple[str, str, bytes]]) -> None:
        """The same for several, each with its id and suffix."""
        files = {}
        for id, suffix, data in blobs:
            path = self.path(id, suffix)
            with translate_os_errors(path, needed=len(data)):
                if path.is_file() and path.read_bytes() == data:
                    os.utime(path)
                else:
                    files[path] = data
        write_files(files)

    def ensure(self, id: str, suffix: str, data: bytes) -> None:
        """Write `data` again if the file that was just written is gone."""
        if not self.path(id, suffix).is_file():
            write_file(self.path(id, suffix), data)

    def remove(self, id: str, suffix: str) -> None:
        """Remove the blob; does nothing when it is not there. Raises StorageError."""
        path = self.path(id, suffix)
        with translate_os_errors(path, needed=0):
            path.unlink(missing_ok=True)

    def read(self, id: str, suffix: str, *, what: str, way_out: str) -> bytes:
        """The bytes. Raises DamagedError when the file is not there, StorageError when it cannot be read."""
        path = self.path(id, suffix)
        with translate_os_errors(path, needed=0):
            try:
                return path.read_bytes()
            except FileNotFoundError as error:
                raise DamagedError(f"{what} {id}: its file {path} is gone; {way_out}") from error
