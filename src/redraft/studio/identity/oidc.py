"""Single sign-on by OpenID Connect: the authorization code flow with PKCE. Makes no account and opens no session.

OpenID Connect Core 1.0, sections 3.1.2 and 3.1.3; PKCE is RFC 7636. The identity provider is asked anew at each login
(its addresses and keys are not kept), so that a key it replaced is never believed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from redraft.core.errors import EnvironmentFaultError
from redraft.studio.errors import Refused
from redraft.studio.settings import OidcSettings, is_loopback

if TYPE_CHECKING:
    import httpx

_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
_LEEWAY_SECONDS = 60
_PATIENCE_SECONDS = 10.0
_MOST_BYTES = 1_000_000
TICKET_SECONDS = 600
"""How long somebody may take at the identity provider."""


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """What the browser keeps, signed, while the person is at the identity provider."""

    state: str
    nonce: str
    verifier: str
    expires_at: float


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whom the identity provider has identified. subject: its own lasting name of the person."""

    subject: str
    name: str


def new_ticket(*, at: float) -> Ticket:
    """A ticket for one login."""
    return Ticket(
        state=secrets.token_urlsafe(24),
        nonce=secrets.token_urlsafe(24),
        verifier=secrets.token_urlsafe(48),
        expires_at=at + TICKET_SECONDS,
    )


def login_url(settings: OidcSettings, ticket: Ticket, *, back: str) -> str:
    """Where to send the browser; it comes back to the address `back`. Raises Refused (503)."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(ticket.verifier.encode()).digest()).decode().rstrip("=")
    query = urlencode(
        {
            "response_type": "code",
            "client_id": settings.client_id,
            "redirect_uri": back,
            "scope": " ".join(settings.scopes),
            "state": ticket.state,
            "nonce": ticket.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
    )
    with _client() as client:
        address = _endpoint(settings, _provider(client, settings), "authorization_endpoint")
    return f"{address}{'&' if urlsplit(address).query else '?'}{query}"


def identify(settings: OidcSettings, ticket: Ticket, *, code: str, state: str, back: str, at: float) -> Identity:
    """Whom the identity provider means by `code`. Raises Refused: 403 when anything does not fit, 503."""
    if ticket.expires_at <= at or not hmac.compare_digest(ticket.state.encode(), state.encode("utf-8", "replace")):
        raise Refused(403, "sign_on_failed", "this sign-on was not begun in this browser, or too long ago: begin again")
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": back,
        "client_id": settings.client_id,
        "code_verifier": ticket.verifier,
    }
    with _client() as client:
        provider = _provider(client, settings)
        secret = _secret(settings)
        basic = None if secret is None else (settings.client_id, secret)
        answer = _ask(client, "POST", _endpoint(settings, provider, "token_endpoint"), form=form, basic=basic)
        keys = _ask(client, "GET", _endpoint(settings, provider, "jwks_uri"))
    claims = _claims(settings, str(answer.get("id_token", "")), keys, nonce=ticket.nonce, at=at)
    name = claims.get(settings.name_claim) or claims.get("name") or claims["sub"]
    return Identity(subject=str(claims["sub"]), name=str(name))


def _claims(settings: OidcSettings, text: str, keys: Any, *, nonce: str, at: float) -> dict[str, Any]:
    try:
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet
    except ModuleNotFoundError as error:
        raise EnvironmentFaultError(
            "single sign-on needs the package joserfc: install it with `pip install 'redraft[oidc]'`"
        ) from error
    rules = jwt.JWTClaimsRegistry(
        now=int(at),
        leeway=_LEEWAY_SECONDS,
        iss={"essential": True, "value": settings.issuer},
        aud={"essential": True, "value": settings.client_id},
        nonce={"essential": True, "value": nonce},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        token = jwt.decode(text, KeySet.import_key_set(keys), algorithms=_ALGORITHMS)
        rules.validate(token.claims)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise Refused(
            403, "sign_on_failed", "the identity provider's token does not hold: begin again, or tell the operator"
        ) from error
    claims: dict[str, Any] = token.claims
    # A token for several services must say for which of them it was made.
    if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != settings.client_id:
        raise Refused(403, "sign_on_failed", "the identity provider's token was made for another service")
    return claims


def _provider(client: httpx.Client, settings: OidcSettings) -> dict[str, Any]:
    found = _ask(client, "GET", settings.issuer.rstrip("/") + "/.well-known/openid-configuration")
    if found.get("issuer") != settings.issuer:
        raise Refused(503, "sign_on_unavailable", "the identity provider goes by another name than oidc.issuer says")
    return found


def _endpoint(settings: OidcSettings, provider: dict[str, Any], name: str) -> str:
    address = str(provider.get(name, ""))
    parts = urlsplit(address)
    local = is_loopback(urlsplit(settings.issuer).hostname) and is_loopback(parts.hostname)
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise Refused(503, "sign_on_unavailable", f"the identity provider's {name} is not reached by https")
    return address


def _ask(
    client: httpx.Client,
    method: str,
    address: str,
    *,
    form: dict[str, str] | None = None,
    basic: tuple[str, str] | None = None,
) -> dict[str, Any]:
    import httpx

    try:
        # Redirects are not followed: the addresses are those that the operator and the provider named.
        answer = client.request(method, address, data=form, auth=basic, follow_redirects=False)
        if form is not None and answer.status_code in (400, 401):
            raise Refused(403, "sign_on_failed", "the identity provider does not know this sign-on: begin again")
        answer.raise_for_status()
        if len(answer.content) > _MOST_BYTES:
            raise ValueError("the answer is too large")
        found = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise Refused(
            503, "sign_on_unavailable", "the identity provider does not answer as it should: try again", retry_after=30
        ) from error
    return found if isinstance(found, dict) else {}


def _client() -> httpx.Client:
    import httpx

    return httpx.Client(timeout=_PATIENCE_SECONDS, headers={"Accept": "application/json"})


def _secret(settings: OidcSettings) -> str | None:
    if settings.client_secret_file is None:
        return None
    try:
        return settings.client_secret_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise EnvironmentFaultError(
            f"oidc.client_secret_file {settings.client_secret_file} cannot be read ({error.strerror}): mend its rights"
        ) from error
