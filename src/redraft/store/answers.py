"""Answers of people to forms: kept once by the id that the client made, revised but never overwritten. No rules.

Which answer of a person to one form about one subject counts is kept beside them: the newest that no other revises.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from redraft.core.errors import UnknownNameError
from redraft.store.answer_ingest import answer_of, take_in
from redraft.store.answer_records import Answer, Outcome
from redraft.store.points import Amount
from redraft.store.schema_feedback import (
    AnswerRow,
    AskDecisionRow,
    RaterQualityRow,
    StandingAnswerRow,
    TrainingPersonRow,
)
from redraft.store.schema_people import UserRow
from redraft.store.transactions import Database
from redraft.store.upsert import insert


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """An answer that counts, with what a fair estimate needs to know of how it came about.

    probability: that this was asked, as decided then; None for volunteered answers. weight: the rater's; 1 while none
    was found. shareable: whether the person lets it go into released data.
    """

    answer: Answer
    probability: float | None
    confidence: float | None
    policy: str
    weight: float
    shareable: bool


class Answers:
    """The answers of all people. Every question about a person takes the person and finds no one else's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ingest(self, answers: Sequence[Answer], *, amount: Amount | None = None) -> tuple[Outcome, ...]:
        """Keep answers in one transaction; durable when it returns. One outcome for each, in their order.

        An answer that was kept before is `known`: sending again does no harm. One that cannot be kept is refused and
        leaves the others alone. `amount` gives the points of the n-th review of a day, entered as pending for each
        first answer to a form about a subject; None enters none. Raises StorageError or BusyError: then none was kept.
        """
        with self._database.writing() as connection:
            return take_in(connection, answers, amount=amount)

    def get(self, id: str, *, user: str) -> Answer:
        """A person's answer. Raises UnknownNameError, the same for absent ones and those of others."""
        query = sa.select(AnswerRow.__table__).where(AnswerRow.id == id, AnswerRow.user == user)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise UnknownNameError(f"answer {id!r} is not among the answers of this person")
        return answer_of(row)

    def standing(self, user: str, subjects: Iterable[str]) -> tuple[Answer, ...]:
        """A person's answers that count about these subjects, in the order of arrival; retracted ones are left out."""
        query = sa.select(AnswerRow.__table__).join(StandingAnswerRow, StandingAnswerRow.answer == AnswerRow.number)
        query = query.where(StandingAnswerRow.subject.in_(set(subjects)), StandingAnswerRow.user == user)
        with self._database.reading() as connection:
            rows = connection.execute(query.where(~StandingAnswerRow.retracted).order_by(AnswerRow.number))
            return tuple(answer_of(row) for row in rows)

    def history(self, user: str, subject: str, *, form: str) -> tuple[Answer, ...]:
        """All of a person's answers to one form about one subject, the first to arrive first."""
        query = sa.select(AnswerRow.__table__).where(AnswerRow.subject == subject, AnswerRow.user == user)
        with self._database.reading() as connection:
            rows = connection.execute(query.where(AnswerRow.form == form).order_by(AnswerRow.number))
            return tuple(answer_of(row) for row in rows)

    def of_person(self, user: str, *, before: int | None = None, limit: int = 50) -> tuple[Answer, ...]:
        """A person's answers, the newest first; `before` is the number of the last one of the page before."""
        query = sa.select(AnswerRow.__table__).where(AnswerRow.user == user)
        if before is not None:
            query = query.where(AnswerRow.number < before)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(AnswerRow.number.desc()).limit(limit))
            return tuple(answer_of(row) for row in rows)

    def devices(self, *, since: float) -> dict[str, frozenset[str]]:
        """The accounts that answered from each device (a keyed hash of one day) since then."""
        query = sa.select(AnswerRow.device, AnswerRow.user).distinct()
        query = query.where(AnswerRow.received_at >= since, AnswerRow.device != "")
        found: dict[str, set[str]] = {}
        with self._database.reading() as connection:
            for device, user in connection.execute(query):
                found.setdefault(device, set()).add(user)
        return {device: frozenset(users) for device, users in found.items()}

    def about(self, subject: str) -> tuple[Answer, ...]:
        """Everybody's answers about a subject that count, for what compares raters. Not for showing to a person."""
        query = sa.select(AnswerRow.__table__).join(StandingAnswerRow, StandingAnswerRow.answer == AnswerRow.number)
        query = query.where(StandingAnswerRow.subject == subject, ~StandingAnswerRow.retracted)
        with self._database.reading() as connection:
            return tuple(answer_of(row) for row in connection.execute(query.order_by(AnswerRow.number)))

    def evidence(
        self, *, after: int = 0, limit: int = 1000, forms: Sequence[str] = (), released: bool = False
    ) -> tuple[Evidence, ...]:
        """Answers that count, of people who consent, by number from `after` on: what a training set is made of.

        `forms`: only these, or all. `released`: only of those who consent to a release too. Retracted answers and
        disabled people are left out, and who was erased is not there. The last answer's number begins the next page.
        """
        query = _evidence().where(AnswerRow.number > after).order_by(AnswerRow.number).limit(limit)
        if forms:
            query = query.where(AnswerRow.form.in_(forms))
        if released:
            query = query.where(UserRow.consent_share)
        with self._database.reading() as connection:
            return tuple(_evidence_of(row) for row in connection.execute(query))

    def note_training(self, run: str, users: Iterable[str]) -> None:
        """Note that a run learns from these people's answers, so that an erasure can name it. Repeating is harmless."""
        rows = [{"run": run, "user": user} for user in sorted(set(users))]
        if rows:
            with self._database.writing() as connection:
                connection.execute(insert(connection, TrainingPersonRow).on_conflict_do_nothing(), rows)


def _evidence() -> sa.Select[Any]:
    extra = (
        AskDecisionRow.probability.label("ask_probability"),
        AskDecisionRow.confidence.label("ask_confidence"),
        sa.func.coalesce(AskDecisionRow.policy, "").label("ask_policy"),
        sa.func.coalesce(RaterQualityRow.weight, 1.0).label("rater_weight"),
        UserRow.consent_share.label("shareable"),
    )
    query = sa.select(AnswerRow.__table__, *extra)
    query = query.join(StandingAnswerRow, StandingAnswerRow.answer == AnswerRow.number)
    query = query.join(UserRow, UserRow.id == AnswerRow.user)
    query = query.outerjoin(AskDecisionRow, AskDecisionRow.id == AnswerRow.ask)
    query = query.outerjoin(RaterQualityRow, RaterQualityRow.user == AnswerRow.user)
    return query.where(~StandingAnswerRow.retracted, UserRow.consent_improve, ~UserRow.disabled)


def _evidence_of(row: sa.Row[Any]) -> Evidence:
    values = row._asdict()
    found = {name: values.pop(name) for name in ("ask_probability", "ask_confidence", "ask_policy", "rater_weight")}
    return Evidence(
        shareable=values.pop("shareable"),
        answer=Answer(**values),
        probability=found["ask_probability"],
        confidence=found["ask_confidence"],
        policy=found["ask_policy"],
        weight=found["rater_weight"],
    )
