"""Attacks on the studio's doors: other sites' pages, forged hosts, large bodies, paths, guessing, scripts in names."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.websockets import WebSocketDisconnect

from redraft.studio.pages import page_files
from redraft.studio.telemetry import LOG, LineFormatter
from tests.studio.running_studio import PASSWORD, Clock, StudioApp, accounts_app, start_studio, studio_app

SCRIPT = "<script>alert(1)</script>"
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioApp]:
    with accounts_app(tmp_path_factory.mktemp("attacks")) as running:
        yield running


@pytest.fixture(scope="module")
def open_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioApp]:
    with studio_app(tmp_path_factory.mktemp("open")) as running:
        yield running


def code(answer: httpx.Response) -> str | None:
    found: str | None = answer.json()["error"]["code"]
    return found


# --- other sites' pages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "", "wrong", "x" * 43])
def test_a_write_by_session_needs_the_token_of_the_page(running: StudioApp, token: str | None) -> None:
    with running.browser("ann") as ann:
        del ann.headers["X-CSRF-Token"]
        headers = {} if token is None else {"X-CSRF-Token": token}
        answer = ann.patch("/api/v1/me", json={"preferences": {"a": 1}}, headers=headers)
        assert (answer.status_code, code(answer)) == (403, "csrf")
        assert ann.get("/api/v1/me").json()["preferences"] == {}


def test_the_token_of_another_session_is_no_good(running: StudioApp) -> None:
    with running.browser("ann") as ann, running.browser("bob") as bob:
        answer = ann.patch("/api/v1/me", json={}, headers={"X-CSRF-Token": bob.headers["X-CSRF-Token"]})
    assert (answer.status_code, code(answer)) == (403, "csrf")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://127.0.0.1:8188.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_changes_nothing(
    running: StudioApp, open_studio: StudioApp, headers: dict[str, str]
) -> None:
    """Neither with a session and its token, nor at the login, nor in an open studio, where no credential is asked."""
    with running.browser("ann") as ann:
        assert code(ann.patch("/api/v1/me", json={}, headers=headers)) == "cross_origin"
    with running.browser() as nobody:
        answer = nobody.post("/api/v1/login", json={"name": "ann", "password": PASSWORD}, headers=headers)
        assert (answer.status_code, code(answer)) == (403, "cross_origin")
        assert not answer.cookies
    answer = open_studio.client.post("/api/v1/keys", json={"name": "k", "scopes": ["read"]}, headers=headers)
    assert (answer.status_code, code(answer)) == (403, "cross_origin")
    assert open_studio.client.get("/api/v1/keys").json()["data"] == []


def test_the_studios_own_page_and_programs_may_write(running: StudioApp, open_studio: StudioApp) -> None:
    own = {"Origin": "http://127.0.0.1:8188", "Sec-Fetch-Site": "same-origin"}
    with running.browser("ann") as ann:
        assert ann.patch("/api/v1/me", json={}, headers=own).status_code == 200
    assert open_studio.client.patch("/api/v1/me", json={}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8188", ""])
def test_a_name_that_was_pointed_here_does_not_reach_an_open_studio(open_studio: StudioApp, host: str) -> None:
    """DNS rebinding: the page of evil.example asks its own name, which now leads to this machine."""
    answer = open_studio.client.get("/api/v1/me", headers={"Host": host})
    assert (answer.status_code, code(answer)) == (400, "wrong_host")


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_an_open_studio_is_not_served_through_a_tunnel(open_studio: StudioApp, header: str) -> None:
    answer = open_studio.client.get("/api/v1/me", headers={header: "203.0.113.9"})
    assert (answer.status_code, code(answer)) == (403, "not_local")


def test_an_open_studio_does_not_serve_another_machine(open_studio: StudioApp) -> None:
    with open_studio.browser(address="203.0.113.9") as other:
        assert code(other.get("/api/v1/me")) == "not_local"


# --- headers ---------------------------------------------------------------------------------------------------------


def test_every_answer_carries_the_headers(running: StudioApp) -> None:
    """Of whatever kind: found, refused, missing, too large, failed."""

    def fail() -> None:
        raise RuntimeError(f"what {SCRIPT} wrote")

    running.app.add_api_route("/api/v1/fail", fail, include_in_schema=False)
    with running.browser() as client:
        answers = [
            client.get("/"),
            client.get("/health"),
            client.get("/api/v1/me"),
            client.get("/absent"),
            client.get("/health", headers={"Host": "evil.example", "Origin": "x"}),
            client.post("/api/v1/login", content=b"{"),
            client.post("/api/v1/login", content=b"x" * 1_100_000),
            client.get("/api/v1/fail"),
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 401, 404, 400, 400, 413, 500]
    for answer in answers:
        assert HEADERS.items() <= dict(answer.headers).items(), answer.headers
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-request-id"]
    assert answers[2].headers["cache-control"] == "no-store"


def test_a_failure_tells_neither_its_words_nor_its_place(
    running: StudioApp, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LOG, "propagate", True)

    def fail(prompt: str) -> None:
        raise ValueError(f"cannot read {prompt}")

    running.app.add_api_route("/api/v1/fail-again", fail, include_in_schema=False)
    with running.browser() as client, caplog.at_level(logging.INFO, "redraft.studio"):
        answer = client.get("/api/v1/fail-again?prompt=a+secret+wish")
    assert answer.status_code == 500
    error = answer.json()["error"]
    assert error["code"] == "internal"
    assert answer.headers["x-request-id"] in error["message"]
    lines = [json.loads(LineFormatter().format(record)) for record in caplog.records if record.name == LOG.name]
    failed = next(line for line in lines if line["event"] == "error")
    assert failed["error"] == ["ValueError"]
    assert any("fail" in frame for frame in failed["frames"])
    assert "secret" not in json.dumps(lines)
    assert "secret" not in answer.text


def test_logs_hold_no_password_no_cookie_and_no_query(
    running: StudioApp, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LOG, "propagate", True)
    with running.browser("ann") as ann, caplog.at_level(logging.INFO, "redraft.studio"):
        ann.get("/api/v1/users?after=somebody-private")
        ann.post("/api/v1/login", json={"name": "ann", "password": "not her password"})
        secret = ann.cookies["redraft_session"]
    lines = [LineFormatter().format(record) for record in caplog.records if record.name == LOG.name]
    assert len(lines) == 2
    assert json.loads(lines[0])["route"] == "/api/v1/users"
    for word in ("somebody-private", "not her password", secret, ann.headers["X-CSRF-Token"], "127.0.0.1"):
        assert word not in "".join(lines)


@pytest.mark.parametrize("given", ["a\r\nSet-Cookie: x=1", "x" * 65, "<b>", "a b"])
def test_a_request_id_of_the_client_is_taken_only_if_it_is_harmless(running: StudioApp, given: str) -> None:
    scope = {"type": "http", "method": "GET", "path": "/health", "raw_path": b"/health", "query_string": b"",
             "headers": [(b"host", b"127.0.0.1:8188"), (b"x-request-id", given.encode())],
             "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8188), "scheme": "http", "http_version": "1.1",
             "root_path": "", "state": {}}  # fmt: skip
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    running.client.portal.call(running.app, scope, receive, send)  # type: ignore[union-attr]
    made = dict(sent[0]["headers"])[b"x-request-id"].decode()
    assert re.fullmatch(r"[0-9a-f]{24}", made)


# --- bodies ----------------------------------------------------------------------------------------------------------


def test_a_body_that_grows_beyond_the_limit_is_refused_while_it_comes(running: StudioApp) -> None:
    """Without a length (chunked), so that only counting helps."""

    def endless() -> Iterator[bytes]:
        for _ in range(300):
            yield b" " * 10_000

    with running.browser("ann") as ann:
        answer = ann.patch("/api/v1/me", content=endless(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, code(answer)) == (413, "too_large")


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"1" * 100_000,
        b"\xff\xfe",
        b'{"name": "\xed\xa0\x80"}',
        b"",
        b"null",
        b'"text"',
        b'{"preferences": {"x": 1e999}}',
        b'{"preferences": {"x": NaN}}',
        b'{"asking": {"quiet_from": 1e400}}',
        b'{"name": "\\u0000"}',
        b'{"name": "\\ud800"}',
        b'{"asking": {"timezone": "../../etc/passwd"}}',
        b'{"asking": {"timezone": "\\u0000"}}',
    ],
    ids=lambda body: body[:24],
)
def test_no_body_makes_the_server_fail(running: StudioApp, body: bytes) -> None:
    with running.browser("ann") as ann:
        answer = ann.patch("/api/v1/me", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("\ud800", "half a surrogate pair"),
        ({"a\udfff": 1}, "half a surrogate pair"),
        (json.loads("[" * 300 + "]" * 300), "within each other"),
    ],
)
def test_preferences_that_no_answer_could_hold_are_refused(running: StudioApp, value: Any, words: str) -> None:
    """Kept, they would keep the person from their own account: every answer about it would fail."""
    with running.browser("bob") as bob:
        body = json.dumps({"preferences": {"x": value}}).encode()
        answer = bob.patch("/api/v1/me", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 400, answer.text
        assert words in answer.json()["error"]["message"]
        assert bob.get("/api/v1/session").json()["person"]["preferences"] == {}


def test_preferences_are_bounded(running: StudioApp) -> None:
    with running.browser("bob") as bob:
        answer = bob.patch("/api/v1/me", json={"preferences": {"x": "y" * 20_000}})
        assert (answer.status_code, code(answer)) == (400, "invalid_value")
        assert bob.get("/api/v1/me").json()["preferences"] == {}


def test_no_route_takes_a_file_or_an_address(running: StudioApp) -> None:
    """What is not taken needs no defence: pictures that are bombs, and addresses to be called (SSRF)."""
    description = running.app.openapi()
    kinds = {
        kind
        for methods in description["paths"].values()
        for method in methods.values()
        for kind in method.get("requestBody", {}).get("content", {})
    }
    assert kinds == {"application/json"}
    taken = {
        method["requestBody"]["content"]["application/json"]["schema"].get("$ref", "").rpartition("/")[2]
        for methods in description["paths"].values()
        for method in methods.values()
        if "requestBody" in method
    }
    names = {
        name for body in taken for name in description["components"]["schemas"].get(body, {}).get("properties", {})
    }
    assert len(names) > 10
    assert not [name for name in names if re.search("(^|_)(url|uri|webhook|host|path|file)s?(_|$)", name)]


# --- paths -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with start_studio(tmp_path_factory.mktemp("server"), paint=False) as running:
        yield running


def raw(url: str, request: bytes) -> bytes:
    """What a server answers to these bytes; a client library would tidy the path."""
    with socket.create_connection((httpx.URL(url).host, httpx.URL(url).port or 80), timeout=10) as connection:
        connection.sendall(request)
        received = b""
        while part := connection.recv(65_536):
            received += part
    return received


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/assets/../../settings.py",
        "/assets/..%2f..%2fsettings.py",
        "/assets/%2e%2e/%2e%2e/settings.py",
        "/..\\..\\settings.py",
        "//etc/passwd",
        "/static/../app.py",
        "/api/v1/pictures/..%2f..%2fsecrets%2fsigning.json.png",
        "/api/v1/pictures/%00.png",
        "/secrets/signing.json",
        "/redraft.db",
        "/index.html/../../../pyproject.toml",
    ],
)
def test_no_path_leads_to_a_file(server: Any, path: str) -> None:
    host = httpx.URL(server.url).netloc.decode()
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    answer = raw(server.url, request.encode())
    assert answer.split(b" ")[1] in (b"400", b"404"), answer[:300]
    key = json.loads((server.workspace / "secrets" / "signing.json").read_text())["keys"]
    for secret in (b"root:x:", b"StudioSettings", b"[project]", *(value.encode() for value in key.values())):
        assert secret not in answer


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nHost: HOST\r\nX-Long: " + b"a" * 200_000 + b"\r\n\r\n",
        b"POST /api/v1/login HTTP/1.1\r\nHost: HOST\r\nContent-Length: -5\r\nConnection: close\r\n\r\n",
        b"POST /api/v1/login HTTP/1.1\r\nHost: HOST\r\nContent-Length: 99999999999999999\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
    ],
    ids=["long header", "negative length", "huge length", "no host"],
)
def test_a_malformed_request_is_refused(server: Any, request_: bytes) -> None:
    host = httpx.URL(server.url).netloc
    try:
        answer = raw(server.url, request_.replace(b"HOST", host))
    except ConnectionResetError:
        answer = b""
    assert not answer or answer.split(b" ")[1] in (b"400", b"413", b"431"), answer[:200]
    assert server.client.get("/health").status_code == 200


def test_only_one_kind_of_socket_is_served(running: StudioApp) -> None:
    with pytest.raises(WebSocketDisconnect) as refused, running.client.websocket_connect("ws://127.0.0.1:8188/"):
        pass
    assert refused.value.code == 1008


# --- guessing --------------------------------------------------------------------------------------------------------


def attempt(running: StudioApp, name: str, password: str, *, address: str = "198.51.100.1") -> int:
    with running.browser(address=address) as client:
        return client.post("/api/v1/login", json={"name": name, "password": password}).status_code


@pytest.fixture
def guessed(tmp_path: Path) -> Iterator[tuple[StudioApp, Clock]]:
    clock = Clock()
    with accounts_app(tmp_path, clock=clock, accounts={"wrong_logins": 1}) as running:
        yield running, clock


def test_guessing_a_password_is_stopped(guessed: tuple[StudioApp, Clock]) -> None:
    """After as many wrong ones as are allowed (here 1) not even the right one is looked at from there."""
    running, clock = guessed
    assert attempt(running, "ann", PASSWORD) == 200
    assert attempt(running, "ann", "wrong") == 401
    with running.browser(address="198.51.100.1") as client:
        answer = client.post("/api/v1/login", json={"name": " ANN ", "password": PASSWORD})
    assert (answer.status_code, code(answer)) == (429, "rate_limited")
    assert 1 <= int(answer.headers["retry-after"]) <= 900
    assert attempt(running, "bob", PASSWORD) == 200
    assert attempt(running, "ann", PASSWORD, address="198.51.100.2") == 200
    clock.forward(900)
    assert attempt(running, "ann", PASSWORD) == 200


def test_right_logins_are_not_counted(guessed: tuple[StudioApp, Clock]) -> None:
    running, _clock = guessed
    assert [attempt(running, "ann", PASSWORD) for _ in range(3)] == [200] * 3


def test_trying_many_names_from_one_address_is_stopped(guessed: tuple[StudioApp, Clock]) -> None:
    running, _clock = guessed
    tried = [attempt(running, f"name {number}", "wrong") for number in range(6)]
    assert tried == [401] * 5 + [429]
    assert attempt(running, "ann", PASSWORD) == 429
    assert attempt(running, "ann", PASSWORD, address="198.51.100.2") == 200


def test_trying_one_name_from_many_addresses_is_stopped(guessed: tuple[StudioApp, Clock]) -> None:
    running, _clock = guessed
    tried = [attempt(running, "ann", "wrong", address=f"198.51.100.{number}") for number in range(11)]
    assert tried == [401] * 10 + [429]
    assert attempt(running, "bob", PASSWORD) == 200


def test_attempts_at_the_same_moment_are_all_counted(guessed: tuple[StudioApp, Clock]) -> None:
    running, _clock = guessed
    outcomes: list[int] = []
    threads = [threading.Thread(target=lambda: outcomes.append(attempt(running, "ann", "wrong"))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [401] + [429] * 11


def test_a_wrong_name_a_wrong_password_and_a_disabled_account_look_the_same(running: StudioApp) -> None:
    running.add("carl")
    carl = running.studio.workspace.people.find("carl")
    assert carl is not None
    running.studio.workspace.people.set_disabled(carl.id, True, at=running.studio.now())
    with running.browser(address="198.51.100.7") as client:
        answers = [
            client.post("/api/v1/login", json={"name": name, "password": password})
            for name, password in (("nobody", PASSWORD), ("ann", "wrong"), ("carl", PASSWORD))
        ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


def test_guessing_keys_is_slowed_and_right_ones_still_work(tmp_path: Path) -> None:
    with accounts_app(tmp_path, limits={"wrong_keys_per_minute": 5}) as running:
        right = running.key("ann", "read")
        statuses = []
        for number in range(8):
            with running.program(f"rd_{number:043d}") as guess:
                statuses.append(guess.get("/api/v1/me").status_code)
        assert statuses == [401] * 5 + [429] * 3
        with running.program(right) as program:
            assert program.get("/api/v1/me").status_code == 200


def test_one_person_cannot_take_all_requests(tmp_path: Path) -> None:
    with accounts_app(tmp_path, limits={"requests_per_minute": 5}) as running:
        ann, bob = running.browser("ann"), running.browser("bob")
        with ann, bob:
            answers = [ann.get("/api/v1/me") for _ in range(7)]
            assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
            assert code(answers[-1]) == "rate_limited"
            assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
            assert bob.get("/api/v1/me").status_code == 200


def test_one_address_cannot_take_all_requests(tmp_path: Path) -> None:
    with accounts_app(tmp_path, limits={"address_requests_per_minute": 5}) as running:
        one, other = running.browser(address="203.0.113.5"), running.browser(address="203.0.113.6")
        with one, other:
            assert [one.get("/health").status_code for _ in range(6)] == [200] * 5 + [429]
            assert other.get("/health").status_code == 200


# --- scripts in names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [SCRIPT, '"><img src=x onerror=alert(1)>', "javascript:alert(1)", "{{7*7}}", "';--"])
def test_a_script_in_a_name_stays_text(running: StudioApp, name: str) -> None:
    """It is kept as it was written and comes back as JSON that no browser runs; no page of ours holds it."""
    with running.browser("ada") as ada:
        made = ada.post("/api/v1/users", json={"name": name, "password": PASSWORD})
        assert made.status_code == 201
        assert made.json()["name"] == name
        again = ada.post("/api/v1/users", json={"name": name})
        assert again.status_code == 400
        answers = (made, again, ada.get("/api/v1/users"), ada.get(f"/api/v1/{name}"))
        for answer in answers:
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers["x-content-type-options"] == "nosniff"
    with running.browser() as browser:
        browser.post("/api/v1/login", json={"name": name, "password": PASSWORD})
        assert browser.get("/api/v1/me").json()["name"] == name
        assert name not in browser.get("/").text


@pytest.mark.parametrize("name", ["\u202egnp.exe", "a\nb", "a\0b", "\u200b", "   ", "x" * 65, "\ud800"])
def test_a_name_that_deceives_the_eye_is_refused(running: StudioApp, name: str) -> None:
    with running.browser("ada") as ada:
        body = json.dumps({"name": name}).encode()
        answer = ada.post("/api/v1/users", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text


def test_names_that_look_alike_count_as_one(running: StudioApp) -> None:
    with running.browser("ada") as ada:
        for name in ("ANN", "ann ", "\uff41\uff4e\uff4e"):
            assert ada.post("/api/v1/users", json={"name": name}).status_code == 400, name


def test_the_page_needs_nothing_that_its_policy_forbids(running: StudioApp) -> None:
    """No script, style or handler stands in the page itself, and every file of it is served as what it is."""
    found = page_files()
    page = found["/"].data.decode()
    assert re.search(r"<script[^>]* src=", page)
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|javascript:", page)
    with running.browser() as browser:
        for path, file in found.items():
            answer = browser.get(path)
            assert (answer.status_code, answer.content) == (200, file.data), path
            assert answer.headers["content-type"].split(";")[0] == file.kind.split(";")[0]
            assert answer.headers["content-security-policy"]
            assert browser.get(path, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
            assert ("immutable" in answer.headers["cache-control"]) == path.startswith("/assets/")


def test_metrics_have_no_label_that_a_client_wrote(running: StudioApp) -> None:
    with running.browser("ada") as ada:
        ada.get(f"/api/v1/{SCRIPT}")
        ada.request("HACK", "/health")
        ada.get("/api/v1/jobs/somebodys-job")
        text = ada.get("/metrics").text
    assert "script" not in text
    assert "HACK" not in text
    assert "somebodys" not in text
    assert 'route="none"' in text
