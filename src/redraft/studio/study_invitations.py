"""Invitations to studies: signed links that make a participant without an account, who may do nothing else.

A link is its participant: whoever opens it again goes on where it was.
"""

from __future__ import annotations

import hashlib
import secrets

from redraft.core.errors import UnknownNameError, UsageError
from redraft.store.people import Account
from redraft.store.studies import Study
from redraft.store.workspace import Workspace
from redraft.studio.context import Studio
from redraft.studio.errors import Refused
from redraft.studio.identity.api_keys import add_key
from redraft.studio.identity.first_admin import LOCAL
from redraft.studio.identity.signing import SigningKeys
from redraft.studio.identity.tokens import pack, unpack
from redraft.studio.studying import INVITED, begin

PURPOSE = "study"
"""What invitations to studies are signed for."""
_DAY = 86_400.0
_MOST_KEYS = 5
"""Keys of a participant that are open at a time: one for each device or tab."""


def invite(
    workspace: Workspace, keys: SigningKeys, study: str, *, count: int, days: int, at: float
) -> tuple[list[str], float]:
    """So many invitations to a study, each for one participant without an account, and until when they open it.

    Raises UnknownNameError, UsageError when the study is closed.
    """
    found = workspace.studies.get(study)
    if found.state != "open":
        raise UsageError(f"the study {found.title!r} is closed: begin another one")
    expires_at = at + days * _DAY
    values = ({"id": secrets.token_hex(8), "study": study, "expires_at": expires_at} for _ in range(count))
    return [pack(keys, PURPOSE, value) for value in values], expires_at


def join(studio: Studio, invitation: str) -> tuple[Study, Account, str]:
    """What an invitation opens: the study, the participant's account, and a new key that may do nothing else.

    The same invitation is the same participant, however often it is opened. In an open studio it is the one person
    there, who needs no key. Raises Refused (403: token_forged, token_expired), UsageError when the study is closed.
    """
    values = unpack(studio.keys, PURPOSE, invitation)
    expires_at = float(values["expires_at"])
    if expires_at <= studio.now():
        raise Refused(403, "token_expired", "this invitation has expired: ask for a new one", param="invitation")
    study = studio.workspace.studies.get(str(values["study"]))
    if study.state != "open":
        raise UsageError(f"the study {study.title!r} is closed: nothing is taken any more")
    if studio.settings.open:
        account, secret = studio.workspace.people.get(LOCAL), ""
    else:
        account = _participant(studio, str(values["id"]))
        secret = _key(studio, account, expires_at=expires_at)
    if not studio.workspace.studies.taken_part(user=account.id, study=study.id):
        begin(studio, study, account.id)
    return study, account, secret


def link_of(url: str, invitation: str) -> str:
    """The address to send to a participant. What stands behind # is not sent to any server by itself."""
    return f"{url}/#/study?invitation={invitation}"


def _participant(studio: Studio, invitation: str) -> Account:
    id = hashlib.sha256(f"{INVITED}{invitation}".encode()).hexdigest()[:32]
    people = studio.workspace.people
    try:
        return people.get(id)
    except UnknownNameError:
        pass
    try:
        return people.create(id, name=f"participant {id[:12]}", external=f"{INVITED}{invitation}", at=studio.now())
    except UsageError:
        # The same link, opened twice at the same moment.
        return people.get(id)


def _key(studio: Studio, account: Account, *, expires_at: float) -> str:
    if account.disabled:
        raise Refused(403, "disabled", "this participant was shut out: ask whoever invited you")
    logins, now = studio.workspace.logins, studio.now()
    earlier = sorted((key for key in logins.keys(account.id) if key.revoked_at is None), key=lambda key: key.created_at)
    for key in earlier[: max(0, len(earlier) - _MOST_KEYS + 1)]:
        logins.revoke(account.id, id=key.id, at=now)
    _, secret = add_key(
        studio.workspace, account, id=studio.new_id(), name="study", scopes=["study"], within=None,
        expires_at=expires_at, at=now, actor=account.id,
    )  # fmt: skip
    return secret
