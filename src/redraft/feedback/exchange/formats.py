"""What a format is: how its entries become rows, how rows become entries, and in which kind of file they stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.feedback.exchange.rows import Fault, Row

Container = Literal["lines", "list", "csv", "parquet"]


class Found(NamedTuple):
    """An entry of a file: the line or row where it begins, from 1, what stands there, and which entry it is, from 1.

    Only a JSON list has several entries on a line, or one on several; elsewhere `entry` is the line or row.
    """

    number: int
    value: Any
    entry: int


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a reader may need besides the entry.

    key: draws the sides of pairs whose format stores the winner first. keep: saves a picture's bytes and returns its
    name; None leaves bytes in the file. labeling: a Label Studio labeling configuration, "" for none.
    """

    key: Key = field(default_factory=lambda: Key(seed=0))
    keep: Callable[[bytes], str] | None = None
    labeling: str = ""


@dataclass(frozen=True, kw_only=True)
class Writing:
    """What a writer may need besides the rows. embed: the bytes of a picture by name, None where there are none."""

    embed: Callable[[str], bytes | None] | None = None


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format by its two directions.

    decode: the rows of an entry, and a fault for each person whose part of it cannot be read; raises UsageError where
    nothing can. encode: the entry of neighbouring rows that share their `item`, if they are of a kind in `grouped`, or
    of a single one; raises UsageError for what the format cannot say. container: the kind of file that is written; any
    kind is read. columns: of a CSV file. schema: of a parquet file. heavy: columns of pictures'
    bytes, read only when they are kept. embeds: whether pictures can be put in. companion: suffix and content of a file
    that belongs beside, made from a first row.
    """

    name: str
    title: str
    decode: Callable[[Found, Reading], Sequence[Row | Fault]]
    encode: Callable[[Sequence[Row], Writing], dict[str, Any]]
    container: Container
    grouped: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    schema: Callable[[], Any] | None = None
    heavy: tuple[str, ...] = ()
    embeds: bool = False
    companion: tuple[str, Callable[[Row], str]] | None = None


def only(rows: Sequence[Row], *kinds: str, format: str) -> None:
    """Raises UsageError when a row is of another kind than the format can hold."""
    for row in rows:
        if row.kind not in kinds:
            raise UsageError(
                f"{format} holds {' or '.join(kinds)}, not {row.kind}: export these rows to another format, or to jsonl"
            )
