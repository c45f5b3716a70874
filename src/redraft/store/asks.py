"""Decisions to ask or not to ask, and what the ask rule remembers of each person. The rule itself is an argument.

A decision and the state that it leaves are one transaction, in which no other decision about the person can pass: the
stored probabilities are those that were used, and no budget is spent twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import sqlalchemy as sa

from redraft.core.errors import UnknownNameError
from redraft.store.answer_records import SubjectKind
from redraft.store.person_locks import hold_people
from redraft.store.schema_feedback import AskDecisionRow, AskStateRow
from redraft.store.schema_pictures import EmbeddingRow
from redraft.store.transactions import Database
from redraft.store.upsert import insert

AskOutcome = Literal["excluded", "suppressed", "shown", "dismissed", "expired", "answered"]


@dataclass(frozen=True, kw_only=True)
class DecisionCount:
    """Decisions of one kind: how many, how many asks were to be expected, and how many asks a second pass saved.

    excluded, outcome: as in an entry. saved: the first picture was below the threshold, the better one was not, and
    nobody was asked.
    """

    excluded: str
    outcome: AskOutcome
    decisions: int
    expected: float
    saved: int


@dataclass(frozen=True, kw_only=True)
class AskState:
    """What the ask rule remembers of a person.

    threshold: tau, never clipped. session: the one that `asked_in_session` counts. pictures: in all. recent: pictures
    of each day before `day`, the newest first.
    """

    threshold: float
    day: str = ""
    asked_today: int = 0
    pictures_today: int = 0
    session: str = ""
    asked_in_session: int = 0
    pictures: int = 0
    recent: tuple[int, ...] = ()
    changed_at: float


@dataclass(frozen=True, kw_only=True)
class AskDecisionEntry:
    """One decision, with all that a later estimate must know.

    confidence: the final one; first_confidence: before a second pass, None where there was none. threshold, rate,
    exploration, budget_left: tau, rho, eps and the day's budget as they were at the decision. probability: of asking;
    0 when excluded. coin: the draw in 0..1, None when excluded. excluded: why no coin was thrown, "" for eligible.
    outcome: "excluded", "suppressed" (the coin said no), or "shown" and what became of it.
    """

    id: str
    user: str
    kind: SubjectKind
    subject: str
    form: str
    confidence: float
    first_confidence: float | None = None
    weakest: str
    threshold: float
    rate: float
    exploration: float
    budget_left: float
    probability: float
    coin: float | None
    excluded: str = ""
    outcome: AskOutcome
    policy: str
    session: str = ""
    day: str
    offline: bool = False
    created_at: float
    shown_at: float | None = None
    resolved_at: float | None = None


Decided = tuple[AskState, Sequence[AskDecisionEntry]]
Rule = Callable[[AskState | None, Collection[str]], Decided]
"""From a person's state (None: new) and the ids of decisions known already to the next state and new decisions."""


class Asks:
    """The decisions and states of all people."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def decide(self, user: str, rule: Rule, *, ids: Sequence[str] = ()) -> tuple[AskDecisionEntry, ...]:
        """Let `rule` decide about a person; keep its decisions and its state in one transaction. Returns the decisions.

        `ids`: those of decisions made offline that are being synced. The rule is told which of them are known, so that
        a second sync charges nothing. Raises UnknownNameError when the person has no enabled account.
        """
        with self._database.writing() as connection:
            if user not in hold_people(connection, [user]):
                raise UnknownNameError(f"user {user!r} has no enabled account: nobody there can be asked")
            known = sa.select(AskDecisionRow.id).where(AskDecisionRow.id.in_(ids), AskDecisionRow.user == user)
            state, decisions = rule(_state(connection, user), frozenset(connection.scalars(known) if ids else ()))
            _keep_state(connection, user, state)
            rows = [vars(decision) for decision in decisions]
            if rows:
                connection.execute(sa.insert(AskDecisionRow), rows)
        return tuple(decisions)

    def state(self, user: str) -> AskState | None:
        """What the rule remembers of a person, or None before the first decision."""
        with self._database.reading() as connection:
            return _state(connection, user)

    def get(self, id: str, *, user: str) -> AskDecisionEntry:
        """A decision about a person. Raises UnknownNameError, the same for absent ones and those about others."""
        query = sa.select(AskDecisionRow.__table__).where(AskDecisionRow.id == id, AskDecisionRow.user == user)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise _unknown(id)
        return _record(row)

    def open(self, user: str, *, since: float) -> tuple[AskDecisionEntry, ...]:
        """A person's asks since then that wait for an answer, the newest first."""
        query = sa.select(AskDecisionRow.__table__).where(AskDecisionRow.user == user)
        query = query.where(AskDecisionRow.outcome == "shown", AskDecisionRow.created_at >= since)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(AskDecisionRow.created_at.desc(), AskDecisionRow.id))
            return tuple(_record(row) for row in rows)

    def dismiss(self, id: str, *, user: str, at: float) -> None:
        """Note that a person put an ask away; one that is answered stays so. Raises UnknownNameError."""
        mine = (AskDecisionRow.id == id, AskDecisionRow.user == user)
        with self._database.writing() as connection:
            if connection.scalar(sa.select(AskDecisionRow.id).where(*mine)) is None:
                raise _unknown(id)
            change = sa.update(AskDecisionRow).where(*mine, AskDecisionRow.outcome == "shown")
            connection.execute(change.values(outcome="dismissed", resolved_at=at))

    def decided(self, user: str, subjects: Collection[str]) -> frozenset[str]:
        """Those of these subjects about which something was decided for the person already."""
        query = sa.select(AskDecisionRow.subject).where(AskDecisionRow.subject.in_(subjects))
        with self._database.reading() as connection:
            return frozenset(connection.scalars(query.where(AskDecisionRow.user == user)))

    def of_person(
        self, user: str, *, before: tuple[float, str] | None = None, limit: int = 50
    ) -> tuple[AskDecisionEntry, ...]:
        """A person's decisions, the newest first; `before` is (created_at, id) of the last of the page before."""
        order = (AskDecisionRow.created_at, AskDecisionRow.id)
        query = sa.select(AskDecisionRow.__table__).where(AskDecisionRow.user == user)
        if before is not None:
            query = query.where(sa.tuple_(*order) < sa.tuple_(*map(sa.literal, before)))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(*(column.desc() for column in order)).limit(limit))
            return tuple(_record(row) for row in rows)

    def expire(self, *, before: float, at: float) -> int:
        """Note that asks from before the time `before` are no longer waited for. Returns how many."""
        old = (AskDecisionRow.outcome == "shown", AskDecisionRow.created_at < before)
        with self._database.writing() as connection:
            change = sa.update(AskDecisionRow).where(*old).values(outcome="expired", resolved_at=at)
            return connection.execute(change).rowcount

    def asked_embeddings(self, user: str, *, fingerprint: str, since: float, most: int = 100) -> tuple[bytes, ...]:
        """Embeddings of the pictures that a person was asked about since then, the newest first."""
        query = sa.select(EmbeddingRow.data).join(AskDecisionRow, AskDecisionRow.subject == EmbeddingRow.picture)
        query = query.where(AskDecisionRow.user == user, EmbeddingRow.fingerprint == fingerprint)
        query = query.where(AskDecisionRow.created_at >= since, AskDecisionRow.shown_at.is_not(None))
        with self._database.reading() as connection:
            return tuple(connection.scalars(query.order_by(AskDecisionRow.created_at.desc()).limit(most)))

    def counts(self, *, since: float) -> tuple[DecisionCount, ...]:
        """Everybody's decisions since then, counted by exclusion and outcome."""
        below = AskDecisionRow.first_confidence < AskDecisionRow.threshold
        saved = sa.and_(below, AskDecisionRow.confidence >= AskDecisionRow.threshold, AskDecisionRow.shown_at.is_(None))
        kind = (AskDecisionRow.excluded, AskDecisionRow.outcome)
        sums = (sa.func.count(), sa.func.sum(AskDecisionRow.probability), sa.func.sum(sa.case((saved, 1), else_=0)))
        query = sa.select(*kind, *sums).where(AskDecisionRow.created_at >= since).group_by(*kind).order_by(*kind)
        with self._database.reading() as connection:
            return tuple(
                DecisionCount(
                    excluded=row[0],
                    outcome=cast(AskOutcome, row[1]),
                    decisions=row[2],
                    expected=row[3],
                    saved=int(row[4]),
                )
                for row in connection.execute(query)
            )

    def log(
        self, *, after: tuple[float, str] = (float("-inf"), ""), until: float | None = None, limit: int = 1000
    ) -> tuple[AskDecisionEntry, ...]:
        """Everybody's decisions by (created_at, id), from `after` on: what estimates are made of. Not for showing."""
        order = (AskDecisionRow.created_at, AskDecisionRow.id)
        query = sa.select(AskDecisionRow.__table__).where(sa.tuple_(*order) > sa.tuple_(*map(sa.literal, after)))
        if until is not None:
            query = query.where(AskDecisionRow.created_at < until)
        with self._database.reading() as connection:
            return tuple(_record(row) for row in connection.execute(query.order_by(*order).limit(limit)))


def _state(connection: sa.Connection, user: str) -> AskState | None:
    row = connection.execute(sa.select(AskStateRow.__table__).where(AskStateRow.user == user)).one_or_none()
    if row is None:
        return None
    values = row._asdict()
    del values["user"]
    return AskState(**{**values, "recent": tuple(row.recent)})


def _keep_state(connection: sa.Connection, user: str, state: AskState) -> None:
    values = {**vars(state), "recent": list(state.recent)}
    statement = insert(connection, AskStateRow).values(user=user, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["user"], set_=values))


def _unknown(id: str) -> UnknownNameError:
    return UnknownNameError(f"ask {id!r} is not among the asks of this person")


def _record(row: sa.Row[Any]) -> AskDecisionEntry:
    return AskDecisionEntry(**{**row._asdict(), "outcome": cast(AskOutcome, row.outcome)})
