"""Requests to paint: what was asked for, by whom, and which request it was made again of. Paints nothing.

A request that is sent twice with one idempotency key is one request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import sqlalchemy as sa

from redraft.core.errors import UnknownNameError
from redraft.store.schema_feedback import DuelRow
from redraft.store.schema_people import UserRow
from redraft.store.schema_pictures import RequestRow
from redraft.store.transactions import Database
from redraft.store.upsert import insert

TRIAL = "trial"
"""The source of requests that the studio made itself, to compare two models: shown to nobody elsewhere."""
RequestState = Literal["queued", "running", "finished", "failed", "cancelled"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request of `count` pictures. prompt is None once it was forgotten; prompt_hash stays.

    checkpoint: "" for the base itself. parameters: whatever else the sampler was told, JSON-able. source: which door it
    came through. again_of: the request that this one repeats because it did not please.
    """

    id: str
    owner: str
    prompt: str | None
    negative_prompt: str | None = None
    prompt_hash: str
    base: str
    checkpoint: str
    steps: int
    guidance: float
    width: int
    height: int
    count: int = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    state: RequestState = "queued"
    again_of: str | None = None
    idempotency_key: str | None = None
    created_at: float
    finished_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """How often one prompt was requested, and how many of these were requests to do it again."""

    prompt_hash: str
    requests: int
    again: int


class Requests:
    """The requests of all people."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enter(self, request: Request) -> tuple[Request, bool]:
        """Enter a request. Returns it and True, or the earlier one with its owner and idempotency key and False.

        Raises UnknownNameError when `again_of` is not a request of the same person.
        """
        with self._database.writing() as connection:
            if request.again_of is not None:
                _get(connection, request.again_of, owner=request.owner)
            values = {**vars(request), "parameters": dict(request.parameters)}
            statement = insert(connection, RequestRow).values(**values)
            if request.idempotency_key is not None:
                statement = statement.on_conflict_do_nothing(index_elements=["owner", "idempotency_key"])
            if connection.scalar(statement.returning(RequestRow.id)) is not None:
                return request, True
            same = (RequestRow.owner == request.owner, RequestRow.idempotency_key == request.idempotency_key)
            return request_of(connection.execute(sa.select(RequestRow.__table__).where(*same)).one()), False

    def with_key(self, idempotency_key: str, *, owner: str) -> Request | None:
        """A person's request that was sent with this key, or None."""
        query = sa.select(RequestRow.__table__).where(RequestRow.owner == owner)
        with self._database.reading() as connection:
            row = connection.execute(query.where(RequestRow.idempotency_key == idempotency_key)).one_or_none()
        return None if row is None else request_of(row)

    def get(self, id: str, *, owner: str) -> Request:
        """A person's request. Raises UnknownNameError, the same for absent ones and those of others."""
        with self._database.reading() as connection:
            return _get(connection, id, owner=owner)

    def set_state(self, id: str, state: RequestState, *, owner: str, at: float) -> None:
        """Say how a person's request stands. Raises UnknownNameError."""
        ended = None if state in ("queued", "running") else at
        with self._database.writing() as connection:
            change = sa.update(RequestRow).where(RequestRow.id == id, RequestRow.owner == owner)
            if connection.execute(change.values(state=state, finished_at=ended)).rowcount != 1:
                raise _unknown(id)

    def list(self, owner: str, *, before: tuple[float, str] | None = None, limit: int = 50) -> tuple[Request, ...]:
        """A person's requests, the newest first; `before` is (created_at, id) of the last of the page before."""
        query = sa.select(RequestRow.__table__).where(RequestRow.owner == owner, RequestRow.source != TRIAL)
        order = (RequestRow.created_at, RequestRow.id)
        if before is not None:
            query = query.where(sa.tuple_(*order) < sa.tuple_(*map(sa.literal, before)))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(*(column.desc() for column in order)).limit(limit))
            return tuple(request_of(row) for row in rows)

    def unfinished(self) -> tuple[Request, ...]:
        """Requests of all people that have not ended, the oldest first."""
        query = sa.select(RequestRow.__table__).where(RequestRow.state.in_(["queued", "running"]))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(RequestRow.created_at, RequestRow.id))
            return tuple(request_of(row) for row in rows)

    def recent_prompts(self, *, since: float, limit: int = 1000) -> tuple[Request, ...]:
        """Requests since then of people who consent that they improve this instance, the newest first. Not to show."""
        query = sa.select(RequestRow.__table__).join(UserRow, UserRow.id == RequestRow.owner)
        query = query.where(UserRow.consent_improve, ~UserRow.disabled, RequestRow.created_at >= since)
        query = query.where(RequestRow.source != TRIAL)
        query = query.where(RequestRow.prompt.is_not(None)).order_by(RequestRow.created_at.desc(), RequestRow.id)
        with self._database.reading() as connection:
            return tuple(request_of(row) for row in connection.execute(query.limit(limit)))

    def repeats(self, *, since: float = float("-inf"), limit: int = 1000) -> tuple[Repeats, ...]:
        """The prompts that were requested most often to be done again, the worst first. Hashes only."""
        again = sa.func.sum(sa.case((RequestRow.again_of.is_not(None), 1), else_=0))
        query = sa.select(RequestRow.prompt_hash, sa.func.count(), again).group_by(RequestRow.prompt_hash)
        query = query.where(RequestRow.created_at >= since, RequestRow.source != TRIAL)
        query = query.order_by(again.desc(), RequestRow.prompt_hash).limit(limit)
        with self._database.reading() as connection:
            rows = connection.execute(query)
            return tuple(Repeats(prompt_hash=row[0], requests=row[1], again=int(row[2])) for row in rows)

    def forget_prompts(self, *, before: float) -> int:
        """Forget the words of requests and duels from before the time `before`; counts and hashes stay. How many."""
        old = sa.update(RequestRow).where(RequestRow.created_at < before, RequestRow.prompt.is_not(None))
        duels = sa.update(DuelRow).where(DuelRow.issued_at < before).values(prompt=None)
        with self._database.writing() as connection:
            connection.execute(duels)
            return connection.execute(old.values(prompt=None, negative_prompt=None, parameters={})).rowcount


def _get(connection: sa.Connection, id: str, *, owner: str) -> Request:
    query = sa.select(RequestRow.__table__).where(RequestRow.id == id, RequestRow.owner == owner)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise _unknown(id)
    return request_of(row)


def _unknown(id: str) -> UnknownNameError:
    return UnknownNameError(f"request {id!r} is not among the requests of this person")


def request_of(row: sa.Row[Any]) -> Request:
    """The record of a row of `requests`."""
    return Request(**{**row._asdict(), "state": cast(RequestState, row.state)})
