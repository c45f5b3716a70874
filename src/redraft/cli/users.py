"""`redraft users`: the accounts of a studio, without logging in: whoever may write the workspace may change them."""

from __future__ import annotations

import secrets
import sys
import time
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from redraft.cli import options
from redraft.cli.options import DEFAULT_WORKSPACE, print_json
from redraft.core.errors import UsageError

if TYPE_CHECKING:
    from redraft.store.people import Account
    from redraft.store.workspace import Workspace

app = typer.Typer(help="The accounts of a studio.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The name that the person logs in by.")]
Roles = Annotated[
    list[str] | None, typer.Option("--role", "-r", help="admin, operator or moderator; repeatable. None: a member.")
]
FromInput = Annotated[bool, typer.Option("--password-stdin", help="Read the password from the first line of stdin.")]


@app.command("add")
def add(
    name: Name,
    roles: Roles = None,
    password_stdin: FromInput = False,
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    as_json: options.Json = False,
) -> None:
    """Make an account; asks for the password. Example: redraft users add ann --role admin"""
    from redraft.store.workspace import Workspace
    from redraft.studio.identity.managing import add_person

    password = _password(password_stdin)
    with Workspace.open(workspace) as space:
        account = add_person(
            space, id=secrets.token_hex(16), name=name, password=password, roles=roles or (),
            least_password=_least(), at=time.time(), actor="",
        )  # fmt: skip
    _say(account, as_json=as_json, text=f"{account.name} has an account now")


@app.command("list")
def list_users(workspace: options.Workspace = DEFAULT_WORKSPACE, as_json: options.Json = False) -> None:
    """All accounts by name. Example: redraft users list"""
    from redraft.store.workspace import Workspace

    with Workspace.open(workspace) as space:
        rows = [_row(account) for account in _all(space)]
    if as_json:
        print_json({"users": rows})
        return
    if not rows:
        typer.echo("no account yet: redraft users add NAME --role admin makes one")
    for row in rows:
        state = "disabled" if row["disabled"] else ""
        typer.echo("  ".join(part for part in (row["name"], ", ".join(row["roles"]), state, row["id"]) if part))


@app.command("roles")
def roles(
    name: Name,
    roles: Roles = None,
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    as_json: options.Json = False,
) -> None:
    """Replace a person's roles; without --role a member's. Example: redraft users roles bob --role moderator"""
    from redraft.store.workspace import Workspace
    from redraft.studio.identity.managing import set_roles

    with Workspace.open(workspace) as space:
        account = find(space, name)
        set_roles(space, account, roles or (), at=time.time(), actor="")
        account = space.people.get(account.id)
    _say(account, as_json=as_json, text=f"{account.name}: {', '.join(account.roles) or 'a member'}")


@app.command("password")
def password(
    name: Name,
    password_stdin: FromInput = False,
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    as_json: options.Json = False,
) -> None:
    """Set a person's password; their sessions end. Example: redraft users password ann"""
    from redraft.store.workspace import Workspace
    from redraft.studio.identity.managing import set_password

    new = _password(password_stdin)
    with Workspace.open(workspace) as space:
        account = find(space, name)
        set_password(space, account, new, least_password=_least(), at=time.time(), actor="")
    _say(account, as_json=as_json, text=f"{account.name} has a new password; their sessions have ended")


@app.command("disable")
def disable(name: Name, workspace: options.Workspace = DEFAULT_WORKSPACE, as_json: options.Json = False) -> None:
    """Shut a person out, with all sessions and keys. Nothing is erased. Example: redraft users disable bob"""
    _set_disabled(workspace, name, True, as_json=as_json)


@app.command("enable")
def enable(name: Name, workspace: options.Workspace = DEFAULT_WORKSPACE, as_json: options.Json = False) -> None:
    """Let a person in again; revoked keys stay revoked. Example: redraft users enable bob"""
    _set_disabled(workspace, name, False, as_json=as_json)


@app.command("points")
def points(
    since: Annotated[str | None, typer.Option("--since", help="From this day on, such as 2026-11-01 (UTC).")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Before this day.")] = None,
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    as_json: options.Json = False,
) -> None:
    """The ledger by person: what to pay, or to thank for. Example: redraft users points --since 2026-11-01"""
    from redraft.store.workspace import Workspace

    start, end = _day(since, float("-inf")), _day(until, float("inf"))
    with Workspace.open(workspace) as space:
        names = {account.id: account.name for account in _all(space)}
        totals = space.points.totals(since=start, until=end)
    rows = [{"name": names.get(total.user, ""), **asdict(total)} for total in totals]
    if as_json:
        print_json({"since": since, "until": until, "people": rows})
        return
    if not rows:
        typer.echo("nobody has an award of this time")
    for row in rows:
        typer.echo(f"{row['name']}  {row['final']:.2f} final, {row['pending']:.2f} pending, {row['accepted']} accepted")


@app.command("separate")
def separate(name: Name, workspace: options.Workspace = DEFAULT_WORKSPACE, as_json: options.Json = False) -> None:
    """Give a person a budget of points of their own again, if they were joined with others by mistake.

    Example: redraft users separate bob
    """
    from redraft.store.workspace import Workspace

    with Workspace.open(workspace) as space:
        account, now = find(space, name), time.time()
        space.people.set_cluster([account.id], None, at=now)
        space.audit.append("separate", actor="", subject=account.id, detail={"cluster": account.cluster}, at=now)
    was = "was joined with others and is not any more" if account.cluster else "was joined with nobody"
    _say(account, as_json=as_json, text=f"{account.name} {was}")


def find(space: Workspace, name: str) -> Account:
    """The account with this name or id. Raises UnknownNameError that lists some names."""
    from redraft.core.errors import unknown_name

    account = space.people.find(name)
    if account is None:
        known = _all(space)
        account = next((other for other in known if other.id == name), None)
        if account is None:
            raise unknown_name("user", name, [other.name for other in known[:50]])
    return account


def _set_disabled(workspace: Path, name: str, disabled: bool, *, as_json: bool) -> None:
    from redraft.store.workspace import Workspace
    from redraft.studio.identity.managing import set_disabled

    with Workspace.open(workspace) as space:
        account = find(space, name)
        set_disabled(space, account, disabled, at=time.time(), actor="")
    text = f"{account.name} is shut out" if disabled else f"{account.name} may come in again"
    _say(replace(account, disabled=disabled), as_json=as_json, text=text)


def _day(text: str | None, otherwise: float) -> float:
    """The beginning of a day, UTC, in seconds since 1970. Raises UsageError."""
    if text is None:
        return otherwise
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), tzinfo=UTC).timestamp()
    except ValueError as error:
        raise UsageError(f"{text!r} is no day: write it as 2026-11-01") from error


def _all(space: Workspace) -> list[Account]:
    found: list[Account] = []
    while page := space.people.list(after=found[-1].login if found else "", limit=500):
        found += page
    return found


def _password(from_input: bool) -> str:
    if from_input:
        line = sys.stdin.readline().rstrip("\n")
        if not line:
            raise UsageError("stdin holds no password: write it into the first line")
        return line
    given: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return given


def _least() -> int:
    from redraft.studio.settings import AccountSettings

    return AccountSettings().least_password


def _say(account: Account, *, as_json: bool, text: str) -> None:
    if as_json:
        print_json(_row(account))
    else:
        typer.echo(text)


def _row(account: Account) -> dict[str, Any]:
    return {"id": account.id, "name": account.name, "roles": list(account.roles), "disabled": account.disabled}
