"""Tables of what was painted: requests, the gallery, predicted facets, embeddings. Not the place for queries."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Double, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from redraft.store.schema import Row


class RequestRow(Row):
    """A request to paint. `again_of` links "do it again" to the request that did not please; `parameters` is the rest.

    `prompt` is NULL once it was forgotten (retention); `prompt_hash` stays.
    """

    __tablename__ = "requests"
    __table_args__ = (
        UniqueConstraint("owner", "idempotency_key"),
        Index("ix_requests_owner", "owner", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    owner: Mapped[str] = mapped_column(ForeignKey("users.id"))
    prompt: Mapped[str | None] = mapped_column(Text)
    negative_prompt: Mapped[str | None] = mapped_column(Text)
    prompt_hash: Mapped[str] = mapped_column(String(64), index=True)
    base: Mapped[str] = mapped_column(Text)
    checkpoint: Mapped[str] = mapped_column(String(64))
    steps: Mapped[int]
    guidance: Mapped[float] = mapped_column(Double)
    width: Mapped[int]
    height: Mapped[int]
    count: Mapped[int]
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    source: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    again_of: Mapped[str | None] = mapped_column(String(36), index=True)
    idempotency_key: Mapped[str | None] = mapped_column(String(128))
    created_at: Mapped[float] = mapped_column(Double, index=True)
    finished_at: Mapped[float | None] = mapped_column(Double)


class GalleryRow(Row):
    """A picture that a person asked for. `id` is public and tells nothing of `picture`, the hash of the bytes.

    `checkpoint` is "" for the base model as it was delivered. `terms` are those of which `confidence` is the least.
    """

    __tablename__ = "gallery"
    __table_args__ = (
        Index("ix_gallery_newest", "owner", "created_at", "id"),
        Index("ix_gallery_confidence", "owner", "confidence", "id"),
        Index("ix_gallery_checkpoint", "owner", "checkpoint", "created_at", "id"),
        Index("ix_gallery_model", "base", "checkpoint", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    request: Mapped[str] = mapped_column(ForeignKey("requests.id"), index=True)
    owner: Mapped[str] = mapped_column(ForeignKey("users.id"))
    picture: Mapped[str] = mapped_column(ForeignKey("pictures.id"), index=True)
    place: Mapped[int]
    seed: Mapped[int] = mapped_column(BigInteger)
    base: Mapped[str] = mapped_column(Text)
    checkpoint: Mapped[str] = mapped_column(String(64))
    confidence: Mapped[float | None] = mapped_column(Double)
    weakest: Mapped[str] = mapped_column(String(32))
    terms: Mapped[dict[str, float]] = mapped_column(JSON)
    fingerprints: Mapped[dict[str, str]] = mapped_column(JSON)
    facets: Mapped[dict[str, float]] = mapped_column(JSON)
    unsafe: Mapped[bool] = mapped_column(Boolean)
    blurred: Mapped[bool] = mapped_column(Boolean)
    safety: Mapped[str] = mapped_column(String(16))
    safety_reason: Mapped[str] = mapped_column(Text)
    favourite: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[float] = mapped_column(Double)


class GalleryFacetRow(Row):
    """A predicted facet of a picture, once more as a row, so that a gallery can be ordered by it."""

    __tablename__ = "gallery_facets"
    __table_args__ = (Index("ix_gallery_facets_value", "owner", "name", "value", "picture"),)

    picture: Mapped[str] = mapped_column(ForeignKey("gallery.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(36))
    value: Mapped[float] = mapped_column(Double)


class EmbeddingRow(Row):
    """A picture's embedding: bytes, and the fingerprint of the network that made them."""

    __tablename__ = "embeddings"

    picture: Mapped[str] = mapped_column(ForeignKey("gallery.id"), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(128), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
