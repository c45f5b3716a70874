"""Studies for their operators: progress, invitations, closing, the preference table. Takes no answers.

Studies are made on the command line, where the pictures are.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from redraft.evaluation.statistics import Interval
from redraft.evaluation.studies import Preference
from redraft.store.studies import Participation, Study
from redraft.studio.context import Studio, StudioDep
from redraft.studio.identity.people import Person, require
from redraft.studio.study_invitations import invite, link_of
from redraft.studio.studying import StudyReport, report
from redraft.studio.times import iso, iso_or_none

router = APIRouter(tags=["studies"])
Operator = Annotated[Person, Depends(require("run"))]
Id = Annotated[str, Path(max_length=36)]


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
