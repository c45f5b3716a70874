"""Which pictures have been kept long enough. Removes none: that is `erasure`."""

from __future__ import annotations

import sqlalchemy as sa

from redraft.store.schema_feedback import GoldItemRow
from redraft.store.schema_people import RoomPictureRow
from redraft.store.schema_pictures import GalleryRow
from redraft.store.transactions import Database

MOST = 500


def old_paintings(database: Database, *, before: float, limit: int = MOST) -> dict[str, list[str]]:
    """Paintings from before the time `before` by their owner, the oldest first, at most `limit` in all.

    Left out: favourites, pictures whose right answer is known, and what lies on the table of a critique session.
    """
    gold = sa.select(GoldItemRow.id).where(GoldItemRow.subject == GalleryRow.id)
    table = sa.select(RoomPictureRow.room).where(RoomPictureRow.picture == GalleryRow.id)
    query = sa.select(GalleryRow.id, GalleryRow.owner).where(GalleryRow.created_at < before, ~GalleryRow.favourite)
    query = query.where(~gold.exists(), ~table.exists()).order_by(GalleryRow.created_at, GalleryRow.id).limit(limit)
    found: dict[str, list[str]] = {}
    with database.reading() as connection:
        for row in connection.execute(query):
            found.setdefault(row.owner, []).append(row.id)
    return found
