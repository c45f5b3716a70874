"""Studies for their operators: made of own pictures, progress, invitations, closing, the preference table.

Takes no answers. Studies of other pictures are made on the command line, where the files are.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from redraft.evaluation.statistics import Interval
from redraft.evaluation.studies import Preference
from redraft.store.studies import Participation, Study
from redraft.studio.context import Studio, StudioDep
from redraft.studio.errors import Refused
from redraft.studio.identity.people import Person, require
from redraft.studio.routes.account_views import Body
from redraft.studio.routes.gallery import check_id
from redraft.studio.study_invitations import invite, link_of
from redraft.studio.studying import NewPair, StudyPlan, StudyReport, create_study, report
from redraft.studio.times import iso, iso_or_none

router = APIRouter(tags=["studies"])
Operator = Annotated[Person, Depends(require("run"))]
Id = Annotated[str, Path(max_length=36)]


class OwnPair(Body):
    """Two pictures of one's own gallery, painted for the same words by two models."""

    first: Annotated[str, Field(max_length=64)]
    second: Annotated[str, Field(max_length=64)]


class NewStudy(Body):
    """A study to make. each: pairs of a participant. repeats: of these, shown again. accounts: open to all accounts."""

    title: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
    introduction: Annotated[str, Field(max_length=4000, pattern=r"^[^\x00]*$")] = ""
    pairs: Annotated[list[OwnPair], Field(min_length=1, max_length=200)]
    each: Annotated[int, Field(ge=1, le=200)] = 20
    repeats: Annotated[int, Field(ge=0, le=100)] = 3
    accounts: bool = True


class StudyRow(BaseModel):
    """A study as its operators see it. pairs: without those that come again. finished: people who answered all."""

    id: str
    title: str
    state: Literal["open", "closed"]
    pairs: int
    participants: int
    finished: int
    answered: int
    created_at: str
    closed_at: str | None


class StudyRows(BaseModel):
    """All studies, the newest first."""

    studies: list[StudyRow]


class Share(BaseModel):
    """A share with its 95 % interval."""

    value: float
    low: float
    high: float


class Comparison(BaseModel):
    """How often `first` was preferred to `second` for one question, with the 95 % interval clustered by person.

    low, high: null for fewer than two people. verdict: whose side of one half the whole interval lies on.
    """

    first: str
    second: str
    question: str
    preferred: float
    low: float | None
    high: float | None
    people: int
    answers: int
    pairs: int
    verdict: Literal["first", "second", "unclear"]


class ChecksView(BaseModel):
    """repeats: answers that were given twice; steady: the share of them that were alike. left: share that chose left.

    agreement: Krippendorff's alpha by question.
    """

    repeats: int
    steady: Share | None
    left: Share | None
    agreement: dict[str, Share]


class StudyReportView(BaseModel):
    """The table of a study. left_out: people whose answers were not steady enough to be counted."""

    study: StudyRow
    left_out: int
    comparisons: list[Comparison]
    checks: ChecksView


class InvitationWish(BaseModel):
    """How many links, and how long they open the study."""

    count: int = Field(default=1, ge=1, le=200)
    days: int = Field(default=30, ge=1, le=365)


class Invitations(BaseModel):
    """Links, each for one participant."""

    links: list[str]
    expires_at: str


@router.get("/api/v1/studies/all")
def list_all(studio: StudioDep, _who: Operator) -> StudyRows:
    """Every study with its progress."""
    parts = studio.workspace.studies.taken_part()
    rows = (_study_row(study, [p for p in parts if p.study == study.id]) for study in studio.workspace.studies.list())
    return StudyRows(studies=list(rows))


@router.post("/api/v1/studies", status_code=201)
def make_study(studio: StudioDep, who: Operator, body: NewStudy) -> StudyRow:
    """Make a study of one's own pictures. It is blind at once: who made which is kept from everybody who takes part."""
    pairs = [_own_pair(studio, who, pair) for pair in body.pairs]
    plan = StudyPlan(each=body.each, repeats=body.repeats, accounts=body.accounts, introduction=body.introduction)
    study = create_study(studio.workspace, pairs, title=body.title, plan=plan, owner=who.id, at=studio.now())
    studio.audit("study made", actor=who.id, subject=study.id, pairs=len(pairs))
    return _study_row(study, [])


@router.get("/api/v1/studies/{id}/report")
def get_report(
    studio: StudioDep,
    _who: Operator,
    id: Id,
    steady: Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False, description="leave out who is less")] = None,
) -> StudyReportView:
    """The preference table so far, and whether the answers can be trusted."""
    return _report_view(studio, report(studio.workspace, id, least_steadiness=steady))


@router.post("/api/v1/studies/{id}/close", status_code=204)
def close_study(studio: StudioDep, who: Operator, id: Id) -> None:
    """End a study: no pair is given and no answer taken any more."""
    studio.workspace.studies.close(id, at=studio.now())
    studio.audit("study closed", actor=who.id, subject=id)


@router.post("/api/v1/studies/{id}/invitations", status_code=201)
def make_invitations(studio: StudioDep, who: Operator, id: Id, wish: InvitationWish) -> Invitations:
    """Links for participants without an account."""
    texts, expires_at = invite(studio.workspace, studio.keys, id, count=wish.count, days=wish.days, at=studio.now())
    studio.audit("study invitations", actor=who.id, subject=id, count=wish.count)
    return Invitations(links=[link_of(studio.settings.url, text) for text in texts], expires_at=iso(expires_at))


def _own_pair(studio: Studio, who: Person, pair: OwnPair) -> NewPair:
    found = []
    for id in (pair.first, pair.second):
        check_id(id)
        exhibit = studio.workspace.gallery.get(id, owner=who.id)
        if exhibit.painting.unsafe or exhibit.painting.safety != "ok":
            message = f"picture {id!r} leans unsafe: participants have not agreed to see such ones; choose another"
            raise Refused(409, "conflict", message, param="pairs")
        found.append(exhibit)
    first, second = found
    if not first.request.prompt or first.request.prompt != second.request.prompt:
        message = f"pictures {pair.first!r} and {pair.second!r} are not of the same words: there is nothing to compare"
        raise Refused(400, "invalid_value", message, param="pairs")
    files = [studio.workspace.pictures.read(exhibit.painting.picture) for exhibit in found]
    systems = [exhibit.painting.checkpoint[:12] or exhibit.painting.base for exhibit in found]
    return NewPair(
        prompt=first.request.prompt, first=files[0], second=files[1], first_system=systems[0], second_system=systems[1]
    )


def _study_row(study: Study, parts: list[Participation]) -> StudyRow:
    return StudyRow(
        id=study.id,
        title=study.title,
        state=study.state,
        pairs=int(study.settings["pairs"]),
        participants=len(parts),
        finished=sum(part.answered == part.given for part in parts),
        answered=sum(part.answered for part in parts),
        created_at=iso(study.created_at),
        closed_at=iso_or_none(study.closed_at),
    )


def _report_view(studio: Studio, found: StudyReport) -> StudyReportView:
    row = _study_row(found.study, list(studio.workspace.studies.taken_part(study=found.study.id)))
    return StudyReportView(
        study=row,
        left_out=found.left_out,
        comparisons=[_comparison(preference) for preference in found.rows],
        checks=ChecksView(
            repeats=found.checks.repeats,
            steady=_share(found.checks.steady),
            left=_share(found.checks.left),
            agreement={name: Share(value=a.value, low=a.low, high=a.high) for name, a in found.checks.agreement},
        ),
    )


def _comparison(row: Preference) -> Comparison:
    values = {name: getattr(row, name) for name in Comparison.model_fields if name != "verdict"}
    return Comparison(**values, verdict=row.winner)


def _share(interval: Interval | None) -> Share | None:
    return None if interval is None else Share(value=interval.value, low=interval.low, high=interval.high)
