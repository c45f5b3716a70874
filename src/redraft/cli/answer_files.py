"""Files and the workspace, as `redraft feedback` needs them: all or nothing, faults beside. Knows no picture."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from redraft.core.errors import StorageError, UsageError
from redraft.feedback.exchange import image_reward
from redraft.store.files import lock

if TYPE_CHECKING:
    from redraft.feedback.exchange.formats import Format, Reading
    from redraft.feedback.exchange.rows import Fault, Row
    from redraft.store.imports import Import
    from redraft.store.workspace import Workspace

SHOWN = 10
"""Faults that are printed; all of them are in the file beside."""
ROWS_AT_ONCE = 10_000
_IMPORTS = uuid.UUID("0b7c6f0e-7f57-5d8d-9d4f-4f5cf1f0a7d3")


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes `path` when the block ends well; otherwise nothing is left.

    Raises UsageError when `path` exists, BusyError when another process makes it, StorageError when it cannot be
    written. What a killed process left is written over.
    """
    require_new(path)
    partial = partial_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _opened_alone(partial, path):
            try:
                require_new(path)  # the one who had it until now may have ended well
                yield partial
                with open(partial, "rb+") as written:
                    os.fsync(written.fileno())
                os.replace(partial, path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise StorageError(
            f"{str(path)!r} cannot be written ({error.strerror or error}): give a file in a folder that you may write "
            "to, on a disk with room"
        ) from error


def partial_of(path: Path) -> Path:
    """What a new file is called until it is whole."""
    return path.with_name(f".{path.name}.partial")


def _opened_alone(partial: Path, path: Path) -> BinaryIO:
    """`partial`, made if need be and kept for this process. Raises BusyError when another one makes `path`."""
    while True:
        held = open(partial, "ab")  # noqa: SIM115 - returned open
        try:
            lock(held, path)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(held.fileno()), os.stat(partial)):
                    return held
        except BaseException:
            held.close()
            raise
        held.close()  # whoever had it has removed or renamed it since it was opened: this is another file now


def require_new(path: Path) -> None:
    """Raise UsageError unless `path` can be made: it names a file, and there is none."""
    if not path.name:
        raise UsageError(f"{str(path)!r} is no name of a file: give a new file")
    if path.exists():
        raise UsageError(f"{str(path)!r} exists already: give a new file, or remove it first")


class Faults:
    """Collects faults: all of them in a file made with the first one, the first few in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self.first: list[Fault] = []
        self._file: TextIO | None = None

    def add(self, fault: Fault) -> None:
        """Note a fault. Raises StorageError when it cannot be kept."""
        try:
            if self._file is None:
                # Every line at once: the file of a process that was killed must be known for one of faults.
                self._file = open(self.path, "w", encoding="ascii", buffering=1)  # noqa: SIM115 - closed by `close`
            self._file.write(json.dumps(vars(fault)) + "\n")
        except OSError as error:
            raise StorageError(
                f"{str(self.path)!r} cannot be written ({error.strerror}): faults must be kept; give an --output in a "
                "folder that you may write to"
            ) from error
        self.rows += fault.rows
        if len(self.first) < SHOWN:
            self.first.append(fault)

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()


@contextlib.contextmanager
def faults_beside(path: Path) -> Iterator[Faults]:
    """Where the faults of making `path` are kept: a file beside it, with .faults.jsonl in its name.

    An earlier time's faults there are written over, and removed when `path` was made without one, since they say
    nothing about it. Raises UsageError when a file of anything else has that name.
    """
    faults = Faults(_beside(path))
    if faults.path.exists() and not _is_of_faults(faults.path):
        raise UsageError(
            f"{str(faults.path)!r} stands where refused rows would be kept, and holds something else: give another "
            "name for the output, or move that file"
        )
    try:
        yield faults
        if not faults.first:
            faults.path.unlink(missing_ok=True)
    finally:
        faults.close()


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name.removesuffix('.jsonl')}.faults.jsonl")


def faults_in(folder: Path, batch: Import) -> tuple[contextlib.AbstractContextManager[Faults], Path | None]:
    """Where the faults of an import into the workspace `folder` are kept, and the file itself if there is one.

    Its id is in the name, so that files that are called alike keep their faults apart.
    """
    path = folder / f"{batch.source.removesuffix('.jsonl')[:50]}.{batch.id[:8]}"
    kept = _beside(path)
    return faults_beside(path), kept if kept.exists() else None


def _is_of_faults(path: Path) -> bool:
    """Whether a file begins as `Faults` writes, or is empty, as a disk may leave it."""
    try:
        with open(path, "rb") as file:
            first = file.readline(2**20)
        return not first or set(json.loads(first)) == {"where", "message", "rows"}
    except (OSError, ValueError, TypeError, RecursionError):
        return False


def labeling_of(file: Path, given: Path | None) -> str:
    """The text of the labeling configuration: the one given, the one beside the file, or none. Raises UsageError."""
    beside = file.with_suffix(".config.xml")
    path = given or (beside if beside.is_file() else None)
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"labeling configuration {str(path)!r} cannot be read ({error}): give a UTF-8 file") from error


def left_out(file: Path, format: Format, reading: Reading) -> list[str]:
    """Columns of pictures that stay in a parquet file because nobody asked for them."""
    from redraft.feedback.exchange.importing import container_of
    from redraft.feedback.exchange.parquet_files import columns_of_bytes

    if reading.keep is not None or not format.heavy or container_of(file) != "parquet":
        return []
    return [name for name in columns_of_bytes(file) if name in format.heavy]


def apart(rows: Iterable[tuple[str, Row]]) -> Iterator[tuple[str, Row]]:
    """The rows, ranks taken apart into pairs."""
    from redraft.feedback.exchange.pairs import as_pairs

    for where, row in rows:
        for part in as_pairs(row):
            yield where, part


def begin(space: Workspace, file: Path, *, format: str, licence: str) -> Import:
    """Enter a file among the workspace's imports; one that was begun as another format and not finished is forgotten.

    Raises UsageError when it was imported as another format.
    """
    digest = hashlib.sha256()
    try:
        with open(file, "rb") as content:
            while block := content.read(2**20):
                digest.update(block)
    except OSError as error:
        raise UsageError(f"{str(file)!r} cannot be read ({error.strerror}): give a file of answers") from error
    sha256 = digest.hexdigest()
    id = str(uuid.uuid5(_IMPORTS, sha256))
    values = {"format": format, "source": file.name, "sha256": sha256, "licence": licence}
    entry = space.imports.begin(id, **values, at=time.time())
    if entry.format != format and entry.state != "finished":
        space.imports.remove(entry.id)
        entry = space.imports.begin(id, **values, at=time.time())
    if entry.format != format:
        raise UsageError(
            f"{file} is in the workspace as {entry.format!r} already (import {entry.id}): each file comes in once"
        )
    return entry


def forget_if_empty(space: Workspace, id: str) -> None:
    """Remove an import that has not ended and has no row: nothing of its file is here, and nothing will go on."""
    running = any(entry.id == id and entry.state != "finished" for entry in space.imports.list())
    if running and not space.imports.preferences(id, limit=1):
        space.imports.remove(id)


def require_seed(space: Workspace, batch: Import, seed: int) -> None:
    """Raise UsageError when an interrupted import drew the sides of its pairs with another seed."""
    if batch.format != image_reward.NAME:  # only this one draws: others may bring sides that were drawn elsewhere
        return
    for kept in space.imports.preferences(batch.id):
        origin = json.loads(kept.content).get("origin", {})
        sides = origin.get("sides") if origin.get("format") == image_reward.PAIR else None
        if sides is not None and sides["seed"] != seed:
            raise UsageError(
                f"--seed {seed}: this import was interrupted, and its sides were drawn with seed {sides['seed']}; "
                f"repeat it with --seed {sides['seed']}"
            )
        if sides is not None:
            return


def unfinished_in(folder: Path) -> list[str]:
    """What to say of each import of a workspace that was interrupted."""
    from redraft.store.workspace import Workspace

    with Workspace.open(folder) as space:
        return [
            f"the import of {entry.source!r} as {entry.format} was interrupted, only a part of its rows is here: "
            "import it again to go on with it"
            for entry in space.imports.list()
            if entry.state != "finished"
        ]


def store(space: Workspace, id: str, file: Path, *, format: Format, reading: Reading) -> Iterator[Row | Fault]:
    """Add a file's rows to an import, in parts; yields each row when it is taken, and each fault."""
    from redraft.feedback.exchange.importing import import_rows
    from redraft.feedback.exchange.rows import Fault
    from redraft.store.imports import Preference

    part: list[Preference] = []
    number = 0
    for found in import_rows(file, format=format, reading=reading):
        if isinstance(found, Fault):
            yield found
            continue
        number += 1
        said = found.row.judgement
        part.append(
            Preference(number=number, form=found.row.kind, prompt=said.prompt, content=found.line, rater=said.rater)
        )
        if len(part) == ROWS_AT_ONCE:
            space.imports.add(id, part)
            part = []
        yield found.row
    if part:
        space.imports.add(id, part)


def finish(space: Workspace, id: str, *, refused: int) -> None:
    """Say that all rows of an import were added."""
    space.imports.finish(id, refused=refused, at=time.time())


def rows_in(folder: Path | None, faults: Faults) -> Iterator[tuple[str, Row]]:
    """Every imported row of a workspace, then the answers of its people who agreed to share them.

    A row that was damaged in the store is a fault.
    """
    from redraft.feedback.exchange.jsonl import read_row
    from redraft.feedback.exchange.rows import Fault, Row
    from redraft.loop.answered import preferences_in
    from redraft.store.workspace import Workspace

    assert folder is not None
    if not (folder / "images").is_dir():
        raise UsageError(f"{str(folder)!r} is no workspace: give its folder, or --from a file of rows")
    with Workspace.open(folder) as space:
        for entry in space.imports.list():
            after = 0
            while page := space.imports.preferences(entry.id, after=after):
                after = page[-1].number
                for kept in page:
                    where = f"import {entry.id} row {kept.number}"
                    try:
                        row = read_row(json.loads(kept.content))
                    except (ValueError, UsageError) as error:
                        faults.add(Fault(where=where, message=str(error)))
                    else:
                        yield where, row
        shared = _who_shares(space)
        for number, preference in enumerate(preferences_in(space), 1):
            if preference.rater in shared:
                yield f"answer {number}", Row(judgement=preference)


def _who_shares(space: Workspace) -> set[str]:
    people: set[str] = set()
    after = 0
    while page := space.answers.evidence(after=after, released=True):
        people |= {evidence.answer.user for evidence in page}
        after = page[-1].answer.number
    return people
