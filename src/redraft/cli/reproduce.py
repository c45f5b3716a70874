"""`redraft reproduce`: a published comparison on the picture world, one child process an arm, resumable arm by arm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from redraft.cli import options
from redraft.cli.options import print_json, run_config
from redraft.core.errors import RedraftError, UsageError

if TYPE_CHECKING:
    from redraft.loop.reproductions.plan import Arm, Reproduction, Row

Name = Annotated[str, typer.Argument(help="Which comparison; `redraft reproduce list` names them.")]
Arms = Annotated[str | None, typer.Option("--arms", help="Only these arms, separated by commas.")]
Folder = Annotated[Path, typer.Option("--folder", help="Where the page, the figure and the rows go.")]
Again = Annotated[bool, typer.Option("--again", help="Run arms again that were run before.")]


def reproduce(
    name: Name,
    arms: Arms = None,
    folder: Folder = Path("docs/reproductions"),
    model: options.Model = None,
    seed: options.Seed = None,
    config: options.Config = None,
    again: Again = False,
    as_json: options.Json = False,
) -> None:
    """Run the arms that are missing and write FOLDER/NAME.md with a table, intervals and a figure.

    `--config` holds values for every arm, below those of the arm itself. Example: redraft reproduce methods --arms sft
    """
    from redraft.loop.reproductions.catalogue import NAMES, reproduction

    if name == "list":
        titles = {each: reproduction(each).title for each in NAMES}
        if as_json:
            print_json(titles)
        else:
            for each, title in titles.items():
                typer.echo(f"{each:12} {title}")
        return
    plan = reproduction(name)
    common = options.merged(options.read_config(config), {"model": model, "seed": seed})
    for arm in plan.chosen(tuple(part.strip() for part in arms.split(",")) if arms else ()):
        values = options.merged(common, arm.config, {"method": arm.method})
        resolved = run_config(values, given={}, source=f"arm {arm.name!r}").model_dump(mode="json")
        path = folder / plan.name / f"{arm.name}.json"
        if again or not _is_row(path, resolved):
            if not as_json:
                typer.echo(f"arm {arm.name} ...", err=True)
            _run(arm, resolved, path=path)
    rows = _write(plan, folder, command=f"redraft reproduce {name}")
    if as_json:
        print_json({"page": str(folder / f"{plan.name}.md"), "rows": sorted(rows)})
    else:
        typer.echo(f"{len(rows)} of {len(plan.arms)} arms; page: {folder / plan.name}.md")


def _is_row(path: Path, config: dict[str, Any]) -> bool:
    """Whether this file is the result of an arm with this configuration."""
    return path.is_file() and json.loads(path.read_text(encoding="utf-8"))["config"] == config


def _run(arm: Arm, config: dict[str, Any], *, path: Path) -> None:
    """One arm in a process of its own, so that its peak memory is its own. Raises RedraftError when it fails."""
    from redraft.store.files import write_file

    workspace = path.parent / "work" / arm.name
    path.parent.mkdir(parents=True, exist_ok=True)
    given = workspace.with_suffix(".config.json")
    write_file(given, json.dumps(config).encode())
    command = [
        sys.executable, "-m", "redraft.cli.main", "train", arm.method, "--config", str(given), "--workspace",
        str(workspace), "--json",
    ]  # fmt: skip
    began = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None  # asked for above
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    if child.returncode:
        raise RedraftError(
            f"arm {arm.name!r} ended with exit code {child.returncode}, its message is above: mend the cause and run "
            "the same command again; the arms that are done stay done"
        )
    row = {
        "arm": arm.name, "config": config, "seconds": seconds, "peak_memory": usage.ru_maxrss * 1024,
        "hardware": _hardware(), "summary": json.loads(output),
    }  # fmt: skip
    write_file(path, json.dumps(row, indent=1).encode())


def _hardware() -> str:
    import platform

    return f"{os.cpu_count()} CPU cores ({platform.machine()})"


def _write(plan: Reproduction, folder: Path, *, command: str) -> dict[str, Row]:
    """Write page and figure from all rows that are there."""
    from redraft.evaluation.figures import Gain, gains_figure
    from redraft.loop.reproductions.page import SHARES, markdown
    from redraft.loop.reproductions.plan import Row
    from redraft.store.files import write_file

    rows: dict[str, Row] = {}
    hardware: set[str] = set()
    for arm in plan.arms:
        path = folder / plan.name / f"{arm.name}.json"
        if path.is_file():
            found = json.loads(path.read_text(encoding="utf-8"))
            hardware.add(found["hardware"])
            rows[arm.name] = Row(
                arm=arm, summary=found["summary"], seconds=found["seconds"], peak_memory=found["peak_memory"]
            )
    if not rows:
        raise UsageError(f"no arm of {plan.name!r} has a result in {folder / plan.name}: run one")
    page = markdown(plan, rows, command=command, hardware=", ".join(sorted(hardware)))
    write_file(folder / f"{plan.name}.md", page.encode())
    metric, heading = plan.metrics[0]
    scale = 100 if metric.split("/")[0] in SHARES else 1
    effects = [(name, row.effect(metric)) for name, row in rows.items()]
    gains = [
        Gain(name=name, difference=effect.difference * scale, low=effect.low * scale, high=effect.high * scale)
        for name, effect in effects
        if effect is not None
    ]
    figure = gains_figure(gains, title=plan.title, unit=f"gain in {heading}, with 95 % interval")
    write_file(folder / f"{plan.name}.png", figure)
    return rows
