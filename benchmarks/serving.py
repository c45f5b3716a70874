"""What serving costs beside painting: a real server against the same pictures painted directly; its start; its memory.

Overhead: the seconds from the first request to the last finished job, over those of painting and judging as many
pictures in batches of the same size in this process. Both take turns, and each serving is compared with the painting
before and after it, because the speed of a machine drifts by more than what is looked for; the median of the rounds
counts. Two processes suffer more than one from other work on the machine, so its two parts are given as well, which
hardly do: the seconds in which the engine does not paint (waiting for requests, writing the last pictures), and the
processor time of the engine over that of painting alone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx

from benchmarks.subject import Amount, prompts
from benchmarks.table import Figure, Section
from redraft.core.keys import Key

PICTURES_OF_A_JOB = 8
BATCH = 64
PATIENCE = 180.0


def measure(*, amount: Amount) -> Section:
    """Start a server in a process of its own and measure it."""
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as (process, url, began):
        page = _until(lambda: _status(f"{url}/health") == 200, began)
        ready = _until(lambda: _status(f"{url}/ready") == 200, began)
        time.sleep(1)
        figures = [
            Figure(name="start until the page answers", value=page, unit="s", aim="aim 15"),
            Figure(name="start until pictures are painted", value=ready, unit="s"),
            *_memory(process.pid),
        ]
        figures = [*_overhead(url, pid=process.pid, amount=amount), *figures]
    note = f"{amount.served_pictures} pictures in jobs of {PICTURES_OF_A_JOB}, builtin:sd, SQLite, one thread an engine"
    return Section(title="Serving", figures=tuple(figures), note=note)


def _overhead(url: str, *, pid: int, amount: Amount) -> list[Figure]:
    pictures, directly = amount.served_pictures, _painter(amount.served_pictures)
    served, over, idle, work = [], [], [], []
    engine = _engine(pid)
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:
        _serve(client, PICTURES_OF_A_JOB)  # a warm-up, as `_painter` has one
        before = directly()
        for _ in range(amount.served_rounds):
            busy, processor = _busy(client), _processor(engine)
            served.append(_serve(client, pictures))
            busy, processor = _busy(client) - busy, _processor(engine) - processor
            after = directly()
            # One thread paints: its seconds are its processor time.
            alone, before = (before + after) / 2, after
            over.append(served[-1] / alone - 1)
            idle.append(served[-1] / busy - 1)
            work.append(processor / alone - 1)
    figures = [
        Figure(name="serving, over painting alone", value=100 * median(over), unit="%", aim="aim 5 %"),
        Figure(name="the engine does not paint, over painting", value=100 * median(idle), unit="%"),
        Figure(name="processor time of the engine, over painting alone", value=100 * median(work), unit="%"),
        Figure(name="served", value=pictures / median(served), unit="pictures/s"),
    ]
    return figures if engine else [figures[0], figures[1], figures[3]]


def _busy(client: httpx.Client) -> float:
    """Seconds that the engine has spent on batches so far."""
    lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("redraft_engine_seconds "))


def _serve(client: httpx.Client, pictures: int) -> float:
    """Seconds until all of so many pictures are there."""
    texts = prompts(pictures // PICTURES_OF_A_JOB)
    began = time.perf_counter()
    jobs = [
        client.post("/api/v1/jobs", json={"prompt": prompt.text, "n": PICTURES_OF_A_JOB})
        .raise_for_status()
        .json()["id"]
        for prompt in texts
    ]
    for job in jobs:
        ending = client.get(f"/api/v1/jobs/{job}/events").text.rsplit("event: ", 1)[1]
        assert ending.startswith("finished"), ending[:300]
    return time.perf_counter() - began


def _painter(pictures: int) -> Callable[[], float]:
    """Something that paints and judges so many pictures and gives the seconds."""
    import torch

    from redraft.loop.painting import paint
    from redraft.models.builtin import builtin_folder
    from redraft.models.load import open_backbone
    from redraft.studio.engine.judge import Judge
    from redraft.studio.engine.settings import EngineSettings

    torch.set_num_threads(1)
    backbone = open_backbone("builtin:sd")
    shipped = builtin_folder("builtin:sd") / "calibration.safetensors"
    judge = Judge(EngineSettings(), place=Path("nowhere"), shipped=shipped)
    texts = [prompt for prompt in prompts(pictures // PICTURES_OF_A_JOB) for _ in range(PICTURES_OF_A_JOB)]
    recipe = backbone.default_recipe()

    def work() -> float:
        began = time.perf_counter()
        for start in range(0, pictures, BATCH):
            part = texts[start : start + BATCH]
            painted = paint(backbone, part, recipe=recipe, key=Key(seed=start), batch=BATCH)
            judge.judge(painted.images(0, len(part)), part)
        return time.perf_counter() - began

    work()
    return work


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
