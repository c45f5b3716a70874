"""Answers: one, many at once for whoever was offline, revisions, and one's own list. Nobody else's."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from redraft.studio.answering import AnswerOutcome, SentAnswer, take_in
from redraft.studio.context import StudioDep
from redraft.studio.devices import device_of
from redraft.studio.errors import Refused
from redraft.studio.gallery_view import AnswerView, answer_view
from redraft.studio.identity.people import Person, require
from redraft.studio.routes.account_views import Body
from redraft.studio.routes.gallery import check_id

router = APIRouter(tags=["rating"])
Reader = Annotated[Person, Depends(require("read"))]
Rater = Annotated[Person, Depends(require("rate"))]
MOST = 100


class Kept(BaseModel):
    """An answer that is on the disk. first: the person's first to this form about this subject, which earns points."""

    id: str
    status: str
    first: bool
    message: str = ""


class Bulk(Body):
    """Answers that gathered while there was no network."""

    answers: Annotated[list[SentAnswer], Field(min_length=1, max_length=MOST)]


class Outcomes(BaseModel):
    """What became of each answer, in the order in which they were sent."""

    outcomes: list[AnswerOutcome]


class AnswerPage(BaseModel):
    """Own answers; `next` goes into `before`, null at the end."""

    answers: list[AnswerView]
    next: int | None


@router.post("/api/v1/answers", status_code=201, responses={200: {"model": Kept, "description": "Known already."}})
def send_answer(studio: StudioDep, who: Rater, sent: SentAnswer, request: Request, response: Response) -> Kept:
    """Say something about a picture, a pair or an order; a later answer takes the place of an earlier one."""
    (outcome,) = take_in(studio, who, [sent], device=device_of(studio, request))
    if outcome.status == "refused":
        again = 1 if outcome.http == 503 else None
        raise Refused(outcome.http, outcome.code, outcome.message, param=outcome.param, retry_after=again)
    response.status_code = outcome.http
    return Kept(id=outcome.id, status=outcome.status, first=outcome.first)


@router.post("/api/v1/answers/bulk")
def send_answers(studio: StudioDep, who: Rater, body: Bulk, request: Request) -> Outcomes:
    """Hand in many answers; one that is refused harms no other. Sending it all again does no harm."""
    return Outcomes(outcomes=take_in(studio, who, body.answers, device=device_of(studio, request)))


@router.get("/api/v1/answers")
def own_answers(
    studio: StudioDep,
    who: Reader,
    subject: Annotated[str | None, Query(max_length=64)] = None,
    form: Annotated[str | None, Query(max_length=32)] = None,
    before: Annotated[int | None, Query(ge=1, lt=2**53)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AnswerPage:
    """Own answers, the newest first; with a subject and a form every revision about it, the first to arrive first."""
    answers = studio.workspace.answers
    if subject is not None:
        check_id(subject)
        chosen = studio.settings.preset.ask_form if form is None else form
        check_id(chosen)
        found = answers.history(who.id, subject, form=chosen)
        return AnswerPage(answers=[answer_view(answer) for answer in found], next=None)
    page = answers.of_person(who.id, before=before, limit=limit + 1)
    following = page[limit - 1].number if len(page) > limit else None
    return AnswerPage(answers=[answer_view(answer) for answer in page[:limit]], next=following)
