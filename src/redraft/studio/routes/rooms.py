"""Critique sessions: whoever has reached the highest tier opens a room, lays out own pictures and invites people.

Members see the same pictures and judge them by the forms in use; their answers go to /api/v1/answers like all others.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from redraft.core.errors import UnknownNameError
from redraft.feedback.points import tier_of
from redraft.store.rooms import Room
from redraft.studio.asking import AskedPicture, asked_picture
from redraft.studio.context import Studio, StudioDep
from redraft.studio.errors import Refused
from redraft.studio.identity.people import Person, require
from redraft.studio.quota import perks_granted
from redraft.studio.routes.account_views import Body
from redraft.studio.routes.gallery import check_id
from redraft.studio.times import iso, iso_or_none

router = APIRouter(tags=["critique"])
Rater = Annotated[Person, Depends(require("rate"))]
Id = Annotated[str, Field(max_length=64, pattern=r"^[\x20-\x7e]+$")]


class NewRoom(Body):
    """A session to open."""

    title: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class Invited(Body):
    """People by the name that they log in by."""

    names: Annotated[list[Annotated[str, Field(max_length=256)]], Field(min_length=1, max_length=50)]


class LaidOut(Body):
    """Own pictures to lay on the table."""

    pictures: Annotated[list[Id], Field(max_length=100)]


class RoomView(BaseModel):
    """A critique session. own: the person opened it."""

    id: str
    title: str
    own: bool
    created_at: str
    closed_at: str | None


class RoomList(BaseModel):
    """The sessions a person was invited to, the newest first."""

    rooms: list[RoomView]


class RoomDetail(RoomView):
    """A session with its members, by name, and the pictures on its table."""

    members: list[str]
    pictures: list[AskedPicture]


@router.get("/api/v1/rooms")
def rooms(studio: StudioDep, who: Rater) -> RoomList:
    """The sessions the person was invited to."""
    return RoomList(rooms=[_view(room, who) for room in studio.workspace.rooms.of_member(who.id)])


@router.post("/api/v1/rooms", status_code=201)
def open_room(studio: StudioDep, who: Rater, body: NewRoom) -> RoomView:
    """Open a session: a perk of the highest tier, and of whoever looks after the server."""
    if not _may_open(studio, who):
        message = "critique sessions are opened by people of the tier Platinum: you are welcome where you are invited"
        raise Refused(403, "perk_missing", message)
    room = Room(id=studio.new_id(), owner=who.id, title=body.title.strip(), created_at=studio.now())
    studio.workspace.rooms.create(room)
    return _view(room, who)


@router.get("/api/v1/rooms/{id}")
def room(studio: StudioDep, who: Rater, id: str) -> RoomDetail:
    """A session of the person's, with what lies on its table."""
    found = _room(studio, who, id)
    workspace = studio.workspace
    members = [workspace.people.get(user).name for user in workspace.rooms.members(id, user=who.id)]
    shown = {painting.id: painting for painting in workspace.gallery.find(workspace.rooms.pictures(id, user=who.id))}
    pictures = [
        asked_picture(studio, painting, workspace.requests.get(painting.request, owner=painting.owner))
        for painting in shown.values()
        if painting.safety == "ok"
    ]
    return RoomDetail(**_view(found, who).model_dump(), members=members, pictures=pictures)


@router.post("/api/v1/rooms/{id}/members", status_code=204)
def invite(studio: StudioDep, who: Rater, id: str, body: Invited) -> None:
    """Invite people to one's own session. A name that nobody has is refused, and then nobody is invited."""
    check_id(id)
    _open_and_own(studio, who, id)
    users = []
    for name in body.names:
        account = studio.workspace.people.find(name)
        if account is None or account.disabled:
            raise Refused(404, "not_found", f"nobody here is called {name[:64]!r}: check the name", param="names")
        users.append(account.id)
    studio.workspace.rooms.invite(id, users, owner=who.id, at=studio.now())


@router.post("/api/v1/rooms/{id}/pictures", status_code=204)
def lay_out(studio: StudioDep, who: Rater, id: str, body: LaidOut) -> None:
    """Lay own pictures on the table of one's own session."""
    check_id(id)
    _open_and_own(studio, who, id)
    for painting in studio.workspace.gallery.find(body.pictures):
        if painting.owner == who.id and (painting.unsafe or painting.safety != "ok"):
            message = f"picture {painting.id!r} leans unsafe: members have not agreed to see such ones; choose another"
            raise Refused(409, "conflict", message, param="pictures")
    studio.workspace.rooms.lay_out(id, body.pictures, owner=who.id, at=studio.now())


@router.post("/api/v1/rooms/{id}/close", status_code=204)
def close(studio: StudioDep, who: Rater, id: str) -> None:
    """End one's own session: what was said stays, nothing more is taken in."""
    check_id(id)
    studio.workspace.rooms.close(id, owner=who.id, at=studio.now())


def _may_open(studio: Studio, who: Person) -> bool:
    if who.via == "open" or "moderate" in who.scopes:
        return True
    points = studio.workspace.points.balance(who.id).final
    return tier_of(points).critique and perks_granted(studio, who)


def _room(studio: Studio, who: Person, id: str) -> Room:
    check_id(id)
    found = next((room for room in studio.workspace.rooms.of_member(who.id) if room.id == id), None)
    if found is None:
        raise UnknownNameError(f"room {id!r} is not among the rooms of this person")
    return found


def _open_and_own(studio: Studio, who: Person, id: str) -> None:
    found = _room(studio, who, id)
    if found.owner != who.id:
        raise UnknownNameError(f"room {id!r} is not among the rooms of this person")
    if found.closed_at is not None:
        raise Refused(409, "conflict", "this session has ended: open another one")


def _view(room: Room, who: Person) -> RoomView:
    return RoomView(
        id=room.id,
        title=room.title,
        own=room.owner == who.id,
        created_at=iso(room.created_at),
        closed_at=iso_or_none(room.closed_at),
    )
