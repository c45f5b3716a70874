"""`redraft feedback`: answers of people, in from other projects' files and out to them. Formats are in `feedback/`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from redraft.cli import options
from redraft.cli.options import print_json
from redraft.core.errors import UsageError, printable

if TYPE_CHECKING:
    from redraft.cli.answer_files import Faults
    from redraft.feedback.exchange.formats import Format, Reading, Writing
    from redraft.feedback.exchange.rows import Row
    from redraft.feedback.exchange.tally import Tally

app = typer.Typer(help="Answers of people: from other projects' files, and to them.", no_args_is_help=True)

FormatName = Annotated[
    str,
    typer.Option(
        "--format", "-f",
        help="jsonl, hpdv2, pick-a-pic, image-reward, vision-reward, rich-hf, geneval-crowd, label-studio or argilla.",
    ),
]  # fmt: skip
OptionalWorkspace = Annotated[Path | None, typer.Option("--workspace", "-w", help="Folder of a workspace.")]
Labeling = Annotated[
    Path | None,
    typer.Option("--labeling-config", help="Label Studio's configuration; default: FILE.config.xml if it is there."),
]
PicturesIn = Annotated[Path | None, typer.Option("--pictures", help="Folder for pictures that the file holds.")]
PicturesOut = Annotated[Path | None, typer.Option("--pictures", help="Folder of the pictures, to put them in.")]
Pairs = Annotated[bool, typer.Option("--pairs", help="Take ranks apart into pairs.")]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="The file of answers.")],
    format: FormatName,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="New file of rows; default: FILE's name with .rows.jsonl.")
    ] = None,
    workspace: OptionalWorkspace = None,
    pairs: Pairs = False,
    pictures: PicturesIn = None,
    labeling_config: Labeling = None,
    licence: Annotated[str, typer.Option("--licence", help="Of the file, kept in the workspace.")] = "",
    seed: options.Seed = None,
    as_json: options.Json = False,
) -> None:
    """Read people's answers, any size, into rows that `redraft reward fit` learns from, or into a workspace.

    Rows that cannot be read are told with their line, counted, and kept in a file beside; the others are imported.

    Example: redraft feedback import test.json --format image-reward --output answers.jsonl
    """
    from redraft.cli import answer_files, answer_pictures
    from redraft.cli.screen import Screen
    from redraft.core.keys import Key
    from redraft.feedback.exchange.formats import Reading
    from redraft.feedback.exchange.importing import container_of
    from redraft.feedback.exchange.registry import format_named

    chosen = format_named(format)
    container_of(file)  # raises for what is no file of answers, before anything is made
    if licence and workspace is None:
        raise UsageError("--licence without --workspace: a workspace keeps it; leave it out, or give --workspace")
    if pictures is not None and not chosen.heavy:
        raise UsageError(f"--pictures with {format}: its files hold no pictures; leave it out")
    if workspace is not None and (output is not None or pairs or pictures is not None):
        raise UsageError("--workspace keeps rows as they are: leave out --output, --pairs and --pictures, or it")
    target = output or file.with_suffix(".rows.jsonl")
    keep = None if pictures is None else answer_pictures.keeper(pictures, relative_to=target.parent)
    reading = Reading(key=Key(seed=seed or 0), keep=keep, labeling=answer_files.labeling_of(file, labeling_config))
    with Screen(quiet=as_json) as screen:
        screen.stage("import", file.name)
        if workspace is not None:
            result = _into_workspace(file, workspace, format=chosen, reading=reading, licence=licence)
        else:
            result = import_into_file(file, target, format=chosen, reading=reading, pairs=pairs)
    drawn = None if result.get("known") else reading.key.seed
    result |= {"format": format, "seed": drawn, "left_out": answer_files.left_out(file, chosen, reading)}
    if as_json:
        print_json(result)
    else:
        _show(result, verb="imported")


@app.command("export")
def export(
    output: Annotated[Path, typer.Argument(help="The new file.")],
    format: FormatName,
    rows: Annotated[Path | None, typer.Option("--from", help="File of rows, as import writes them.")] = None,
    workspace: OptionalWorkspace = None,
    pairs: Pairs = False,
    pictures: PicturesOut = None,
    as_json: options.Json = False,
) -> None:
    """Write rows, or all answers of a workspace whose people agreed to share them, in another project's format.

    Rows that the format cannot say are told, counted, and kept in a file beside; nothing is bent to fit.

    Example: redraft feedback export pairs.parquet --format pick-a-pic --from answers.jsonl --pairs
    """
    from redraft.cli import answer_files
    from redraft.cli.answer_pictures import PictureFolder
    from redraft.cli.screen import Screen
    from redraft.feedback.exchange.formats import Writing
    from redraft.feedback.exchange.registry import format_named

    chosen = format_named(format)
    if (rows is None) == (workspace is None):
        raise UsageError("nothing says what to export: give --from ROWS or --workspace FOLDER, one of them")
    answer_files.require_new(output)
    if rows is not None:
        _require_apart(rows, output)
    if pictures is not None and not chosen.embeds:
        raise UsageError(f"{format} has no place for pictures: leave out --pictures, or export to pick-a-pic")
    with Screen(quiet=as_json) as screen, answer_files.faults_beside(output) as faults:
        screen.stage("export", output.name)
        folder = None if pictures is None else PictureFolder(pictures, _names(rows, workspace))
        writing = Writing(embed=folder.read if folder else None)
        source = _source(rows, workspace, faults=faults)
        result = _out(source, output, format=chosen, writing=writing, pairs=pairs, faults=faults)
    result |= {"format": format, "unfinished": [] if workspace is None else answer_files.unfinished_in(workspace)}
    if folder is not None:
        result |= {"missing_pictures": folder.missing, "first_missing_pictures": folder.first_missing}
    if as_json:
        print_json(result)
    else:
        _show(result, verb="exported")


def import_into_file(file: Path, target: Path, *, format: Format, reading: Reading, pairs: bool) -> dict[str, Any]:
    """Import a file into the new file `target`; returns the counts. Raises UsageError when no row can be read."""
    from redraft.cli import answer_files
    from redraft.feedback.exchange.importing import import_rows
    from redraft.feedback.exchange.rows import Fault
    from redraft.feedback.exchange.tally import Tally

    _require_apart(file, target)
    tally = Tally()
    with answer_files.new_file(target) as partial, answer_files.faults_beside(target) as faults:
        with open(partial, "wb") as written:
            for found in import_rows(file, format=format, reading=reading, pairs=pairs):
                if isinstance(found, Fault):
                    faults.add(found)
                    tally.add_fault(found)
                else:
                    tally.add(found.row)
                    written.write(found.line.encode())
                    written.write(b"\n")
        _require_some(tally, faults, of=file)
    return _result(tally, faults, file=target)


def _into_workspace(file: Path, folder: Path, *, format: Format, reading: Reading, licence: str) -> dict[str, Any]:
    from redraft.cli import answer_files
    from redraft.feedback.exchange.rows import Fault
    from redraft.feedback.exchange.tally import Tally
    from redraft.store.workspace import Workspace

    tally = Tally()
    with ExitStack() as stack:
        space = stack.enter_context(Workspace.open(folder))
        batch = answer_files.begin(space, file, format=format.name, licence=licence)
        stack.callback(answer_files.forget_if_empty, space, batch.id)
        beside, kept = answer_files.faults_in(folder, batch)
        if batch.state == "finished":
            known = {"rows": batch.stored, "refused": batch.refused, "import": batch.id, "known": True}
            return {"file": str(folder), "faults": str(kept) if kept else None, "first_faults": [], **known}
        answer_files.require_seed(space, batch, reading.key.seed)
        faults = stack.enter_context(beside)
        for found in answer_files.store(space, batch.id, file, format=format, reading=reading):
            if isinstance(found, Fault):
                faults.add(found)
                tally.add_fault(found)
            else:
                tally.add(found)
        _require_some(tally, faults, of=file)
        answer_files.finish(space, batch.id, refused=tally.refused)
    return _result(tally, faults, file=folder) | {"import": batch.id, "known": False}


def _out(
    source: Iterator[tuple[str, Row]], target: Path, *, format: Format, writing: Writing, pairs: bool, faults: Faults
) -> dict[str, Any]:
    from redraft.cli import answer_files
    from redraft.feedback.exchange.exporting import companion_of, export_rows
    from redraft.feedback.exchange.rows import Fault
    from redraft.feedback.exchange.tally import Tally

    tally = Tally()
    companion = target.with_suffix(format.companion[0]) if format.companion else None
    with ExitStack() as files:
        partial = files.enter_context(answer_files.new_file(target))
        # Asked for before anything is written: either both files are new, or none is made.
        partial_beside = files.enter_context(answer_files.new_file(companion)) if companion else None
        beside, rows = companion_of(format, answer_files.apart(source) if pairs else source)
        for found in export_rows(rows, partial, format=format, writing=writing):
            if isinstance(found, Fault):
                faults.add(found)
            else:
                for row in found:
                    tally.add(row)
        if not tally.rows:
            reason = f": {faults.first[0]}" if faults.first else ""
            raise UsageError(f"no row could be written as {format.name}{reason}")
        if partial_beside is not None:
            partial_beside.write_text(beside, encoding="utf-8")
    result = _result(tally, faults, file=target) | {"refused": faults.rows}
    return result | ({"companion": str(companion)} if companion else {})


def _source(rows: Path | None, workspace: Path | None, *, faults: Faults) -> Iterator[tuple[str, Row]]:
    from redraft.cli import answer_files

    return _rows_of(rows, faults) if rows is not None else answer_files.rows_in(workspace, faults)


def _names(rows: Path | None, workspace: Path | None) -> Iterator[str]:
    """The pictures of all rows, read once before the export; faults are told when rows are read again for it."""
    from redraft.cli import answer_files

    with closing(answer_files.Faults(Path(os.devnull))) as unheard:
        for _, row in _source(rows, workspace, faults=unheard):
            yield from row.pictures


def _rows_of(path: Path, faults: Faults) -> Iterator[tuple[str, Row]]:
    from redraft.feedback.exchange.importing import import_rows
    from redraft.feedback.exchange.registry import FORMATS
    from redraft.feedback.exchange.rows import Fault

    for found in import_rows(path, format=FORMATS["jsonl"]):
        if isinstance(found, Fault):
            faults.add(found)
        else:
            yield f"line {found.number}", found.row


def _require_apart(file: Path, target: Path) -> None:
    from redraft.cli.answer_files import partial_of

    if file.resolve() == partial_of(target).resolve():
        raise UsageError(
            f"{str(file)!r} is what {str(target)!r} is called until it is whole: give the file another name"
        )


def _require_some(tally: Tally, faults: Faults, *, of: Path) -> None:
    if not tally.rows and not faults.first:
        raise UsageError(f"{of} holds no entry: give a file of answers")
    if not tally.rows:
        were = "1 was" if tally.refused == 1 else f"{tally.refused:,} were"
        raise UsageError(f"no row of {of} could be read, {were} refused: {faults.first[0]}")


def _result(tally: Tally, faults: Faults, *, file: Path) -> dict[str, Any]:
    return {
        "file": str(file), **tally.as_object(), "one_sided": tally.one_sided(),
        "faults": str(faults.path) if faults.rows or faults.first else None,
        "first_faults": [str(fault) for fault in faults.first],
    }  # fmt: skip


def _show(result: dict[str, Any], *, verb: str) -> None:
    for fault in (*result["first_faults"], *result.get("unfinished", [])):
        typer.echo(f"warning: {fault}", err=True)
    if result["faults"]:
        many = (
            "1 row was refused; it is"
            if result["refused"] == 1
            else f"{result['refused']:,} rows were refused; all are"
        )
        typer.echo(f"warning: {many} in {result['faults']}", err=True)
    if result.get("known"):
        typer.echo(f"this file is in the workspace already: {result['rows']:,} rows, import {result['import']}")
        return
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in result["kinds"].items())
    rows = "1 row" if result["rows"] == 1 else f"{result['rows']:,} rows"
    typer.echo(f"{rows} {verb} ({kinds}), {result['refused']:,} refused: {result['file']}")
    pairs = result["pairs"]
    if pairs["strict"] or pairs["tied"]:
        drawn = f"; {pairs['swapped']:,} had their sides swapped" if pairs["swapped"] else ""
        typer.echo(f"  {pairs['strict']:,} strict and {pairs['tied']:,} tied pairs{drawn}")
    for model, means in result["means"].items():
        told = "  ".join(f"{printable(name)} {mean:.3f}" for name, mean in means.items())
        typer.echo(f"  {printable(model) if model else 'all':12} {told}")
    if result["one_sided"]:
        typer.echo(
            f"warning: the {result['one_sided']} picture wins every pair, so a model could learn the side; import the "
            "file that says what was shown where",
            err=True,
        )
    if result.get("left_out"):
        typer.echo(
            f"  pictures in the file were left there ({', '.join(result['left_out'])}): take them out with --pictures"
        )
    if result.get("missing_pictures"):
        for missing in result["first_missing_pictures"]:
            typer.echo(f"warning: {missing}", err=True)
        many = f"{result['missing_pictures']:,} pictures are missing, so their columns are empty"
        typer.echo(f"warning: {many}: lay the folder out as the rows name them, and export again", err=True)
    if result.get("companion"):
        typer.echo(f"  {result['companion']} belongs to it: give it to the project there")
