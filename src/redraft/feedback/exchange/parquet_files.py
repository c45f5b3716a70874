"""Entries of parquet files, a batch at a time, and their writer. A damaged part is told; the other parts are read."""

from __future__ import annotations

import base64
import datetime
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from redraft.core.errors import UsageError
from redraft.feedback.exchange.formats import Found
from redraft.feedback.exchange.rows import Fault

ROWS_AT_ONCE = 1024
_UNSAYABLE = (ValueError, OverflowError)
"""What pyarrow raises for bytes that are no text and times beyond what is counted; its own errors are ValueErrors."""


_UNFIT = (TypeError, ValueError, OverflowError)
"""What pyarrow raises besides for a value that a column cannot hold."""


def records(path: Path, *, without: Collection[str] = ()) -> Iterator[Found | Fault]:
    """The rows as objects; times become whole nanoseconds since 1970.

    without: columns whose bytes are left where they are. Of {"bytes", "path"} the path is read, for bare bytes stands
    None, text is read as ever. Raises UsageError when the file is no parquet or has a column twice. A row group that
    cannot be read is one fault that counts its rows; a value that cannot be said costs its own row.
    """
    import pyarrow

    file = _opened(path)
    with file:
        _require_names(path, file.schema_arrow.names)
        heavy = {name: path for name, path in _heavy(file.schema_arrow).items() if name in without}
        columns = [heavy.get(name, name) for name in file.schema_arrow.names]
        columns = [name for name in columns if name]
        unread = dict.fromkeys(name for name, path in heavy.items() if not path)
        number = 0
        for group in range(file.metadata.num_row_groups):
            end = number + file.metadata.row_group(group).num_rows
            try:
                for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, row_groups=[group], columns=columns):
                    yield from _entries(batch, number, unread)
                    number += batch.num_rows
            except (OSError, pyarrow.ArrowException, ValueError) as error:
                said = " ".join(str(error).split())[:200]
                message = f"this part of the file is damaged ({said}): fetch it again"
                yield Fault(where=f"rows {number + 1:,} to {end:,}", message=message, rows=end - number)
            number = end


def _require_names(path: Path, names: Sequence[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UsageError(f"{path} has the column {twice[0]!r} twice, and only one can be meant: remove one")


def _entries(batch: Any, before: int, unread: Mapping[str, None]) -> Iterator[Found | Fault]:
    """The rows of a batch, which `before` rows precede; where one cannot be said, they are read one by one."""
    try:
        values = _as_objects(batch)
    except _UNSAYABLE:
        for place in range(batch.num_rows):
            yield _entry(batch.slice(place, 1), before + place + 1, unread)
        return
    for number, value in enumerate(values, before + 1):
        yield Found(number, {**value, **unread} if unread else value, number)


def _entry(row: Any, number: int, unread: Mapping[str, None]) -> Found | Fault:
    for place, name in enumerate(row.schema.names):
        try:
            _as_objects(row.select([place]))
        except _UNSAYABLE as error:
            said = " ".join(str(error).split())[:200]
            return Fault(where=f"row {number}", message=f"{name} cannot be read ({said}): mend or remove it")
    return Found(number, {**_as_objects(row)[0], **unread}, number)


def columns_of_bytes(path: Path) -> tuple[str, ...]:
    """The names of a parquet file's columns that hold bytes, bare or as {"bytes", "path"}. Raises UsageError."""
    with _opened(path) as file:
        return tuple(_heavy(file.schema_arrow))


def _heavy(schema: Any) -> dict[str, str]:
    """The columns that hold bytes, each with the column of names within it, "" where it has none."""
    from pyarrow import types

    found: dict[str, str] = {}
    for column in schema:
        kind, parts = column.type, {}
        if types.is_struct(kind):
            parts = {kind.field(place).name: kind.field(place).type for place in range(kind.num_fields)}
            kind = parts.get("bytes", kind)
        if types.is_binary(kind) or types.is_large_binary(kind):
            found[column.name] = f"{column.name}.path" if "path" in parts else ""
    return found


def _opened(path: Path) -> Any:
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path)
    except (OSError, pyarrow.ArrowException) as error:
        said = " ".join(str(error).split())[:200]
        raise UsageError(f"{path} is no parquet file that can be read ({said}): fetch it again") from error


def _as_objects(batch: Any) -> list[dict[str, Any]]:
    from pyarrow import compute, int64, timestamp, types

    arrays = []
    for column in batch.columns:
        if types.is_timestamp(column.type):
            column = compute.cast(column, timestamp("ns", tz=column.type.tz)).cast(int64())
        arrays.append(column.to_pylist())
    return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*arrays, strict=True)]


def jsonable(value: Any) -> Any:
    """A parquet value as JSON can say it: bytes as {"base64": text}, dates as text, the rest as it is."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return str(value) if isinstance(value, datetime.date | datetime.time | datetime.timedelta) else value


class Writer:
    """Writes objects to a parquet file. Use as a context manager."""

    def __init__(self, path: Path, schema: Any) -> None:
        from pyarrow import parquet

        self._schema = schema
        self._writer = parquet.ParquetWriter(path, schema, compression="zstd")

    def write(self, values: Sequence[dict[str, Any]]) -> list[str]:
        """Write rows, best `ROWS_AT_ONCE` of them. Returns what kept each one out, "" for those that are written."""
        import pyarrow

        problems = [""] * len(values)
        try:
            table = pyarrow.Table.from_pylist(list(values), schema=self._schema)
        except (pyarrow.ArrowException, *_UNFIT):
            problems = [self._problem(value) for value in values]
            fit = [value for value, problem in zip(values, problems, strict=True) if not problem]
            table = pyarrow.Table.from_pylist(fit, schema=self._schema)
        if table.num_rows:
            self._writer.write_table(table)
        return problems

    def _problem(self, value: dict[str, Any]) -> str:
        import pyarrow

        try:
            pyarrow.RecordBatch.from_pylist([value], schema=self._schema)
        except (pyarrow.ArrowException, *_UNFIT) as error:
            return f"does not fit the columns ({error}): mend its values"
        return ""

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._writer.close()
