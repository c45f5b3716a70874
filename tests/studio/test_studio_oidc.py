"""Single sign-on against a small identity provider that runs here, speaks HTTP and signs with real RSA keys."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from tests.studio.running_studio import Clock, StudioApp, studio_app

CLIENT = "redraft-studio"
SECRET = "a secret of the client"


@dataclass
class Provider:
    """What the identity provider says; tests change it. change: what to do with the claims before they are signed."""

    issuer: str = ""
    subject: str = "person-7"
    name: str = "ann"
    change: Callable[[dict[str, Any]], None] | None = None
    sign: Callable[[dict[str, Any]], str] | None = None
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"}))
    asked: dict[str, str] = field(default_factory=dict)
    exchanged: list[dict[str, str]] = field(default_factory=list)
    at: float = 0.0
    announced: dict[str, str] = field(default_factory=dict)

    def configuration(self) -> dict[str, str]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            **self.announced,
        }

    def keys(self) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False)]}

    def exchange(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, str]]:
        """The token endpoint: the code, the verifier of the challenge and the client's secret must be right."""
        self.exchanged.append(form)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode()
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if form["code"] != "right" or challenge.rstrip("=") != self.asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        if authorization != f"Basic {basic}":
            return 401, {"error": "invalid_client"}
        claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": self.subject, "iat": int(self.at), "exp": int(self.at) + 300,
            "nonce": self.asked["nonce"], "preferred_username": self.name,
        }  # fmt: skip
        if self.change is not None:
            self.change(claims)
        sign = self.sign or (lambda said: jwt.encode({"alg": "RS256", "kid": "k1"}, said, self.key))
        return 200, {"id_token": sign(claims), "token_type": "Bearer", "access_token": "unused"}


@pytest.fixture
def provider() -> Iterator[Provider]:
    state = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/moved"):
                self.send_response(302)
                self.send_header("Location", f"{state.issuer}/keys")
                self.end_headers()
                return
            self.answer(200, state.keys() if self.path == "/keys" else state.configuration())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self.answer(*state.exchange(form, self.headers.get("Authorization", "")))

        def answer(self, status: int, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def running(tmp_path: Path, provider: Provider) -> Iterator[StudioApp]:
    secret = tmp_path / "client-secret"
    secret.write_text(SECRET + "\n")
    clock = Clock()
    provider.at = clock()
    oidc = {"issuer": provider.issuer, "client_id": CLIENT, "client_secret_file": secret}
    with studio_app(tmp_path, clock=clock, oidc=oidc) as running:
        yield running


def begin(client: httpx.Client, provider: Provider) -> str:
    """Go to the provider, as the browser would; returns the state."""
    answer = client.get("/api/v1/oidc/login")
    assert answer.status_code == 302, answer.text
    address = urlsplit(answer.headers["location"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{provider.issuer}/authorize"
    provider.asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    return provider.asked["state"]


def come_back(client: httpx.Client, state: str, *, code: str = "right") -> httpx.Response:
    return client.get("/api/v1/oidc/callback", params={"code": code, "state": state})


def test_a_person_comes_in_and_is_known_again(running: StudioApp, provider: Provider) -> None:
    ids = []
    for _ in range(2):
        with running.browser() as browser:
            state = begin(browser, provider)
            assert provider.asked["code_challenge_method"] == "S256"
            assert provider.asked["redirect_uri"] == "http://127.0.0.1:8188/api/v1/oidc/callback"
            answer = come_back(browser, state)
            assert (answer.status_code, answer.headers["location"]) == (303, "/")
            me = browser.get("/api/v1/me").json()
            assert (me["name"], me["roles"], me["via"]) == ("ann", [], "session")
            ids.append(me["id"])
            # The session is an ordinary one: writes need the page's token.
            assert browser.patch("/api/v1/me", json={}).status_code == 403
            csrf = {"X-CSRF-Token": browser.cookies["redraft_csrf"]}
            assert browser.patch("/api/v1/me", json={}, headers=csrf).status_code == 200
    assert ids[0] == ids[1]
    assert running.client.get("/api/v1/session").json()["oidc"] is True


def test_a_name_that_is_taken_does_not_open_somebody_elses_account(running: StudioApp, provider: Provider) -> None:
    local = running.add("ann", roles=("admin",))
    with running.browser() as browser:
        come_back(browser, begin(browser, provider))
        me = browser.get("/api/v1/me").json()
    assert me["id"] != local
    assert me["name"].startswith("ann ")
    assert me["roles"] == []


def claim(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(claims: dict[str, Any]) -> None:
        if value is None:
            del claims[name]
        else:
            claims[name] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        claim("iss", "https://evil.example"),
        claim("aud", "another-service"),
        claim("aud", ["another-service", CLIENT]),
        claim("nonce", "of another login"),
        claim("nonce", None),
        claim("exp", 1),
        claim("exp", None),
        claim("sub", None),
        claim("iat", None),
    ],
)
def test_a_token_that_does_not_fit_is_refused(
    running: StudioApp, provider: Provider, change: Callable[[dict[str, Any]], None]
) -> None:
    provider.change = change
    refuses(running, provider)


def unsigned(claims: dict[str, Any]) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "kid": "k1"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


def by_another_key(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, RSAKey.generate_key(2048, {"kid": "k1"}))


@pytest.mark.parametrize("sign", [unsigned, by_another_key, lambda _claims: "", lambda _claims: "a.b.c"])
def test_a_token_that_the_provider_did_not_sign_is_refused(
    running: StudioApp, provider: Provider, sign: Callable[[dict[str, Any]], str]
) -> None:
    provider.sign = sign
    refuses(running, provider)


def test_the_public_key_is_no_shared_secret(running: StudioApp, provider: Provider) -> None:
    """The classic confusion of algorithms: an HMAC made with the text of the public key."""
    public = provider.key.as_pem(private=False)
    provider.sign = lambda claims: jwt.encode(
        {"alg": "HS256", "kid": "k1"}, claims, OctKey.import_key(base64.b64encode(public).decode())
    )
    refuses(running, provider)


def refuses(running: StudioApp, provider: Provider) -> None:
    with running.browser() as browser:
        answer = come_back(browser, begin(browser, provider))
        assert answer.status_code == 403, answer.text
        assert answer.json()["error"]["code"] == "sign_on_failed"
        assert "redraft_session" not in browser.cookies
    assert running.studio.workspace.people.count() == 0


def test_a_sign_on_ends_in_the_browser_in_which_it_began(running: StudioApp, provider: Provider) -> None:
    """Login CSRF: an attacker's code or state does nothing in the victim's browser."""
    with running.browser() as attacker, running.browser() as victim:
        theirs = begin(attacker, provider)
        assert come_back(victim, theirs).status_code == 403
        own = begin(victim, provider)
        assert come_back(victim, theirs).status_code == 403
        assert come_back(victim, own, code="wrong").status_code == 403
        assert come_back(victim, own).status_code == 303
        assert come_back(victim, own).status_code == 403


def test_a_sign_on_may_not_take_for_ever(running: StudioApp, provider: Provider) -> None:
    with running.browser() as browser:
        state = begin(browser, provider)
        running.studio.clock.forward(601)  # type: ignore[attr-defined]
        assert come_back(browser, state).status_code == 403


@pytest.mark.parametrize(
    "announced",
    [
        {"issuer": "https://evil.example"},
        {"authorization_endpoint": "http://evil.example/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_a_provider_that_points_elsewhere_is_not_followed(
    running: StudioApp, provider: Provider, announced: dict[str, str]
) -> None:
    provider.announced = announced
    with running.browser() as browser:
        answer = browser.get("/api/v1/oidc/login")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "sign_on_unavailable")


def test_redirects_of_the_provider_are_not_followed(running: StudioApp, provider: Provider) -> None:
    with running.browser() as browser:
        state = begin(browser, provider)
        provider.announced = {"jwks_uri": f"{provider.issuer}/moved"}
        answer = come_back(browser, state)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "sign_on_unavailable")


def test_without_single_sign_on_its_routes_are_absent(tmp_path: Path) -> None:
    with studio_app(tmp_path) as running:
        for path in ("login", "callback"):
            assert running.client.get(f"/api/v1/oidc/{path}").status_code == 404


def test_who_is_not_expected_stays_outside(tmp_path: Path, provider: Provider) -> None:
    secret = tmp_path / "client-secret"
    secret.write_text(SECRET)
    clock = Clock()
    provider.at = clock()
    oidc = {
        "issuer": provider.issuer, "client_id": CLIENT, "client_secret_file": secret, "create_accounts": False,
    }  # fmt: skip
    with studio_app(tmp_path, clock=clock, oidc=oidc) as running, running.browser() as browser:
        answer = come_back(browser, begin(browser, provider))
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "no_account")
