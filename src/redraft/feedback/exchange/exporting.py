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

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export_rows(
    rows: Iterable[tuple[str, Row]], path: Path, *, format: Format, writing: Writing | None = None
) -> Iterator[Sequence[Row] | Fault]:
    """Write rows, given with where they stand, to a new file `path`; yields as it goes.

    Yields for each entry the rows that went into it, or the fault that kept them out. The file is whole when the
    iterator is exhausted.
    """
    options = writing or Writing()
    with ExitStack() as stack:
        add, beside = _adder(path, format, stack), ""
        for group in _groups(rows, grouped=format.grouped):
            try:
                beside = _one_companion(format, group[0][1], beside)
                members = [row for _, row in group]
                add(format.encode(members, options))
            except UsageError as error:
                yield Fault(where=group[0][0], message=str(error), rows=len(group))
            except (ValueError, RecursionError) as error:
                message = f"cannot be written ({error}): mend its values"
                yield Fault(where=group[0][0], message=message, rows=len(group))
            else:
                yield members


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


def _groups(rows: Iterable[tuple[str, Row]], *, grouped: Sequence[str]) -> Iterator[Sequence[tuple[str, Row]]]:
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


def _adder(path: Path, format: Format, stack: ExitStack) -> Callable[[dict[str, Any]], None]:
    if format.container == "parquet":
        assert format.schema is not None
        return stack.enter_context(parquet_files.Writer(path, format.schema())).add
    file = stack.enter_context(path.open("wb"))
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
