"""The record of a benchmark run: a JSONL file with a header and one line for every judged picture, only ever appended.

It works on an open file that it is given, and decides nothing. A line that a killed process left half written is cut
off when the file is opened again; a picture is either there with its judgement or not there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from redraft.core.errors import DamagedError, UsageError

FORMAT = 1
HASHES = ("fingerprint", "prompts_hash")
"""What of a header says that something differs, but not what."""


@dataclass(frozen=True, kw_only=True)
class PictureLine:
    """One judged picture: number in the run, place of its prompt, values (None: not judged), why, and a small copy.

    `thumbnail` is a data URI for the few pictures that the page shows, else empty. `source`: hash of the file that it
    was read from, empty for a picture that was painted.
    """

    number: int
    prompt: int
    values: tuple[float | None, ...]
    reason: str = ""
    thumbnail: str = ""
    source: str = ""


class Journal:
    """An open journal. `header` says what was judged by what; lines of another header are refused.

    Args:
        file: opened for reading and appending ("a+b"), locked by the caller.
        header: everything that decides the numbers, JSON-able.
        name: how to call the file in messages.

    Raises:
        UsageError: when the file was begun with another header; it names what differs.
        DamagedError: when a whole line is no JSON object of this format.
    """

    def __init__(self, file: BinaryIO, *, header: Mapping[str, Any], name: str) -> None:
        self._file, self._name = file, name
        self.heads: tuple[tuple[str, str], ...] = ()
        self.pictures: dict[int, PictureLine] = {}
        self._read(dict(header))

    def set_heads(self, names: Sequence[str], fingerprints: Sequence[str]) -> None:
        """Write what the columns of the values are, before the first picture.

        Raises UsageError when the journal already has other ones: the judge changed between two parts of a run.
        """
        heads = tuple(zip(names, fingerprints, strict=True))
        if not self.heads:
            self.heads = heads
            self._append([{"heads": [list(head) for head in heads]}])
        elif self.heads != heads:
            raise UsageError(
                f"{self._name} was judged by {_listed(self.heads)}, but the judge is now {_listed(heads)}: unlike "
                "judges never share a table; go on with the old one, or choose another output folder"
            )

    def require_sources(self, source: Callable[[int], str]) -> None:
        """Raise UsageError when a picture was read from a file that is another one now, or gone.

        source: the hash of today's file by the number of the picture. Lines without a hash are not looked at.
        """
        changed = [number for number, line in self.pictures.items() if line.source and line.source != source(number)]
        if changed:
            raise UsageError(
                f"{len(changed)} of the {len(self.pictures)} pictures in {self._name} were judged from files that are "
                f"others now, or gone (picture {changed[0]} is one): judge the new ones into another output folder, or "
                "delete that file to judge all anew"
            )

    def add(self, lines: Sequence[PictureLine]) -> None:
        """Append judged pictures durably: they are on the disk when this returns."""
        rows: list[dict[str, Any]] = []
        for line in lines:
            # Nine digits give every float32 back exactly; a resumed run must not differ from one that was not stopped.
            values = tuple(None if value is None else float(f"{value:.9g}") for value in line.values)
            row: dict[str, Any] = {"picture": line.number, "prompt": line.prompt, "values": values}
            row |= {"reason": line.reason} if line.reason else {}
            row |= {"source": line.source} if line.source else {}
            rows.append(row | ({"thumbnail": line.thumbnail} if line.thumbnail else {}))
            self.pictures[line.number] = replace(line, values=values)
        self._append(rows)

    def _append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._file.write(b"".join(json.dumps(row, allow_nan=False).encode() + b"\n" for row in rows))
        self._file.flush()
        os.fsync(self._file.fileno())

    def _read(self, header: dict[str, Any]) -> None:
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            self._file.truncate(whole)
        lines = content[:whole].splitlines()
        expected = json.loads(json.dumps({"redraft-benchmark": FORMAT, **header}))
        if not lines:
            self._append([expected])
            return
        rows = [self._row(line, number) for number, line in enumerate(lines, 1)]
        self._check_header(rows[0], expected)
        for number, row in enumerate(rows[1:], 2):
            self._take(row, number)

    def _row(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            row = json.loads(line)
        except ValueError as error:
            raise self._damaged(number) from error
        if not isinstance(row, dict):
            raise self._damaged(number)
        return row

    def _check_header(self, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
        unlike = [name for name in {**expected, **found} if found.get(name) != expected.get(name)]
        if not unlike:
            return
        # A hash tells nobody what to repeat; what made it differ does, where that is in the header.
        name = next((name for name in unlike if name not in HASHES), unlike[0])
        raise UsageError(
            f"{self._name} was begun with {name} = {found.get(name)!r}, but now it is {expected.get(name)!r}: "
            "one file holds one run; repeat the old options to go on, or choose another output folder"
        )

    def _take(self, row: Mapping[str, Any], number: int) -> None:
        try:
            if "heads" in row:
                self.heads = tuple((str(name), str(mark)) for name, mark in row["heads"])
                return
            line = PictureLine(
                number=int(row["picture"]),
                prompt=int(row["prompt"]),
                values=tuple(None if value is None else float(value) for value in row["values"]),
                reason=str(row.get("reason", "")),
                thumbnail=str(row.get("thumbnail", "")),
                source=str(row.get("source", "")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._damaged(number) from error
        if len(line.values) != len(self.heads):
            raise self._damaged(number)
        self.pictures[line.number] = line

    def _damaged(self, number: int) -> DamagedError:
        return DamagedError(
            f"{self._name} line {number} is no line of a benchmark journal: the file was changed by something else; "
            "move it away and run again, or give another output folder"
        )


def _listed(heads: Sequence[tuple[str, str]]) -> str:
    shown = ", ".join(f"{name} ({mark})" for name, mark in heads[:3])
    return shown if len(heads) <= 3 else f"{shown} and {len(heads) - 3} more"
