"""The `redraft` command: gathers the commands, turns errors into messages and exit codes. Imports nothing heavy."""

from __future__ import annotations

import os
import sys

import typer

from redraft import __version__
from redraft.cli import (
    doctor,
    evaluate,
    examine,
    feedback,
    generate,
    improve,
    keys,
    models,
    operations,
    prompts,
    reproduce,
    reward,
    runs,
    studio,
    study,
    users,
    worker,
)
from redraft.cli.runtime import keep_memory, share_cores
from redraft.cli.warned import shown_warnings
from redraft.core.errors import RedraftError

app = typer.Typer(
    name="redraft",
    help="A text-to-image system that learns from the people who use it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("improve")(improve.improve)
app.command("train")(improve.train)
app.command("generate")(generate.generate)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(examine.compare)
app.command("reproduce")(reproduce.reproduce)
app.command("studio")(studio.studio)
app.command("worker")(worker.worker)
app.command("doctor")(doctor.doctor)
app.command("backup")(operations.back_up)
app.command("restore")(operations.restore)
app.command("gc")(operations.collect_garbage)
app.add_typer(models.app, name="models")
app.add_typer(prompts.app, name="prompts")
app.add_typer(reward.app, name="reward")
app.add_typer(feedback.app, name="feedback")
app.add_typer(runs.app, name="runs")
app.add_typer(study.app, name="study")
app.add_typer(users.app, name="users")
app.add_typer(operations.database, name="db")
app.add_typer(keys.app, name="keys")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"redraft {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    debug: bool = typer.Option(False, "--debug", help="Print tracebacks instead of messages."),
) -> None:
    """A text-to-image system that learns from the people who use it."""
    del version, debug


def run() -> None:
    """Entry point. Exit codes: 0 done, 1 failed, 2 wrong usage. Ctrl-C: 130; what was done so far can be resumed."""
    share_cores(os.environ)
    keep_memory(os.environ)
    debug = "--debug" in sys.argv
    try:
        with shown_warnings():
            app()
    except RedraftError as error:
        if debug:
            raise
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo(
            "interrupted: `redraft runs list` names the run, `redraft runs resume NAME` goes on with it", err=True
        )
        sys.exit(130)


if __name__ == "__main__":
    run()
