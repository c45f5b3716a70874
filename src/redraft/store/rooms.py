"""Critique sessions: a room to which members are invited, and the pictures that lie on its table. No rules.

What members say about the pictures is with the other answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from redraft.core.errors import UnknownNameError
from redraft.store.schema_people import RoomMemberRow, RoomPictureRow, RoomRow
from redraft.store.schema_pictures import GalleryRow
from redraft.store.transactions import Database
from redraft.store.upsert import insert


@dataclass(frozen=True, kw_only=True)
class Room:
    """A critique session. closed_at: None while it is open."""

    id: str
    owner: str
    title: str
    created_at: float
    closed_at: float | None = None


class Rooms:
    """The rooms of a workspace. Members find theirs; owners invite and lay out their own pictures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, room: Room) -> None:
        """Enter a room; its owner is its first member."""
        with self._database.writing() as connection:
            connection.execute(sa.insert(RoomRow).values(**vars(room)))
            first = {"room": room.id, "user": room.owner, "invited_at": room.created_at}
            connection.execute(sa.insert(RoomMemberRow).values(**first))

    def of_member(self, user: str) -> tuple[Room, ...]:
        """The rooms a person was invited to, the newest first."""
        query = sa.select(RoomRow.__table__).join(RoomMemberRow, RoomMemberRow.room == RoomRow.id)
        query = query.where(RoomMemberRow.user == user).order_by(RoomRow.created_at.desc(), RoomRow.id)
        with self._database.reading() as connection:
            return tuple(Room(**row._asdict()) for row in connection.execute(query))

    def members(self, id: str, *, user: str) -> tuple[str, ...]:
        """The members of a room, for one of them. Raises UnknownNameError for a room that is not theirs."""
        with self._database.reading() as connection:
            _check(connection, id, RoomMemberRow.user == user)
            query = sa.select(RoomMemberRow.user).where(RoomMemberRow.room == id).order_by(RoomMemberRow.invited_at)
            return tuple(connection.scalars(query))

    def pictures(self, id: str, *, user: str) -> tuple[str, ...]:
        """The paintings on a room's table, for a member. Raises UnknownNameError for a room that is not theirs."""
        with self._database.reading() as connection:
            _check(connection, id, RoomMemberRow.user == user)
            query = sa.select(RoomPictureRow.picture).where(RoomPictureRow.room == id)
            return tuple(connection.scalars(query.order_by(RoomPictureRow.added_at, RoomPictureRow.picture)))

    def invite(self, id: str, users: Sequence[str], *, owner: str, at: float) -> None:
        """Invite people to an owner's room; inviting again changes nothing. Raises UnknownNameError."""
        with self._database.writing() as connection:
            _check(connection, id, RoomRow.owner == owner)
            rows = [{"room": id, "user": user, "invited_at": at} for user in users]
            if rows:
                connection.execute(insert(connection, RoomMemberRow).on_conflict_do_nothing(), rows)

    def lay_out(self, id: str, pictures: Sequence[str], *, owner: str, at: float) -> None:
        """Lay an owner's own paintings on the table of the owner's room. Raises UnknownNameError; then none is laid."""
        with self._database.writing() as connection:
            _check(connection, id, RoomRow.owner == owner)
            mine = sa.select(GalleryRow.id).where(GalleryRow.id.in_(pictures), GalleryRow.owner == owner)
            missing = set(pictures) - set(connection.scalars(mine))
            if missing:
                raise UnknownNameError(f"picture {min(missing)!r} is not in this person's gallery")
            rows = [{"room": id, "picture": picture, "added_at": at} for picture in pictures]
            if rows:
                connection.execute(insert(connection, RoomPictureRow).on_conflict_do_nothing(), rows)

    def close(self, id: str, *, owner: str, at: float) -> None:
        """End an owner's room. Raises UnknownNameError."""
        with self._database.writing() as connection:
            _check(connection, id, RoomRow.owner == owner)
            connection.execute(sa.update(RoomRow).where(RoomRow.id == id).values(closed_at=at))


def _check(connection: sa.Connection, id: str, condition: sa.ColumnElement[bool]) -> None:
    query = sa.select(RoomRow.id).join(RoomMemberRow, RoomMemberRow.room == RoomRow.id)
    if connection.scalar(query.where(RoomRow.id == id, condition).limit(1)) is None:
        raise UnknownNameError(f"room {id!r} is not among the rooms of this person")
