"""`redraft worker`: carries out what the studio was told to do, one training at a time, until it is stopped.

The worker that waits is a small process. Each training is done by a new one, `redraft worker --once`, which gives all
its memory back at its end; moving an alias is done at once, whether something trains or not.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from redraft.cli import options
from redraft.cli.options import DEFAULT_WORKSPACE, print_json, read_config, run_config

if TYPE_CHECKING:
    from redraft.core.orders import TrainingOrder
    from redraft.loop.config import RunConfig
    from redraft.loop.recording import Recorded
    from redraft.loop.worker import Worker
    from redraft.store.runs import Run
    from redraft.store.workspace import Workspace

POLL_SECONDS = 1.0
AGAIN_SECONDS = 10.0
"""After so long a training process that failed to begin is started again."""
GRACE_SECONDS = 30.0
"""A training that is to stop has so long to reach the end of its step."""

Once = Annotated[bool, typer.Option("--once", help="Do one job, if there is one, in this process; then end.")]
Stale = Annotated[
    float, typer.Option("--stale", min=1.0, help="Seconds of silence after which another worker's job is taken over.")
]
Base = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="TOML of a run: what the orders leave open, such as [scorers.NAME]."),
]
Watched = Annotated[bool, typer.Option("--while-stdin-is-open", hidden=True)]


def worker(
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    once: Once = False,
    stale: Stale = 60.0,
    config: Base = None,
    while_stdin_is_open: Watched = False,
    as_json: options.Json = False,
) -> None:
    """Carry out the jobs that the studio entered: improve, train, promote, roll back. Ctrl-C ends it.

    `redraft studio` starts one by itself. A job that is interrupted goes on where it was, here or in another worker.

    Example: redraft worker --workspace ./redraft-workspace
    """
    from redraft.core.orders import MOVES, TRAININGS
    from redraft.store.workspace import Workspace

    _log_to_stderr()
    # Read before waiting: a mistake in it is told now, not at the first order.
    trainer, stopping = CommandTrainer(config), threading.Event()
    if while_stdin_is_open:
        threading.Thread(target=_watch_stdin, args=(stopping,), name="redraft-parent", daemon=True).start()
    with Workspace.open(workspace) as space, _signals(stopping):
        if not once:
            wait_for_jobs(space, trainer, stopping=stopping, stale=stale)
            return
        # Of an empty table this is known before anything heavy is imported.
        job = None
        if space.jobs.waiting((*MOVES, *TRAININGS), at=time.time(), stale_after=stale):
            job = _worker(space, trainer, stopping=stopping, stale=stale).work((*MOVES, *TRAININGS))
    if as_json:
        print_json({"job": None if job is None else {"id": job.id, "state": job.state, "error": job.error}})


def wait_for_jobs(space: Workspace, trainer: CommandTrainer, *, stopping: threading.Event, stale: float) -> None:
    """Move aliases in this process and start another one for each training, until `stopping` is set."""
    from redraft.core.orders import MOVES, TRAININGS

    command = ["worker", "--once", "--stale", f"{stale:g}", "--workspace", str(space.folder)]
    command += [] if trainer.config is None else ["--config", str(trainer.config)]
    training: subprocess.Popen[bytes] | None = None
    not_before = 0.0
    while not stopping.is_set():
        if space.jobs.waiting(MOVES, at=time.time(), stale_after=stale):
            _worker(space, trainer, stopping=stopping, stale=stale).work(MOVES)
            continue
        if training is not None and training.poll() is not None:
            not_before = 0.0 if training.returncode == 0 else time.monotonic() + AGAIN_SECONDS
            training = None
        free = training is None and time.monotonic() >= not_before
        if free and space.jobs.waiting(TRAININGS, at=time.time(), stale_after=stale):
            training = _start(command)
        stopping.wait(POLL_SECONDS)
    if training is not None:
        _stop(training)


@contextlib.contextmanager
def running_worker(workspace: Path, *, database_url: str | None) -> Iterator[None]:
    """A worker in a process of its own for as long as the block lasts, started again should it die.

    It ends with this process, however this one ends.
    """
    # The URL may hold a password: the environment is read by nobody else, command lines are.
    environment = {} if database_url is None else {"REDRAFT_DATABASE_URL": database_url}
    ended = threading.Event()
    current: list[subprocess.Popen[bytes]] = []

    def keep_one() -> None:
        while not ended.is_set():
            current[:] = [_start(["worker", "--workspace", str(workspace)], environment)]
            current[0].wait()
            ended.wait(AGAIN_SECONDS)

    thread = threading.Thread(target=keep_one, name="redraft-worker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        for process in current:
            _stop(process)


class CommandTrainer:
    """What the worker needs of the command line: recipes, plug-ins, pages. config: a file below every order.

    Raises what `read_config` raises.
    """

    def __init__(self, config: Path | None) -> None:
        self.config = config
        self._file = read_config(config)

    def resolve(self, kind: str, order: TrainingOrder) -> RunConfig:
        """The configuration of an order, as `redraft improve` would resolve it. Raises UsageError."""
        from redraft.cli.improve import check_config
        from redraft.loop.amounts import scaled

        given = {
            "model": order.model, "method": order.method, "seed": order.seed, "reward": dict(order.reward) or None,
            "facets": None if order.facets is None else {"scorer": order.facets}, "pairs": order.pairs,
            "rounds": order.rounds, "fit": {"steps": order.train_steps}, "sampling": {"steps": order.steps},
            "promote": order.promote and kind == "improve",
        }  # fmt: skip
        config = scaled(run_config(self._file, given=given, source=f"the order to {kind}"), order.recipe)
        check_config(config)
        return config

    def work(self, workspace: Workspace, run: Run, config: RunConfig, observer: Recorded) -> Mapping[str, Any]:
        """The cycle of a run and its page."""
        from redraft.cli.performing import perform

        # The page tells how the run is repeated by hand.
        command = ["redraft", run.kind, *(["--method"] if run.kind == "improve" else []), config.method]
        command += ["--model", config.model, "--seed", str(config.seed)]
        done = perform(workspace, run, config, observer=observer, began=time.monotonic(), command=shlex.join(command))
        return done.summary


def _worker(space: Workspace, trainer: CommandTrainer, *, stopping: threading.Event, stale: float) -> Worker:
    from redraft.loop.worker import Worker

    name = f"{socket.gethostname()}:{os.getpid()}"
    return Worker(
        workspace=space, name=name, trainer=trainer, clock=time.time, beat=min(2.0, stale / 4), stale=stale,
        stopping=stopping,
    )  # fmt: skip


def _start(command: list[str], environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start `redraft COMMAND` so that it ends when this process does."""
    return subprocess.Popen(
        [sys.executable, "-m", "redraft.cli.main", *command, "--while-stdin-is-open"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        # Its job is taken over once it has been silent long enough.
        process.kill()
        process.wait()


def _watch_stdin(stopping: threading.Event) -> None:
    """Wait for the end of stdin, which comes when the process that started this one is gone."""
    with contextlib.suppress(OSError):
        while os.read(sys.stdin.fileno(), 4096):
            pass
    stopping.set()


@contextlib.contextmanager
def _signals(stopping: threading.Event) -> Iterator[None]:
    """SIGTERM and Ctrl-C ask to stop between two steps."""
    before = {number: signal.signal(number, lambda *_: stopping.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _log_to_stderr() -> None:
    log = logging.getLogger("redraft.worker")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("worker: %(message)s"))
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
