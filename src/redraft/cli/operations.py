"""`redraft backup`, `restore`, `gc` and `db upgrade`: what keeps a workspace safe, small and up to date."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from redraft.cli import options
from redraft.cli.options import DEFAULT_WORKSPACE, print_json
from redraft.core.errors import UsageError

if TYPE_CHECKING:
    from redraft.store.backup import Backup

database = typer.Typer(help="The database of a workspace.", no_args_is_help=True)
HOUR = 3600.0
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would be removed.")]
Hours = Annotated[float, typer.Option("--older-than", min=0.0, help="Hours; younger files may be in the making.")]


def back_up(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")],
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    as_json: options.Json = False,
) -> None:
    """Write the whole workspace to one file, while everything runs. Example: redraft backup monday.tar"""
    from redraft.store.backup import back_up

    _require_sqlite("backup", workspace)
    made = back_up(workspace, file, at=time.time())
    if as_json:
        print_json({"file": str(file), **asdict(made)})
        return
    typer.echo(f"{file} holds {_words(made)}")
    if made.missing:
        typer.echo(
            f"warning: {len(made.missing)} files have a row but are on no disk, {made.missing[0]} is one", err=True
        )
    typer.echo("it opens every account and holds what people wrote: keep it where only you can read it")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `redraft backup` wrote.")],
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    as_json: options.Json = False,
) -> None:
    """Make a workspace from a backup; its folder must be empty or absent. Example: redraft restore monday.tar"""
    from redraft.store.restoring import restore
    from redraft.store.workspace import Workspace

    _require_sqlite("restore", workspace)
    found = restore(file, workspace)
    # An older backup is brought up to date now, not at the next start.
    Workspace.open(workspace).close()
    if as_json:
        print_json({"workspace": str(workspace), **asdict(found)})
        return
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(found.made_at))
    typer.echo(f"{workspace} holds {_words(found)}, as of {made}")


def collect_garbage(
    dry_run: DryRun = False,
    older_than: Hours = 1.0,
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    as_json: options.Json = False,
) -> None:
    """Remove files that nothing refers to; never a picture or checkpoint with a row. Example: redraft gc --dry-run"""
    from redraft.store.workspace import Workspace

    with Workspace.open(workspace) as space:
        found = space.gc(before=time.time() - older_than * HOUR, remove=not dry_run)
    if as_json:
        print_json({"removed": not dry_run, "files": [str(path) for path in found.files], "bytes": found.bytes})
        return
    for path in found.files:
        typer.echo(str(path))
    done = "would be removed" if dry_run else "removed"
    typer.echo(f"{len(found.files)} files of {found.bytes:,} bytes {done}")


@database.command("upgrade")
def upgrade(workspace: options.Workspace = DEFAULT_WORKSPACE, as_json: options.Json = False) -> None:
    """Bring the tables up to date; every other command does so by itself. Example: redraft db upgrade"""
    from redraft.store.workspace import Workspace, database_of

    before = None
    # Looked at before it is opened as a workspace, which upgrades it.
    if os.environ.get("REDRAFT_DATABASE_URL") or (workspace / "redraft.db").is_file():
        looking = database_of(workspace)
        try:
            before = looking.revision()
        finally:
            looking.close()
    with Workspace.open(workspace) as space:
        after, name = space.database.revision(), space.database.name
    if as_json:
        print_json({"database": name, "before": before, "after": after})
    elif before == after:
        typer.echo(f"{name} is up to date (schema {after})")
    else:
        typer.echo(f"{name}: schema {before or 'none'} is now {after}")


def _require_sqlite(command: str, workspace: Path) -> None:
    url = os.environ.get("REDRAFT_DATABASE_URL", "")
    if not url or url.startswith("sqlite"):
        return
    from redraft.store.transactions import Database

    server = Database(url)
    server.close()
    parts = " ".join(str(workspace / part) for part in ("images", "checkpoints", "runs", "secrets"))
    way = (
        f"run `pg_dump --format=custom --file=redraft.dump` for it first, then `rsync -a {parts} BACKUP/` for the files"
        if command == "backup"
        else f"run `pg_restore --clean --dbname=redraft redraft.dump` for it, and put the files back into {workspace}"
    )
    raise UsageError(
        f"`redraft {command}` is for a workspace with its own redraft.db, but the rows are on the server {server.name} "
        f"(REDRAFT_DATABASE_URL): {way}; docs/operations.md has the whole of it"
    )


def _words(made: Backup) -> str:
    return f"{made.files:,} files and the database, {made.bytes / 1e6:,.1f} MB"
