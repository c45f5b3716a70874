"""Entries of CSV files: a row as an object of texts by column. A broken row is told; the rows after it are read."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

from redraft.core.errors import UsageError
from redraft.feedback.exchange.formats import Found
from redraft.feedback.exchange.rows import Fault

LONGEST_LINE = 2**20
_TOO_LONG = "\0"
"""Stands for a line that was too long to be read; compared by identity, since a file may hold this text."""


class _LongLine(csv.Error):
    """A line was too long to be read."""


class _Lines:
    """The lines of a file, some of which may be given back."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._again, self.number = file, deque[str](), 0
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        if not line:
            raise StopIteration
        self.number += 1
        self.taken.append(line)
        if line is _TOO_LONG:
            raise _LongLine(f"is longer than {LONGEST_LINE:,} bytes: split or shorten it")
        return line

    def _read(self) -> str:
        raw = part = self._file.readline(LONGEST_LINE + 1)
        if len(raw) > LONGEST_LINE:
            while part and not part.endswith(b"\n"):
                part = self._file.readline(LONGEST_LINE)
            return _TOO_LONG
        return raw.decode("utf-8-sig" if self.number == 0 else "utf-8", errors="surrogateescape")

    def back(self, lines: list[str]) -> None:
        """Give lines back, to be read again."""
        self._again.extendleft(reversed(lines))
        self.number -= len(lines)


def records(file: BinaryIO, *, path: str) -> Iterator[Found | Fault]:
    """The rows below the header. Raises UsageError for a file without a header.

    A row with a quote that is never closed would swallow those behind it: its first line is the fault, and the others
    are read again.
    """
    lines = _Lines(file)
    reader = csv.reader(lines, strict=True)
    try:
        columns = next(reader, [])
    except csv.Error as error:
        raise UsageError(f"{path} has no readable header ({error}): give a CSV file with names of columns") from error
    if len(columns) < 2 or len(set(columns)) < len(columns):
        raise UsageError(f"{path} begins with the columns {columns}: a CSV file names its columns, each once, first")
    while True:
        lines.taken.clear()
        first = lines.number + 1
        try:
            row = next(reader)
            message = "" if len(row) == len(columns) else f"has {len(row)} columns instead of {len(columns)}"
        except StopIteration:
            return
        except csv.Error as error:
            row, message = [], f"is no row of CSV ({error})"
            if isinstance(error, _LongLine) and len(lines.taken) == 1:
                yield Fault(where=f"line {first}", message=str(error))
                reader = csv.reader(lines, strict=True)
                continue
        if message:
            if not row and lines.taken and not lines.taken[0].strip():
                continue
            lines.back(lines.taken[1:])
            reader = csv.reader(lines, strict=True)
            yield Fault(where=f"line {first}", message=f"{message}: mend its quotes and commas")
        elif row and any(not _is_utf8(cell) for cell in row):
            yield Fault(where=f"line {first}", message="is not UTF-8: write the file in UTF-8")
        else:
            yield Found(first, dict(zip(columns, row, strict=True)), first)


def _is_utf8(cell: str) -> bool:
    return cell.isascii() or not any("\udc80" <= character <= "\udcff" for character in cell)
