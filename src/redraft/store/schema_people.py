"""Tables of people: accounts, sessions, keys, counters, rooms, reports, audit, erasures. Not the place for queries."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from redraft.store.schema import NUMBER, Row


class UserRow(Row):
    """An account. `password` is the opaque text of a password hash, NULL for who logs in elsewhere.

    `login` is the name as it is compared, `external` what another identity provider calls the person. `cluster` joins
    accounts that share one budget of points. Quiet hours are minutes after local midnight.
    """

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    login: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    password: Mapped[str | None] = mapped_column(Text)
    external: Mapped[str | None] = mapped_column(Text, unique=True)
    roles: Mapped[list[str]] = mapped_column(JSON)
    disabled: Mapped[bool]
    adult: Mapped[bool]
    trained_reviewer: Mapped[bool]
    consent_improve: Mapped[bool]
    consent_share: Mapped[bool]
    consent_unsafe: Mapped[bool]
    ask_me_less: Mapped[bool]
    opted_out: Mapped[bool]
    quiet_from: Mapped[int | None]
    quiet_until: Mapped[int | None]
    timezone: Mapped[str] = mapped_column(Text)
    preferences: Mapped[dict[str, Any]] = mapped_column(JSON)
    profile: Mapped[bytes | None] = mapped_column(LargeBinary)
    profile_fingerprint: Mapped[str] = mapped_column(Text)
    cluster: Mapped[str | None] = mapped_column(String(64), index=True)
    created_at: Mapped[float] = mapped_column(Double)
    changed_at: Mapped[float] = mapped_column(Double)


class SessionRow(Row):
    """A login. `id` is the hash of the secret in the cookie, `csrf` that of the token for writes."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    label: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Double)
    seen_at: Mapped[float] = mapped_column(Double)
    expires_at: Mapped[float] = mapped_column(Double, index=True)


class ApiKeyRow(Row):
    """A key for programs: its hash, never itself. `prefix` is its visible beginning."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    prefix: Mapped[str] = mapped_column(String(32))
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(Double)
    used_at: Mapped[float | None] = mapped_column(Double)
    expires_at: Mapped[float | None] = mapped_column(Double)
    revoked_at: Mapped[float | None] = mapped_column(Double)


class CounterRow(Row):
    """How often something happened in a window of time: daily quotas, attempts to log in."""

    __tablename__ = "counters"

    owner: Mapped[str] = mapped_column(String(128), primary_key=True)
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    window: Mapped[str] = mapped_column(String(32), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[float] = mapped_column(Double, index=True)


class RoomRow(Row):
    """A critique session: invited members annotate the same pictures."""

    __tablename__ = "rooms"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    owner: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    title: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Double)
    closed_at: Mapped[float | None] = mapped_column(Double)


class RoomMemberRow(Row):
    """Who was invited to a room, by whom it may be opened."""

    __tablename__ = "room_members"

    room: Mapped[str] = mapped_column(ForeignKey("rooms.id"), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    invited_at: Mapped[float] = mapped_column(Double)


class RoomPictureRow(Row):
    """A picture that lies on the table of a room."""

    __tablename__ = "room_pictures"

    room: Mapped[str] = mapped_column(ForeignKey("rooms.id"), primary_key=True)
    picture: Mapped[str] = mapped_column(ForeignKey("gallery.id"), primary_key=True, index=True)
    added_at: Mapped[float] = mapped_column(Double)


class ReportRow(Row):
    """What a person says about a picture's safety: an appeal against a blur, or a report of a picture."""

    __tablename__ = "reports"
    __table_args__ = (UniqueConstraint("picture", "user", "kind"), Index("ix_reports_state", "state", "created_at"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    picture: Mapped[str] = mapped_column(ForeignKey("gallery.id"))
    kind: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[float] = mapped_column(Double)
    resolved_at: Mapped[float | None] = mapped_column(Double)
    resolved_by: Mapped[str | None] = mapped_column(String(36))


class AuditRow(Row):
    """Who did what to what. Append-only; holds ids, never words, so that erasing a person leaves it whole."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_actor", "actor", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[float] = mapped_column(Double)


class ErasureRow(Row):
    """The receipt of an erased person: how much was removed, and the versions that had learned from it."""

    __tablename__ = "erasures"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user: Mapped[str] = mapped_column(String(36), unique=True)
    removed: Mapped[dict[str, int]] = mapped_column(JSON)
    runs: Mapped[list[str]] = mapped_column(JSON)
    checkpoints: Mapped[list[str]] = mapped_column(JSON)
    at: Mapped[float] = mapped_column(Double)
