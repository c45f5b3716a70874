"""Points, gold items, raters and imported preferences, as revision 0002 made them. Never changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make these tables, in an order in which each finds those that it refers to."""
    _points()
    _gold_items()
    _gold_results()
    _rater_quality()
    _training_people()
    _imports()
    _preferences()


def _points() -> None:
    op.create_table(
        "points",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("award", sa.String(64), nullable=False),
        sa.Column("user", sa.String(36), nullable=False),
        sa.Column("pool", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("pending", sa.Double(), nullable=False),
        sa.Column("final", sa.Double(), nullable=False),
        sa.Column("frees_place", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_points"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_points_user_users"),
        sa.UniqueConstraint("award", "state", name="uq_points_award_state"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_points_pool", "points", ["pool", "day"])
    op.create_index("ix_points_state", "points", ["state", "at"])
    op.create_index("ix_points_user", "points", ["user", "id"])


def _gold_items() -> None:
    op.create_table(
        "gold_items",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("form", sa.String(32), nullable=False),
        sa.Column("expected", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_gold_items"),
        sa.UniqueConstraint("subject", name="uq_gold_items_subject"),
    )


def _gold_results() -> None:
    op.create_table(
        "gold_results",
        sa.Column("answer", sa.String(36), nullable=False),
        sa.Column("item", sa.String(36), nullable=False),
        sa.Column("user", sa.String(36), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("answer", name="pk_gold_results"),
        sa.ForeignKeyConstraint(["item"], ["gold_items.id"], name="fk_gold_results_item_gold_items"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_gold_results_user_users"),
    )
    op.create_index("ix_gold_results_item", "gold_results", ["item"])
    op.create_index("ix_gold_results_user", "gold_results", ["user", "at"])


def _rater_quality() -> None:
    op.create_table(
        "rater_quality",
        sa.Column("user", sa.String(36), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("user", name="pk_rater_quality"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_rater_quality_user_users"),
    )


def _training_people() -> None:
    op.create_table(
        "training_people",
        sa.Column("run", sa.String(100), nullable=False),
        sa.Column("user", sa.String(36), nullable=False),
        sa.PrimaryKeyConstraint("run", "user", name="pk_training_people"),
        sa.ForeignKeyConstraint(["run"], ["runs.name"], name="fk_training_people_run_runs"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_training_people_user_users"),
    )
    op.create_index("ix_training_people_user", "training_people", ["user"])


def _imports() -> None:
    op.create_table(
        "imports",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("format", sa.String(32), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("licence", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("stored", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_imports"),
        sa.UniqueConstraint("sha256", name="uq_imports_sha256"),
    )


def _preferences() -> None:
    op.create_table(
        "preferences",
        sa.Column("batch", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("form", sa.String(32), nullable=False),
        sa.Column("rater", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("batch", "number", name="pk_preferences"),
        sa.ForeignKeyConstraint(["batch"], ["imports.id"], name="fk_preferences_batch_imports"),
    )
    op.create_index("ix_preferences_rater", "preferences", ["rater"])
