"""Requests, gallery, facets, embeddings, rooms and reports, as revision 0002 made them. Never changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


def upgrade() -> None:
    """Make these tables, in an order in which each finds those that it refers to."""
    _requests()
    _gallery()
    _gallery_facets()
    _embeddings()
    _rooms()
    _room_members()
    _room_pictures()
    _reports()


def _requests() -> None:
    op.create_table(
        "requests",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("owner", sa.String(36), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=True),
        sa.Column("negative_prompt", sa.Text(), nullable=True),
        sa.Column("prompt_hash", sa.String(64), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("checkpoint", sa.String(64), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("guidance", sa.Double(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("again_of", sa.String(36), nullable=True),
        sa.Column("idempotency_key", sa.String(128), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_requests"),
        sa.ForeignKeyConstraint(["owner"], ["users.id"], name="fk_requests_owner_users"),
        sa.UniqueConstraint("owner", "idempotency_key", name="uq_requests_owner_idempotency_key"),
    )
    op.create_index("ix_requests_again_of", "requests", ["again_of"])
    op.create_index("ix_requests_created_at", "requests", ["created_at"])
    op.create_index("ix_requests_owner", "requests", ["owner", "created_at", "id"])
    op.create_index("ix_requests_prompt_hash", "requests", ["prompt_hash"])


def _gallery() -> None:
    op.create_table(
        "gallery",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("request", sa.String(36), nullable=False),
        sa.Column("owner", sa.String(36), nullable=False),
        sa.Column("picture", sa.String(64), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("checkpoint", sa.String(64), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("weakest", sa.String(32), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("fingerprints", sa.JSON(), nullable=False),
        sa.Column("facets", sa.JSON(), nullable=False),
        sa.Column("unsafe", sa.Boolean(), nullable=False),
        sa.Column("blurred", sa.Boolean(), nullable=False),
        sa.Column("safety", sa.String(16), nullable=False),
        sa.Column("safety_reason", sa.Text(), nullable=False),
        sa.Column("favourite", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_gallery"),
        sa.ForeignKeyConstraint(["owner"], ["users.id"], name="fk_gallery_owner_users"),
        sa.ForeignKeyConstraint(["picture"], ["pictures.id"], name="fk_gallery_picture_pictures"),
        sa.ForeignKeyConstraint(["request"], ["requests.id"], name="fk_gallery_request_requests"),
    )
    op.create_index("ix_gallery_checkpoint", "gallery", ["owner", "checkpoint", "created_at", "id"])
    op.create_index("ix_gallery_confidence", "gallery", ["owner", "confidence", "id"])
    op.create_index("ix_gallery_model", "gallery", ["base", "checkpoint", "created_at"])
    op.create_index("ix_gallery_newest", "gallery", ["owner", "created_at", "id"])
    op.create_index("ix_gallery_picture", "gallery", ["picture"])
    op.create_index("ix_gallery_request", "gallery", ["request"])


def _gallery_facets() -> None:
    op.create_table(
        "gallery_facets",
        sa.Column("picture", sa.String(36), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(36), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("picture", "name", name="pk_gallery_facets"),
        sa.ForeignKeyConstraint(["picture"], ["gallery.id"], name="fk_gallery_facets_picture_gallery"),
    )
    op.create_index("ix_gallery_facets_value", "gallery_facets", ["owner", "name", "value", "picture"])


def _embeddings() -> None:
    op.create_table(
        "embeddings",
        sa.Column("picture", sa.String(36), nullable=False),
        sa.Column("fingerprint", sa.String(128), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("picture", "fingerprint", name="pk_embeddings"),
        sa.ForeignKeyConstraint(["picture"], ["gallery.id"], name="fk_embeddings_picture_gallery"),
    )


def _rooms() -> None:
    op.create_table(
        "rooms",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("owner", sa.String(36), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("closed_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_rooms"),
        sa.ForeignKeyConstraint(["owner"], ["users.id"], name="fk_rooms_owner_users"),
    )
    op.create_index("ix_rooms_owner", "rooms", ["owner"])


def _room_members() -> None:
    op.create_table(
        "room_members",
        sa.Column("room", sa.String(36), nullable=False),
        sa.Column("user", sa.String(36), nullable=False),
        sa.Column("invited_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("room", "user", name="pk_room_members"),
        sa.ForeignKeyConstraint(["room"], ["rooms.id"], name="fk_room_members_room_rooms"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_room_members_user_users"),
    )
    op.create_index("ix_room_members_user", "room_members", ["user"])


def _room_pictures() -> None:
    op.create_table(
        "room_pictures",
        sa.Column("room", sa.String(36), nullable=False),
        sa.Column("picture", sa.String(36), nullable=False),
        sa.Column("added_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("room", "picture", name="pk_room_pictures"),
        sa.ForeignKeyConstraint(["picture"], ["gallery.id"], name="fk_room_pictures_picture_gallery"),
        sa.ForeignKeyConstraint(["room"], ["rooms.id"], name="fk_room_pictures_room_rooms"),
    )
    op.create_index("ix_room_pictures_picture", "room_pictures", ["picture"])


def _reports() -> None:
    op.create_table(
        "reports",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("user", sa.String(36), nullable=False),
        sa.Column("picture", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("resolved_at", sa.Double(), nullable=True),
        sa.Column("resolved_by", sa.String(36), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_reports"),
        sa.ForeignKeyConstraint(["picture"], ["gallery.id"], name="fk_reports_picture_gallery"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_reports_user_users"),
        sa.UniqueConstraint("picture", "user", "kind", name="uq_reports_picture_user_kind"),
    )
    op.create_index("ix_reports_state", "reports", ["state", "created_at"])
    op.create_index("ix_reports_user", "reports", ["user"])
