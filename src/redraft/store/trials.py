"""Trials: duels between the champion and a challenger that the studio drew itself, and the votes that count in them.

The pairs are duels like all others; their experiment is named by `trial_name`. What the votes prove is decided
elsewhere (`evaluation.people_gate`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from redraft.store.aliases import Aliases
from redraft.store.requests import TRIAL
from redraft.store.schema_feedback import AnswerRow, DuelRow, RaterQualityRow, StandingAnswerRow
from redraft.store.schema_people import UserRow
from redraft.store.schema_pictures import RequestRow
from redraft.store.transactions import Database

_DIGITS = 12
_PREFIX = f"{TRIAL} "
TrialVote = Literal["candidate", "incumbent", "tie", "both bad"]


def trial_name(champion: str, challenger: str) -> str:
    """The experiment of a champion ("" for the base) against a challenger; never that of pairs people made."""
    return f"{_PREFIX}{champion[:_DIGITS] or 'base'} {challenger[:_DIGITS]}"


def is_trial(experiment: str) -> bool:
    """Whether an experiment is a trial."""
    return experiment.startswith(_PREFIX)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial and what people said in it.

    number: which one of the workspace, by the time of its first pair, counted from 1. votes: (person, vote) in the
    order in which they came; a person is an account, or the accounts of a cluster. pairs: that were drawn and laid
    before somebody, the last one at `last_at`. left_out: answers that do not count.
    """

    champion: str
    challenger: str
    number: int
    votes: tuple[tuple[str, TrialVote], ...]
    pairs: int
    last_at: float
    left_out: int


class Trials:
    """The trials of a workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def current(self, base: str) -> Trial | None:
        """The trial of a base's champion and challenger; None where there is no challenger to compare."""
        aliases = Aliases(self._database)
        live, tried = aliases.current(base), aliases.current(base, "challenger")
        champion = "" if live is None else live.checkpoint
        if tried is None or tried.checkpoint in ("", champion):
            return None
        return self.of(champion, tried.checkpoint)

    def of(self, champion: str, challenger: str) -> Trial:
        """A trial. Left out: answers of people who had painted with the challenger before they gave them, who weigh
        nothing, who no longer consent, or whose account is disabled.
        """
        name = trial_name(champion, challenger)
        issued = sa.select(sa.func.count(), sa.func.coalesce(sa.func.max(DuelRow.issued_at), 0.0))
        with self._database.reading() as connection:
            pairs, last_at = connection.execute(issued.where(DuelRow.experiment == name)).one()
            rows = connection.execute(_answers(name, challenger)).all()
            names = list(connection.scalars(_names()))
        counted = [row for row in rows if row.counts]
        votes = tuple((row.cluster or row.user, _vote(row.payload, swapped=row.swapped)) for row in counted)
        return Trial(
            champion=champion, challenger=challenger, votes=votes, pairs=pairs, last_at=last_at,
            left_out=len(rows) - len(counted), number=names.index(name) + 1 if name in names else len(names) + 1,
        )  # fmt: skip

    def knows(self, user: str, challenger: str, *, at: float) -> bool:
        """Whether a person has painted with that checkpoint themselves before the time `at`."""
        query = sa.select(painted_with(challenger, user=user, before=at))
        with self._database.reading() as connection:
            return bool(connection.scalar(query))


def painted_with(challenger: str, *, user: Any, before: Any) -> sa.ColumnElement[bool]:
    """Whether a person asked for pictures of that checkpoint themselves before a time."""
    own = sa.select(RequestRow.id).where(RequestRow.owner == user, RequestRow.checkpoint == challenger)
    return own.where(RequestRow.source != TRIAL, RequestRow.created_at < before).exists()


def _names() -> sa.Select[Any]:
    """The names of all trials, the oldest first."""
    query = sa.select(DuelRow.experiment).where(DuelRow.experiment.startswith(_PREFIX, autoescape=True))
    return query.group_by(DuelRow.experiment).order_by(sa.func.min(DuelRow.issued_at), DuelRow.experiment)


def _answers(name: str, challenger: str) -> sa.Select[Any]:
    counts = sa.and_(
        UserRow.consent_improve,
        ~UserRow.disabled,
        sa.func.coalesce(RaterQualityRow.weight, 1.0) > 0,
        ~painted_with(challenger, user=DuelRow.user, before=AnswerRow.received_at),
    )
    mine = sa.and_(StandingAnswerRow.subject == DuelRow.id, StandingAnswerRow.user == DuelRow.user)
    query = sa.select(DuelRow.user, DuelRow.swapped, UserRow.cluster, AnswerRow.payload, counts.label("counts"))
    query = query.select_from(DuelRow).join(StandingAnswerRow, mine)
    query = query.join(AnswerRow, AnswerRow.number == StandingAnswerRow.answer)
    query = query.join(UserRow, UserRow.id == DuelRow.user)
    query = query.outerjoin(RaterQualityRow, RaterQualityRow.user == DuelRow.user)
    query = query.where(DuelRow.experiment == name, ~StandingAnswerRow.retracted)
    return query.order_by(AnswerRow.number)


def _vote(payload: Any, *, swapped: bool) -> TrialVote:
    """What an answer says of the models; the first picture is the champion's, and stands right when swapped."""
    choice = payload["choice"]
    if choice in ("left", "right"):
        return "incumbent" if (choice == "left") != swapped else "candidate"
    return "tie" if choice == "tie" else "both bad"
