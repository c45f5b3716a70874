"""From what a client sends to an answer that is kept: token, form, subject, day; and what became of it. No routes.

Whose subject it is, is asked of the store for this person. A picture of somebody else can be answered about only with a
token that this server made, or in a critique session; a pair only if this server drew it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from redraft.core.errors import BusyError, RedraftError, UnknownNameError, UsageError
from redraft.feedback.forms import Checked, Form, check_payload
from redraft.feedback.local_time import local_day
from redraft.store.answer_records import REFUSALS, Answer, Outcome, Refusal
from redraft.store.trials import is_trial
from redraft.studio.context import Studio
from redraft.studio.errors import Refused, refusal
from redraft.studio.identity.people import Person
from redraft.studio.identity.tokens import AskToken, read_ask
from redraft.studio.ranking import ranked_pictures
from redraft.studio.routes.account_views import Body
from redraft.studio.times import parse_iso

LATE_SECONDS = 7 * 86_400.0
"""An answer given offline counts for the day on which it was given, at most so long ago."""
_WAIT_SECONDS = 60.0
_STATUS: Mapping[Refusal, tuple[int, str]] = {
    "bad_id": (400, "invalid_value"),
    "bad_value": (400, "invalid_value"),
    "id_taken": (409, "id_taken"),
    "no_account": (403, "no_account"),
    "foreign_ask": (403, "token_foreign"),
    "foreign_revision": (409, "foreign_revision"),
    "token_used": (409, "token_used"),
}

# What ids and names of forms are made of; nothing else reaches a query.
_PLAIN = r"^[\x20-\x7e]+$"
_LATEST = 32_503_680_000.0  # the year 3000
Id = Annotated[str, Field(max_length=64, pattern=_PLAIN)]


class SentAnswer(Body):
    """An answer as a client sends it. id: a UUID of version 7 that the client makes; sending it again does no harm.

    revision_of: the earlier answer that it takes the place of; retracted: it only takes that one back. created_at: the
    client's clock. lead_ms: from seeing to answering.
    """

    id: Annotated[str, Field(max_length=36, pattern=_PLAIN)]
    kind: Literal["picture", "duel", "ranking"]
    subject: Id
    form: Annotated[str, Field(max_length=32, pattern=_PLAIN)]
    payload: Annotated[dict[str, Any], Field(default_factory=dict)]
    token: Annotated[str, Field(max_length=4096)] | None = None
    revision_of: Annotated[str, Field(max_length=36, pattern=_PLAIN)] | None = None
    retracted: bool = False
    created_at: Annotated[str, Field(max_length=40)]
    lead_ms: Annotated[int, Field(ge=0, le=86_400_000)] | None = None


class AnswerOutcome(BaseModel):
    """What became of an answer. http: the status it has when it is sent alone.

    code, message and param: why it was refused, and which field is at fault.
    """

    id: str
    status: Literal["stored", "known", "refused"]
    http: int
    code: str
    message: str
    param: str | None = None
    first: bool


def take_in(studio: Studio, person: Person, sent: Sequence[SentAnswer], *, device: str = "") -> list[AnswerOutcome]:
    """Keep answers; when it returns each is on the disk, known already, or refused. One refused harms no other.

    device: what `device_of` says of the request that they came in.
    """
    ready: list[tuple[SentAnswer, Answer | Refused]] = []
    for item in sent:
        try:
            ready.append((item, prepared(studio, person, item, device=device)))
        except RedraftError as error:
            ready.append((item, refusal(error)))
    # All are handed over after the last was checked, so that they share a commit.
    waiting = [(item, _handed_over(studio, answer)) for item, answer in ready]
    return [_outcome(studio, person, item, result) for item, result in waiting]


def _handed_over(studio: Studio, answer: Answer | Refused) -> Future[Outcome] | Refused:
    if isinstance(answer, Refused):
        return answer
    try:
        return studio.answers.submit(answer)
    except RedraftError as error:
        return refusal(error)


def prepared(studio: Studio, person: Person, sent: SentAnswer, *, device: str = "") -> Answer:
    """The answer as it is kept.

    Raises Refused: 400 naming the field, 403 for a token, 404 for a subject that is not this person's to judge.
    """
    now = studio.now()
    token = None if sent.token is None else read_ask(studio.keys, sent.token, user=person.id, at=now)
    if token is not None and (token.kind, token.subject, token.form) != (sent.kind, sent.subject, sent.form):
        raise Refused(403, "token_foreign", "this token is of another question: send the one that came with this ask")
    form = _form(studio, sent)
    check_subject(studio, person, sent, token)
    checked = Checked(payload={}, mark=None) if sent.retracted else _checked(studio, person, form, sent)
    created = _time(sent)
    return Answer(
        id=sent.id,
        user=person.id,
        kind=sent.kind,
        subject=sent.subject,
        form=sent.form,
        payload=checked.payload,
        mark=checked.mark,
        retracted=sent.retracted,
        revision_of=sent.revision_of,
        ask=_ask_of(studio, person, sent) if token is None else token.ask,
        token=None if token is None else token.id,
        day=_day(person, created, now),
        lead_ms=sent.lead_ms,
        device=device,
        created_at=created,
        received_at=now,
    )


def check_subject(studio: Studio, person: Person, sent: SentAnswer, token: AskToken | None) -> None:
    """Raises Refused (404) unless the subject is this person's to judge."""
    workspace, now = studio.workspace, studio.now()
    try:
        if sent.kind == "duel":
            if workspace.duels.get(sent.subject, user=person.id).expires_at <= now:
                raise Refused(403, "token_expired", "this duel is no longer open: take the next one")
        elif sent.kind == "ranking":
            workspace.requests.get(sent.subject, owner=person.id)
        elif token is None and workspace.gallery.get(sent.subject, owner=person.id).painting.safety == "quarantined":
            raise UnknownNameError("quarantined")
        elif token is not None and not workspace.gallery.find([sent.subject]):
            raise UnknownNameError("erased since")
    except UnknownNameError:
        if sent.kind == "picture" and token is None and _in_a_room(studio, person, sent.subject):
            return
        message = f"{sent.kind} {sent.subject!r} is not yours to judge: it was erased, or never given to you"
        raise Refused(404, "not_found", message, param="subject") from None


def _ask_of(studio: Studio, person: Person, sent: SentAnswer) -> str | None:
    """The decision by which a duel was asked, which has the duel's id; None for what was not asked."""
    if sent.kind != "duel":
        return None
    duel = studio.workspace.duels.get(sent.subject, user=person.id)
    return duel.id if is_trial(duel.experiment) else None


def _in_a_room(studio: Studio, person: Person, picture: str) -> bool:
    """Whether the picture lies in an open critique session to which the person was invited."""
    rooms = studio.workspace.rooms
    return any(
        picture in rooms.pictures(room.id, user=person.id)
        for room in rooms.of_member(person.id)
        if room.closed_at is None
    )


def _time(sent: SentAnswer) -> float:
    try:
        at = parse_iso(sent.created_at)
        if not 0 <= at < _LATEST:
            raise UsageError(f"the time {sent.created_at!r} lies outside 1970 to 3000: set the device's clock")
    except UsageError as error:
        raise Refused(400, "invalid_value", str(error), param="created_at") from None
    return at


def _form(studio: Studio, sent: SentAnswer) -> Form:
    try:
        form = studio.settings.preset.form(sent.form)
    except UnknownNameError as error:
        raise Refused(400, "invalid_value", str(error), param="form") from None
    if form.kind != sent.kind:
        message = f"the form {form.name!r} is about a {form.kind}, not a {sent.kind}: choose another form"
        raise Refused(400, "invalid_value", message, param="form")
    return form


def _checked(studio: Studio, person: Person, form: Form, sent: SentAnswer) -> Checked:
    try:
        checked = check_payload(form, sent.payload)
        if sent.kind == "ranking":
            ranks, there = checked.payload["ranks"], ranked_pictures(studio, person, sent.subject)
            if set(ranks) != {painting.id for painting in there}:
                raise UsageError(f"ranks of {len(ranks)} pictures: give a place to each of the {len(there)} once")
    except UsageError as error:
        raise Refused(400, "invalid_value", str(error), param="payload") from None
    return checked


def _day(person: Person, created: float, now: float) -> str:
    """The local day that the answer counts for: its own, within what the client's clock may claim."""
    earliest = max(now - LATE_SECONDS, person.account.created_at)
    return local_day(min(now, max(earliest, created)), person.account.asking.timezone)


def _outcome(studio: Studio, person: Person, sent: SentAnswer, result: Future[Outcome] | Refused) -> AnswerOutcome:
    if isinstance(result, Refused):
        return _known(studio, person, sent) or _refused(sent, result)
    try:
        outcome = result.result(timeout=_WAIT_SECONDS)
    except TimeoutError:
        return _refused(sent, refusal(BusyError("the answer was not written in time")))
    except RedraftError as error:
        return _refused(sent, refusal(error))
    if outcome.status == "refused":
        status, code = _STATUS[outcome.refusal]
        param = "id" if outcome.refusal in ("bad_id", "id_taken") else "payload" if status == 400 else None
        return _refused(sent, Refused(status, code, REFUSALS[outcome.refusal], param=param))
    return AnswerOutcome(
        id=sent.id,
        status=outcome.status,
        http=201 if outcome.status == "stored" else 200,
        code="",
        message="",
        first=outcome.first,
    )


def _known(studio: Studio, person: Person, sent: SentAnswer) -> AnswerOutcome | None:
    """An answer that is there is known, though its token has expired since, or its picture was erased."""
    try:
        kept = studio.workspace.answers.get(sent.id, user=person.id)
    except RedraftError:
        return None
    same = (kept.kind, kept.subject, kept.form, kept.retracted) == (sent.kind, sent.subject, sent.form, sent.retracted)
    if not same:
        return None
    return AnswerOutcome(id=sent.id, status="known", http=200, code="", message="", first=False)


def _refused(sent: SentAnswer, error: Refused) -> AnswerOutcome:
    return AnswerOutcome(
        id=sent.id,
        status="refused",
        http=error.status,
        code=error.code,
        message=str(error),
        param=error.param,
        first=False,
    )
