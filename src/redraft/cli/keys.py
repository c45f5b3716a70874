"""`redraft keys`: keys for programs that use a studio. A secret is printed once and kept nowhere."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from redraft.cli import options
from redraft.cli.options import DEFAULT_WORKSPACE, print_json
from redraft.cli.users import find

if TYPE_CHECKING:
    from redraft.store.logins import ApiKey

app = typer.Typer(help="Keys for programs that use a studio.", no_args_is_help=True)
User = Annotated[str, typer.Option("--user", "-u", help="Whose key it is: name or id.")]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    user: User,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", "-s", help="generate, read, rate, ...; repeatable. Default: generate, read, rate."),
    ] = None,
    days: Annotated[int | None, typer.Option("--days", min=1, help="Days until it expires; default: never.")] = None,
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    as_json: options.Json = False,
) -> None:
    """Make a key and print its secret, once. Example: redraft keys create my-app --user ann --scope generate"""
    from redraft.store.workspace import Workspace
    from redraft.studio.identity.api_keys import add_key

    now = time.time()
    with Workspace.open(workspace) as space:
        key, secret = add_key(
            space, find(space, user), id=secrets.token_hex(16), name=name, scopes=scope or ("generate", "read", "rate"),
            within=None, expires_at=None if days is None else now + 86_400 * days, at=now, actor="",
        )  # fmt: skip
    if as_json:
        print_json({**_row(key), "secret": secret})
        return
    typer.echo(secret)
    typer.echo("this is shown once: keep it where the program finds it, such as its environment", err=True)


@app.command("list")
def list_keys(user: User, workspace: options.Workspace = DEFAULT_WORKSPACE, as_json: options.Json = False) -> None:
    """A person's keys, without secrets. Example: redraft keys list --user ann"""
    from redraft.store.workspace import Workspace

    with Workspace.open(workspace) as space:
        rows = [_row(key) for key in space.logins.keys(find(space, user).id)]
    if as_json:
        print_json({"keys": rows})
        return
    if not rows:
        typer.echo(f"{user} has no key: redraft keys create NAME --user {user} makes one")
    for row in rows:
        state = "revoked" if row["revoked_at"] else ""
        parts = (row["id"], f"{row['prefix']}...", row["name"], ", ".join(row["scopes"]), state)
        typer.echo("  ".join(part for part in parts if part))


@app.command("revoke")
def revoke(
    id: Annotated[str, typer.Argument(help="The id of the key, as `redraft keys list` shows it.")],
    user: User,
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    as_json: options.Json = False,
) -> None:
    """Revoke a key, at once and for good. Example: redraft keys revoke 3f2a... --user ann"""
    from redraft.store.workspace import Workspace

    now = time.time()
    with Workspace.open(workspace) as space:
        account = find(space, user)
        space.logins.revoke(account.id, id=id, at=now)
        space.audit.append("key revoked", actor="", subject=id, detail={}, at=now)
    if as_json:
        print_json({"id": id, "revoked": True})
    else:
        typer.echo(f"key {id} is revoked")


def _row(key: ApiKey) -> dict[str, Any]:
    return {**vars(key), "scopes": list(key.scopes)}
