"""Files that the stages of a run leave under `runs/RUN/`. Bytes by name: callers serialise them."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath

from redraft.core.errors import DamagedError, UsageError
from redraft.store.files import PARTIAL_SUFFIX, translate_os_errors, write_file
from redraft.store.runs import check_run_name

_WAY_OUT = "put back a copy of it, or start the run again from the beginning"


class StageFiles:
    """The folder `runs/`. Unlike blobs these files may be replaced: a training state keeps its name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, run: str, name: str) -> Path:
        """Where the file `name` of a run lies. Raises UsageError when the name leads out of the run's folder."""
        check_run_name(run)
        parts = PurePosixPath(name).parts
        if not parts or any(part.startswith((".", "/")) for part in parts) or "\\" in name:
            raise UsageError(
                f"{name!r} cannot be the name of a run's file: use a relative path like 'train-1/state.safetensors', "
                "without hidden or parent folders"
            )
        return self.folder / run / Path(*parts)

    def save(self, run: str, name: str, data: bytes) -> str:
        """Write or replace a file, durably and at once. Returns the SHA-256 for the ledger. Raises StorageError."""
        write_file(self.path(run, name), data)
        return hashlib.sha256(data).hexdigest()

    def load(self, run: str, name: str, *, expected: str | None = None) -> bytes:
        """Read a file; verify its SHA-256 where `expected` is given. Raises DamagedError when it differs or is gone."""
        path = self.path(run, name)
        with translate_os_errors(path, needed=0):
            try:
                data = path.read_bytes()
            except FileNotFoundError as error:
                raise DamagedError(f"run {run!r}: its file {path} is gone; {_WAY_OUT}") from error
        found = hashlib.sha256(data).hexdigest()
        if expected not in (None, found):
            raise DamagedError(
                f"run {run!r}: its file {path} is damaged ({len(data):,} bytes; their SHA-256 must be {expected}, but "
                f"is {found}): {_WAY_OUT}"
            )
        return data

    def names(self, run: str) -> tuple[str, ...]:
        """The names of all files of a run, sorted; empty when there are none."""
        check_run_name(run)
        files = (path for path in (self.folder / run).rglob("*") if path.is_file())
        whole = (path for path in files if not path.name.endswith(PARTIAL_SUFFIX))
        return tuple(sorted(path.relative_to(self.folder / run).as_posix() for path in whole))

    def remove(self, run: str, name: str) -> None:
        """Remove a file; does nothing when it is not there. Raises StorageError."""
        path = self.path(run, name)
        with translate_os_errors(path, needed=0):
            path.unlink(missing_ok=True)
