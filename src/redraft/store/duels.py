"""Duels: which pair of pictures was given to whom, and how it was drawn. The answers are with the other answers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from redraft.core.errors import UnknownNameError
from redraft.store.answer_records import Answer
from redraft.store.schema_feedback import AnswerRow, DuelRow, StandingAnswerRow
from redraft.store.transactions import Database


@dataclass(frozen=True, kw_only=True)
class Duel:
    """A pair given to a person. first and second are paintings, of the checkpoints named so ("" is the base).

    swapped: the first stands on the right. probability: with which this pair was drawn for this person. prompt, first
    and second are None once they were forgotten or erased.
    """

    id: str
    user: str
    experiment: str
    prompt_hash: str
    prompt: str | None
    first: str | None
    second: str | None
    first_checkpoint: str
    second_checkpoint: str
    swapped: bool
    probability: float
    issued_at: float
    expires_at: float


class Duels:
    """The duels of all people. An answer to one has the kind "duel" and the duel's id as its subject."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def issue(self, duel: Duel) -> None:
        """Enter a duel that is about to be shown."""
        with self._database.writing() as connection:
            connection.execute(sa.insert(DuelRow).values(**vars(duel)))

    def get(self, id: str, *, user: str) -> Duel:
        """A duel given to a person. Raises UnknownNameError, the same for absent ones and those of others."""
        query = sa.select(DuelRow.__table__).where(DuelRow.id == id, DuelRow.user == user)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise UnknownNameError(f"duel {id!r} was not given to this person")
        return Duel(**row._asdict())

    def open(self, user: str, *, at: float, limit: int = 10) -> tuple[Duel, ...]:
        """Duels given to a person that they have not answered and that have not expired, the oldest first."""
        answered = sa.select(StandingAnswerRow.answer)
        answered = answered.where(StandingAnswerRow.subject == DuelRow.id, StandingAnswerRow.user == user)
        query = sa.select(DuelRow.__table__).where(DuelRow.user == user, DuelRow.expires_at > at, ~answered.exists())
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(DuelRow.issued_at, DuelRow.id).limit(limit))
            return tuple(Duel(**row._asdict()) for row in rows)

    def pairs(self, user: str, pictures: Collection[str]) -> frozenset[frozenset[str]]:
        """The pairs of these paintings that the person was given already, whatever came of it."""
        query = sa.select(DuelRow.first, DuelRow.second).where(DuelRow.user == user)
        query = query.where(DuelRow.first.in_(pictures), DuelRow.second.in_(pictures))
        with self._database.reading() as connection:
            return frozenset(frozenset((row.first, row.second)) for row in connection.execute(query))

    def sides(self, user: str) -> tuple[int, int]:
        """How many of a person's duels were decided for the left picture, and how many for the right one."""
        query = sa.select(AnswerRow.payload).select_from(StandingAnswerRow)
        query = query.join(AnswerRow, AnswerRow.number == StandingAnswerRow.answer)
        query = query.where(StandingAnswerRow.user == user, StandingAnswerRow.form == "duel")
        with self._database.reading() as connection:
            choices = [payload.get("choice") for payload in connection.scalars(query)]
        return choices.count("left"), choices.count("right")

    def answered(self, experiment: str, *, after: str = "", limit: int = 1000) -> tuple[tuple[Duel, Answer], ...]:
        """Everybody's duels of an experiment with the answer that counts, by id, from `after` on. Not for showing."""
        columns = [column.label(f"duel_{column.name}") for column in DuelRow.__table__.columns]
        query = sa.select(AnswerRow.__table__, *columns).select_from(DuelRow)
        mine = sa.and_(StandingAnswerRow.subject == DuelRow.id, StandingAnswerRow.user == DuelRow.user)
        query = query.join(StandingAnswerRow, mine).join(AnswerRow, AnswerRow.number == StandingAnswerRow.answer)
        query = query.where(DuelRow.experiment == experiment, DuelRow.id > after, ~StandingAnswerRow.retracted)
        with self._database.reading() as connection:
            return tuple(_pair(row) for row in connection.execute(query.order_by(DuelRow.id).limit(limit)))


def _pair(row: sa.Row[Any]) -> tuple[Duel, Answer]:
    values = row._asdict()
    duel = {name.removeprefix("duel_"): values.pop(name) for name in list(values) if name.startswith("duel_")}
    return Duel(**duel), Answer(**values)
