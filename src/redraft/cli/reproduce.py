"""`redraft reproduce`: a published comparison on the picture world, one child process an arm, resumable arm by arm."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from redraft.cli import options
from redraft.cli.options import print_json
from redraft.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from redraft.loop.reproductions.study import Study

    Say = Callable[[str], None]

Name = Annotated[str, typer.Argument(help="Which comparison; `redraft reproduce list` names them.")]
Arms = Annotated[str | None, typer.Option("--arms", help="Only these arms, separated by commas.")]
Folder = Annotated[Path, typer.Option("--folder", help="Where the page, the figures and the rows go.")]
Scale = Annotated[float, typer.Option("--scale", help="Factor on all sizes: 0.1 for a quick look, 4 for a GPU.")]
Preset = Annotated[str | None, typer.Option("--preset", help="Settings of all arms, such as published-small.")]
Again = Annotated[bool, typer.Option("--again", help="Run arms again that were run before.")]


def reproduce(
    name: Name,
    arms: Arms = None,
    folder: Folder = Path("docs/reproductions"),
    model: options.Model = None,
    seed: options.Seed = None,
    config: options.Config = None,
    scale: Scale = 1.0,
    preset: Preset = None,
    again: Again = False,
    as_json: options.Json = False,
) -> None:
    """Run the arms that are missing and write FOLDER/NAME.md with a table, intervals and a figure.

    `--config` holds values for every arm, below those of the arm itself. Example: redraft reproduce draft --arms k1,lv
    """
    from redraft.cli.reproducing import Reproducing, run_child
    from redraft.loop.reproductions.catalogue import NAMES, STUDIES, reproduction, study

    if name == "list":
        titles = {each: reproduction(each).title for each in NAMES} | {each: study(each).title for each in STUDIES}
        if as_json:
            print_json(titles)
        else:
            for each, title in titles.items():
                typer.echo(f"{each:12} {title}")
        return

    def say(text: str) -> None:
        if not as_json:
            typer.echo(text, err=True)

    wanted = tuple(part.strip() for part in arms.split(",")) if arms else ()
    if name in STUDIES:
        if model or config or preset or scale != 1:
            raise UsageError(
                f"{name!r} has models and sizes of its own: leave out --model, --config, --preset, --scale"
            )
        _study(study(name), wanted, folder=folder, seed=seed or 0, again=again, say=say, as_json=as_json)
        return
    plan = reproduction(name)
    common = options.merged(options.read_config(config), {"model": model, "seed": seed})
    reproducing = Reproducing(
        plan=plan, folder=folder, common=common, scale=scale, preset=preset, again=again, launch=run_child, say=say
    )
    for arm in plan.chosen(wanted):
        reproducing.config(arm)  # what cannot be is refused before anything is run
    reproducing.run(wanted)
    rows = reproducing.write(shlex.join(["redraft", "reproduce", name, *_changes(scale, preset, model)]))
    page = folder / f"{reproducing.name}.md"
    if as_json:
        print_json({"page": str(page), "rows": sorted(rows)})
    else:
        typer.echo(f"{len(rows)} of {len(plan.arms)} arms; page: {page}")


def _study(
    plan: Study, wanted: tuple[str, ...], *, folder: Path, seed: int, again: bool, say: Say, as_json: bool
) -> None:
    """Run the stages that are missing, in this process."""
    from redraft.cli.factory import PluginFactory
    from redraft.loop.reproductions.study import run_study

    results = run_study(plan, folder, factory=PluginFactory(), seed=seed, names=wanted, again=again, say=say)
    page = folder / f"{plan.name}.md"
    if as_json:
        print_json({"page": str(page), "rows": list(results)})
    else:
        typer.echo(f"{len(results)} of {len(plan.stages)} stages; page: {page}")


def _changes(scale: float, preset: str | None, model: str | None) -> list[str]:
    """What the page's command needs besides the name, to give the same rows."""
    parts = [*(["--preset", preset] if preset else []), *(["--model", model] if model else [])]
    return [*parts, *(["--scale", f"{scale:g}"] if scale != 1 else [])]
