"""The points ledger: awards that are entered, then made final or reversed. How many points a review earns is no rule
of this room: it is an argument. Append-only; a balance is a sum of entries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from redraft.core.errors import UnknownNameError
from redraft.store.person_locks import hold_people
from redraft.store.schema_feedback import PointRow
from redraft.store.schema_people import UserRow
from redraft.store.transactions import Database
from redraft.store.upsert import among, insert, insert_rows, rows_given

AwardState = Literal["pending", "final", "reversed"]
Amount = Callable[[int], float]
"""Points of the n-th review of a day, n counted from 1."""


@dataclass(frozen=True, kw_only=True)
class PointEntry:
    """One event of an award. `award` is the id of what was rewarded; `pending` and `final` are what it adds to each.

    `place`: which of the reviews that its pool (the person, or their cluster) gave that day it was, counted from 1.
    """

    id: int
    award: str
    user: str
    pool: str
    day: str
    place: int
    state: AwardState
    pending: float
    final: float
    reason: str
    at: float


@dataclass(frozen=True, kw_only=True)
class Balance:
    """A person's points: `final` count for tiers and perks, `pending` not yet."""

    final: float
    pending: float


@dataclass(frozen=True, kw_only=True)
class Earned:
    """What earns an award: a person's review on their local day."""

    award: str
    user: str
    day: str
    at: float


@dataclass(frozen=True, kw_only=True)
class Total:
    """What a person's awards of a time came to. accepted: reviews that became final with more than 0 points."""

    user: str
    accepted: int
    final: float
    pending: float


class Points:
    """The points of all people."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enter(self, earned: Sequence[Earned], *, amount: Amount, reason: str) -> tuple[PointEntry, ...]:
        """Enter awards as pending, in this order; an award that is there already stays as it is. One transaction.

        Returns the entries that were made. Raises UnknownNameError for a person without an enabled account.
        """
        with self._database.writing() as connection:
            pools = hold_people(connection, (item.user for item in earned))
            missing = {item.user for item in earned} - set(pools)
            if missing:
                raise UnknownNameError(f"user {min(missing)!r} has no enabled account: points need one")
            made = enter_awards(connection, earned, pools=pools, amount=amount, reason=reason)
            rows = connection.execute(_entries().where(PointRow.award.in_(made)).order_by(PointRow.id))
            return tuple(_record(row) for row in rows)

    def settle(self, award: str, *, amount: float, reason: str, at: float) -> PointEntry:
        """Make a pending award final with `amount`, which may differ from the pending one (0: not helpful).

        An award that is settled already stays as it is. Raises UnknownNameError when it does not exist.
        """
        with self._database.writing() as connection:
            entries = _held(connection, award)
            if "final" in entries or "reversed" in entries:
                return entries.get("final") or entries["reversed"]
            first = entries["pending"]
            return _append(connection, first, state="final", pending=-first.pending, final=amount, reason=reason, at=at)

    def reverse(self, award: str, *, reason: str, at: float, frees_place: bool = False) -> PointEntry:
        """Take an award back, pending or final. `frees_place` gives back the place it took in the day's count.

        Reversing twice changes nothing. Raises UnknownNameError when there is no such award.
        """
        with self._database.writing() as connection:
            entries = _held(connection, award)
            if "reversed" in entries:
                return entries["reversed"]
            last = entries.get("final")
            first = entries["pending"]
            amounts = (
                {"pending": -first.pending, "final": 0.0} if last is None else {"pending": 0.0, "final": -last.final}
            )
            return _append(connection, first, state="reversed", reason=reason, at=at, frees=frees_place, **amounts)

    def balance(self, user: str) -> Balance:
        """The sums of a person's entries."""
        sums = sa.select(sa.func.coalesce(sa.func.sum(PointRow.final), 0.0).label("final"))
        sums = sums.add_columns(sa.func.coalesce(sa.func.sum(PointRow.pending), 0.0).label("pending"))
        with self._database.reading() as connection:
            row = connection.execute(sums.where(PointRow.user == user)).one()
        return Balance(final=row.final, pending=row.pending)

    def totals(self, *, since: float = float("-inf"), until: float = float("inf")) -> tuple[Total, ...]:
        """Everybody's entries of the time from `since` to just before `until`, summed by person. For operators."""
        accepted = sa.case((sa.and_(PointRow.state == "final", PointRow.final > 0), 1), else_=0)
        reversed_ = sa.case((sa.and_(PointRow.state == "reversed", PointRow.final < 0), 1), else_=0)
        sums = (sa.func.sum(accepted - reversed_), sa.func.sum(PointRow.final), sa.func.sum(PointRow.pending))
        query = sa.select(PointRow.user, *sums).where(PointRow.at >= since, PointRow.at < until)
        with self._database.reading() as connection:
            rows = connection.execute(query.group_by(PointRow.user).order_by(PointRow.user))
            return tuple(Total(user=row[0], accepted=int(row[1]), final=row[2], pending=row[3]) for row in rows)

    def entries(self, user: str, *, before: int | None = None, limit: int = 50) -> tuple[PointEntry, ...]:
        """A person's entries, the newest first; `before` is the id of the last one of the page before."""
        query = _entries().where(PointRow.user == user).order_by(PointRow.id.desc()).limit(limit)
        if before is not None:
            query = query.where(PointRow.id < before)
        with self._database.reading() as connection:
            return tuple(_record(row) for row in connection.execute(query))

    def taken(self, pool: str, day: str) -> int:
        """How many places of a day a pool (a person, or their cluster) has taken."""
        with self._database.reading() as connection:
            return _counts(connection, {(pool, day)}).get((pool, day), 0)

    def active_days(self, user: str) -> int:
        """On how many of their days a person earned something."""
        query = sa.select(sa.func.count(PointRow.day.distinct())).where(PointRow.user == user)
        with self._database.reading() as connection:
            return connection.scalar(query) or 0

    def shared_place(self, award: str) -> int:
        """Which award of its day this one is, from 1, among those of all who share a budget with its person today.

        It differs from the entry's `place` when accounts were joined after it was entered. Raises UnknownNameError.
        """
        with self._database.reading() as connection:
            first = connection.execute(_entries().where(PointRow.award == award, PointRow.state == "pending"))
            row = first.one_or_none()
            if row is None:
                raise _no_award(award)
            cluster = connection.scalar(sa.select(UserRow.cluster).where(UserRow.id == row.user))
            alike = UserRow.id == row.user if cluster is None else UserRow.cluster == cluster
            query = sa.select(sa.func.count()).select_from(PointRow).join(UserRow, UserRow.id == PointRow.user)
            query = query.where(alike, PointRow.day == row.day, PointRow.state == "pending", PointRow.id <= row.id)
            return connection.scalar(query) or 1

    def unsettled(self, *, until: float, limit: int = 1000) -> tuple[PointEntry, ...]:
        """Awards entered up to the time `until` that are still pending, the oldest first."""
        later = aliased(PointRow)
        settled = sa.select(later.id).where(later.award == PointRow.award, later.state != "pending")
        query = _entries().where(PointRow.state == "pending", PointRow.at <= until, ~settled.exists())
        with self._database.reading() as connection:
            return tuple(_record(row) for row in connection.execute(query.order_by(PointRow.at).limit(limit)))


def enter_awards(
    connection: sa.Connection, earned: Sequence[Earned], *, pools: dict[str, str], amount: Amount, reason: str
) -> list[str]:
    """Enter awards as pending within a transaction that holds their people. Returns those that were new."""
    awards = among(connection, PointRow.award, (item.award for item in earned))
    known = set(connection.scalars(sa.select(PointRow.award).where(awards)))
    fresh = [item for item in {item.award: item for item in earned}.values() if item.award not in known]
    if not fresh:
        return []
    places = _counts(connection, {(pools[item.user], item.day) for item in fresh})
    rows = []
    for item in fresh:
        pool = pools[item.user]
        places[pool, item.day] = place = places.get((pool, item.day), 0) + 1
        values = {**vars(item), "pool": pool, "place": place, "state": "pending", "pending": amount(place)}
        rows.append({**values, "final": 0.0, "frees_place": False, "reason": reason})
    insert_rows(connection, insert(connection, PointRow), rows)
    return [item.award for item in fresh]


def _counts(connection: sa.Connection, days: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Places taken: that of the newest award, less what was freed since. Awards of a pool are entered one by one."""
    points, later = PointRow.__table__, PointRow.__table__.alias()
    types = {"pool": points.c.pool.type, "day": points.c.day.type}
    given = rows_given(connection, types, [{"pool": pool, "day": day} for pool, day in sorted(days)])
    awards = sa.select(points.c.id, points.c.place).correlate(given).order_by(points.c.id.desc()).limit(1)
    awards = awards.where(points.c.pool == given.c.pool, points.c.day == given.c.day, points.c.state == "pending")
    newest, place = (awards.with_only_columns(column).scalar_subquery() for column in (points.c.id, points.c.place))
    freed = sa.select(sa.func.count()).select_from(later).correlate(given)
    freed = freed.where(later.c.pool == given.c.pool, later.c.day == given.c.day, later.c.id > newest)
    taken = place - freed.where(later.c.frees_place).scalar_subquery()
    query = sa.select(given.c.pool, given.c.day, sa.func.coalesce(taken, 0))
    return {(pool, day): int(count) for pool, day, count in connection.execute(query)}


def _held(connection: sa.Connection, award: str) -> dict[str, PointEntry]:
    query = _entries().where(PointRow.award == award).order_by(PointRow.id)
    entries = {row.state: _record(row) for row in connection.execute(query)}
    if not entries:
        raise _no_award(award)
    first = entries["pending"]
    hold_people(connection, [first.user], cluster=first.pool)
    # Another process may have settled it while this one waited.
    return {row.state: _record(row) for row in connection.execute(query)}


def _no_award(award: str) -> UnknownNameError:
    return UnknownNameError(f"award {award!r} does not exist: points are entered before they are settled")


def _append(
    connection: sa.Connection,
    first: PointEntry,
    *,
    state: AwardState,
    pending: float,
    final: float,
    reason: str,
    at: float,
    frees: bool = False,
) -> PointEntry:
    values = {**vars(first), "state": state, "pending": pending, "final": final, "reason": reason, "at": at}
    del values["id"]
    statement = insert(connection, PointRow).values(**values, frees_place=frees).returning(PointRow.id)
    return PointEntry(id=connection.execute(statement).scalar_one(), **values)


def _entries() -> sa.Select[Any]:
    return sa.select(PointRow.__table__)


def _record(row: sa.Row[Any]) -> PointEntry:
    values = row._asdict()
    del values["frees_place"]
    return PointEntry(**{**values, "state": cast(AwardState, row.state)})
