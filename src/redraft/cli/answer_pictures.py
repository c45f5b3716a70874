"""Picture files as `redraft feedback` needs them: from a file of answers to a folder, and back. Decodes no picture."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from redraft.core.errors import StorageError, UsageError

SHOWN = 10
"""Missing pictures that are named; all of them are counted."""
_SUFFIXES = {
    b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"RIFF": ".webp", b"GIF8": ".gif", b"II*\0": ".tiff",
    b"MM\0*": ".tiff",
}  # fmt: skip


def keeper(folder: Path, *, relative_to: Path) -> Callable[[bytes], str]:
    """Saves pictures in `folder` under their content's hash; their names are paths from `relative_to`."""

    def keep(data: bytes) -> str:
        suffix = next((suffix for mark, suffix in _SUFFIXES.items() if data.startswith(mark)), ".bin")
        path = folder / f"{hashlib.sha256(data).hexdigest()}{suffix}"
        if not path.exists():
            try:
                folder.mkdir(parents=True, exist_ok=True)
                partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
                partial.write_bytes(data)
                os.replace(partial, path)
            except OSError as error:
                raise StorageError(
                    f"{str(path)!r} cannot be written ({error.strerror}): give another folder"
                ) from error
        return Path(os.path.relpath(path, relative_to)).as_posix()

    return keep


class PictureFolder:
    """Reads pictures by name from a folder, and from nowhere else; counts those that are not there.

    A name that is no path within the folder stands for the file of its last part, unless others among `names` (every
    name that will be asked for) stand for it too: then nobody knows whose it is. Raises UsageError for no folder.
    """

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        if not folder.is_dir():
            raise UsageError(f"{str(folder)!r} is no folder: give the folder of the pictures")
        self.missing = 0
        self.first_missing: list[str] = []
        self._root = folder.resolve()
        owners: dict[Path, str] = {}
        self._shared: set[Path] = set()
        for name in names:
            path, _ = self._place(name)
            # Only a file that lies in the folder itself can be meant by its last part.
            if path is not None and path.parent == self._root:
                owner = owners.setdefault(path, os.path.normpath(name))
                if owner != os.path.normpath(name):
                    self._shared.add(path)

    def read(self, name: str) -> bytes | None:
        """The bytes of a picture, None when it is missing or empty. Raises StorageError for what cannot be read."""
        path, exact = self._place(name)
        if path is None:
            self._note(f"{name} is not there")
            return None
        if not exact and path in self._shared:
            self._note(f"{name} is not there, and {path.name} may be of others of that name")
            return None
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StorageError(f"{str(path)!r} cannot be read ({error.strerror}): make it readable") from error
        if not data:
            self._note(f"{name} is an empty file")
        return data or None

    def _note(self, message: str) -> None:
        self.missing += 1
        if len(self.first_missing) < SHOWN and message not in self.first_missing:
            self.first_missing.append(message)

    def _place(self, name: str) -> tuple[Path | None, bool]:
        """The file that a name stands for, and whether it is the very path."""
        exact = (self._root / name).resolve()
        if exact.is_relative_to(self._root) and os.path.isfile(exact):
            return exact, True
        last = (self._root / Path(name).name).resolve()
        return (last if last.is_relative_to(self._root) and os.path.isfile(last) else None), False
