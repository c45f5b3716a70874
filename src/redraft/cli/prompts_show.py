"""`redraft prompts show`: what a built folder or a prompts file holds, in counts and examples. It changes nothing."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from redraft.cli import options
from redraft.cli.options import print_json
from redraft.core.errors import UsageError

if TYPE_CHECKING:
    from redraft.core.records import Prompt

Part = Literal["train", "held-out", "dropped"]
SUMMARY = "summary.json"


def show(
    source: Annotated[Path, typer.Argument(help="Folder that `redraft prompts build` made, or a prompts file.")],
    part: Annotated[Part, typer.Option("--part", help="Of a folder: train, held-out or dropped.")] = "train",
    count: Annotated[int, typer.Option("--count", "-n", min=0, help="Examples, evenly over the file.")] = 5,
    as_json: options.Json = False,
) -> None:
    """How many prompts there are, of which styles and sources, and some of them.

    Example: redraft prompts show my-prompts --part dropped
    """
    shown = _folder(source, part=part, count=count) if source.is_dir() else _file(source, count=count)
    if as_json:
        print_json(shown)
        return
    typer.echo(f"{source}: {shown['prompts']:,} prompts" + (f" in {part}.jsonl" if source.is_dir() else ""))
    for name, text in _lines(shown):
        typer.echo(f"{name}: {text}")
    for example in shown["examples"]:
        reason = f"   [{example['rule']}: {example['reason']}]" if "rule" in example else ""
        typer.echo(f"  {example.get('prompt', example.get('dropped'))}{reason}")


def _lines(shown: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [
        (name, ", ".join(f"{count:,} {value}" for value, count in shown[name].items()))
        for name in ("styles", "tasks", "sources", "dropped")
        if shown.get(name)
    ]
    if shown.get("changed"):
        lines.append(("changed since it was built", ", ".join(shown["changed"])))
    return lines


def _file(path: Path, *, count: int) -> dict[str, Any]:
    from redraft.prompts.corpora import read_prompts

    prompts = read_prompts(path)
    return {"prompts": len(prompts), **_counts(prompts), "examples": [_example(p) for p in _spread(prompts, count)]}


def _folder(folder: Path, *, part: Part, count: int) -> dict[str, Any]:
    """Raises UsageError for a folder that no build made."""
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        files: dict[str, str] = summary["files"]
        changed = [name for name, digest in files.items() if _hash(folder / name) != digest]
        rows = [json.loads(line) for line in (folder / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"folder {str(folder)!r} is not what `redraft prompts build` makes ({type(error).__name__}: {error}): give "
            "such a folder, or a prompts file"
        ) from error
    by_rule = {rule: number for rule, number in summary["dropped"].items() if number}
    counts = {"dropped": by_rule} if part == "dropped" else _counts_of_rows(rows)
    names = ("prompt", "tags", "dropped", "rule", "reason")
    examples = [{name: row[name] for name in names if name in row} for row in _spread(rows, count)]
    return {"prompts": len(rows), **counts, "changed": changed, "examples": examples}


def _counts(prompts: Sequence[Prompt]) -> dict[str, Any]:
    rows = [{"tags": list(prompt.tags), "source": prompt.source} for prompt in prompts]
    return _counts_of_rows(rows)


def _counts_of_rows(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    tags = [tag.partition(":") for row in rows for tag in row.get("tags", [])]
    return {
        "styles": dict(Counter(value for name, _, value in tags if name == "style").most_common()),
        "tasks": dict(Counter(value for name, _, value in tags if name == "task").most_common()),
        "sources": dict(Counter(row["source"] for row in rows if row.get("source")).most_common()),
    }


def _example(prompt: Prompt) -> dict[str, Any]:
    return {"prompt": prompt.text, "tags": list(prompt.tags)}


def _spread(rows: Sequence[Any], count: int) -> list[Any]:
    chosen = min(count, len(rows))
    return [rows[place * len(rows) // chosen] for place in range(chosen)]


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
