"""One transaction's worth of answers: looked up together, inserted together, each with its own outcome. No reading.

A refused answer leaves no trace and harms no other of its batch. The people of the batch are held first, so that of
two processes that take in the same person's answers one waits for the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from redraft.store.answer_records import Answer, Outcome, Refusal, check_answer
from redraft.store.person_locks import hold_people
from redraft.store.points import Amount, Earned, enter_awards
from redraft.store.schema_feedback import AnswerRow, AskDecisionRow, StandingAnswerRow
from redraft.store.upsert import among, insert, insert_numbered, insert_rows

Key = tuple[str, str, str]
"""Subject, user and form: of the answers that share it, one counts."""

_ANSWERABLE = ("shown", "dismissed", "expired")


def take_in(connection: sa.Connection, answers: Sequence[Answer], *, amount: Amount | None) -> tuple[Outcome, ...]:
    """Keep those of `answers` that can be kept. `amount` gives the points of a first answer; None: no points."""
    pools = hold_people(connection, (answer.user for answer in answers))
    found = _Found(connection, answers)
    outcomes: list[Outcome] = []
    kept: dict[str, Answer] = {}
    for answer in answers:
        known = kept.get(answer.id) or found.answers.get(answer.id)
        refusal = check_answer(answer) or ("" if answer.user in pools else "no_account")
        if not refusal and known is not None:
            refusal = "" if _same(known, answer) else "id_taken"
        elif not refusal:
            refusal = found.refuse(answer)
        if refusal:
            outcomes.append(Outcome(id=answer.id, status="refused", refusal=refusal))
        elif known is not None:
            outcomes.append(Outcome(id=answer.id, status="known"))
        else:
            outcomes.append(Outcome(id=answer.id, status="stored", first=found.enter(answer)))
            kept[answer.id] = answer
    lost = _keep(connection, list(kept.values()), found=found)
    outcomes = [
        Outcome(id=outcome.id, status="refused", refusal="id_taken") if outcome.id in lost else outcome
        for outcome in outcomes
    ]
    if amount is not None:
        first = {outcome.id for outcome in outcomes if outcome.first}
        earned = [_earned(answer) for answer in kept.values() if answer.id in first]
        enter_awards(connection, earned, pools=pools, amount=amount, reason="review")
    return tuple(outcomes)


class _Found:
    """What the database holds already about the answers of a batch, and what the batch adds to it."""

    def __init__(self, connection: sa.Connection, answers: Sequence[Answer]) -> None:
        ids = {answer.id for answer in answers} | {answer.revision_of for answer in answers if answer.revision_of}
        rows = connection.execute(sa.select(AnswerRow.__table__).where(among(connection, AnswerRow.id, ids)))
        self.answers = {row.id: answer_of(row) for row in rows}
        tokens = {answer.token for answer in answers if answer.token is not None}
        self.tokens: set[str | None] = set()
        if tokens:
            spent = sa.select(AnswerRow.token).where(among(connection, AnswerRow.token, tokens))
            self.tokens.update(connection.scalars(spent))
        asks = {answer.ask for answer in answers if answer.ask is not None}
        self.asks: dict[str, tuple[str, str]] = {}
        if asks:
            asked = sa.select(AskDecisionRow.id, AskDecisionRow.user, AskDecisionRow.subject)
            asked = asked.where(among(connection, AskDecisionRow.id, asks))
            self.asks = {row.id: (row.user, row.subject) for row in connection.execute(asked)}
        keys = sa.select(StandingAnswerRow.subject, StandingAnswerRow.user, StandingAnswerRow.form).where(
            among(connection, StandingAnswerRow.subject, (answer.subject for answer in answers)),
            among(connection, StandingAnswerRow.user, (answer.user for answer in answers)),
        )
        self.keys: set[Key] = {(row.subject, row.user, row.form) for row in connection.execute(keys)}
        self.repeated: set[Key] = set()

    def refuse(self, answer: Answer) -> Refusal:
        """Why a new answer cannot be kept beside what is there; "" when it can."""
        if answer.ask is not None and self.asks.get(answer.ask) != (answer.user, answer.subject):
            return "foreign_ask"
        if answer.token is not None and answer.token in self.tokens:
            return "token_used"
        # A revision may arrive before what it revises: then there is nothing to compare it with.
        earlier = self.answers.get(answer.revision_of or "")
        if earlier is not None and _key(earlier) != _key(answer):
            return "foreign_revision"
        return ""

    def enter(self, answer: Answer) -> bool:
        """Note an answer that will be kept; returns whether it is the first of its key."""
        self.answers[answer.id] = answer
        if answer.token is not None:
            self.tokens.add(answer.token)
        first = _key(answer) not in self.keys
        if not first:
            self.repeated.add(_key(answer))
        self.keys.add(_key(answer))
        return first


def answer_of(row: sa.Row[Any]) -> Answer:
    """The record of a row of `answers`."""
    return Answer(**row._asdict())


def _keep(connection: sa.Connection, answers: Sequence[Answer], *, found: _Found) -> set[str]:
    """Insert answers and say which count. Returns the ids that another process took at this moment."""
    if not answers:
        return set()
    rows = [_values(answer) for answer in answers]
    # The people are held: what has the person and the id of one of these answers is from here.
    statement = insert(connection, AnswerRow).on_conflict_do_nothing()
    numbers = insert_numbered(connection, statement, rows, owner="user")
    stored = [answer for answer in answers if answer.id in numbers]
    _stand(connection, stored, numbers=numbers, repeated=found.repeated)
    answered = {answer.ask for answer in stored if answer.ask is not None}
    if answered:
        first = sa.select(sa.func.min(AnswerRow.received_at)).where(AnswerRow.ask == AskDecisionRow.id)
        waiting = sa.update(AskDecisionRow).where(
            among(connection, AskDecisionRow.id, answered), AskDecisionRow.outcome.in_(_ANSWERABLE)
        )
        connection.execute(waiting.values(outcome="answered", resolved_at=first.scalar_subquery()))
    return {answer.id for answer in answers} - set(numbers)


def _stand(connection: sa.Connection, stored: Sequence[Answer], *, numbers: dict[str, int], repeated: set[Key]) -> None:
    """Enter for each key of `stored` which answer counts."""
    alone = [answer for answer in stored if _key(answer) not in repeated]
    rows = [_standing(_key(answer), numbers[answer.id], answer.mark, answer.retracted) for answer in alone]
    for key in sorted({_key(answer) for answer in stored} & repeated):
        rows.append(_newest(connection, key))
    if not rows:
        return
    statement = insert(connection, StandingAnswerRow)
    changed = {name: statement.excluded[name] for name in ("answer", "mark", "retracted")}
    upserted = statement.on_conflict_do_update(index_elements=["subject", "user", "form"], set_=changed)
    insert_rows(connection, upserted, rows)


def _newest(connection: sa.Connection, key: Key) -> dict[str, Any]:
    """The newest answer of a key that no other of the key revises; in a circle of revisions, the newest of all."""
    subject, user, form = key
    columns = (AnswerRow.id, AnswerRow.number, AnswerRow.revision_of, AnswerRow.mark, AnswerRow.retracted)
    query = sa.select(*columns).where(AnswerRow.subject == subject, AnswerRow.user == user, AnswerRow.form == form)
    rows = connection.execute(query.order_by(AnswerRow.number)).all()
    revised = {row.revision_of for row in rows if row.revision_of != row.id}
    last = next((row for row in reversed(rows) if row.id not in revised), rows[-1])
    return _standing(key, last.number, last.mark, last.retracted)


def _standing(key: Key, number: int, mark: float | None, retracted: bool) -> dict[str, Any]:
    subject, user, form = key
    return {"subject": subject, "user": user, "form": form, "answer": number, "mark": mark, "retracted": retracted}


def _key(answer: Answer) -> Key:
    return (answer.subject, answer.user, answer.form)


def _earned(answer: Answer) -> Earned:
    return Earned(award=answer.id, user=answer.user, day=answer.day, at=answer.received_at)


def _values(answer: Answer) -> dict[str, Any]:
    values = {**vars(answer), "payload": dict(answer.payload)}
    del values["number"]
    return values


def _same(known: Answer, sent: Answer) -> bool:
    """Whether an answer is sent again: everything but what the server adds is equal."""
    return all(
        getattr(known, name) == getattr(sent, name)
        for name in ("user", "kind", "subject", "form", "payload", "mark", "retracted", "revision_of", "created_at")
    )
