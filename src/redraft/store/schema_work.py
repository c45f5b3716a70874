"""Tables of work: jobs that workers lease, and studies with their pairs and answers. Not the place for queries."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Boolean, Double, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from redraft.store.schema import Row


class JobRow(Row):
    """A piece of work that a worker leases. `lease` grows at each claim, so that a worker that lost it finds out."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("owner", "idempotency_key"),
        Index("ix_jobs_state", "state", "created_at"),
        Index("ix_jobs_owner", "owner", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    owner: Mapped[str] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(32))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    priority: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int]
    most_attempts: Mapped[int]
    lease: Mapped[int]
    worker: Mapped[str] = mapped_column(Text)
    cancelling: Mapped[bool] = mapped_column(Boolean)
    progress: Mapped[dict[str, Any]] = mapped_column(JSON)
    result: Mapped[dict[str, Any]] = mapped_column(JSON)
    error: Mapped[str] = mapped_column(Text)
    idempotency_key: Mapped[str | None] = mapped_column(String(128))
    not_before: Mapped[float] = mapped_column(Double)
    created_at: Mapped[float] = mapped_column(Double)
    started_at: Mapped[float | None] = mapped_column(Double)
    heartbeat_at: Mapped[float | None] = mapped_column(Double)
    finished_at: Mapped[float | None] = mapped_column(Double)


class StudyRow(Row):
    """A study of blind pairs. `questions` are asked about every pair, each answered left or right.

    `owner` is NULL once that person was erased: the answers are those of others.
    """

    __tablename__ = "studies"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    owner: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    title: Mapped[str] = mapped_column(Text)
    questions: Mapped[list[str]] = mapped_column(JSON)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[float] = mapped_column(Double)
    closed_at: Mapped[float | None] = mapped_column(Double)


class StudyPairRow(Row):
    """A pair of a study: two systems' pictures of one prompt, by the hashes of their bytes."""

    __tablename__ = "study_pairs"
    __table_args__ = (UniqueConstraint("study", "number"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    study: Mapped[str] = mapped_column(ForeignKey("studies.id"))
    number: Mapped[int]
    prompt: Mapped[str] = mapped_column(Text)
    first: Mapped[str] = mapped_column(ForeignKey("pictures.id"), index=True)
    second: Mapped[str] = mapped_column(ForeignKey("pictures.id"), index=True)
    first_system: Mapped[str] = mapped_column(Text)
    second_system: Mapped[str] = mapped_column(Text)


class StudyAssignmentRow(Row):
    """A pair that a participant is to judge, `place` in their order; `swapped`: the first picture stands right."""

    __tablename__ = "study_assignments"
    __table_args__ = (UniqueConstraint("study", "user", "pair"), UniqueConstraint("study", "user", "place"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    study: Mapped[str] = mapped_column(ForeignKey("studies.id"))
    user: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    pair: Mapped[str] = mapped_column(ForeignKey("study_pairs.id"), index=True)
    place: Mapped[int]
    swapped: Mapped[bool] = mapped_column(Boolean)
    assigned_at: Mapped[float] = mapped_column(Double)


class StudyAnswerRow(Row):
    """A participant's choice for one question about one pair. Made once: a forced choice has no second thought."""

    __tablename__ = "study_answers"

    assignment: Mapped[str] = mapped_column(ForeignKey("study_assignments.id"), primary_key=True)
    question: Mapped[str] = mapped_column(String(32), primary_key=True)
    choice: Mapped[str] = mapped_column(String(8))
    lead_ms: Mapped[int | None]
    created_at: Mapped[float] = mapped_column(Double)
    received_at: Mapped[float] = mapped_column(Double)
