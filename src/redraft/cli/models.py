"""`redraft models`: checkpoints, aliases with their history, promotion by hand, rollback, export."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from redraft.cli import options
from redraft.cli.options import DEFAULT_WORKSPACE, print_json
from redraft.models.builtin import DEFAULT

if TYPE_CHECKING:
    from redraft.store.aliases import Alias
    from redraft.store.workspace import Workspace

app = typer.Typer(help="Checkpoints and the aliases that serving follows.", no_args_is_help=True)
Base = Annotated[str, typer.Option("--model", "-m", help="The base model.")]
Checkpoint = Annotated[
    str, typer.Argument(help="A checkpoint id (4 digits or more), champion, challenger or previous.")
]


@app.command("list")
def list_models(workspace: options.Workspace = DEFAULT_WORKSPACE, as_json: options.Json = False) -> None:
    """Checkpoints and where the aliases point. Example: redraft models list"""
    from redraft.store.workspace import Workspace

    with Workspace.open(workspace) as space:
        checkpoints, aliases = space.checkpoints.list(), space.aliases.list()
    pointing: dict[str, list[str]] = {}
    for live in aliases:
        pointing.setdefault(live.checkpoint, []).append(live.alias)
    rows: list[dict[str, Any]] = [
        {
            "id": checkpoint.id, "base": checkpoint.lineage.base, "kind": checkpoint.kind, "bytes": checkpoint.bytes,
            "method": checkpoint.lineage.method, "run": checkpoint.lineage.run,
            "aliases": pointing.get(checkpoint.id, []),
        }
        for checkpoint in checkpoints
    ]  # fmt: skip
    if as_json:
        print_json({"checkpoints": rows, "aliases": [asdict(live) for live in aliases]})
        return
    if not rows:
        typer.echo("no checkpoint yet: redraft improve makes one; builtin:sd and builtin:sd3 are always there")
    for row in rows:
        names = ", ".join(row["aliases"])
        typer.echo(f"{row['id'][:12]}  {row['base']}  {row['kind']}  {row['method']}  {row['run']}  {names}")


@app.command("show")
def show(
    checkpoint: Checkpoint,
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    model: Base = DEFAULT,
    as_json: options.Json = False,
) -> None:
    """A checkpoint's lineage, and the history of its base's aliases. Example: redraft models show champion"""
    from redraft.store.workspace import Workspace

    with Workspace.open(workspace) as space:
        record = space.checkpoints.get(_resolve(space, checkpoint, model))
        history = space.aliases.history(record.lineage.base)
    lineage = asdict(record.lineage) | {"config": json.loads(record.lineage.config)}
    if as_json:
        print_json({"id": record.id, "kind": record.kind, "lineage": lineage, "history": [asdict(x) for x in history]})
        return
    typer.echo(f"{record.id}  {record.kind}  {record.bytes:,} bytes")
    for name, value in lineage.items():
        if name != "config":
            typer.echo(f"  {name}: {value}")
    for live in history:
        typer.echo(f"  {live.alias} -> {live.checkpoint[:12] or 'the base'}: {live.reason}")


@app.command("promote")
def promote(
    checkpoint: Checkpoint,
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    model: Base = DEFAULT,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the history.")] = "promoted by hand",
    as_json: options.Json = False,
) -> None:
    """Make a checkpoint the champion. Example: redraft models promote 3f2a"""
    from redraft.store.workspace import Workspace

    with Workspace.open(workspace) as space:
        record = space.checkpoints.get(_resolve(space, checkpoint, model))
        live = space.aliases.move(record.lineage.base, record.id, reason=reason, at=time.time())
    if as_json:
        print_json(asdict(live))
    else:
        typer.echo(f"champion of {live.base} is now {live.checkpoint[:12]}")


@app.command("rollback")
def rollback(
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    model: Base = DEFAULT,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the history.")] = "rolled back by hand",
    as_json: options.Json = False,
) -> None:
    """Return to the champion before this one. Example: redraft models rollback --model builtin:sd3"""
    from redraft.store.workspace import Workspace

    with Workspace.open(workspace) as space:
        live = space.aliases.rollback(model, reason=reason, at=time.time())
    if as_json:
        print_json(asdict(live))
    else:
        typer.echo(f"champion of {live.base} is now {live.checkpoint[:12] or 'the base itself'}")


@app.command("try")
def try_out(
    checkpoint: Annotated[str, typer.Argument(help="A checkpoint id (4 digits or more).")],
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the history.")] = "tried by hand",
    as_json: options.Json = False,
) -> None:
    """Make a checkpoint the challenger, which people compare with the champion. Example: redraft models try 3f2a"""
    from redraft.store.workspace import Workspace

    with Workspace.open(workspace) as space:
        record = space.checkpoints.get(checkpoint)
        live = space.aliases.move(record.lineage.base, record.id, alias="challenger", reason=reason, at=time.time())
    if as_json:
        print_json(asdict(live))
    else:
        typer.echo(f"challenger of {live.base} is now {live.checkpoint[:12]}")


@app.command("duels")
def duels(
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    model: Base = DEFAULT,
    promote_it: Annotated[
        bool, typer.Option("--promote", help="Make the challenger the champion if people have proven it better.")
    ] = False,
    least_people: Annotated[int, typer.Option("--least-people", min=1, help="People who must have voted.")] = 50,
    votes: Annotated[
        int, typer.Option("--votes-per-person", min=1, help="Votes of a person that make one observation.")
    ] = 1,
    as_json: options.Json = False,
) -> None:
    """What the studio's blind duels say of the challenger. Example: redraft models duels --promote"""
    from redraft.evaluation.people_gate import PeoplePolicy
    from redraft.loop.by_people import people_say, promote_by_people
    from redraft.store.workspace import Workspace

    policy = PeoplePolicy(least_people=least_people, votes_per_person=votes)
    with Workspace.open(workspace) as space:
        if promote_it:
            found = promote_by_people(space, model, at=time.time(), policy=policy)
        else:
            found = people_say(space, model, policy=policy)
    trial = found.trial
    if as_json:
        numbers = {"champion": trial.champion, "challenger": trial.challenger, "trial": trial.number}
        counts = {"pairs": trial.pairs, "answers": len(trial.votes), "left_out": trial.left_out}
        print_json({**numbers, **counts, **asdict(found.standing), **asdict(found.verdict), "promoted": found.promoted})
        return
    typer.echo(f"challenger {trial.challenger[:12]} against {trial.champion[:12] or model}: {trial.pairs} pairs given")
    typer.echo(f"{found.verdict.decision}: {found.verdict.reasons[0]}")
    if trial.left_out:
        typer.echo(f"{trial.left_out} answers do not count, of people who knew the challenger or whose answers weigh 0")
    if found.promoted:
        typer.echo(f"champion of {model} is now {trial.challenger[:12]}")


@app.command("export")
def export(
    checkpoint: Checkpoint,
    out: Annotated[Path, typer.Option("--out", "-o", help="A new folder.")],
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    model: Base = DEFAULT,
    whole: Annotated[bool, typer.Option("--pipeline", help="Write the whole pipeline, weights merged in.")] = False,
    as_json: options.Json = False,
) -> None:
    """Write a LoRA that diffusers loads, or a whole pipeline. Example: redraft models export champion -o my-lora"""
    from redraft.cli.generate import open_model
    from redraft.models.export import export_lora, export_pipeline
    from redraft.store.workspace import Workspace

    with Workspace.open(workspace) as space:
        identity = _resolve(space, checkpoint, model)
        base = space.checkpoints.get(identity).lineage.base
        backbone, name = open_model(space, base, checkpoint=identity)
    written = export_pipeline(backbone, out) if whole else export_lora(backbone, out)
    if as_json:
        print_json({"checkpoint": identity, "file": str(written)})
    else:
        typer.echo(f"{name} is in {written}")


def _resolve(space: Workspace, checkpoint: str, model: str) -> str:
    """The id behind an alias name, or the id itself."""
    from redraft.core.errors import UsageError

    if checkpoint not in ("champion", "challenger", "previous"):
        return checkpoint
    live = space.aliases.current(model, cast("Alias", checkpoint))
    if live is None or not live.checkpoint:
        raise UsageError(
            f"{model} has no {checkpoint} but the base itself in this workspace: run `redraft improve`, or give an id "
            "from `redraft models list`"
        )
    return live.checkpoint
