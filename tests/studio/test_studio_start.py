"""`redraft studio` as it is typed: the page comes up before the model, Ctrl-C ends it, wrong options are refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]


def command(*options: object) -> list[str]:
    return [sys.executable, "-m", "redraft.cli.main", "studio", *map(str, options)]


@contextmanager
def typed(folder: Path, *options: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running command and the address that it printed."""
    line = command("--port", 0, "--workspace", folder / "workspace", "--no-open", "--no-worker", *options)
    process = subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.startswith("redraft studio at http://127.0.0.1:"), said
        yield process, said.split()[3]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def test_the_page_comes_up_before_the_model_and_ctrl_c_ends_everything(tmp_path: Path) -> None:
    began = time.monotonic()
    with typed(tmp_path, "--threads", 1) as (process, url):
        page = httpx.get(url)
        assert time.monotonic() - began < 15
        assert page.status_code in (200, 404), "404 only where the page was not built into the package"
        assert httpx.get(f"{url}/health").json() == {"status": "ok"}
        ready = httpx.get(f"{url}/ready")
        assert (ready.status_code, ready.json()["checks"]) == (503, {"database": True, "engine": False})
        maps = Path(f"/proc/{process.pid}/maps")
        if maps.exists():
            assert "libtorch" not in maps.read_text()
            engine = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[-1])
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) == 0
        if maps.exists():
            with pytest.raises(ProcessLookupError):
                os.kill(engine, 0)


def test_the_engine_ends_when_the_server_is_killed(tmp_path: Path) -> None:
    if not Path("/proc/self/task").exists():
        pytest.skip("the engine's process id is read from /proc, which is not here")
    with typed(tmp_path) as (process, url):
        assert httpx.get(f"{url}/health").status_code == 200
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        # The command's own process is killed alone; nothing else tells the engine.
        engines = [int(pid) for pid in children.read_text().split()]
        process.kill()
        deadline = time.monotonic() + 20
        while any(_runs(engine) for engine in engines):
            assert time.monotonic() < deadline, "the engine outlived its server"
            time.sleep(0.1)


def _runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--host", "0.0.0.0"), "authentication"),
        (("--config", "CONFIG"), "most_step"),
        (("--model", "./no-such-folder"), "does not exist"),
    ],
)
def test_wrong_options_are_refused_with_a_way_out(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    config = tmp_path / "studio.json"
    config.write_text(json.dumps({"studio": {"engine": {"most_step": 5}}}))
    given = [str(config) if option == "CONFIG" else option for option in options]
    done = subprocess.run(
        command("--workspace", tmp_path / "workspace", "--no-open", *given), capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "workspace").exists(), "nothing is left half made"
