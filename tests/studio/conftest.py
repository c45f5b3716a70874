"""One painting server for all tests that need the real engine: loading its model takes longer than painting with it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from redraft.store.workspace import Workspace
from redraft.studio.identity.managing import add_person
from tests.postgresql_cluster import Cluster
from tests.studio.running_studio import PASSWORD, RunningStudio, start_studio

PEOPLE = ("ann", "bob", "cleo")


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])]
)
def database_url(request: pytest.FixtureRequest) -> str | None:
    """Of the studio of a whole module: None for the SQLite file of its workspace, then an emptied PostgreSQL."""
    return _url_of(request)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str | None:
    """The same for one test."""
    return _url_of(request)


def _url_of(request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.empty()


@dataclass(frozen=True, kw_only=True)
class PaintingStudio:
    """A real server with accounts; `keys` are API keys of its people, with all their scopes."""

    running: RunningStudio
    keys: dict[str, str]

    def client(self, name: str) -> httpx.Client:
        """A client that sends this person's key."""
        return httpx.Client(
            base_url=self.running.url, headers={"Authorization": f"Bearer {self.keys[name]}"}, timeout=120
        )

    def until_ready(self, seconds: float = 120) -> None:
        """Wait until the engine paints."""
        last = time.monotonic() + seconds
        while self.running.client.get("/ready").status_code != 200:
            assert time.monotonic() < last, "the engine did not become ready"
            time.sleep(0.1)


@pytest.fixture(scope="session")
def painting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaintingStudio]:
    """The server. Its engine takes batches of 4 pictures, so that fairness shows."""
    folder = tmp_path_factory.mktemp("painting")
    add_people(folder / "workspace")
    engine = {
        "most_pixels": 4 * 64 * 64, "watch_seconds": 0.1, "threads": 1, "most_waiting_each": 40, "most_waiting": 60
    }  # fmt: skip
    # Trials need consent and a challenger besides: only the test that has both gets one.
    with start_studio(folder, authentication="accounts", engine=engine, trials={"share": 1.0}) as running:
        yield PaintingStudio(running=running, keys={name: key_of(running.url, name) for name in PEOPLE})


def add_people(workspace: Path, *, database_url: str | None = None) -> None:
    """Make the accounts of PEOPLE."""
    with Workspace.open(workspace, database_url=database_url) as space:
        for name in PEOPLE:
            add_person(
                space, id=name * 8, name=name, password=PASSWORD, roles=(), least_password=10, at=time.time(), actor=""
            )


def key_of(url: str, name: str) -> str:
    """A new API key of a person."""
    with httpx.Client(base_url=url) as browser:
        answer = browser.post("/api/v1/login", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        token = {"X-CSRF-Token": answer.json()["csrf_token"]}
        made = browser.post(
            "/api/v1/keys", json={"name": "test", "scopes": ["generate", "read", "rate", "account"]}, headers=token
        )
        assert made.status_code == 201, made.text
        return str(made.json()["secret"])
