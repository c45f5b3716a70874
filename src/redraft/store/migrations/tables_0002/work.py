"""Jobs and studies, as revision 0002 made them. Never changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


def upgrade() -> None:
    """Make these tables, in an order in which each finds those that it refers to."""
    _jobs()
    _studies()
    _study_pairs()
    _study_assignments()
    _study_answers()


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("owner", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("most_attempts", sa.Integer(), nullable=False),
        sa.Column("lease", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("cancelling", sa.Boolean(), nullable=False),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.String(128), nullable=True),
        sa.Column("not_before", sa.Double(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=True),
        sa.Column("heartbeat_at", sa.Double(), nullable=True),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.ForeignKeyConstraint(["owner"], ["users.id"], name="fk_jobs_owner_users"),
        sa.UniqueConstraint("owner", "idempotency_key", name="uq_jobs_owner_idempotency_key"),
    )
    op.create_index("ix_jobs_owner", "jobs", ["owner", "created_at", "id"])
    op.create_index("ix_jobs_state", "jobs", ["state", "created_at"])


def _studies() -> None:
    op.create_table(
        "studies",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("owner", sa.String(36), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("questions", sa.JSON(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("closed_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_studies"),
        sa.ForeignKeyConstraint(["owner"], ["users.id"], name="fk_studies_owner_users"),
    )
    op.create_index("ix_studies_owner", "studies", ["owner"])


def _study_pairs() -> None:
    op.create_table(
        "study_pairs",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("study", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("first", sa.String(64), nullable=False),
        sa.Column("second", sa.String(64), nullable=False),
        sa.Column("first_system", sa.Text(), nullable=False),
        sa.Column("second_system", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_study_pairs"),
        sa.ForeignKeyConstraint(["first"], ["pictures.id"], name="fk_study_pairs_first_pictures"),
        sa.ForeignKeyConstraint(["second"], ["pictures.id"], name="fk_study_pairs_second_pictures"),
        sa.ForeignKeyConstraint(["study"], ["studies.id"], name="fk_study_pairs_study_studies"),
        sa.UniqueConstraint("study", "number", name="uq_study_pairs_study_number"),
    )
    op.create_index("ix_study_pairs_first", "study_pairs", ["first"])
    op.create_index("ix_study_pairs_second", "study_pairs", ["second"])


def _study_assignments() -> None:
    op.create_table(
        "study_assignments",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("study", sa.String(36), nullable=False),
        sa.Column("user", sa.String(36), nullable=False),
        sa.Column("pair", sa.String(36), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("swapped", sa.Boolean(), nullable=False),
        sa.Column("assigned_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_study_assignments"),
        sa.ForeignKeyConstraint(["pair"], ["study_pairs.id"], name="fk_study_assignments_pair_study_pairs"),
        sa.ForeignKeyConstraint(["study"], ["studies.id"], name="fk_study_assignments_study_studies"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_study_assignments_user_users"),
        sa.UniqueConstraint("study", "user", "pair", name="uq_study_assignments_study_user_pair"),
        sa.UniqueConstraint("study", "user", "place", name="uq_study_assignments_study_user_place"),
    )
    op.create_index("ix_study_assignments_pair", "study_assignments", ["pair"])
    op.create_index("ix_study_assignments_user", "study_assignments", ["user"])


def _study_answers() -> None:
    op.create_table(
        "study_answers",
        sa.Column("assignment", sa.String(36), nullable=False),
        sa.Column("question", sa.String(32), nullable=False),
        sa.Column("choice", sa.String(8), nullable=False),
        sa.Column("lead_ms", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("received_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("assignment", "question", name="pk_study_answers"),
        sa.ForeignKeyConstraint(
            ["assignment"], ["study_assignments.id"], name="fk_study_answers_assignment_study_assignments"
        ),
    )
