"""Rows to any format's file, one after another. A row that the format cannot say is told and left out, never bent."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain, groupby
from pathlib import Path
from typing import Any, BinaryIO

from redraft.core.errors import UsageError
from redraft.feedback.exchange import parquet_files
from redraft.feedback.exchange.formats import Format, Writing
from redraft.feedback.exchange.rows import Fault, Row, write_json

_Group = Sequence[tuple[str, Row]]
"""Neighbouring rows of one entry, each with where it stands."""
_Write = Callable[[Sequence[dict[str, Any]]], list[str]]
"""Writes entries; says of each what kept it out, "" where nothing did."""
# What an encoder may raise for details that are not what its format puts there: they may come from anywhere.
_SURPRISES = (UsageError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export_rows(
    rows: Iterable[tuple[str, Row]], path: Path, *, format: Format, writing: Writing | None = None
) -> Iterator[Sequence[Row] | Fault]:
    """Write rows, given with where they stand, to a new file `path`; yields as it goes.

    Yields for each entry the rows that went into it, or the fault that kept them out. The file is whole when the
    iterator is exhausted.
    """
    options = writing or Writing()
    at_once = parquet_files.ROWS_AT_ONCE if format.container == "parquet" else 1
    waiting: list[tuple[_Group, dict[str, Any]]] = []
    with ExitStack() as stack:
        write, beside = _writer(path, format, stack), ""
        for group in _groups(rows, grouped=format.grouped):
            try:
                beside = _one_companion(format, group[0][1], beside)
                value = format.encode([row for _, row in group], options)
            except _SURPRISES as error:
                yield _fault(group, _said(error))
                continue
            waiting.append((group, value))
            if len(waiting) == at_once:
                yield from _written(waiting, write)
                waiting = []
        yield from _written(waiting, write)


def _written(waiting: Sequence[tuple[_Group, dict[str, Any]]], write: _Write) -> Iterator[Sequence[Row] | Fault]:
    problems = write([value for _, value in waiting])
    for (group, _), problem in zip(waiting, problems, strict=True):
        yield _fault(group, problem) if problem else [row for _, row in group]


def _fault(group: _Group, problem: str) -> Fault:
    return Fault(where=group[0][0], message=problem, rows=len(group))


def _said(error: Exception) -> str:
    if isinstance(error, UsageError):
        return str(error)
    return f"cannot be written ({type(error).__name__}: {error}): mend its values"


def _one_companion(format: Format, row: Row, beside: str) -> str:
    """What must stand beside the file for this row, which must be what stands there already, if anything does."""
    if format.companion is None:
        return ""
    needed = format.companion[1](row)
    if beside and needed != beside:
        raise UsageError("needs another labeling configuration than the rows before: export each kind to its own file")
    return needed


def companion_of(format: Format, rows: Iterator[tuple[str, Row]]) -> tuple[str, Iterator[tuple[str, Row]]]:
    """The content of the file that belongs beside, "" for none, and the rows again."""
    first = next(rows, None)
    if first is None or format.companion is None:
        return "", rows if first is None else chain([first], rows)
    return format.companion[1](first[1]), chain([first], rows)


def _groups(rows: Iterable[tuple[str, Row]], *, grouped: Sequence[str]) -> Iterator[_Group]:
    if not grouped:
        yield from ([row] for row in rows)
        return

    def same(placed: tuple[str, Row]) -> tuple[Any, ...]:
        where, row = placed
        if not row.item or row.kind not in grouped:
            return (where,)
        return (row.format, row.item, row.kind, row.judgement.prompt, row.pictures)

    for _, members in groupby(rows, key=same):
        yield list(members)


def _writer(path: Path, format: Format, stack: ExitStack) -> _Write:
    if format.container == "parquet":
        assert format.schema is not None
        return stack.enter_context(parquet_files.Writer(path, format.schema())).write
    add = _adder(stack.enter_context(path.open("wb")), format, stack)

    def write(values: Sequence[dict[str, Any]]) -> list[str]:
        return [_problem(add, value) for value in values]

    return write


def _problem(add: Callable[[dict[str, Any]], None], value: dict[str, Any]) -> str:
    try:
        add(value)
    except _SURPRISES as error:
        return _said(error)
    return ""


def _adder(file: BinaryIO, format: Format, stack: ExitStack) -> Callable[[dict[str, Any]], None]:
    if format.container == "csv":
        return _csv_adder(file, format.columns)
    if format.container == "lines":
        return lambda value: _write(file, write_json(value) + "\n")
    began = [False]
    stack.callback(lambda: _write(file, "\n]\n" if began[0] else "[]\n"))

    def add(value: dict[str, Any]) -> None:
        text = write_json(value)
        text.encode()
        _write(file, (",\n" if began[0] else "[\n") + text)
        began[0] = True

    return add


def _write(file: BinaryIO, text: str) -> None:
    file.write(text.encode())


def _csv_adder(file: BinaryIO, columns: Sequence[str]) -> Callable[[dict[str, Any]], None]:
    def add(value: dict[str, Any]) -> None:
        for name in columns:
            cell = str(value[name])
            if cell.startswith(_FORMULA) and not _is_number(cell):
                raise UsageError(f"{name} is {cell[:40]!r}, which a spreadsheet would run as a formula: use jsonl")
        _write(file, _csv_line(value[name] for name in columns))

    _write(file, _csv_line(columns))
    return add


def _csv_line(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
