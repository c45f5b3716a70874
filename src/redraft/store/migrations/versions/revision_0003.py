"""The count of a day's reviews is read from its newest award: an index leads there. Never changed."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the order of arrival to the index of points by pool and day."""
    op.drop_index("ix_points_pool", table_name="points")
    op.create_index("ix_points_pool", "points", ["pool", "day", "id"])
