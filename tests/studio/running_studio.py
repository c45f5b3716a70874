"""A studio for tests: in this process with a client that needs no socket, or a real server in a process of its own.

    with studio_app(tmp_path) as running: running.client.get("/health")
    with start_studio(tmp_path) as running: httpx.get(running.url + "/health")

Settings are keywords of StudioSettings; nested tables are dicts. `paint=False` leaves the engine out.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.testclient import TestClient

from redraft.core.config import build
from redraft.studio.app import create_app
from redraft.studio.context import Studio
from redraft.studio.identity.managing import add_person
from redraft.studio.identity.passwords import hash_password
from redraft.studio.identity.sessions import csrf_cookie, open_session, session_cookie
from redraft.studio.settings import StudioSettings

PASSWORD = "six green bottles"
"""Of everybody whom `add` makes."""
_PATIENCE = 60.0


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, at: float = 1_800_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += seconds


@dataclass(frozen=True, kw_only=True)
class StudioApp:
    """A studio in this process. client: of nobody in particular; in an open studio, of its one person."""

    app: FastAPI
    client: TestClient
    studio: Studio

    def add(self, name: str, *, roles: tuple[str, ...] = (), id: str | None = None) -> str:
        """Make an account with PASSWORD; returns its id."""
        studio = self.studio
        account = add_person(
            studio.workspace, id=id or studio.new_id(), name=name, password=None, roles=roles,
            least_password=10, at=studio.now(), actor="",
        )  # fmt: skip
        studio.workspace.people.set_password(account.id, _hashed(), at=studio.now())
        return account.id

    def browser(self, name: str | None = None, *, address: str = "127.0.0.1") -> TestClient:
        """A new browser with a session of `name`, opened without the slow password; it sends the token for writes."""
        client = _client(self.app, self.studio.settings, address=address, kind=_Browser)
        # The event loop of the running app, which this one neither starts nor stops.
        client.portal = self.client.portal
        if name is not None:
            account = self.studio.workspace.people.find(name)
            assert account is not None, f"nobody is called {name!r}: add them first"
            opened = open_session(self.studio, account.id, label="test")
            client.cookies.set(session_cookie(self.studio.settings), opened.secret)
            client.headers["X-CSRF-Token"] = opened.csrf
        return client

    def key(self, name: str, *scopes: str) -> str:
        """A new key of `name` with these scopes; returns its secret."""
        with self.browser(name) as browser:
            answer = browser.post("/api/v1/keys", json={"name": "test", "scopes": list(scopes)})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["secret"])

    def program(self, secret: str) -> TestClient:
        """A client that sends this key."""
        client = self.browser()
        client.headers["Authorization"] = f"Bearer {secret}"
        return client


@dataclass(frozen=True, kw_only=True)
class RunningStudio:
    """A real server in a process of its own. client: a new one without any credential."""

    url: str
    client: httpx.Client
    process: subprocess.Popen[bytes]
    workspace: Path
    log: Path

    def kill(self) -> None:
        """End the server and its engine without warning, as a power cut would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


def settings_of(folder: Path, **settings: Any) -> StudioSettings:
    """Settings with a workspace in `folder`."""
    return build(StudioSettings, {"workspace": folder / "workspace", "port": 8188, **settings}, source="test")


@contextlib.contextmanager
def studio_app(
    folder: Path, *, paint: bool = False, clock: Clock | None = None, **settings: Any
) -> Iterator[StudioApp]:
    """A studio in this process, running (its lifespan has begun) until the block ends."""
    resolved = settings_of(folder, **settings)
    app = create_app(resolved, paint=paint)
    studio: Studio = app.state.studio
    if clock is not None:
        studio.clock = clock
    with _client(app, resolved) as client:
        yield StudioApp(app=app, client=client, studio=studio)


@contextlib.contextmanager
def accounts_app(folder: Path, **settings: Any) -> Iterator[StudioApp]:
    """The same with accounts: `ada` administers, `ann` and `bob` are members."""
    with studio_app(folder, authentication="accounts", **settings) as running:
        running.add("ada", roles=("admin",))
        running.add("ann")
        running.add("bob")
        running.studio.setup_token = None
        yield running


def log_in(client: httpx.Client, name: str, settings: StudioSettings, *, password: str = PASSWORD) -> None:
    """Open a session in this client; from now on it sends the token for writes."""
    answer = client.post("/api/v1/login", json={"name": name, "password": password})
    assert answer.status_code == 200, answer.text
    client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    assert client.cookies.get(csrf_cookie(settings)) == answer.json()["csrf_token"]


@contextlib.contextmanager
def start_studio(folder: Path, *, paint: bool = True, wait: bool = True, **settings: Any) -> Iterator[RunningStudio]:
    """A real server on a free port of loopback, killed when the block ends. wait: until it is ready to paint."""
    chosen = {"workspace": str(folder / "workspace"), "port": 0, **settings}
    announced, log = folder / "studio-address", folder / "studio.log"
    announced.unlink(missing_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.studio.serve", json.dumps(chosen, default=str), str(announced), f"{paint:d}"],
            cwd=Path(__file__).parents[2], stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        url = _until(lambda: announced.read_text() if announced.exists() else None, process, log)
        with httpx.Client(base_url=url, timeout=30) as client:
            _until(lambda: _answers(client, "/ready" if wait and paint else "/health"), process, log)
            yield RunningStudio(url=url, client=client, process=process, workspace=Path(chosen["workspace"]), log=log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def _until(attempt: Any, process: subprocess.Popen[bytes], log: Path) -> Any:
    last = time.monotonic() + _PATIENCE
    while time.monotonic() < last:
        if process.poll() is not None:
            break
        found = attempt()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"the studio did not come up (exit {process.poll()}):\n{log.read_text()[-4000:]}")


def _answers(client: httpx.Client, path: str) -> bool:
    try:
        return client.get(path).status_code == 200
    except httpx.TransportError:
        return False


@cache
def _hashed() -> str:
    """The slow hash of PASSWORD, made once."""
    return hash_password(PASSWORD)


class _Browser(TestClient):
    """A client of an app that runs already: leaving its block ends no app."""

    def __enter__(self) -> _Browser:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def _client(
    app: FastAPI, settings: StudioSettings, *, address: str = "127.0.0.1", kind: type[TestClient] = TestClient
) -> TestClient:
    return kind(
        app,
        base_url=_base_url(settings),
        raise_server_exceptions=False,
        client=(address, 50_000),
        follow_redirects=False,
    )


def _base_url(settings: StudioSettings) -> str:
    return settings.public_url or "http://127.0.0.1:8188"
