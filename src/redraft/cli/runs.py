"""`redraft runs`: the runs of a workspace, what their stages did, and going on with one."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from redraft.cli import options
from redraft.cli.options import DEFAULT_WORKSPACE, print_json

app = typer.Typer(help="The runs of a workspace.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name of the run, as `redraft runs list` shows it.")]


@app.command("list")
def list_runs(workspace: options.Workspace = DEFAULT_WORKSPACE, as_json: options.Json = False) -> None:
    """All runs, the oldest first. Example: redraft runs list"""
    from redraft.store.workspace import Workspace

    with Workspace.open(workspace) as space:
        rows = [_row(run) for run in space.runs.list()]
    if as_json:
        print_json({"runs": rows})
        return
    for row in rows or [{"name": "no run yet: start one with `redraft improve`"}]:
        typer.echo("  ".join(str(value) for value in row.values() if value))


@app.command("show")
def show(name: Name, workspace: options.Workspace = DEFAULT_WORKSPACE, as_json: options.Json = False) -> None:
    """One run: configuration, stages from the ledger, result. Example: redraft runs show improve-0001"""
    from redraft.store.workspace import Workspace

    with Workspace.open(workspace) as space:
        run, entries = space.runs.get(name), space.ledger.entries(name)
    result = json.loads(run.result) if run.result else {}
    stages: list[dict[str, Any]] = [
        {"stage": e.stage, "status": e.status, "at": _time(e.at), "outputs": dict(e.outputs)} for e in entries
    ]
    if as_json:
        print_json({**_row(run), "config": json.loads(run.config), "stages": stages, "result": result})
        return
    typer.echo("  ".join(str(value) for value in _row(run).values() if value))
    for stage in stages:
        digests = ", ".join(digest[:12] for digest in stage["outputs"].values())
        typer.echo(f"  {stage['at']}  {stage['stage']:24} {stage['status']:9} {digests}")
    for reason in result.get("reasons", []):
        typer.echo(f"  {reason}")


@app.command("resume")
def resume(name: Name, workspace: options.Workspace = DEFAULT_WORKSPACE, as_json: options.Json = False) -> None:
    """Go on with a run that was killed or failed. Example: redraft runs resume improve-0001"""
    from redraft.cli.improve import run_cycle

    summary = run_cycle(None, kind="improve", workspace=workspace, run=name, as_json=as_json, began=time.monotonic())
    if as_json:
        print_json(summary)


def _row(run: Any) -> dict[str, Any]:
    result = json.loads(run.result) if run.result else {}
    return {
        "name": run.name, "kind": run.kind, "status": run.status, "started": _time(run.created_at),
        "verdict": result.get("verdict"), "error": result.get("error"),
    }  # fmt: skip


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
