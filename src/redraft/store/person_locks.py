"""Rows of people, held until the end of a transaction, so that what is counted about them stays true. No account data.

On SQLite writers exclude each other anyway; on PostgreSQL the rows are locked in the order of their ids, so that two
transactions never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from redraft.store.schema_people import UserRow


def hold_people(connection: sa.Connection, users: Iterable[str]) -> dict[str, str]:
    """Hold these people, and all who share a cluster with one of them. Returns the pool of each that is enabled.

    The pool is what counts together: the cluster of a person, or else the person alone. Whoever is missing in the
    answer has no account, or a disabled one.
    """
    wanted = sorted(set(users))
    clusters = sa.select(UserRow.cluster).where(UserRow.id.in_(wanted), UserRow.cluster.is_not(None))
    held = sa.select(UserRow.id, UserRow.cluster, UserRow.disabled)
    held = held.where(sa.or_(UserRow.id.in_(wanted), UserRow.cluster.in_(clusters))).order_by(UserRow.id)
    rows = connection.execute(held.with_for_update(key_share=True)).all()
    return {row.id: row.cluster or row.id for row in rows if row.id in set(wanted) and not row.disabled}
