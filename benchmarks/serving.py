"""What serving costs beside painting: a real server against the same pictures painted directly; its start; its memory.

Overhead: the seconds from the first request to the last finished job, over those of painting and judging as many
pictures in batches of the same size in a process that does nothing else. Both run by turns of a second, the other one
frozen, so that they meet the same machine. Each round has a server and a painter of its own, because the same work
takes longer in one process than in the next, for as long as it lives (where its memory came to lie); the median counts.
Two parts of the overhead are given as well: the seconds in which the engine has nothing to do (waiting for requests,
writing the last pictures), and its processor time over that of the painter.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import httpx

from benchmarks.subject import Amount, prompts
from benchmarks.table import Figure, Section
from benchmarks.turns import Work, by_turns
from redraft.core.keys import Key

PICTURES_OF_A_JOB = 8
BATCH = 64
PATIENCE = 180.0


@dataclass(frozen=True, kw_only=True)
class _Round:
    """One server beside one painter, in seconds. idle: figures of the server's memory before it had anything to do.

    engine, alone: processor seconds of the engine and of the painter; 0 where there is no /proc.
    """

    page: float
    ready: float
    served: float
    painted: float
    engine: float
    alone: float
    idle: tuple[Figure, ...]


def measure(*, amount: Amount) -> Section:
    """Start servers in processes of their own and measure them."""
    rounds = [_round(amount.served_pictures) for _ in range(amount.served_rounds)]
    over = sorted(100 * (each.served / each.painted - 1) for each in rounds)
    figures = [
        Figure(name="serving, over painting alone", value=median(over), unit="%", aim="aim 5 %"),
        Figure(name="the same, least of the rounds", value=over[0], unit="%"),
        Figure(name="the same, most of the rounds", value=over[-1], unit="%"),
        *_parts(rounds),
        Figure(name="served", value=amount.served_pictures / median(r.served for r in rounds), unit="pictures/s"),
        Figure(name="start until the page answers", value=median(r.page for r in rounds), unit="s", aim="aim 15"),
        Figure(name="start until pictures are painted", value=median(r.ready for r in rounds), unit="s"),
        *rounds[-1].idle,
    ]
    note = (
        f"{len(rounds)} servers and painters, {amount.served_pictures} pictures each in jobs of {PICTURES_OF_A_JOB},"
        " builtin:sd, SQLite, one thread an engine"
    )
    return Section(title="Serving", figures=tuple(figures), note=note)


def _parts(rounds: Sequence[_Round]) -> list[Figure]:
    """What the overhead consists of; none where there is no /proc."""
    if not all(each.engine and each.alone for each in rounds):
        return []
    # One thread paints: while it works, its seconds are its processor time.
    free = 100 * median((each.served - each.engine) / each.painted for each in rounds)
    more = 100 * median(each.engine / each.alone - 1 for each in rounds)
    return [
        Figure(name="the engine has nothing to do, over painting", value=free, unit="%"),
        Figure(name="processor time of the engine, over painting alone", value=more, unit="%"),
    ]


def _round(pictures: int) -> _Round:
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as (server, url, began):
        page = _until(lambda: _status(f"{url}/health") == 200, began)
        ready = _until(lambda: _status(f"{url}/ready") == 200, began)
        time.sleep(1)
        idle, engine = tuple(_memory(server.pid)), _engine(server.pid)
        with httpx.Client(base_url=url, timeout=PATIENCE) as client, _painter(pictures) as (painter, paint):
            _serve(client, PICTURES_OF_A_JOB)  # a warm-up, as the painter has one
            before = _processor(engine), _processor(painter)
            serving = Work(wait=lambda: _serve(client, pictures), group=server.pid)
            painting = Work(wait=paint, group=painter)
            by_turns([serving, painting])
            after = _processor(engine), _processor(painter)
    return _Round(
        page=page, ready=ready, served=serving.seconds, painted=painting.seconds,
        engine=after[0] - before[0], alone=after[1] - before[1], idle=idle,
    )  # fmt: skip


def _serve(client: httpx.Client, pictures: int) -> None:
    """Order so many pictures and return when all are there."""
    texts = prompts(pictures // PICTURES_OF_A_JOB)
    jobs = [
        client.post("/api/v1/jobs", json={"prompt": prompt.text, "n": PICTURES_OF_A_JOB})
        .raise_for_status()
        .json()["id"]
        for prompt in texts
    ]
    for job in jobs:
        ending = client.get(f"/api/v1/jobs/{job}/events").text.rsplit("event: ", 1)[1]
        assert ending.startswith("finished"), ending[:300]


@contextmanager
def _painter(pictures: int) -> Iterator[tuple[int, Callable[[], None]]]:
    """A process, and what lets it paint and judge so many pictures."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_paint_when_asked, args=(there, pictures), daemon=True)
    process.start()
    assert process.pid is not None
    assert here.poll(PATIENCE), "the painter did not come up"
    here.recv()

    def paint() -> None:
        here.send(True)
        here.recv()

    try:
        yield process.pid, paint
    finally:
        process.terminate()
        process.join()


def _paint_when_asked(pipe: Connection, pictures: int) -> None:
    """The painter's process: says when it is warm, then paints once for each word it gets."""
    os.setsid()  # a process group of its own
    import torch

    from redraft.cli.runtime import keep_memory
    from redraft.loop.painting import paint
    from redraft.models.builtin import builtin_folder
    from redraft.models.load import open_backbone
    from redraft.studio.engine.judge import Judge
    from redraft.studio.engine.settings import EngineSettings

    keep_memory(os.environ)  # as the engine does
    torch.set_num_threads(1)
    backbone = open_backbone("builtin:sd")
    shipped = builtin_folder("builtin:sd") / "calibration.safetensors"
    judge = Judge(EngineSettings(), place=Path("nowhere"), shipped=shipped)
    texts = [prompt for prompt in prompts(pictures // PICTURES_OF_A_JOB) for _ in range(PICTURES_OF_A_JOB)]
    recipe = backbone.default_recipe()

    def work(count: int) -> None:
        for start in range(0, count, BATCH):
            part = texts[start : start + BATCH]
            painted = paint(backbone, part, recipe=recipe, key=Key(seed=start), batch=BATCH)
            judge.judge(painted.images(0, len(part)), part)

    work(PICTURES_OF_A_JOB)
    while True:
        pipe.send(True)
        pipe.recv()
        work(len(texts))


@contextmanager
def _server(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, float]]:
    """The process, its address, and when it was started."""
    log = folder / "log"
    # Nothing of what is measured is in a person's way: no limit a day, no asks, no previews that nobody looks at.
    settings = {
        "limits": {"daily_pictures": 1_000_000},
        "engine": {"threads": 1, "most_waiting": 100_000, "most_waiting_each": 100_000, "preview_every": 0},
    }
    config = folder / "studio.json"
    config.write_text(json.dumps({"studio": settings}))
    command = [
        sys.executable, "-m", "redraft.cli.main", "studio", "--port", "0", "--workspace", str(folder / "workspace"),
        "--config", str(config), "--no-open", "--no-worker",
    ]  # fmt: skip
    began = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        _until(lambda: "redraft studio at " in log.read_text(), began)
        yield process, log.read_text().split("redraft studio at ")[1].split()[0], began
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _until(answered: Callable[[], bool], began: float) -> float:
    while not answered():
        assert time.perf_counter() - began < PATIENCE, "the server did not come up"
        time.sleep(0.02)
    return time.perf_counter() - began


def _status(url: str) -> int:
    try:
        return httpx.get(url, timeout=5).status_code
    except httpx.TransportError:
        return 0


def _memory(pid: int) -> list[Figure]:
    """Idle memory of the web process and of the engine, from /proc; none where there is no such folder."""
    engine = _engine(pid)
    if not engine:
        return []
    return [
        Figure(name="idle memory of the web process", value=_resident(pid), unit="MB"),
        Figure(name="idle memory of the engine", value=_resident(engine), unit="MB"),
    ]


def _engine(pid: int) -> int:
    """The engine's process id: the largest child of the web process; 0 where there is no /proc."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if not children.exists():
        return 0
    return max((int(child) for child in children.read_text().split()), key=_resident, default=0)


def _processor(pid: int) -> float:
    """Processor seconds of a process so far."""
    if not pid:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmRSS"))
