"""Any format's file as rows, one after another: whatever is wrong with an entry is told, and costs that entry alone."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, NamedTuple

from redraft.core.errors import UsageError
from redraft.feedback.exchange import csv_files, json_files, parquet_files
from redraft.feedback.exchange.formats import Container, Format, Found, Reading
from redraft.feedback.exchange.pairs import as_pairs
from redraft.feedback.exchange.rows import Fault, Row, as_line

_FOREIGN = {
    b"\xff\xfe\0\0": "in UTF-32", b"\0\0\xfe\xff": "in UTF-32", b"\xff\xfe": "in UTF-16", b"\xfe\xff": "in UTF-16",
    b"\x1f\x8b": "compressed (gzip)", b"\x28\xb5\x2f\xfd": "compressed (zstd)", b"\xfd7zXZ\0": "compressed (xz)",
    **{b"BZh%d1AY&SY" % level: "compressed (bzip2)" for level in range(1, 10)}, b"PK\x03\x04": "a zip archive",
}  # fmt: skip

# What a decoder would raise that overlooked some shape of an entry. Tests hold that none does; a person's long import
# must still not end because of one entry.
_SURPRISES = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


class Imported(NamedTuple):
    """A row, where it stood, and its line of JSON."""

    number: int
    row: Row
    line: str


def import_rows(
    path: Path, *, format: Format, reading: Reading | None = None, pairs: bool = False
) -> Iterator[Imported | Fault]:
    """The rows of a file as they are read; memory does not grow with its length.

    pairs: ranks are taken apart into pairs. Raises UsageError when the file as a whole cannot be read: missing, empty,
    compressed, in UTF-16, not the format's kind of file.
    """
    options = reading or Reading()
    container, decode = container_of(path), format.decode
    for found in _entries(path, container, without=() if options.keep else format.heavy):
        if isinstance(found, Fault):
            yield found
            continue
        try:
            rows = decode(found, options)
        except UsageError as error:
            yield Fault(where=_where(found, container), message=str(error))
            continue
        except _SURPRISES as error:
            message = f"cannot be read ({type(error).__name__}: {error}): mend or remove it"
            yield Fault(where=_where(found, container), message=message)
            continue
        for row in rows:
            if isinstance(row, Fault):
                yield Fault(where=f"{_where(found, container)}, {row.where}", message=row.message, rows=row.rows)
                continue
            shown = row.pictures
            if len(set(shown)) < len(shown):
                yield Fault(where=_where(found, container), message=_twice(row))
                continue
            try:
                lines = [(part, as_line(part)) for part in (as_pairs(row) if pairs else (row,))]
            except UsageError as error:
                yield Fault(where=_where(found, container), message=str(error))
                continue
            for part, line in lines:
                yield Imported(found.number, part, line)


def _twice(row: Row) -> str:
    again = next(picture for picture in row.pictures if row.pictures.count(picture) > 1)
    return f"the picture {again[:200]!r} stands twice: no picture is better or worse than itself; remove the answer"


def _where(found: Found, container: Container) -> str:
    if container == "parquet":
        return f"row {found.number}"
    return f"line {found.number}" + (f", entry {found.entry}" if container == "list" else "")


def container_of(path: Path) -> Container:
    """What kind of file this is, by its first bytes. Raises UsageError when no kind that is read, or a pipe."""
    try:
        if not stat.S_ISREG(mode := os.stat(path).st_mode) and not stat.S_ISDIR(mode):
            raise UsageError(
                f"{str(path)!r} is a pipe or a device, and answers are read from a file, more than once: write them to "
                "a file first, and give that"
            )
        with open(path, "rb") as file:
            head = file.read(4096)
            while head and not head.removeprefix(b"\xef\xbb\xbf").strip():
                head = file.read(4096)
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be read ({error.strerror}): give a file of answers") from error
    for mark, kind in _FOREIGN.items():
        if head.startswith(mark):
            raise UsageError(f"{path} is {kind}: give a file that is unpacked and in UTF-8")
    if head.startswith(b"PAR1"):
        return "parquet"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise UsageError(f"{path} is empty: give a file of answers")
    if text.startswith(b"["):
        return "lines" if _is_one_line_of_many(text) else "list"
    # A broken first line may not begin as JSON does, so that the name of the file and the lines below count too.
    named = path.suffix.lower() == ".csv" and not text.startswith(b"{")
    return "csv" if named or _is_header(text) else "lines"


def _is_header(text: bytes) -> bool:
    """Whether a text begins with names of columns, and not with a broken line of JSON among others."""
    first, *others = text.splitlines()
    return b"," in first and bool(others) and not any(line.lstrip().startswith(b"{") for line in (first, *others))


def _is_one_line_of_many(text: bytes) -> bool:
    """Whether a text that begins as a list is a (wrong) line among others, for the list ends before its line does."""
    first, _, others = text.partition(b"\n")
    if not others.strip():
        return False
    try:
        return isinstance(json.loads(first), list)
    except (ValueError, RecursionError):
        return False


def _entries(path: Path, container: Container, *, without: Sequence[str]) -> Iterator[Found | Fault]:
    if container == "parquet":
        yield from parquet_files.records(path, without=without)
        return
    with closing(_opened(path)) as file:
        match container:
            case "list":
                yield from json_files.elements(file)
            case "csv":
                yield from csv_files.records(file, path=str(path))
            case _:
                yield from json_files.lines(file)


def _opened(path: Path) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be read ({error.strerror}): give a file of answers") from error
