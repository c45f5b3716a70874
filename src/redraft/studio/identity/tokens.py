"""Signed texts that the studio hands out and believes again: ask tokens, picture URLs, invitations. Keeps nothing.

An ask token binds an answer to whom and what was asked: user, subject, the order in which its parts lay, the form and
the policy that asked. That it serves once is held by the store, which keeps one answer for each token id.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

from redraft.studio.errors import Refused
from redraft.studio.identity.signing import SigningKeys

_LONGEST = 4096


@dataclass(frozen=True, kw_only=True)
class AskToken:
    """What an ask token says. id: at most 64 characters. positions: ids of the parts as they lie, from the left.

    ask: the decision that asked; None for a form that the person opened. expires_at: seconds since 1970.
    """

    id: str
    user: str
    kind: str
    subject: str
    positions: tuple[str, ...] = ()
    form: str
    policy: str
    ask: str | None = None
    expires_at: float


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """What an invitation says: an account with these roles may be made, once, until it expires."""

    id: str
    roles: tuple[str, ...]
    expires_at: float


def sign_ask(keys: SigningKeys, token: AskToken) -> str:
    """The token as text, for the client to hand back."""
    return pack(keys, "ask", asdict(token))


def read_ask(keys: SigningKeys, text: str, *, user: str, at: float) -> AskToken:
    """What the token says. Raises Refused (403): token_forged, token_foreign for another person's, token_expired."""
    values = unpack(keys, "ask", text)
    token = AskToken(**{**values, "positions": tuple(values["positions"])})
    if token.user != user:
        raise Refused(403, "token_foreign", "this ask was given to another person: answer your own asks")
    if token.expires_at <= at:
        raise Refused(403, "token_expired", "this ask is no longer open: open the picture again and answer there")
    return token


def sign_invitation(keys: SigningKeys, invitation: Invitation) -> str:
    """The invitation as text, for a link."""
    return pack(keys, "invitation", asdict(invitation))


def read_invitation(keys: SigningKeys, text: str, *, at: float) -> Invitation:
    """What the invitation says. Raises Refused (403): token_forged, token_expired."""
    values = unpack(keys, "invitation", text)
    invitation = Invitation(**{**values, "roles": tuple(values["roles"])})
    if invitation.expires_at <= at:
        raise Refused(403, "token_expired", "this invitation has expired: ask for a new one")
    return invitation


def sign_picture(keys: SigningKeys, *, picture: str, variant: str, expires_at: float, viewer: str = "") -> str:
    """The query of a URL that opens one variant of a picture until then: for the person `viewer`, "" for any bearer."""
    expires = str(int(expires_at))
    signature = keys.sign("picture", _picture(picture, variant, expires, viewer))
    return urlencode({"variant": variant, "expires": expires, "viewer": viewer, "signature": signature})


def check_picture(
    keys: SigningKeys, *, picture: str, variant: str, expires: str, viewer: str, signature: str, at: float
) -> None:
    """Raises Refused (403) unless `sign_picture` made this query and its time has not come."""
    if not keys.valid("picture", _picture(picture, variant, expires, viewer), signature):
        raise Refused(403, "token_forged", "this link was not made by this server: take it from the gallery again")
    if int(expires) <= at:
        raise Refused(403, "token_expired", "this link has expired: take it from the gallery again")


def _picture(picture: str, variant: str, expires: str, viewer: str) -> bytes:
    # JSON keeps the parts apart: no two different lists give the same bytes.
    return json.dumps([picture, variant, expires, viewer]).encode()


def pack(keys: SigningKeys, purpose: str, values: dict[str, Any]) -> str:
    """JSON-able values as a signed text that is good for one purpose."""
    data = base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")
    return f"{data}.{keys.sign(purpose, data.encode())}"


def unpack(keys: SigningKeys, purpose: str, text: str) -> dict[str, Any]:
    """The values of a signed text. Raises Refused (403): token_forged."""
    data, _, signature = text.partition(".")
    # Nothing of the text is read before its signature was found good.
    if len(text) > _LONGEST or not keys.valid(purpose, data.encode("utf-8", "replace"), signature):
        raise Refused(403, "token_forged", "this token was not made by this server: load the page again")
    values: dict[str, Any] = json.loads(base64.urlsafe_b64decode(data + "=" * (-len(data) % 4)))
    return values
