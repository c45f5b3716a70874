"""Every route of the studio x anonymous x keys without the scope x another person, generated from access_table.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from httpx import Response

from redraft.studio.identity.roles import ROLES, SCOPES, scopes_of
from redraft.studio.pages import page_files
from tests.studio.access_table import ACCESS, Access
from tests.studio.running_studio import StudioApp, accounts_app, studio_app

MEMBER = scopes_of(())
GUARDED = {name: access for name, access in ACCESS.items() if access.who != "all"}
SCOPED = {name: access for name, access in GUARDED.items() if access.who != "person"}
OF_PEOPLE = {name: access for name, access in ACCESS.items() if access.thing is not None}
# Asks for the password again; tests/studio/test_studio_sessions.py has it.
BY_SESSION = ("POST /api/v1/me/password",)
LISTS = [name for name, access in GUARDED.items() if name.startswith("GET ") and "{" not in name]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioApp]:
    with accounts_app(tmp_path_factory.mktemp("access")) as running:
        yield running


@pytest.fixture(scope="module")
def keys(running: StudioApp) -> dict[str, str]:
    """For each scope, a key of the administrator that has every scope but it."""
    return {scope: running.key("ada", *(other for other in SCOPES if other != scope)) for scope in SCOPES}


def routes_of(app: Any) -> set[str]:
    """Every METHOD /path of the API; what serves the page's own files is not among them."""
    found = set()
    for route in leaves(app.routes):
        if isinstance(route, APIRoute) and route.include_in_schema:
            found |= {f"{method} {route.path.replace(':path', '')}" for method in route.methods if method != "HEAD"}
    return found


def leaves(routes: list[Any]) -> Iterator[Any]:
    """The routes themselves: FastAPI keeps an included router as one entry."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is None:
            yield route
        else:
            yield from leaves(inner.routes)


def send(client: Any, name: str, access: Access, params: Any = None) -> Response:
    method, path = name.split(" ", 1)
    filled = path.format(**({**(access.shared or {}), **(params or {})} or {}))
    answer: Response = client.request(method, filled, json=access.body)
    return answer


def absent(access: Access, running: StudioApp) -> dict[str, str]:
    """Parameters of the same shape for a thing that nobody has."""
    return {"id": running.studio.new_id(), "form": "png", **(access.shared or {})}


def test_every_route_has_a_line_and_every_line_a_route(running: StudioApp) -> None:
    routes = routes_of(running.app)
    assert len(routes) >= 20
    assert routes - ACCESS.keys() == set(), "routes without a line in access_table.py: who may use them?"
    assert ACCESS.keys() - routes == set(), "lines of access_table.py without a route"
    described = running.app.openapi()["paths"]
    listed = {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}
    assert listed == routes


def test_what_is_not_described_is_only_the_page(running: StudioApp) -> None:
    """A route that hides from the description would hide from the table too."""
    hidden = {route.path for route in leaves(running.app.routes) if not getattr(route, "include_in_schema", False)}
    assert hidden <= {"/openapi.json", "/", *page_files()}


def test_paths_of_things_say_whose(running: StudioApp) -> None:
    unsaid = [name for name, access in ACCESS.items() if "{" in name and access.thing is None and access.shared is None]
    assert unsaid == [], "a path with a parameter needs `thing` or `shared` in access_table.py"


@pytest.mark.parametrize("name", GUARDED)
def test_nobody_comes_in_without_a_credential(running: StudioApp, name: str) -> None:
    access = GUARDED[name]
    with running.browser() as client:
        answer = send(client, name, access, absent(access, running))
    assert answer.status_code == 401, answer.text
    assert answer.json()["error"]["code"] == "login_required"


@pytest.mark.parametrize("name", GUARDED)
def test_nobody_comes_in_with_a_made_up_key(running: StudioApp, name: str) -> None:
    access = GUARDED[name]
    running.studio.throttle._limiter.storage.reset()
    with running.program("rd_" + "x" * 43) as client:
        answer = send(client, name, access, absent(access, running))
    assert answer.status_code == 401, answer.text
    assert answer.json()["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize("name", SCOPED)
def test_a_key_without_the_scope_is_refused(running: StudioApp, keys: dict[str, str], name: str) -> None:
    access = SCOPED[name]
    with running.program(keys[access.who]) as client:
        answer = send(client, name, access, absent(access, running))
    assert answer.status_code == 403, answer.text
    assert answer.json()["error"] | {"message": ""} == {
        "message": "", "type": "permission_error", "param": access.who, "code": "missing_scope",
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name in SCOPED if name not in BY_SESSION])
def test_a_member_may_what_members_may(running: StudioApp, name: str) -> None:
    access = SCOPED[name]
    with running.browser("bob") as client:
        answer = send(client, name, access, absent(access, running))
    if access.who in MEMBER:
        assert answer.status_code not in (401, 500), answer.text
        # Refused for another reason, such as a token that is none, is past this door.
        assert answer.status_code != 403 or answer.json()["error"]["code"] not in ("missing_scope", "csrf"), answer.text
    else:
        assert answer.status_code == 403, answer.text
        assert answer.json()["error"]["param"] == access.who


@pytest.mark.parametrize("name", OF_PEOPLE)
def test_another_persons_thing_is_as_if_it_were_not_there(running: StudioApp, name: str) -> None:
    """Neither status nor words tell bob that ann has it, nothing of hers changes, and she herself gets to it."""
    access, studio = OF_PEOPLE[name], running.studio
    ann = studio.workspace.people.find("ann")
    assert ann is not None
    assert access.thing is not None
    with running.browser("bob") as bob, running.browser() as nobody, running.browser("ann") as herself:
        params = dict(access.thing(running, ann.id))
        before = list(studio.workspace.personal_data.rows(ann.id))
        if not access.administers:
            found = send(bob, name, access, params)
            missing = send(bob, name, access, absent(access, running))
            assert found.status_code == missing.status_code, (found.text, missing.text)
            assert found.status_code in (401, 403, 404)
            assert without(found, params["id"]) == without(missing, "")
        stranger = send(nobody, name, access, params)
        assert stranger.status_code in (401, 403, 404), stranger.text
        assert list(studio.workspace.personal_data.rows(ann.id)) == before
        if access.who in MEMBER | {"all", "person"}:
            own = send(herself, name, access, params)
            assert own.status_code < 400, own.text


def without(answer: Response, id: str) -> Any:
    """An error's body without ids, which the message may name again."""
    error = answer.json()["error"]
    return error | {"message": re.sub(r"'[^']*'", "ID", error["message"].replace(id, "ID") if id else error["message"])}


@pytest.fixture(scope="module")
def secrets(running: StudioApp) -> set[str]:
    """The ids of ann and of one thing of hers of each kind."""
    ann = running.studio.workspace.people.find("ann")
    assert ann is not None
    makers = {access.thing for access in OF_PEOPLE.values() if access.thing is not None}
    return {ann.id, *(make(running, ann.id)["id"] for make in makers)}


@pytest.mark.parametrize("name", LISTS)
def test_no_list_tells_of_another_person(running: StudioApp, secrets: set[str], name: str) -> None:
    """Whatever ann has, bob's lists hold no id of hers."""
    access = ACCESS[name]
    with running.browser("ada" if access.administers else "bob") as client:
        answer = send(client, name, access)
    if access.administers:
        assert answer.status_code == 200
        return
    told = [secret for secret in secrets if secret in answer.text]
    assert told == [], answer.text


def test_an_open_studio_lets_its_one_person_do_everything(tmp_path: Path) -> None:
    with studio_app(tmp_path) as running:
        refused = {
            name: answer.text
            for name, access in SCOPED.items()
            if (answer := send(running.client, name, access, absent(access, running))).status_code in (401, 403)
            and answer.json()["error"]["code"] in ("login_required", "missing_scope")
        }
        assert refused == {"POST /api/v1/me/password": refused.get("POST /api/v1/me/password")}


def test_roles_give_known_scopes_and_never_less_than_a_members() -> None:
    for role, scopes in ROLES.items():
        assert scopes >= MEMBER, role
        assert scopes <= SCOPES.keys(), role
    assert ROLES["admin"] == SCOPES.keys()
    assert "admin" not in ROLES["operator"] | ROLES["moderator"]
