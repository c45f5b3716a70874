"""Taking part in studies of blind pairs, by account or by link. What operators see is in `study_tables`.

A participant sees two pictures, the words they were painted for and the questions: never a system, a file or a number
that two participants could compare.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from redraft.core.errors import UnknownNameError, UsageError
from redraft.feedback.studies import QUESTIONS
from redraft.store.studies import Participation, Study, StudyAnswer
from redraft.studio.context import Studio, StudioDep
from redraft.studio.errors import Refused
from redraft.studio.identity.people import Person, require
from redraft.studio.identity.tokens import check_picture, sign_picture
from redraft.studio.picture_bytes import size_of
from redraft.studio.study_invitations import join
from redraft.studio.studying import begin, person_in, studies_of
from redraft.studio.times import parse_iso

router = APIRouter(tags=["studies"])
_VARIANT = "png"

Participant = Annotated[Person, Depends(require("study"))]
Id = Annotated[str, Path(max_length=36)]


class Question(BaseModel):
    """What is asked about a pair."""

    name: str
    text: str


class StudyView(BaseModel):
    """A study as a participant sees it. given, answered: pairs; given 0: not begun yet."""

    id: str
    title: str
    state: Literal["open", "closed"]
    introduction: str
    questions: list[Question]
    given: int
    answered: int


class StudyList(BaseModel):
    """The studies of a participant."""

    studies: list[StudyView]


class Side(BaseModel):
    """One picture of a pair."""

    url: str
    width: int
    height: int


class PairView(BaseModel):
    """A pair as it lies, the `place`-th (from 0) of `of`. questions: those that are still open."""

    assignment: str
    place: int
    of: int
    prompt: str
    left: Side
    right: Side
    questions: list[Question]


class NextPair(BaseModel):
    """The pair to judge, or null when all are."""

    study: StudyView
    pair: PairView | None


class SentChoice(BaseModel):
    """One choice. lead_ms: how long the pair was looked at."""

    assignment: str = Field(max_length=36)
    question: str = Field(max_length=32)
    choice: Literal["left", "right"]
    lead_ms: int | None = Field(default=None, ge=0, le=86_400_000)
    created_at: str = Field(max_length=40)


class SentChoices(BaseModel):
    """Choices, in any order."""

    answers: list[SentChoice] = Field(min_length=1, max_length=100)


class ChoiceOutcome(BaseModel):
    """What became of one choice; "known": it was made before, and the first one stays."""

    assignment: str
    question: str
    status: Literal["stored", "known", "refused"]
    code: str
    message: str


class ChoiceOutcomes(BaseModel):
    """In the order in which they were sent."""

    outcomes: list[ChoiceOutcome]


class Invitation(BaseModel):
    """What stands in the link."""

    invitation: str = Field(max_length=4096)


class Joined(BaseModel):
    """A participant's study, and the key that acts for them: "" in an open studio, where none is needed."""

    study: StudyView
    key: str


@router.get("/api/v1/studies")
def list_studies(studio: StudioDep, who: Participant) -> StudyList:
    """The studies one takes part in, and open ones one may take part in."""
    found = studies_of(studio.workspace, who.account)
    return StudyList(studies=[_view(study, part) for study, part in found])


@router.post("/api/v1/studies/join", status_code=201)
def join_study(studio: StudioDep, body: Invitation) -> Joined:
    """Take part by a link. The same link again is the same participant."""
    study, account, secret = join(studio, body.invitation)
    (part,) = studio.workspace.studies.taken_part(user=account.id, study=study.id)
    return Joined(study=_view(study, part), key=secret)


@router.get("/api/v1/studies/{id}/next")
def next_pair(studio: StudioDep, who: Participant, id: Id) -> NextPair:
    """The first pair that is not wholly answered. The first call gives the participant their pairs."""
    study, part = person_in(studio, id, who)
    if not part.given:
        begin(studio, study, who.id)
        study, part = person_in(studio, id, who)
    found = studio.workspace.studies.next(id, user=who.id) if study.state == "open" else None
    if found is None:
        return NextPair(study=_view(study, part), pair=None)
    assignment, pair, left = found
    sides = [_side(studio, id, assignment.id, side, picture) for side, picture in (
        ("left", pair.second if assignment.swapped else pair.first),
        ("right", pair.first if assignment.swapped else pair.second),
    )]  # fmt: skip
    shown = PairView(
        assignment=assignment.id,
        place=assignment.place,
        of=part.given,
        prompt=pair.prompt,
        left=sides[0],
        right=sides[1],
        questions=_questions(left),
    )
    return NextPair(study=_view(study, part), pair=shown)


@router.post("/api/v1/studies/{id}/answers")
def answer_pairs(studio: StudioDep, who: Participant, id: Id, body: SentChoices) -> ChoiceOutcomes:
    """Keep choices. Sending one again does no harm; the first choice stays."""
    person_in(studio, id, who)
    return ChoiceOutcomes(outcomes=[_keep(studio, who, sent) for sent in body.answers])


@router.get(
    "/api/v1/studies/{id}/pictures/{assignment}/{side}.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}},
)
def get_study_picture(
    studio: StudioDep,
    id: Id,
    assignment: Annotated[str, Path(max_length=36)],
    side: Literal["left", "right"],
    variant: Annotated[str, Query(max_length=40)] = "",
    expires: Annotated[str, Query(pattern=r"^[0-9]{0,12}$")] = "",
    viewer: Annotated[str, Query(max_length=64)] = "",
    signature: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """One side of a pair, by the link that came with it."""
    if not signature or not expires or variant != _VARIANT:
        raise Refused(404, "not_found", "this picture opens by the link that comes with its pair")
    check_picture(
        studio.keys, picture=_named(id, assignment, side), variant=variant, expires=expires, viewer=viewer,
        signature=signature, at=studio.now(),
    )  # fmt: skip
    given, pair = studio.workspace.studies.assignment(assignment)
    first = (side == "left") != given.swapped
    data = studio.workspace.pictures.read(pair.first if first else pair.second)
    # No tag made of the bytes: two participants could compare it.
    return Response(data, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


def _keep(studio: Studio, who: Person, sent: SentChoice) -> ChoiceOutcome:
    outcome = ChoiceOutcome(assignment=sent.assignment, question=sent.question, status="refused", code="", message="")
    try:
        answer = StudyAnswer(
            assignment=sent.assignment, question=sent.question, choice=sent.choice, lead_ms=sent.lead_ms,
            created_at=parse_iso(sent.created_at), received_at=studio.now(),
        )  # fmt: skip
        new = studio.workspace.studies.answer(answer, user=who.id)
    except UnknownNameError as error:
        return outcome.model_copy(update={"code": "not_found", "message": str(error)})
    except UsageError as error:
        return outcome.model_copy(update={"code": "invalid_value", "message": str(error)})
    return outcome.model_copy(update={"status": "stored" if new else "known"})


def _view(study: Study, part: Participation) -> StudyView:
    return StudyView(
        id=study.id,
        title=study.title,
        state=study.state,
        introduction=str(study.settings.get("introduction", "")),
        questions=_questions(study.questions),
        given=part.given,
        answered=part.answered,
    )


def _questions(names: tuple[str, ...]) -> list[Question]:
    return [Question(name=name, text=QUESTIONS.get(name, name)) for name in names]


def _side(studio: Studio, study: str, assignment: str, side: str, picture: str) -> Side:
    width, height = size_of(studio.workspace.pictures.read(picture))
    query = sign_picture(
        studio.keys,
        picture=_named(study, assignment, side),
        variant=_VARIANT,
        expires_at=studio.now() + 60 * studio.settings.retention.picture_url_minutes,
    )
    return Side(url=f"/api/v1/studies/{study}/pictures/{assignment}/{side}.png?{query}", width=width, height=height)


def _named(study: str, assignment: str, side: str) -> str:
    return f"study {study} {assignment} {side}"
