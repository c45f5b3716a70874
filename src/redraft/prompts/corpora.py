"""Readers of prompt files: txt (one a line), jsonl (a "prompt" or "text" key) and PartiPrompts tsv. Cleans nothing.

A bad line is never dropped in silence: the first one stops the reading with its number and the rule. Benchmarks with
more in a row, and files too large for memory, have their readers in `readers`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from redraft.core.errors import UsageError
from redraft.core.records import Prompt

LONGEST = 2000
"""Characters of a prompt. Longer lines are a sign of a wrong file; text encoders read some 300 characters."""


def read_prompts(path: Path, *, repeats: bool = True) -> tuple[Prompt, ...]:
    """The prompts of a file, in order, each text once. The ending decides: .jsonl, .tsv, anything else is plain text.

    repeats: whether a text may stand there again; not where pictures are counted by the places of their prompts.
    Raises UsageError, naming file, line, rule and way out, when the file is missing, empty, not UTF-8, has a line of
    more than 2,000 characters, a row without a prompt, or a repeated one that may not be.
    """
    text = read_text(path)
    rows: Iterator[tuple[int, Prompt]]
    match path.suffix.lower():
        case ".jsonl":
            rows = ((number, _prompt_of(row, number, path)) for number, row in json_lines(text, path))
        case ".tsv":
            rows = _tsv(text, path)
        case _:
            lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
            rows = ((number, Prompt(text=line, source=path.name)) for number, line in lines if line)
    return distinct_prompts(rows, path, repeats=repeats)


def distinct_prompts(rows: Iterator[tuple[int, Prompt]], path: Path, *, repeats: bool = True) -> tuple[Prompt, ...]:
    """The prompts of numbered rows, each text once. Raises UsageError for one that is too long, one that comes again
    where no `repeats` are allowed, or if there is none.
    """
    prompts: dict[str, Prompt] = {}
    first: dict[str, int] = {}
    for number, prompt in rows:
        if len(prompt.text) > LONGEST:
            raise UsageError(
                f"{path} line {number} has {len(prompt.text):,} characters: a prompt has at most {LONGEST:,}; is this "
                "the right file? Shorten or remove that line"
            )
        if not repeats and prompt.id in first:
            raise UsageError(
                f"{path} line {number} repeats the prompt of line {first[prompt.id]}: each is judged once, and "
                "pictures are counted by the places of their prompts; remove that line, and what was painted for it"
            )
        first.setdefault(prompt.id, number)
        prompts.setdefault(prompt.id, prompt)
    if not prompts:
        raise UsageError(f"{path} holds no prompt: give a file with at least one non-empty line")
    return tuple(prompts.values())


def read_text(path: Path) -> str:
    """The UTF-8 text of a file, without a byte order mark. Raises UsageError when it cannot be read as that."""
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


def json_lines(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    """The values of the lines that are not empty, with their numbers. Raises UsageError for a line that is not JSON."""
    # Only "\n" ends a line of jsonl: other line separators of Unicode may stand within a string.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except ValueError as error:
            raise UsageError(f"{path} line {number} is not JSON ({error}): mend that line") from error


def _prompt_of(row: Any, number: int, path: Path) -> Prompt:
    fields = row if isinstance(row, dict) else {"prompt": row}
    content = fields.get("prompt") or fields.get("text")
    if not isinstance(content, str) or not content.strip():
        raise UsageError(
            f'{path} line {number} has no prompt: each line is {{"prompt": "..."}}, {{"text": "..."}} or a string'
        )
    return Prompt(
        text=content.strip(),
        tags=tuple(str(tag) for tag in fields.get("tags") or ()),
        source=str(fields.get("source") or path.name),
        licence=str(fields.get("licence") or ""),
    )


def _tsv(text: str, path: Path) -> Iterator[tuple[int, Prompt]]:
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
        yield reader.line_num, Prompt(text=content, tags=tags, source=path.name)
