"""Answers, asks and duels, as revision 0002 made them. Never changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make these tables, in an order in which each finds those that it refers to."""
    _answers()
    _standing_answers()
    _ask_decisions()
    _ask_states()
    _duels()


def _answers() -> None:
    op.create_table(
        "answers",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("user", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("form", sa.String(32), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("mark", sa.Double(), nullable=True),
        sa.Column("retracted", sa.Boolean(), nullable=False),
        sa.Column("revision_of", sa.String(36), nullable=True),
        sa.Column("ask", sa.String(36), nullable=True),
        sa.Column("token", sa.String(64), nullable=True),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("lead_ms", sa.Integer(), nullable=True),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("received_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_answers"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_answers_user_users"),
        sa.UniqueConstraint("id", name="uq_answers_id"),
        sa.UniqueConstraint("token", name="uq_answers_token"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_answers_ask", "answers", ["ask"])
    op.create_index("ix_answers_subject", "answers", ["subject", "user", "form"])
    op.create_index("ix_answers_user", "answers", ["user", "number"])


def _standing_answers() -> None:
    op.create_table(
        "standing_answers",
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("user", sa.String(36), nullable=False),
        sa.Column("form", sa.String(32), nullable=False),
        sa.Column("answer", NUMBER, nullable=False),
        sa.Column("mark", sa.Double(), nullable=True),
        sa.Column("retracted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "user", "form", name="pk_standing_answers"),
        sa.ForeignKeyConstraint(["answer"], ["answers.number"], name="fk_standing_answers_answer_answers"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_standing_answers_user_users"),
        sa.UniqueConstraint("answer", name="uq_standing_answers_answer"),
    )
    op.create_index("ix_standing_answers_user", "standing_answers", ["user", "form"])


def _ask_decisions() -> None:
    op.create_table(
        "ask_decisions",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("user", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("form", sa.String(32), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("first_confidence", sa.Double(), nullable=True),
        sa.Column("weakest", sa.String(32), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=False),
        sa.Column("exploration", sa.Double(), nullable=False),
        sa.Column("budget_left", sa.Double(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("coin", sa.Double(), nullable=True),
        sa.Column("excluded", sa.String(32), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("policy", sa.String(64), nullable=False),
        sa.Column("session", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("offline", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("shown_at", sa.Double(), nullable=True),
        sa.Column("resolved_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_ask_decisions"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_ask_decisions_user_users"),
    )
    op.create_index("ix_ask_decisions_outcome", "ask_decisions", ["outcome", "created_at"])
    op.create_index("ix_ask_decisions_subject", "ask_decisions", ["subject"])
    op.create_index("ix_ask_decisions_time", "ask_decisions", ["created_at", "id"])
    op.create_index("ix_ask_decisions_user", "ask_decisions", ["user", "created_at"])


def _ask_states() -> None:
    op.create_table(
        "ask_states",
        sa.Column("user", sa.String(36), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("asked_today", sa.Integer(), nullable=False),
        sa.Column("pictures_today", sa.Integer(), nullable=False),
        sa.Column("session", sa.String(64), nullable=False),
        sa.Column("asked_in_session", sa.Integer(), nullable=False),
        sa.Column("pictures", sa.Integer(), nullable=False),
        sa.Column("recent", sa.JSON(), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("user", name="pk_ask_states"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_ask_states_user_users"),
    )


def _duels() -> None:
    op.create_table(
        "duels",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("user", sa.String(36), nullable=False),
        sa.Column("experiment", sa.String(64), nullable=False),
        sa.Column("prompt_hash", sa.String(64), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=True),
        sa.Column("first", sa.String(36), nullable=True),
        sa.Column("second", sa.String(36), nullable=True),
        sa.Column("first_checkpoint", sa.String(64), nullable=False),
        sa.Column("second_checkpoint", sa.String(64), nullable=False),
        sa.Column("swapped", sa.Boolean(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("issued_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_duels"),
        sa.ForeignKeyConstraint(["first"], ["gallery.id"], name="fk_duels_first_gallery"),
        sa.ForeignKeyConstraint(["second"], ["gallery.id"], name="fk_duels_second_gallery"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_duels_user_users"),
    )
    op.create_index("ix_duels_experiment", "duels", ["experiment", "id"])
    op.create_index("ix_duels_first", "duels", ["first"])
    op.create_index("ix_duels_second", "duels", ["second"])
    op.create_index("ix_duels_user", "duels", ["user", "issued_at"])
