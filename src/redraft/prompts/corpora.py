"""Readers of prompt files: txt (one a line), jsonl (a "prompt" or "text" key) and PartiPrompts tsv. Cleans nothing.

A bad line is never dropped in silence: the first one stops the reading with its number and the rule.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

from redraft.core.errors import UsageError
from redraft.core.records import Prompt

LONGEST = 2000
"""Characters of a prompt. Longer lines are a sign of a wrong file; text encoders read some 300 characters."""


def read_prompts(path: Path) -> tuple[Prompt, ...]:
    """The prompts of a file, in order, each text once. The ending decides: .jsonl, .tsv, anything else is plain text.

    Raises UsageError, naming file, line, rule and way out, when the file is missing, empty, not UTF-8, has a line of
    more than 2,000 characters, or a row without a prompt.
    """
    text = _decode(path)
    match path.suffix.lower():
        case ".jsonl":
            rows = _jsonl(text, path)
        case ".tsv":
            rows = _tsv(text, path)
        case _:
            rows = ((number, line.strip(), ()) for number, line in enumerate(text.splitlines(), 1) if line.strip())
    prompts: dict[str, Prompt] = {}
    for number, content, tags in rows:
        if len(content) > LONGEST:
            raise UsageError(
                f"{path} line {number} has {len(content):,} characters: a prompt has at most {LONGEST:,}; is this the "
                "right file? Shorten or remove that line"
            )
        prompt = Prompt(text=content, tags=tags, source=path.name)
        prompts.setdefault(prompt.id, prompt)
    if not prompts:
        raise UsageError(f"{path} holds no prompt: give a file with at least one non-empty line")
    return tuple(prompts.values())


def _decode(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"prompts file {str(path)!r} cannot be read ({error.strerror}): give a txt, jsonl or tsv file that exists"
        ) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UsageError(
            f"{path} line {line} is not UTF-8 (byte 0x{content[error.start]:02x}): prompts are UTF-8 text; convert the "
            "file, for example with iconv -f latin1 -t utf-8"
        ) from error


def _jsonl(text: str, path: Path) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{path} line {number} is not JSON ({error}): mend that line") from error
        content = (row.get("prompt") or row.get("text")) if isinstance(row, dict) else row
        if not isinstance(content, str) or not content.strip():
            raise UsageError(
                f'{path} line {number} has no prompt: each line is {{"prompt": "..."}}, {{"text": "..."}} or a string'
            )
        tags = row.get("tags", ()) if isinstance(row, dict) else ()
        yield number, content.strip(), tuple(str(tag) for tag in tags)


def _tsv(text: str, path: Path) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    reader = csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    if "Prompt" not in (reader.fieldnames or ()):
        raise UsageError(
            f"{path} has the columns {', '.join(reader.fieldnames or ['none'])}: a tsv of prompts needs a column "
            "'Prompt' "
            "(PartiPrompts has Prompt, Category, Challenge, Note)"
        )
    for row in reader:
        content = (row["Prompt"] or "").strip()
        if not content:
            raise UsageError(f"{path} line {reader.line_num} has an empty Prompt: fill it in or remove the line")
        tags = tuple(f"{name.lower()}:{row[name]}" for name in ("Category", "Challenge") if row.get(name))
        yield reader.line_num, content, tags
