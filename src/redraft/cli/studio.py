"""`redraft studio`: the page, the OpenAI-compatible server and the engine behind them, started together."""

from __future__ import annotations

import contextlib
import threading
import webbrowser
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from redraft.cli import options
from redraft.cli.options import DEFAULT_WORKSPACE
from redraft.core.errors import ConfigError

Host = Annotated[str | None, typer.Option("--host", help="Address to listen on; 127.0.0.1 is this machine alone.")]
Port = Annotated[int | None, typer.Option("--port", "-p", min=0, max=65535, help="Port; 0: any free one.")]
PublicUrl = Annotated[str | None, typer.Option("--public-url", help="How browsers reach it, as https://paint.example.")]
Auth = Annotated[
    Literal["auto", "open", "accounts"] | None,
    typer.Option("--auth", help="open: everybody on this machine is you; accounts: log in. Elsewhere accounts only."),
]
Device = Annotated[str | None, typer.Option("--device", help="cpu, cuda, cuda:1, ...")]
Threads = Annotated[int | None, typer.Option("--threads", min=0, help="Threads of the engine on a CPU; 0: all.")]
Open = Annotated[
    bool | None, typer.Option("--open/--no-open", help="Open the page in a browser (default: in a terminal).")
]
Worker = Annotated[
    bool, typer.Option("--worker/--no-worker", help="Carry out trainings and promotions that the page orders.")
]


def studio(
    host: Host = None,
    port: Port = None,
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    model: options.Model = None,
    device: Device = None,
    threads: Threads = None,
    auth: Auth = None,
    public_url: PublicUrl = None,
    config: options.Config = None,
    open_page: Open = None,
    worker: Worker = True,
) -> None:
    """Serve pictures, ask about them, show what was learnt. Ctrl-C ends it.

    The page comes up at once; the model is loaded beside it, and what is asked for until then waits.

    Example: redraft studio --port 8188
    """
    from redraft.cli.worker import running_worker
    from redraft.core.config import build
    from redraft.models.folder import class_name, is_hub_id
    from redraft.studio.server import serve
    from redraft.studio.settings import StudioSettings

    engine = {"model": model, "device": device, "threads": threads}
    given = {"host": host, "port": port, "public_url": public_url, "authentication": auth, "workspace": workspace}
    values = _settings(config)
    _lay_over(values, given)
    values["engine"] = dict(values.get("engine", {}))
    _lay_over(values["engine"], engine)
    settings = build(StudioSettings, values, source="[studio]" if config is None else f"[studio] of {str(config)!r}")
    if not is_hub_id(settings.engine.model):
        class_name(settings.engine.model)  # a folder that is not there is told now, not by the engine later

    def announce(url: str) -> None:
        typer.echo(f"redraft studio at {url}  (workspace {workspace}; Ctrl-C ends it)")
        if open_page or (open_page is None and _in_terminal()):
            # A browser that waits for the page must not keep the server from answering it.
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    works = (
        running_worker(settings.workspace, database_url=settings.database_url) if worker else contextlib.nullcontext()
    )
    # The server has ended in order when this arrives.
    with contextlib.suppress(KeyboardInterrupt), works:
        serve(settings, announce=announce)


def _settings(config: Path | None) -> dict[str, Any]:
    """The table [studio] of a file. Raises ConfigError when it is no table."""
    found = options.read_config(config).get("studio", {})
    if not isinstance(found, dict):
        raise ConfigError(f"{str(config)!r}: studio = {found!r} is no table: write [studio] with options below it")
    return dict(found)


def _lay_over(values: dict[str, Any], given: dict[str, Any]) -> None:
    """What the command line says goes before what the file says; the default workspace does not."""
    for name, value in given.items():
        if value is None or (name == "workspace" and value == DEFAULT_WORKSPACE and name in values):
            continue
        values[name] = value


def _in_terminal() -> bool:
    import sys

    return sys.stdout.isatty()
