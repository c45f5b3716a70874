"""The whole OpenAPI under requests that schemathesis generates and under good ones made bad: no 5xx, no slip.

Every answer to a generated request must also be as the description says: status, type of content, schema of the body.
The engine is left out but for the routes that need one, which are asked at a real server.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from redraft.studio.identity.roles import scopes_of
from redraft.studio.telemetry import LOG
from tests.studio.access_table import ACCESS
from tests.studio.conftest import PEOPLE, add_people, key_of
from tests.studio.generated_bodies import bodies_of, things_of
from tests.studio.generated_requests import Caller, Exploration, Tally, operations_of
from tests.studio.running_studio import RunningStudio, StudioApp, accounts_app, start_studio

MANY = {"requests_per_minute": 10**6, "address_requests_per_minute": 10**6, "wrong_keys_per_minute": 10**6}
STARTING = "this server paints no pictures at the moment: try again later"
ENGINE = ("/v1/models", "/v1/images/generations", "/api/v1/jobs", "/api/v1/models")
"""Beginnings of the paths that need an engine, or say something of it."""
INSIDE = ("psycopg", "sqlite", "redraft.db", "Traceback", "site-packages")
"""What no answer may tell."""
NOT_REACHED = {
    "GET /ready": "there is no engine",
    "POST /api/v1/setup": "there is an administrator",
    "GET /api/v1/oidc/login": "there is no identity provider",
    "GET /api/v1/oidc/callback": "there is no identity provider",
    "POST /api/v1/models/rollback": "there is no champion before",
    "POST /api/v1/models/promote": "there is no checkpoint",
    "POST /api/v1/my-data/erase": "the person would be gone for what follows",
}
"""Operations that an administrator's good requests do not reach, and why; their own tests do."""


def now_called(running: StudioApp, name: str) -> Callable[[], str]:
    """What this person is called by now: a generated request may give them another name."""
    account = running.studio.workspace.people.find(name)
    assert account is not None
    return lambda: running.studio.workspace.people.get(account.id).name


def by_session(running: StudioApp, name: str) -> Callable[[], httpx.Client]:
    """A new session of this person each time."""
    called = now_called(running, name)
    return lambda: running.browser(called())


def by_key(running: StudioApp, name: str) -> Callable[[], httpx.Client]:
    """A key of this person with all their scopes."""
    account = running.studio.workspace.people.find(name)
    assert account is not None
    secret = running.key(name, *sorted(scopes_of(account.roles)))
    return lambda: running.program(secret)


Make = Callable[[StudioApp, str], Callable[[], httpx.Client]]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """A line of the log for each of thousands of requests is of no use."""
    LOG.setLevel(logging.CRITICAL)
    yield
    LOG.setLevel(logging.NOTSET)


@contextlib.contextmanager
def crowded(folder: Path, url: str | None) -> Iterator[StudioApp]:
    """A studio with accounts that takes any number of requests."""
    with accounts_app(folder, limits=MANY, database_url=url) as running:
        yield running


def known_caller(running: StudioApp, name: str, client: Make) -> Caller:
    bodies, called = bodies_of(running, name), now_called(running, name)
    return Caller(
        client=client(running, name),
        things=lambda route: things_of(running, called(), route),
        bodies=lambda route: bodies.get(route, []),
    )


def left_out(name: str, answer: httpx.Response) -> bool:
    """Whether this is the documented answer of a server whose engine is left out."""
    if answer.status_code != 503:
        return False
    if name == "GET /ready":
        return bool(answer.json() == {"status": "starting", "checks": {"database": True, "engine": False}})
    error = answer.json()["error"]
    return (error["code"], error["message"]) == ("starting", STARTING)


def explored(
    running: StudioApp, caller: Caller, *, examples: int, only: Callable[[str], bool] = lambda _name: True
) -> Tally:
    """What became of generated requests to every operation."""
    tally, hidden = Tally(), (*INSIDE, str(running.studio.workspace.folder))
    for number, (name, operation) in enumerate(operations_of(running.app.openapi()).items()):
        if only(name):
            found = Exploration(
                name=name, operation=operation, caller=caller, tally=tally, allowed=left_out, hidden=hidden
            )  # fmt: skip
            found.generated(examples, number=number)
            found.spoiled(examples, number=number)
    return tally


def check(tally: Tally, *, least: int) -> None:
    """Nothing that must not be, in so many requests at least."""
    print(f"{tally.sent} requests: {dict(sorted(tally.statuses.items()))}")
    assert not tally.faults, "\n\n".join(f"{name}\n{example}" for name, example in tally.faults.items())
    assert tally.sent >= least


def needs_engine(name: str) -> bool:
    return name.partition(" ")[2].startswith(ENGINE)


@pytest.mark.slow
@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_an_administrator_makes_nothing_fail(tmp_path: Path, url: str | None) -> None:
    with crowded(tmp_path, url) as running:
        tally = explored(running, known_caller(running, "ada", by_session), examples=3)
    check(tally, least=700)
    unreached = {name for name in ACCESS if name not in tally.reached and not needs_engine(name)}
    assert unreached == {name for name in NOT_REACHED if not needs_engine(name)}, "generated_bodies.py lacks a body"


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_members_program_makes_nothing_fail(tmp_path: Path, url: str | None) -> None:
    with crowded(tmp_path, url) as running:
        check(explored(running, known_caller(running, "ann", by_key), examples=2), least=400)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_stranger_makes_nothing_fail(tmp_path: Path, url: str | None) -> None:
    """Whoever has no credential: deep where everybody may come in, once at each door that is closed."""
    with crowded(tmp_path, url) as running:
        tally = explored(running, stranger(running), examples=8, only=lambda name: ACCESS[name].who == "all")
        closed = explored(running, stranger(running), examples=1, only=lambda name: ACCESS[name].who != "all")
    check(tally, least=100)
    check(closed, least=100)
    assert closed.reached == set()


@pytest.mark.slow
def test_routes_with_an_engine_make_nothing_fail(tmp_path: Path) -> None:
    """At a real server whose engine paints; nothing of 500 or more is allowed."""
    add_people(tmp_path / "workspace")
    engine = {"threads": 1, "most_steps": 2, "most_pictures": 2, "most_waiting_each": 40}
    with start_studio(tmp_path, authentication="accounts", engine=engine, limits=MANY) as running:
        caller, tally = painter(running, key_of(running.url, PEOPLE[0])), Tally()
        described = operations_of(running.client.get("/openapi.json").json())
        for number, name in enumerate(name for name in described if needs_engine(name)):
            if ACCESS[name].who in ("read", "generate"):
                found = Exploration(
                    name=name, operation=described[name], caller=caller, tally=tally, hidden=(*INSIDE, str(tmp_path)),
                    allowed=lambda _name, _answer: False,
                )  # fmt: skip
                found.generated(3, number=number)
                found.spoiled(6, number=number)
    check(tally, least=100)
    assert {name for name in described if needs_engine(name) and ACCESS[name].who in ("read", "generate")} == (
        tally.reached
    )


@pytest.mark.slow
@pytest.mark.parametrize(("url", "client"), [("sqlite", by_session), ("postgresql", by_key)], indirect=["url"])
def test_many_requests_make_nothing_fail(tmp_path: Path, url: str | None, client: Make) -> None:
    with crowded(tmp_path, url) as running:
        check(explored(running, known_caller(running, "ada", client), examples=5), least=1000)


@pytest.mark.slow
def test_no_value_in_any_place_makes_anything_fail(tmp_path: Path, url: str | None) -> None:
    tally = Tally()
    with crowded(tmp_path, url) as running:
        caller, hidden = known_caller(running, "ada", by_session), (*INSIDE, str(running.studio.workspace.folder))
        for name, operation in operations_of(running.app.openapi()).items():
            Exploration(
                name=name, operation=operation, caller=caller, tally=tally, allowed=left_out, hidden=hidden
            ).every_value()  # fmt: skip
    check(tally, least=5_000)


def stranger(running: StudioApp) -> Caller:
    return Caller(client=running.browser, things=lambda _route: [], bodies=lambda _route: [])


def painter(running: RunningStudio, secret: str) -> Caller:
    """Somebody with a key at a real server, and their jobs."""

    def client() -> httpx.Client:
        return httpx.Client(base_url=running.url, headers={"Authorization": f"Bearer {secret}"}, timeout=60)

    def things(route: str) -> Sequence[Mapping[str, str]]:
        if "{model}" in route:
            return [{"model": name} for name in ("champion", "base")]
        if "{id}" not in route:
            return []
        with client() as asking:
            made = [asking.post("/api/v1/jobs", json=BODIES[JOBS][0]).json()["id"] for _ in range(2)]
        return [{"id": id} for id in made]

    return Caller(client=client, things=things, bodies=lambda route: BODIES.get(route, []))


JOBS, IMAGES = "POST /api/v1/jobs", "POST /v1/images/generations"
BODIES: Mapping[str, Sequence[Any]] = {
    JOBS: [{"prompt": "a red circle", "negative_prompt": "blue", "n": 1, "size": "auto", "steps": 1, "seed": 7}],
    IMAGES: [
        {"prompt": "a red circle", "quality": "low", "output_format": "webp", "x_redraft": {"steps": 1}},
        {"prompt": "a red circle", "stream": True, "partial_images": 1, "x_redraft": {"steps": 2, "ask": "never"}},
    ],
}
