"""The records of answers: what is kept, and what becomes of each one that is sent. No queries."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

SubjectKind = Literal["picture", "duel", "ranking", "request"]
Status = Literal["stored", "known", "refused"]
Refusal = Literal["", "bad_id", "bad_value", "id_taken", "no_account", "foreign_ask", "foreign_revision", "token_used"]

REFUSALS: dict[Refusal, str] = {
    "bad_id": "the id must be a UUID of version 7 in its usual lower-case form: make a new one for each answer",
    "bad_value": (
        "no database keeps a text with the character U+0000 or half a surrogate pair, one longer than its field, or a "
        "number that is not finite: correct it"
    ),
    "id_taken": "another answer has this id already: make a new id for each answer, and the same one only to resend it",
    "no_account": "this person has no account here, or a disabled one: log in again",
    "foreign_ask": "this ask was not given to this person for this subject: answer without it, as volunteered feedback",
    "foreign_revision": "the answer to revise is not this person's answer to this form about this subject",
    "token_used": "the token of this ask was used already: each one serves for one answer; later ones are revisions",
}
"""In words, for people: what was wrong and the way out."""

_UUID_7 = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_IN_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_LENGTHS = {"user": 36, "kind": 16, "subject": 64, "form": 32, "revision_of": 36, "ask": 36, "token": 64, "day": 10}
"""The most characters of each field. SQLite would take more, PostgreSQL refuses; a test compares with the table."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A person's answer to a form about a subject, or a revision of an earlier one.

    id: a UUID of version 7, made by the client; the answer is kept once however often it is sent. payload: what the
    form holds, JSON-able. mark: the payload as one number where the form has one (thumb 0 or 1, stars). revision_of:
    the id of the answer it takes the place of; not needed, for a person's last answer to a form about a subject counts
    anyway. retracted: it only takes the earlier one back. ask: the decision that asked; None when volunteered. token:
    the ask token's id, which serves once. day: the person's local day. created_at is the client's clock, received_at
    the server's. number: the order of arrival, given by the store.
    """

    id: str
    user: str
    kind: SubjectKind
    subject: str
    form: str
    payload: Mapping[str, Any]
    created_at: float
    received_at: float
    mark: float | None = None
    retracted: bool = False
    revision_of: str | None = None
    ask: str | None = None
    token: str | None = None
    day: str = ""
    lead_ms: int | None = None
    device: str = ""
    version: str = ""
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one answer that was sent: stored now, known already, or refused with the reason's name.

    first: whether it is the person's first to this form about this subject, so that it earns points.
    """

    id: str
    status: Status
    refusal: Refusal = ""
    first: bool = False


def check_answer(answer: Answer) -> Refusal:
    """Whether the answer can be kept at all, before anything is looked up; "" when it can."""
    if not _UUID_7.fullmatch(answer.id):
        return "bad_id"
    values = vars(answer)
    for name, most in _LENGTHS.items():
        if len(values[name] or "") > most:
            return "bad_value"
    return "" if _can_be_kept(values) else "bad_value"


def _can_be_kept(value: Any) -> bool:
    # Plain loops: this is called some thirty times for an answer, by the one thread that takes all of them in.
    if isinstance(value, str):
        return not _IN_NO_TEXT.search(value)
    if isinstance(value, float):
        return math.isfinite(value)
    if value is None or isinstance(value, int):
        return value is None or abs(value) < 2**31
    parts = (*value.keys(), *value.values()) if isinstance(value, Mapping) else value
    if isinstance(parts, list | tuple):
        for part in parts:
            if not _can_be_kept(part):
                return False
    return True
