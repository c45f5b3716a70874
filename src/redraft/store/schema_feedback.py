"""Tables of feedback: answers, asks, duels, points, gold items, imported preferences. Not the place for queries."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Boolean, Double, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from redraft.store.schema import NUMBER, Row


class AnswerRow(Row):
    """An answer or a revision of one. Never changed: a trigger made by the migration refuses UPDATE.

    `id` is made by the client; `token` is that of the ask, which serves once. `mark` is the payload as one number where
    the form has one. `day` is the person's local day, `created_at` the client's clock, `received_at` the server's.
    """

    __tablename__ = "answers"
    __table_args__ = (
        Index("ix_answers_subject", "subject", "user", "form"),
        Index("ix_answers_user", "user", "number"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    id: Mapped[str] = mapped_column(String(36), unique=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(64))
    form: Mapped[str] = mapped_column(String(32))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    mark: Mapped[float | None] = mapped_column(Double)
    retracted: Mapped[bool] = mapped_column(Boolean)
    revision_of: Mapped[str | None] = mapped_column(String(36))
    ask: Mapped[str | None] = mapped_column(String(36), index=True)
    token: Mapped[str | None] = mapped_column(String(64), unique=True)
    day: Mapped[str] = mapped_column(String(10))
    lead_ms: Mapped[int | None]
    device: Mapped[str] = mapped_column(Text)
    version: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Double)
    received_at: Mapped[float] = mapped_column(Double)


class StandingAnswerRow(Row):
    """Which of a person's answers to one form about one subject counts: the newest that no other revises."""

    __tablename__ = "standing_answers"
    __table_args__ = (Index("ix_standing_answers_user", "user", "form"),)

    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    form: Mapped[str] = mapped_column(String(32), primary_key=True)
    answer: Mapped[int] = mapped_column(ForeignKey("answers.number"), unique=True)
    mark: Mapped[float | None] = mapped_column(Double)
    retracted: Mapped[bool] = mapped_column(Boolean)


class AskDecisionRow(Row):
    """A decision to ask or not to ask. `excluded` names why the coin was never thrown, "" for eligible pictures."""

    __tablename__ = "ask_decisions"
    __table_args__ = (
        Index("ix_ask_decisions_user", "user", "created_at"),
        Index("ix_ask_decisions_outcome", "outcome", "created_at"),
        Index("ix_ask_decisions_time", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(64), index=True)
    form: Mapped[str] = mapped_column(String(32))
    confidence: Mapped[float] = mapped_column(Double)
    first_confidence: Mapped[float | None] = mapped_column(Double)
    weakest: Mapped[str] = mapped_column(String(32))
    threshold: Mapped[float] = mapped_column(Double)
    rate: Mapped[float] = mapped_column(Double)
    exploration: Mapped[float] = mapped_column(Double)
    budget_left: Mapped[float] = mapped_column(Double)
    probability: Mapped[float] = mapped_column(Double)
    coin: Mapped[float | None] = mapped_column(Double)
    excluded: Mapped[str] = mapped_column(String(32))
    outcome: Mapped[str] = mapped_column(String(16))
    policy: Mapped[str] = mapped_column(String(64))
    session: Mapped[str] = mapped_column(String(64))
    day: Mapped[str] = mapped_column(String(10))
    offline: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[float] = mapped_column(Double)
    shown_at: Mapped[float | None] = mapped_column(Double)
    resolved_at: Mapped[float | None] = mapped_column(Double)


class AskStateRow(Row):
    """What the ask rule remembers of a person. `recent` holds the picture counts of the days before, newest first."""

    __tablename__ = "ask_states"

    user: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    threshold: Mapped[float] = mapped_column(Double)
    day: Mapped[str] = mapped_column(String(10))
    asked_today: Mapped[int]
    pictures_today: Mapped[int]
    session: Mapped[str] = mapped_column(String(64))
    asked_in_session: Mapped[int]
    pictures: Mapped[int]
    recent: Mapped[list[int]] = mapped_column(JSON)
    changed_at: Mapped[float] = mapped_column(Double)


class DuelRow(Row):
    """A pair of pictures given to a person. `swapped` tells whether the first system stands on the right.

    Pictures are NULL after the person whose they were was erased.
    """

    __tablename__ = "duels"
    __table_args__ = (Index("ix_duels_experiment", "experiment", "id"), Index("ix_duels_user", "user", "issued_at"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.id"))
    experiment: Mapped[str] = mapped_column(String(64))
    prompt_hash: Mapped[str] = mapped_column(String(64))
    prompt: Mapped[str | None] = mapped_column(Text)
    first: Mapped[str | None] = mapped_column(ForeignKey("gallery.id"), index=True)
    second: Mapped[str | None] = mapped_column(ForeignKey("gallery.id"), index=True)
    first_checkpoint: Mapped[str] = mapped_column(String(64))
    second_checkpoint: Mapped[str] = mapped_column(String(64))
    swapped: Mapped[bool] = mapped_column(Boolean)
    probability: Mapped[float] = mapped_column(Double)
    issued_at: Mapped[float] = mapped_column(Double)
    expires_at: Mapped[float] = mapped_column(Double)


class PointRow(Row):
    """One event of an award: entered, made final or reversed. Append-only; balances are sums of the two columns.

    `pool` is the person or the cluster whose reviews of `day` are counted together, `place` the award's count there.
    """

    __tablename__ = "points"
    __table_args__ = (
        UniqueConstraint("award", "state"),
        Index("ix_points_user", "user", "id"),
        Index("ix_points_pool", "pool", "day", "id"),
        Index("ix_points_state", "state", "at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(NUMBER, primary_key=True)
    award: Mapped[str] = mapped_column(String(64))
    user: Mapped[str] = mapped_column(ForeignKey("users.id"))
    pool: Mapped[str] = mapped_column(String(64))
    day: Mapped[str] = mapped_column(String(10))
    place: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    pending: Mapped[float] = mapped_column(Double)
    final: Mapped[float] = mapped_column(Double)
    frees_place: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[float] = mapped_column(Double)


class GoldItemRow(Row):
    """A picture or pair whose right answer is known."""

    __tablename__ = "gold_items"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(64), unique=True)
    form: Mapped[str] = mapped_column(String(32))
    expected: Mapped[dict[str, Any]] = mapped_column(JSON)
    active: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[float] = mapped_column(Double)


class GoldResultRow(Row):
    """Whether an answer to a gold item passed."""

    __tablename__ = "gold_results"
    __table_args__ = (Index("ix_gold_results_user", "user", "at"),)

    answer: Mapped[str] = mapped_column(String(36), primary_key=True)
    item: Mapped[str] = mapped_column(ForeignKey("gold_items.id"), index=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.id"))
    passed: Mapped[bool] = mapped_column(Boolean)
    at: Mapped[float] = mapped_column(Double)


class RaterQualityRow(Row):
    """How much a person's answers weigh, and from what evidence that was found."""

    __tablename__ = "rater_quality"

    user: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    weight: Mapped[float] = mapped_column(Double)
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[float] = mapped_column(Double)


class TrainingPersonRow(Row):
    """That a run learned from a person's answers: what an erasure names."""

    __tablename__ = "training_people"

    run: Mapped[str] = mapped_column(ForeignKey("runs.name"), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)


class ImportRow(Row):
    """A file of preferences that was imported. `sha256` is that of the file, so that it comes in once."""

    __tablename__ = "imports"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    format: Mapped[str] = mapped_column(String(32))
    source: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    licence: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    stored: Mapped[int]
    refused: Mapped[int]
    created_at: Mapped[float] = mapped_column(Double)
    finished_at: Mapped[float | None] = mapped_column(Double)


class PreferenceRow(Row):
    """An imported preference. `number` counts from 1 in the file's order; `content` is JSON text as it was given."""

    __tablename__ = "preferences"
    __table_args__ = (Index("ix_preferences_rater", "rater"),)

    batch: Mapped[str] = mapped_column(ForeignKey("imports.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    form: Mapped[str] = mapped_column(String(32))
    rater: Mapped[str] = mapped_column(Text)
    prompt: Mapped[str] = mapped_column(Text)
    content: Mapped[str] = mapped_column(Text)
