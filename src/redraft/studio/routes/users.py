"""People, invitations and the audit log, for administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from redraft.studio.context import StudioDep
from redraft.studio.errors import Refused
from redraft.studio.identity.managing import add_person, set_disabled, set_roles
from redraft.studio.identity.people import Person, require
from redraft.studio.identity.roles import check_roles
from redraft.studio.identity.tokens import Invitation, sign_invitation
from redraft.studio.routes.account_views import Body, UserList, UserView, user_view
from redraft.studio.routes.accounts import Name, Password
from redraft.studio.times import iso

router = APIRouter(tags=["people"])
Admin = Annotated[Person, Depends(require("admin"))]
Roles = Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=8)]
_DAY = 86_400


class NewUser(Body):
    """An account to be made. Without a password nobody logs in until one is set on the command line."""

    name: Name
    password: Password | None = None
    roles: Roles = Field(default_factory=list)


class UserChange(Body):
    """What of an account is to change; what is left out stays."""

    roles: Roles | None = None
    disabled: bool | None = None
    adult: bool | None = None
    trained_reviewer: bool | None = None


class NewInvitation(Body):
    """An invitation to be made."""

    roles: Roles = Field(default_factory=list)
    days: Annotated[int, Field(ge=1, le=90)] | None = None


class InvitationView(BaseModel):
    """An invitation; it serves once."""

    invitation: str
    url: str
    expires_at: str


class AuditView(BaseModel):
    """Who did what to what."""

    id: int
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    at: str


class AuditList(BaseModel):
    """A page of the audit log, the newest first; `next` goes into `before`."""

    data: list[AuditView]
    next: int | None


@router.get("/api/v1/users")
def users(
    studio: StudioDep,
    _who: Admin,
    after: Annotated[str, Query(max_length=128)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> UserList:
    """Accounts by name."""
    found = studio.workspace.people.list(after=after, limit=limit)
    following = found[-1].login if len(found) == limit else None
    return UserList(data=[user_view(account) for account in found], next=following)


@router.post("/api/v1/users", status_code=201)
def add_user(studio: StudioDep, who: Admin, body: NewUser) -> UserView:
    """Make an account."""
    account = add_person(
        studio.workspace,
        id=studio.new_id(),
        name=body.name,
        password=body.password,
        roles=body.roles,
        least_password=studio.settings.accounts.least_password,
        at=studio.now(),
        actor=who.id,
    )
    return user_view(account)


@router.patch("/api/v1/users/{id}")
def change_user(studio: StudioDep, who: Admin, id: str, body: UserChange) -> UserView:
    """Change an account's roles, shut it out or let it in, say that it may review."""
    workspace, now = studio.workspace, studio.now()
    account = workspace.people.get(id)
    if body.roles is not None:
        set_roles(workspace, account, body.roles, at=now, actor=who.id)
    if body.disabled is not None:
        set_disabled(workspace, account, body.disabled, at=now, actor=who.id)
    if body.adult is not None or body.trained_reviewer is not None:
        adult = account.adult if body.adult is None else body.adult
        trained = account.trained_reviewer if body.trained_reviewer is None else body.trained_reviewer
        if trained and not adult:
            raise Refused(400, "invalid_value", "only adults review what leans unsafe: set adult too", param="adult")
        workspace.people.set_reviewing(id, adult=adult, trained_reviewer=trained, at=now)
        studio.audit("reviewing", actor=who.id, subject=id, adult=adult, trained_reviewer=trained)
    return user_view(workspace.people.get(id))


@router.post("/api/v1/invitations", status_code=201)
def invite(studio: StudioDep, who: Admin, body: NewInvitation) -> InvitationView:
    """Make an invitation for one person."""
    roles = check_roles(body.roles)
    expires = studio.now() + (body.days or studio.settings.accounts.invitation_days) * _DAY
    invitation = Invitation(id=studio.new_id(), roles=roles, expires_at=expires)
    text = sign_invitation(studio.keys, invitation)
    studio.audit("invitation made", actor=who.id, subject=invitation.id, roles=list(roles))
    url = f"{studio.settings.url}/#/sign-up?invitation={text}"
    return InvitationView(invitation=text, url=url, expires_at=iso(expires))


@router.get("/api/v1/audit")
def audit(
    studio: StudioDep,
    _who: Admin,
    before: Annotated[int, Query(ge=1, lt=2**31)] | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> AuditList:
    """Who did what to what."""
    found = studio.workspace.audit.entries(before=before, limit=limit)
    views = [
        AuditView(
            id=entry.id,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            detail=dict(entry.detail),
            at=iso(entry.at),
        )
        for entry in found
    ]
    return AuditList(data=views, next=found[-1].id if len(found) == limit else None)
