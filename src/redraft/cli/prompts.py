"""`redraft prompts`: raw prompts to a clear, specific, diverse set in a new folder. The rules stand in `prompts/`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from redraft.cli import options, prompts_show
from redraft.cli.options import print_json
from redraft.core.errors import StorageError, UsageError

if TYPE_CHECKING:
    from redraft.cli.screen import Screen
    from redraft.core.keys import Key
    from redraft.core.records import Prompt
    from redraft.prompts.diversity import Embed
    from redraft.prompts.judgement import Judge
    from redraft.prompts.pipeline import PromptsConfig
    from redraft.prompts.provenance import Built

app = typer.Typer(help="Prompts to train on and to examine with.", no_args_is_help=True)
app.command("show")(prompts_show.show)

Files = Annotated[
    list[str] | None,
    typer.Argument(help="FILE or KIND=FILE; kinds: plain, partiprompts, geneval, compbench, parquet, diffusiondb."),
]
Liked = Annotated[
    list[Path] | None,
    typer.Option("--liked", help="Prompts that people liked; only rows with the tag consent:training. Repeatable."),
]
Out = Annotated[Path, typer.Option("--out", "-o", help="A new folder for what is built.")]
JudgeFolder = Annotated[
    Path | None, typer.Option("--judge", help="Folder of an instruction-following language model; default: rules.")
]
Clip = Annotated[Path | None, typer.Option("--clip", help="CLIPModel folder that groups the prompts; default: TF-IDF.")]


@app.command("build")
def build(
    files: Files = None,
    out: Out = Path("prompts"),
    liked: Liked = None,
    keep: Annotated[int | None, typer.Option("--keep", help="Most prompts to keep, chosen for diversity.")] = None,
    groups: Annotated[int | None, typer.Option("--groups", help="Groups of the diversity step.")] = None,
    clarity: Annotated[float | None, typer.Option("--clarity", help="Least clarity, 0 to 1 (default 0.5).")] = None,
    specificity: Annotated[
        float | None, typer.Option("--specificity", help="Least specificity, 0 to 1 (default 0.5).")
    ] = None,
    near: Annotated[float | None, typer.Option("--near", help="Similarity of near duplicates (default 0.85).")] = None,
    held_out: Annotated[float | None, typer.Option("--held-out", help="Share never trained on (default 0.1).")] = None,
    clean: Annotated[bool, typer.Option("--clean/--no-clean", help="Take out artists, web sites, praise.")] = True,
    toxic: Annotated[Path | None, typer.Option("--toxic", help="Your toxic terms, one a line, added to ours.")] = None,
    judge: JudgeFolder = None,
    clip: Clip = None,
    column: Annotated[str, typer.Option("--column", help="Column of the prompts in parquet files.")] = "prompt",
    device: Annotated[str, typer.Option("--device", help="Of --judge and --clip: cpu, cuda, ...")] = "cpu",
    seed: options.Seed = None,
    as_json: options.Json = False,
) -> None:
    """Filter, clean and split prompts; the new folder holds train, held-out and dropped jsonl files and a summary.

    Example: redraft prompts build mine.txt partiprompts=PartiPrompts.tsv --keep 1000 -o my-prompts
    """
    from redraft.cli.screen import Screen
    from redraft.core.config import build as build_config
    from redraft.core.keys import Key
    from redraft.prompts.pipeline import PromptsConfig, build_prompts

    given = {
        "clean": clean, "clarity": clarity, "specificity": specificity, "near": near, "keep": keep, "groups": groups,
        "held_out": held_out,
    }  # fmt: skip
    chosen = {name: value for name, value in given.items() if value is not None}
    config = build_config(PromptsConfig, chosen, source="the command line")
    _require_input(files, liked, out)
    key = Key(seed=seed or 0).child("prompts")
    clear, specific = _judges(judge, device=device)
    with Screen(quiet=as_json) as screen:
        built = build_prompts(
            _corpora(files or [], column=column),
            config=config,
            key=key,
            liked=_liked(liked or []),
            embed=_embed(clip, device=device),
            more_toxic=_terms(toxic),
            clarity=clear,
            specificity=specific,
            on_progress=_Stages(screen),
        )
    facts = {"judge": "rules" if judge is None else judge.name, "embedding": "tf-idf" if clip is None else clip.name}
    summary = _summary(built, config, key=key, facts=facts)
    _write(out, built, summary)
    if as_json:
        print_json(summary | {"folder": str(out)})
    else:
        _show(summary, out)


class _Stages:
    """The pipeline's progress on a screen: a bar for each stage."""

    def __init__(self, screen: Screen) -> None:
        self._screen, self._stage = screen, ""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        if stage != self._stage:
            self._screen.stage(stage, "" if total is None else f"{total:,} prompts")
            self._stage = stage
        if total is not None:
            self._screen.progress(done, total)


def _require_input(files: list[str] | None, liked: list[Path] | None, out: Path) -> None:
    if not files and not liked:
        raise UsageError("no prompts were given: name at least one FILE or KIND=FILE, or --liked FILE")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"folder {str(out)!r} is not empty: give a new one with --out, or remove it first")


def _corpora(files: list[str], *, column: str) -> Iterator[Prompt]:
    from redraft.prompts.readers import open_corpus

    for name in files:
        yield from open_corpus(name, column=column)


def _liked(paths: list[Path]) -> Iterator[Prompt]:
    from redraft.prompts.corpora import read_prompts

    for path in paths:
        yield from read_prompts(path)


def _terms(path: Path | None) -> frozenset[str]:
    from redraft.prompts.corpora import read_text
    from redraft.prompts.wording import normalised

    lines = [] if path is None else read_text(path).splitlines()
    return frozenset(normalised(line) for line in lines if line.strip())


def _judges(folder: Path | None, *, device: str) -> tuple[Judge, Judge]:
    """Who judges clarity, and who specificity."""
    if folder is None:
        from redraft.prompts.clarity import judge_clarity
        from redraft.prompts.specificity import judge_specificity

        return judge_clarity, judge_specificity
    from redraft.prompts.language_model import LanguageModel

    model = LanguageModel.open(folder, device=device)
    return model.clarity, model.specificity


def _embed(folder: Path | None, *, device: str) -> Embed | None:
    if folder is None:
        return None
    from functools import partial

    from redraft.prompts.diversity import embed_by_clip

    return partial(embed_by_clip, folder=folder, device=device)


def _summary(built: Built, config: PromptsConfig, *, key: Key, facts: dict[str, str]) -> dict[str, Any]:
    return {
        "read": built.read,
        "kept": len(built.kept),
        "train": len(built.on("train")),
        "held_out": len(built.on("held-out")),
        "dropped": built.dropped_by_rule(),
        "styles": built.kept_by_style(),
        "sources": built.by_source(),
        "seed": key.seed,
        **facts,
        "config": config.model_dump(mode="json"),
    }


def _write(out: Path, built: Built, summary: dict[str, Any]) -> None:
    """All files or none: they are written into a hidden folder that takes its name when they are on the disk."""
    from redraft.store.files import make_folder, write_file

    parts = {
        "train.jsonl": [entry.as_row() for entry in built.on("train")],
        "held-out.jsonl": [entry.as_row() for entry in built.on("held-out")],
        "dropped.jsonl": [entry.as_row() for entry in built.dropped],
    }
    out = out.resolve()
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a build that was killed
    hashes: dict[str, str] = {}
    try:
        for name, rows in parts.items():
            content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
            write_file(partial / name, content)
            hashes[name] = hashlib.sha256(content).hexdigest()
        summary["files"] = hashes
        write_file(partial / "summary.json", (json.dumps(summary, indent=2) + "\n").encode())
        make_folder(out)
        os.replace(partial, out)
    except OSError as error:
        raise StorageError(
            f"{str(out)!r} cannot be written ({error.strerror}): give an empty or new folder that you may write to"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _show(summary: dict[str, Any], out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    drawn = Table(title=f"{summary['read']:,} prompts read, {summary['kept']:,} kept", title_justify="left")
    drawn.add_column("rule")
    drawn.add_column("dropped", justify="right")
    for rule, count in summary["dropped"].items():
        drawn.add_row(rule, f"{count:,}")
    Console().print(drawn)
    styles = ", ".join(f"{count:,} {style}" for style, count in summary["styles"].items())
    typer.echo(f"styles: {styles}")
    typer.echo(f"{summary['train']:,} to train on and {summary['held_out']:,} held out are in {out}")
