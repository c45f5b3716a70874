"""Appeals against a blur, reports of a picture, and the moderators who decide them. Always with a reason."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from redraft.store.gallery import Safety
from redraft.store.reports import PictureReport, ReportKind, ReportState
from redraft.studio.context import Studio, StudioDep
from redraft.studio.errors import Refused
from redraft.studio.gallery_view import ReportView, report_view
from redraft.studio.identity.people import Person, require
from redraft.studio.picture_view import picture_url
from redraft.studio.routes.account_views import Body
from redraft.studio.routes.gallery import check_id

router = APIRouter(tags=["moderation"])
Reader = Annotated[Person, Depends(require("read"))]
Rater = Annotated[Person, Depends(require("rate"))]
Moderator = Annotated[Person, Depends(require("moderate"))]
_KNOWN: dict[int | str, dict[str, Any]] = {200: {"model": ReportView, "description": "One that waits already."}}


class Words(Body):
    """Why, in the person's own words."""

    text: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")] = ""


class Resolution(Body):
    """What a moderator decides."""

    state: Literal["granted", "refused"]


class Reports(BaseModel):
    """A person's own appeals and reports, the newest first."""

    reports: list[ReportView]


class WaitingReport(ReportView):
    """A report that waits for a moderator, with a link to the picture as it is. safety_reason: why it is blurred."""

    picture_url: str
    safety_reason: str


class WaitingReports(BaseModel):
    """What waits for a moderator, the oldest first."""

    reports: list[WaitingReport]


@router.post("/api/v1/gallery/{id}/appeal", status_code=201, responses=_KNOWN)
def appeal(studio: StudioDep, who: Rater, id: str, body: Words, response: Response) -> ReportView:
    """Say that one's own picture was blurred wrongly."""
    check_id(id)
    painting = studio.workspace.gallery.get(id, owner=who.id).painting
    if painting.safety == "ok":
        raise Refused(409, "conflict", "this picture is shown as it is: there is nothing to appeal against")
    return _enter(studio, who, id, kind="appeal", text=body.text, response=response)


@router.post("/api/v1/gallery/{id}/report", status_code=201, responses=_KNOWN)
def report(studio: StudioDep, who: Rater, id: str, body: Words, response: Response) -> ReportView:
    """Say that one's own picture is unsafe: it is blurred at once, and a moderator looks at it."""
    check_id(id)
    painting = studio.workspace.gallery.get(id, owner=who.id).painting
    if painting.safety == "ok":
        studio.workspace.gallery.set_safety(id, "blurred", reason="you reported it; a moderator will look at it")
    return _enter(studio, who, id, kind="report", text=body.text, response=response)


@router.get("/api/v1/reports/own")
def own_reports(studio: StudioDep, who: Reader) -> Reports:
    """The person's own appeals and reports."""
    return Reports(reports=[report_view(found) for found in studio.workspace.reports.of_person(who.id)])


@router.get("/api/v1/reports")
def waiting_reports(studio: StudioDep, _who: Moderator) -> WaitingReports:
    """What waits for a moderator."""
    waiting = studio.workspace.reports.waiting()
    paintings = studio.workspace.gallery.find([found.picture for found in waiting])
    reasons = {painting.id: painting.safety_reason for painting in paintings}
    return WaitingReports(
        reports=[
            WaitingReport(
                **report_view(found).model_dump(),
                picture_url=picture_url(studio, found.picture, revealed=True),
                safety_reason=reasons.get(found.picture, ""),
            )
            for found in waiting
        ]
    )


@router.post("/api/v1/reports/{id}")
def resolve(studio: StudioDep, who: Moderator, id: str, body: Resolution) -> ReportView:
    """Decide an appeal or a report; one that is decided stays so."""
    check_id(id)
    state: ReportState = body.state
    found = studio.workspace.reports.resolve(id, state, by=who.id, at=studio.now())
    after = _after(found) if found.resolved_by == who.id and found.state == state else None
    if after is not None:
        safety, reason = after
        studio.workspace.gallery.set_safety(found.picture, safety, reason=reason)
        studio.audit("resolve report", actor=who.id, subject=found.picture, report=id, state=state)
    return report_view(found)


def _after(found: PictureReport) -> tuple[Safety, str] | None:
    """How a picture is shown after a decision; None: as before."""
    if found.kind == "appeal":
        return ("ok", "") if found.state == "granted" else None
    return ("withheld", "a moderator agreed that it is unsafe") if found.state == "granted" else ("ok", "")


def _enter(studio: Studio, who: Person, picture: str, *, kind: ReportKind, text: str, response: Response) -> ReportView:
    made = PictureReport(
        id=studio.new_id(), user=who.id, picture=picture, kind=kind, text=text.strip(), created_at=studio.now()
    )
    kept = studio.workspace.reports.enter(made)
    if kept.id != made.id:
        response.status_code = 200
    return report_view(kept)
