"""Accounts in use: first administrator, invitations, sessions, keys, proxies; what ends when, and what it may."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from redraft.core.errors import ConfigError
from redraft.studio.app import create_app
from redraft.studio.identity.sessions import hashed
from tests.studio.running_studio import (
    PASSWORD,
    Clock,
    StudioApp,
    accounts_app,
    log_in,
    settings_of,
    start_studio,
    studio_app,
)

DAY = 86_400.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def running(tmp_path: Path, clock: Clock) -> Iterator[StudioApp]:
    with accounts_app(tmp_path, clock=clock) as running:
        yield running


def code(answer: httpx.Response) -> str | None:
    found: str | None = answer.json()["error"]["code"]
    return found


# --- the first administrator -----------------------------------------------------------------------------------------


def test_the_first_administrator_needs_the_printed_token(tmp_path: Path) -> None:
    with studio_app(tmp_path, authentication="accounts") as running:
        token = running.studio.setup_token
        assert token is not None
        assert running.client.get("/api/v1/session").json()["setup_needed"] is True
        body = {"token": "wrong", "name": "ada", "password": PASSWORD}
        answer = running.client.post("/api/v1/setup", json=body)
        assert (answer.status_code, code(answer)) == (403, "token_forged")
        short = running.client.post("/api/v1/setup", json={**body, "token": token, "password": "short"})
        assert (short.status_code, code(short)) == (400, "invalid_value")
        assert running.studio.workspace.people.count() == 0
        made = running.client.post("/api/v1/setup", json={**body, "token": token})
        assert made.status_code == 201
        assert made.json()["person"]["roles"] == ["admin"]
        assert "admin" in running.client.get("/api/v1/me").json()["scopes"]
        again = running.client.post("/api/v1/setup", json={**body, "token": token, "name": "eve"})
        assert (again.status_code, code(again)) == (409, "conflict")
        assert running.client.get("/api/v1/session").json()["setup_needed"] is False
    with studio_app(tmp_path, authentication="accounts") as running:
        assert running.studio.setup_token is None


def test_of_two_processes_one_makes_the_administrator(tmp_path: Path) -> None:
    with studio_app(tmp_path, authentication="accounts") as one, studio_app(tmp_path, authentication="accounts") as two:
        for running, name, status in ((one, "ada", 201), (two, "eve", 409)):
            body = {"token": running.studio.setup_token, "name": name, "password": PASSWORD}
            assert running.client.post("/api/v1/setup", json=body).status_code == status
        assert [account.name for account in one.studio.workspace.people.list()] == ["ada"]


def test_the_first_administrator_keeps_what_was_made_while_the_studio_was_open(tmp_path: Path) -> None:
    with studio_app(tmp_path) as running:
        assert running.client.get("/api/v1/me").json()["id"] == "local"
        running.client.patch("/api/v1/me", json={"preferences": {"theme": "dark"}})
    with studio_app(tmp_path, authentication="accounts") as running:
        assert running.client.get("/api/v1/me").status_code == 401
        body = {"token": running.studio.setup_token, "name": "ada", "password": PASSWORD}
        assert running.client.post("/api/v1/setup", json=body).status_code == 201
        assert running.client.get("/api/v1/me").json()["preferences"] == {"theme": "dark"}
        assert running.studio.workspace.people.count() == 1


# --- invitations -----------------------------------------------------------------------------------------------------


def test_an_invitation_makes_one_account_with_its_roles(running: StudioApp, clock: Clock) -> None:
    with running.browser("ada") as ada:
        made = ada.post("/api/v1/invitations", json={"roles": ["moderator"], "days": 2}).json()
    assert made["url"].endswith(f"/#/sign-up?invitation={made['invitation']}")
    body = {"invitation": made["invitation"], "name": "ann", "password": PASSWORD}
    with running.browser() as guest:
        taken = guest.post("/api/v1/sign-up", json=body)
        assert (taken.status_code, code(taken)) == (400, "invalid_value")
        entered = guest.post("/api/v1/sign-up", json={**body, "name": "dora"})
        assert entered.status_code == 201
        assert entered.json()["person"]["roles"] == ["moderator"]
        assert guest.get("/api/v1/me").json()["name"] == "dora"
        again = guest.post("/api/v1/sign-up", json={**body, "name": "eve"})
        assert (again.status_code, code(again)) == (409, "token_used")
        forged = guest.post("/api/v1/sign-up", json={**body, "invitation": made["invitation"][:-1] + "_"})
        assert (forged.status_code, code(forged)) == (403, "token_forged")
        clock.forward(2 * DAY)
        late = guest.post("/api/v1/sign-up", json={**body, "name": "eve"})
        assert (late.status_code, code(late)) == (403, "token_expired")
    assert running.studio.workspace.people.find("eve") is None


def test_without_an_invitation_nobody_signs_up(running: StudioApp) -> None:
    with running.browser() as guest:
        answer = guest.post("/api/v1/sign-up", json={"invitation": "please", "name": "eve", "password": PASSWORD})
    assert (answer.status_code, code(answer)) == (403, "token_forged")


# --- sessions --------------------------------------------------------------------------------------------------------


def test_a_login_opens_a_new_session_whatever_cookie_came_with_it(running: StudioApp) -> None:
    """Session fixation: a secret that an attacker planted never becomes a session."""
    with running.browser() as browser:
        browser.cookies.set("redraft_session", "planted")
        log_in(browser, "ann", running.studio.settings)
        values = {cookie.value for cookie in browser.cookies.jar if cookie.name == "redraft_session"}
    assert running.studio.workspace.logins.session(hashed("planted"), at=running.studio.now()) is None
    assert any(len(value or "") == 43 for value in values)


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(tmp_path: Path) -> None:
    url = "https://paint.example.org"
    with accounts_app(tmp_path, host="0.0.0.0", public_url=url) as running, running.browser() as browser:
        answer = browser.post("/api/v1/login", json={"name": "ann", "password": PASSWORD})
        session, csrf = answer.headers.get_list("set-cookie")
        assert session.startswith("__Host-redraft_session=")
        assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(session.split("; "))
        assert csrf.startswith("__Host-redraft_csrf=")
        assert {"Secure", "Path=/", "SameSite=strict"} <= set(csrf.split("; "))
        assert "HttpOnly" not in csrf
        assert "domain" not in (session + csrf).lower()
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert browser.get("/api/v1/me").status_code == 200
        assert browser.get("/health", headers={"Host": "evil.example"}).status_code == 400


def test_the_database_holds_no_secret(running: StudioApp) -> None:
    secret = running.key("ann", "read")
    with running.browser() as browser:
        log_in(browser, "ann", running.studio.settings)
        cookie, csrf = browser.cookies["redraft_session"], browser.headers["X-CSRF-Token"]
    folder = running.studio.workspace.folder
    kept = b"".join(path.read_bytes() for path in folder.glob("redraft.db*"))
    assert hashed(secret).encode() in kept
    assert b"$argon2id$" in kept
    for text in (secret, cookie, csrf, PASSWORD):
        assert text.encode() not in kept


def test_logging_out_ends_the_session_on_the_server(running: StudioApp) -> None:
    with running.browser("ann") as ann:
        secret = ann.cookies["redraft_session"]
        assert ann.post("/api/v1/logout").status_code == 204
        ann.cookies.set("redraft_session", secret)
        assert ann.get("/api/v1/me").status_code == 401
        assert ann.get("/api/v1/session").json()["person"] is None


def test_a_session_ends_when_it_is_idle_and_when_it_is_old(running: StudioApp, clock: Clock) -> None:
    with running.browser("ann") as used, running.browser("ann") as idle:
        for _ in range(9):
            clock.forward(3 * DAY)
            assert used.get("/api/v1/me").status_code == 200
        assert idle.get("/api/v1/me").status_code == 401
        clock.forward(3 * DAY)
        assert used.get("/api/v1/me").status_code == 401


def test_a_new_password_ends_every_other_session(running: StudioApp) -> None:
    new = "seven green bottles"
    with running.browser("ann") as here, running.browser("ann") as there:
        wrong = here.post("/api/v1/me/password", json={"old": "not it at all", "new": new})
        assert (wrong.status_code, code(wrong)) == (401, "wrong_login")
        short = here.post("/api/v1/me/password", json={"old": PASSWORD, "new": "short"})
        assert short.status_code == 400
        done = here.post("/api/v1/me/password", json={"old": PASSWORD, "new": new})
        assert done.status_code == 200
        assert there.get("/api/v1/me").status_code == 401
    with running.browser() as browser:
        assert browser.post("/api/v1/login", json={"name": "ann", "password": PASSWORD}).status_code == 401
        assert browser.post("/api/v1/login", json={"name": "ann", "password": new}).status_code == 200


def test_a_key_cannot_change_the_password(running: StudioApp) -> None:
    with running.program(running.key("ann", "account")) as program:
        answer = program.post("/api/v1/me/password", json={"old": PASSWORD, "new": "seven green bottles"})
    assert (answer.status_code, code(answer)) == (403, "missing_scope")


def test_a_person_sees_and_ends_their_sessions(running: StudioApp) -> None:
    with running.browser("ann") as here, running.browser("ann") as there:
        listed = here.get("/api/v1/me/sessions").json()["data"]
        assert sorted(session["current"] for session in listed) == [False, True]
        other = next(session["id"] for session in listed if not session["current"])
        assert here.delete(f"/api/v1/me/sessions/{other}").status_code == 204
        assert there.get("/api/v1/me").status_code == 401
        assert here.delete(f"/api/v1/me/sessions/{other}").status_code == 404
        assert here.delete("/api/v1/me/sessions").json() == {"ended": 0}


def test_a_disabled_person_is_out_at_once_and_their_keys_stay_dead(running: StudioApp) -> None:
    secret = running.key("ann", "read")
    ann = running.studio.workspace.people.find("ann")
    assert ann is not None
    with running.browser("ann") as browser, running.program(secret) as program, running.browser("ada") as ada:
        assert ada.patch(f"/api/v1/users/{ann.id}", json={"disabled": True}).json()["disabled"] is True
        assert browser.get("/api/v1/me").status_code == 401
        assert program.get("/api/v1/me").status_code == 401
        ada.patch(f"/api/v1/users/{ann.id}", json={"disabled": False})
        assert program.get("/api/v1/me").status_code == 401


def test_the_last_administrator_stays(running: StudioApp) -> None:
    ada = running.studio.workspace.people.find("ada")
    assert ada is not None
    with running.browser("ada") as browser:
        for change in ({"disabled": True}, {"roles": []}, {"roles": ["operator"]}):
            answer = browser.patch(f"/api/v1/users/{ada.id}", json=change)
            assert (answer.status_code, code(answer)) == (409, "conflict")
        assert browser.get("/api/v1/me").json()["roles"] == ["admin"]


def test_what_administrators_and_people_do_is_in_the_audit_log(running: StudioApp) -> None:
    ann = running.studio.workspace.people.find("ann")
    ada = running.studio.workspace.people.find("ada")
    assert ann is not None
    assert ada is not None
    with running.browser("ada") as browser:
        browser.patch(f"/api/v1/users/{ann.id}", json={"roles": ["moderator"]})
        browser.patch(f"/api/v1/users/{ann.id}", json={"adult": True, "trained_reviewer": True})
        entries = browser.get("/api/v1/audit?limit=2").json()
    found = [(entry["actor"], entry["action"], entry["subject"], entry["detail"]) for entry in entries["data"]]
    assert found == [
        (ada.id, "reviewing", ann.id, {"adult": True, "trained_reviewer": True}),
        (ada.id, "roles", ann.id, {"roles": ["moderator"]}),
    ]
    assert entries["next"] == entries["data"][-1]["id"]


def test_only_adults_review_what_leans_unsafe(running: StudioApp) -> None:
    ann = running.studio.workspace.people.find("ann")
    assert ann is not None
    with running.browser("ada") as ada:
        answer = ada.patch(f"/api/v1/users/{ann.id}", json={"trained_reviewer": True})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "adult")


# --- keys ------------------------------------------------------------------------------------------------------------


def test_a_key_has_its_scopes_and_no_more_than_its_owner_now(running: StudioApp) -> None:
    ann = running.studio.workspace.people.find("ann")
    assert ann is not None
    people = running.studio.workspace.people
    people.set_roles(ann.id, ("operator",), at=running.studio.now())
    with running.program(running.key("ann", "read", "run")) as program:
        assert program.get("/api/v1/me").json()["scopes"] == ["read", "run"]
        people.set_roles(ann.id, (), at=running.studio.now())
        assert program.get("/api/v1/me").json()["scopes"] == ["read"]


def test_nobody_gives_a_key_more_than_they_have(running: StudioApp) -> None:
    with running.browser("ann") as ann:
        answer = ann.post("/api/v1/keys", json={"name": "k", "scopes": ["admin"]})
        assert answer.status_code == 400
        assert "not yours to give" in answer.json()["error"]["message"]
        unknown = ann.post("/api/v1/keys", json={"name": "k", "scopes": ["reed"]})
        assert "did you mean 'read'" in unknown.json()["error"]["message"]
    with running.program(running.key("ann", "account")) as program:
        assert program.post("/api/v1/keys", json={"name": "k", "scopes": ["read"]}).status_code == 400
        assert program.post("/api/v1/keys", json={"name": "k", "scopes": ["account"]}).status_code == 201


def test_a_key_ends_when_it_expires_and_when_it_is_revoked(running: StudioApp, clock: Clock) -> None:
    with running.browser("ann") as ann:
        lasting = ann.post("/api/v1/keys", json={"name": "a", "scopes": ["read"]}).json()
        clock.forward(1)
        passing = ann.post("/api/v1/keys", json={"name": "b", "scopes": ["read"], "expires_in_days": 1}).json()
        assert lasting["secret"].startswith(lasting["prefix"])
        listed = ann.get("/api/v1/keys").json()["data"]
        assert [key["name"] for key in listed] == ["a", "b"]
        assert "secret" not in listed[0]
        with running.program(lasting["secret"]) as one, running.program(passing["secret"]) as other:
            assert [one.get("/api/v1/me").status_code, other.get("/api/v1/me").status_code] == [200, 200]
            clock.forward(DAY)
            assert [one.get("/api/v1/me").status_code, other.get("/api/v1/me").status_code] == [200, 401]
            assert ann.delete(f"/api/v1/keys/{lasting['id']}").status_code == 204
            assert one.get("/api/v1/me").status_code == 401


def test_a_key_needs_no_token_of_a_page_and_a_cookie_does_not_help_it(running: StudioApp) -> None:
    with running.browser("ada") as ada:
        del ada.headers["X-CSRF-Token"]
        ada.headers["Authorization"] = f"Bearer {running.key('ann', 'account')}"
        assert ada.patch("/api/v1/me", json={}).json()["name"] == "ann"
        assert ada.get("/api/v1/users").status_code == 403
        ada.headers["Authorization"] = "Bearer nonsense"
        assert ada.get("/api/v1/me").status_code == 401


# --- proxies ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[StudioApp]:
    proxy = {"trusted": ["10.0.0.1", "10.1.0.0/16"], "user_header": "X-Forwarded-User"}
    with studio_app(tmp_path, host="0.0.0.0", proxy=proxy) as running:
        yield running


def test_the_header_of_a_trusted_proxy_is_believed(proxied: StudioApp) -> None:
    with proxied.browser(address="10.0.0.1") as proxy:
        first = proxy.get("/api/v1/me", headers={"X-Forwarded-User": "ann"}).json()
        again = proxy.get("/api/v1/me", headers={"X-Forwarded-User": "ann"}).json()
        assert (first["name"], first["via"], first["roles"]) == ("ann", "proxy", [])
        assert first["id"] == again["id"]
        assert proxy.get("/api/v1/me").status_code == 401
        evil = {"X-Forwarded-User": "ann", "Origin": "https://evil.example"}
        assert proxy.patch("/api/v1/me", json={}, headers=evil).status_code == 403


@pytest.mark.parametrize("address", ["203.0.113.9", "10.0.0.2", "127.0.0.1", "::1"])
def test_the_same_header_of_anybody_else_is_worth_nothing(proxied: StudioApp, address: str) -> None:
    with proxied.browser(address=address) as client:
        for headers in ({"X-Forwarded-User": "ann"}, {"X-Forwarded-User": "ann", "X-Forwarded-For": "10.0.0.1"}):
            assert client.get("/api/v1/me", headers=headers).status_code == 401


def test_a_proxys_name_never_takes_over_a_local_account(proxied: StudioApp) -> None:
    local = proxied.add("ann", roles=("admin",))
    with proxied.browser(address="10.1.2.3") as proxy:
        found = proxy.get("/api/v1/me", headers={"X-Forwarded-User": "ann"}).json()
    assert found["id"] != local
    assert found["roles"] == []
    assert found["name"].startswith("ann ")


def test_attempts_are_counted_for_the_address_behind_the_proxy(tmp_path: Path) -> None:
    """What the client itself wrote into X-Forwarded-For does not change for whom it counts."""
    proxy = {"trusted": ["10.0.0.1", "10.0.0.2"]}
    with accounts_app(tmp_path, proxy=proxy, accounts={"wrong_logins": 1}) as running:
        client = running.browser(address="10.0.0.1")
        with client:
            statuses = [
                client.post(
                    "/api/v1/login",
                    json={"name": "ann", "password": "wrong"},
                    headers={"X-Forwarded-For": f"192.0.2.{number}, 203.0.113.9, 10.0.0.2"},
                ).status_code
                for number in range(2)
            ]
            assert statuses == [401, 429]
            elsewhere = {"X-Forwarded-For": "203.0.113.10"}
            answer = client.post("/api/v1/login", json={"name": "ann", "password": PASSWORD}, headers=elsewhere)
            assert answer.status_code == 200


def test_the_server_prints_the_link_of_the_first_administrator_once(tmp_path: Path) -> None:
    """The token stands behind the #, so that no server and no proxy on the way logs it."""
    with start_studio(tmp_path, paint=False, authentication="accounts") as server:
        (link,) = re.findall(rf"{server.url}/#/setup\?token=\S+", server.log.read_text())
        token = link.partition("token=")[2]
        body = {"token": token, "name": "ada", "password": PASSWORD}
        assert server.client.post("/api/v1/setup", json=body).status_code == 201
        assert server.client.get("/api/v1/me").json()["roles"] == ["admin"]
        assert server.log.read_text().count(token) == 1
    with start_studio(tmp_path, paint=False, authentication="accounts") as server:
        assert "setup?token=" not in server.log.read_text().rpartition(token)[2]


# --- where it may listen ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "paint.example.org", "", "127.0.0.1.example.org"])
def test_off_loopback_nothing_starts_without_authentication(tmp_path: Path, host: str) -> None:
    for settings in ({}, {"authentication": "open"}):
        with pytest.raises(ConfigError, match=r"can be reached by others.*--auth accounts") as refused:
            settings_of(tmp_path, host=host, **settings)
        assert refused.value.exit_code == 2
    assert not (tmp_path / "workspace").exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_on_loopback_it_is_open(tmp_path: Path, host: str) -> None:
    assert settings_of(tmp_path, host=host).open


def test_off_loopback_it_is_closed(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, host="0.0.0.0", authentication="accounts")
    assert not settings.open
    assert create_app(settings, paint=False).state.studio.setup_token
    assert not settings_of(tmp_path, host="0.0.0.0", proxy={"trusted": ["10.0.0.1"], "user_header": "X-User"}).open


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"proxy": {"user_header": "X-User"}}, "proxy.user_header needs proxy.trusted"),
        ({"proxy": {"trusted": ["10.0.0.300"]}}, "10.0.0.300"),
        ({"oidc": {"issuer": "https://id.example"}}, "oidc.issuer needs oidc.client_id"),
        ({"oidc": {"issuer": "http://id.example", "client_id": "x"}}, "must begin with https://"),
        ({"public_url": "paint.example.org"}, "must look like https://paint.example.org"),
        ({"forms": "slider"}, "did you mean 'sliders'"),
        ({"authentification": "open"}, "did you mean 'authentication'"),
        ({"authentication": "open", "oidc": {"issuer": "https://id.example", "client_id": "x"}}, "does not go with"),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings_of(tmp_path, **settings)
