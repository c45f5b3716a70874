"""Readers of named corpora: GenEval, T2I-CompBench, PartiPrompts, and parquet files as DiffusionDB has them.

Plain files of one's own are read by `corpora`. A benchmark's prompts carry `suite:NAME`, so that nobody trains on what
they will be examined with without seeing it. Nothing is cleaned or judged here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from redraft.core.errors import UsageError, unknown_name
from redraft.core.records import Prompt
from redraft.prompts.corpora import distinct_prompts, json_lines, read_prompts, read_text

ROWS_AT_ONCE = 8192
GENEVAL_TASKS = ("single_object", "two_object", "counting", "colors", "position", "color_attr")
_COMPBENCH_FILE = re.compile(
    r"(?P<task>3d_spatial|non_spatial|spatial|color|shape|texture|numeracy|complex(?:_\w+?)?)(?:_(?P<part>train|val|test))?"
)


def read_geneval(path: Path) -> tuple[Prompt, ...]:
    """The prompts of GenEval's evaluation_metadata.jsonl, tagged `suite:geneval` and `task:NAME`; each text once.

    Raises UsageError for a row without prompt, or whose tag is none of the six tasks.
    """
    return distinct_prompts(
        ((number, _geneval_prompt(row, number, path)) for number, row in json_lines(read_text(path), path)), path
    )


def read_compbench(path: Path) -> tuple[Prompt, ...]:
    """The prompts of a T2I-CompBench file, one a line; its name says the task, and the part if it is one.

    Tagged `suite:t2i-compbench`, `task:NAME` and, for files like numeracy_val.txt, `part:val`. Raises UsageError for a
    file with another name.
    """
    match = _COMPBENCH_FILE.fullmatch(path.stem)
    if match is None:
        raise UsageError(
            f"{path} has no name of T2I-CompBench: its files are called color, shape, texture, spatial, non_spatial, "
            "3d_spatial, numeracy or complex, with _train or _val; rename it, or read it as a plain file"
        )
    tags = ["suite:t2i-compbench", f"task:{match['task']}"]
    if match["part"]:
        tags.append(f"part:{match['part']}")
    return tuple(replace(prompt, tags=tuple(tags), licence="MIT") for prompt in read_prompts(path))


def read_partiprompts(path: Path) -> tuple[Prompt, ...]:
    """The prompts of PartiPrompts.tsv, tagged `suite:partiprompts`, `category:NAME` and `challenge:NAME`."""
    return tuple(
        replace(prompt, tags=("suite:partiprompts", *prompt.tags), licence="Apache-2.0")
        for prompt in read_prompts(path)
    )


def stream_parquet(
    path: Path, *, column: str = "prompt", licence: str = "", rows_at_once: int = ROWS_AT_ONCE
) -> Iterator[Prompt]:
    """The texts of a parquet file's column, each distinct one once, as they stand; null becomes an empty text.

    Rows are read as they are asked for, `rows_at_once` at a time, so that the file may be larger than memory. If there
    is a column `prompt_nsfw` (DiffusionDB: probability that the text is unsafe), it becomes the tag `nsfw:P`. No other
    column, and so no name of a user, is read.

    Raises UsageError when the file is missing, no parquet, lacks the column, or holds no text there; when a part of it
    is damaged, on reaching that part.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
    except OSError as error:
        raise UsageError(f"prompts file {str(path)!r} cannot be read ({error}): give a parquet file") from error
    except pyarrow.ArrowInvalid as error:
        raise UsageError(f"{path} is no parquet file ({error}): give one, or name its true kind") from error
    with file:
        columns = _columns(file.schema_arrow, column, path)
        seen: set[str] = set()
        try:
            for batch in file.iter_batches(batch_size=rows_at_once, columns=columns):
                for row in batch.to_pylist():
                    prompt = _parquet_prompt(row, column, source=path.name, licence=licence)
                    if prompt.id not in seen:
                        seen.add(prompt.id)
                        yield prompt
        except (OSError, pyarrow.ArrowException) as error:
            said = " ".join(str(error).split())
            raise UsageError(
                f"{path} is damaged after {len(seen):,} different prompts ({said}): fetch it again"
            ) from error


def _columns(schema: Any, column: str, path: Path) -> list[str]:
    from pyarrow import types

    if column not in schema.names:
        raise UsageError(
            f"{path} has the columns {', '.join(schema.names)}: none is called {column!r}; name the one that holds the "
            "prompts"
        )
    kind = schema.field(column).type
    inner = kind.value_type if types.is_dictionary(kind) else kind
    if not (types.is_string(inner) or types.is_large_string(inner) or types.is_string_view(inner)):
        raise UsageError(f"{path} has {kind} in the column {column!r}: prompts are text; name another column")
    return [column, *(name for name in ("prompt_nsfw",) if name in schema.names)]


def _parquet_prompt(row: dict[str, Any], column: str, *, source: str, licence: str) -> Prompt:
    unsafe = math.nan if row.get("prompt_nsfw") is None else float(row["prompt_nsfw"])
    return Prompt(
        text=(row[column] or "").strip(),
        tags=(f"nsfw:{unsafe:.4f}",) if math.isfinite(unsafe) else (),
        source=source,
        licence=licence,
    )


def _geneval_prompt(row: Any, number: int, path: Path) -> Prompt:
    text = row.get("prompt") if isinstance(row, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise UsageError(f"{path} line {number} has no prompt: GenEval's rows have tag, include and prompt")
    if row.get("tag") not in GENEVAL_TASKS:
        raise UsageError(
            f"{path} line {number} has the tag {row.get('tag')!r}: GenEval's are {', '.join(GENEVAL_TASKS)}; read it "
            "as a plain file if it is another benchmark"
        )
    return Prompt(text=text.strip(), tags=("suite:geneval", f"task:{row['tag']}"), source=path.name, licence="MIT")


READERS: dict[str, Callable[[Path], Iterable[Prompt]]] = {
    "plain": read_prompts,
    "partiprompts": read_partiprompts,
    "geneval": read_geneval,
    "compbench": read_compbench,
    "parquet": stream_parquet,
    "diffusiondb": lambda path: stream_parquet(path, licence="CC0-1.0"),
}
"""How a named kind of corpus is read."""


def open_corpus(name: str, *, column: str = "prompt") -> Iterable[Prompt]:
    """The prompts of `PATH` or `KIND=PATH`. Without a kind, .parquet is parquet and everything else plain.

    column: where a parquet file that is not DiffusionDB's has its prompts. Raises UnknownNameError for another kind,
    and what the reader raises; parquet files raise when they are iterated over.
    """
    kind, sign, rest = name.partition("=")
    path = Path(name)
    if sign and not path.exists():
        path = Path(rest)
        if kind not in READERS:
            raise unknown_name("kind of corpus", kind, READERS)
    else:
        kind = "parquet" if path.suffix.lower() == ".parquet" else "plain"
    return stream_parquet(path, column=column) if kind == "parquet" else READERS[kind](path)
