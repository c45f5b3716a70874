"""Rows of people, held until the end of a transaction, so that what is counted about them stays true. No account data.

On SQLite writers exclude each other anyway; on PostgreSQL the rows are locked in the order of their ids, so that two
transactions never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from redraft.store.schema_people import UserRow
from redraft.store.upsert import among


def hold_people(connection: sa.Connection, users: Iterable[str], *, cluster: str | None = None) -> dict[str, str]:
    """Hold these people, and all who share a cluster with one of them. Returns the pool of each that is enabled.

    `cluster`: its people are held too, though none of `users` may belong to it any more.

    The pool is what counts together: the cluster of a person, or else the person alone. Whoever is missing in the
    answer has no account, or a disabled one.
    """
    wanted, other = set(users), UserRow.__table__.alias()
    own = sa.select(UserRow.id).where(among(connection, UserRow.id, wanted))
    # Lookups by index; of one condition with OR PostgreSQL makes a scan of all people.
    alike = sa.select(other.c.id).join(UserRow, UserRow.cluster == other.c.cluster)
    alike = alike.where(among(connection, UserRow.id, wanted))
    former = sa.select(UserRow.id).where(UserRow.cluster == cluster)
    everyone = sa.union(own, alike) if cluster is None else sa.union(own, alike, former)
    held = sa.select(UserRow.id, UserRow.cluster, UserRow.disabled).where(UserRow.id.in_(everyone)).order_by(UserRow.id)
    rows = connection.execute(held.with_for_update(key_share=True)).all()
    return {row.id: row.cluster or row.id for row in rows if row.id in wanted and not row.disabled}
