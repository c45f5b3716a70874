"""Entries of JSON files in constant memory: one object a line, or one long list. Broken entries are skipped and told.

NaN and infinity, a key that stands twice, bytes that are not UTF-8 and entries above `LARGEST` are faults of their
entry alone.
"""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

from redraft.feedback.exchange.formats import Found
from redraft.feedback.exchange.rows import Fault

LARGEST = 16 * 2**20
"""Bytes of an entry at most: 16 MiB. A larger one is a fault, so that memory stays bounded."""
CHUNK = 2**20
_TOKEN = 16
_NOTHING = re.compile(r"[\s,]*")
_BEGIN = re.compile(r"(?<=[,\s\[}])\{")


class _Decoder:
    """Decodes JSON and remembers what `json` would let pass: NaN, infinity, a key that an object has twice."""

    def __init__(self) -> None:
        self.complaint = ""
        self._decoder = json.JSONDecoder(parse_constant=self._note, object_pairs_hook=self._object)
        self.decode = self._decoder.decode
        self.raw_decode = self._decoder.raw_decode

    def _note(self, name: str) -> float:
        self.complaint = f"holds {name}: numbers must be finite; leave out what was not answered"
        return 0.0

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs):
            twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
            self.complaint = (
                f"has the key {twice[:60]!r} twice in one object, and only one value can be meant: remove one"
            )
        return value

    def complaint_met(self) -> str:
        """What is wrong with the values decoded since the last call, or an empty text."""
        found, self.complaint = self.complaint, ""
        return found


def lines(file: BinaryIO) -> Iterator[Found | Fault]:
    """One entry a line; empty lines are skipped."""
    decoder = _Decoder()
    decode, read = decoder.decode, file.readline
    number = 0
    while raw := read(LARGEST + 1):
        number += 1
        if len(raw) > LARGEST:
            _skip_line(file, raw)
            yield Fault(where=f"line {number}", message=f"is longer than {LARGEST:,} bytes: split or shorten it")
            continue
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            if text.isspace():
                continue
            value = decode(text)
        except (ValueError, RecursionError) as error:
            decoder.complaint_met()
            if text_is_blank(raw):
                continue
            yield Fault(where=f"line {number}", message=_broken(error))
            continue
        if decoder.complaint:
            yield Fault(where=f"line {number}", message=decoder.complaint_met())
            continue
        yield Found(number, value, number)


def text_is_blank(raw: bytes) -> bool:
    """Whether a line holds nothing (a byte order mark alone, blanks)."""
    return not raw.removeprefix(codecs.BOM_UTF8).strip()


def _broken(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"is not UTF-8 (byte {error.object[error.start]:#04x}): write the file in UTF-8"
    if isinstance(error, RecursionError):
        return "is nested too deeply to be read: flatten it"
    if isinstance(error, json.JSONDecodeError):
        return f"is no JSON ({error}): mend or remove it"
    return "holds a whole number of thousands of digits: mend or remove it"


def _skip_line(file: BinaryIO, raw: bytes) -> None:
    while raw and not raw.endswith(b"\n"):
        raw = file.readline(CHUNK)


def elements(file: BinaryIO) -> Iterator[Found | Fault]:
    """The entries of one JSON list, each with the line on which it begins and its number in the list.

    After a broken entry, reading goes on at the next object that can be read; parts of the broken one may then appear
    as entries of their own, which the format refuses. What lies between is told as lines.
    """
    return _List(file).read()


class _List:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._bytes = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
        self._decoder = _Decoder()
        self._text, self._at, self._line, self._entries = "", 0, 1, 0
        self._ended = self._lost = False

    def read(self) -> Iterator[Found | Fault]:
        self._fill()
        self._text = self._text.removeprefix("\ufeff")
        if self._next():
            self._at += 1  # the bracket that the caller saw
        while self._next():
            if self._text[self._at] == "]":
                self._at += 1
                if self._next():
                    yield Fault(where=f"line {self._line}", message="text after the end of the list: remove it")
                return
            yield self._entry()
        if not self._lost:
            message = "the file ends within its list: it was cut off, and whatever followed is lost; fetch it again"
            yield Fault(where=f"line {self._line}", message=message)  # at least one, so that it is counted

    def _next(self) -> bool:
        """Go to where the next entry begins; False at the end of the file."""
        while True:
            self._skip(_NOTHING.match(self._text, self._at))
            if self._at < len(self._text):
                return True
            if not self._fill():
                return False

    def _entry(self) -> Found | Fault:
        line = self._line
        self._entries += 1
        place = f", entry {self._entries}"
        try:
            value, end = self._decode()
        except (ValueError, RecursionError) as error:
            self._decoder.complaint_met()
            self._resume(error)
            span = f"line {line}" if self._line == line else f"lines {line} to {self._line}"
            return Fault(where=span + place, message=_broken(error).replace("mend or remove it", _WAY))
        raw = self._text[self._at : end]
        self._line += raw.count("\n")
        self._at = end
        complaint = self._decoder.complaint_met()
        if complaint:
            return Fault(where=f"line {line}{place}", message=complaint)
        if not raw.isascii() and any("\udc80" <= character <= "\udcff" for character in raw):
            return Fault(where=f"line {line}{place}", message="is not UTF-8: write the file in UTF-8")
        return Found(line, value, self._entries)

    def _decode(self) -> tuple[Any, int]:
        """The value that begins here, reading on while it may be incomplete."""
        while True:
            self._decoder.complaint_met()
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._is_cut(error) or len(self._text) - self._at > LARGEST or not self._fill():
                    raise
            else:
                if end < len(self._text) or not self._fill():
                    return value, end

    def _is_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether the error may only mean that the rest has not been read yet."""
        return error.pos >= len(self._text) - _TOKEN or error.msg.startswith("Unterminated")

    def _resume(self, error: Exception) -> None:
        """After a broken entry: go to the next object that can be read, or to the end of what was read."""
        begin = error.pos if isinstance(error, json.JSONDecodeError) else self._at + 1
        begin = max(begin, self._at + 1)
        if isinstance(error, json.JSONDecodeError) and error.msg.startswith("Unterminated"):
            begin = error.pos + 1
        while True:
            for match in _BEGIN.finditer(self._text, begin):
                try:
                    self._decoder.raw_decode(self._text, match.start())
                except json.JSONDecodeError as inner:
                    if self._ended or not self._is_cut(inner):
                        continue
                except (ValueError, RecursionError):
                    continue
                self._move(match.start())
                return
            self._move(max(len(self._text) - 1, self._at))  # the last character tells whether an object begins next
            if not self._fill():
                self._move(len(self._text))
                self._lost = True
                return
            begin = 0

    def _skip(self, match: re.Match[str] | None) -> None:
        if match:
            self._move(match.end())

    def _move(self, to: int) -> None:
        self._line += self._text.count("\n", self._at, to)
        self._at = to

    def _fill(self) -> bool:
        """Read on; what was passed is forgotten. Doubles what is held, so that long entries cost linear time."""
        if self._ended:
            return False
        if self._at:
            self._text, self._at = self._text[self._at :], 0
        raw = self._file.read(max(CHUNK, len(self._text)))
        self._ended = not raw
        self._text += self._bytes.decode(raw, final=self._ended)
        return not self._ended


_WAY = "it and what lies between was skipped; mend or remove it"
