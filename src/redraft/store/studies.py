"""Studies of blind pairs: pairs, who is to judge which, and what they chose. Chooses no pairs and computes nothing.

Participants see neither systems nor each other's answers; an assignment is answered by whom it was given to, once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import sqlalchemy as sa

from redraft.core.errors import UnknownNameError, UsageError
from redraft.store.lookup import not_here
from redraft.store.schema_work import StudyAnswerRow, StudyAssignmentRow, StudyPairRow, StudyRow
from redraft.store.transactions import Database, exclude_others
from redraft.store.upsert import insert, scalars_in

StudyState = Literal["open", "closed"]
Choice = Literal["left", "right"]


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study. questions: asked about every pair, such as ("appeal", "faithfulness"). settings: JSON-able.

    owner: None once that person was erased.
    """

    id: str
    owner: str | None
    title: str
    questions: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    state: StudyState = "open"
    created_at: float
    closed_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class StudyPair:
    """Two systems' pictures of one prompt, by the hashes of their bytes; `number` is its place in the study."""

    id: str
    study: str
    number: int
    prompt: str
    first: str
    second: str
    first_system: str
    second_system: str


@dataclass(frozen=True, kw_only=True)
class StudyAssignment:
    """A pair given to a participant as the `place`-th of theirs, from 0. swapped: the first picture stands right."""

    id: str
    study: str
    user: str
    pair: str
    place: int
    swapped: bool
    assigned_at: float


@dataclass(frozen=True, kw_only=True)
class StudyAnswer:
    """A participant's choice for one question about an assignment, as it lay before them."""

    assignment: str
    question: str
    choice: Choice
    lead_ms: int | None = None
    created_at: float
    received_at: float


@dataclass(frozen=True, kw_only=True)
class StudyResult:
    """One answer with what it was about. chose_first: the first system's picture was chosen, wherever it stood."""

    user: str
    pair: StudyPair
    question: str
    chose_first: bool
    swapped: bool
    lead_ms: int | None
    received_at: float


@dataclass(frozen=True, kw_only=True)
class Participation:
    """How many pairs a person was given in a study, and to how many all questions were answered."""

    study: str
    user: str
    given: int
    answered: int


Assign = Callable[[Mapping[str, int], int], Sequence[StudyAssignment]]
"""From how often each pair not yet given to the participant was given to others, and the next place, to assignments."""


class Studies:
    """The studies of a workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, study: Study, pairs: Sequence[StudyPair]) -> None:
        """Enter a study with all its pairs, in one transaction; their pictures must be in the store already."""
        values = {**vars(study), "questions": list(study.questions), "settings": dict(study.settings)}
        with self._database.writing() as connection:
            connection.execute(sa.insert(StudyRow).values(**values))
            if pairs:
                connection.execute(sa.insert(StudyPairRow), [vars(pair) for pair in pairs])

    def get(self, id: str) -> Study:
        """A study. Raises UnknownNameError."""
        with self._database.reading() as connection:
            return _get(connection, id)

    def list(self) -> tuple[Study, ...]:
        """All studies, the newest first."""
        query = sa.select(StudyRow.__table__).order_by(StudyRow.created_at.desc(), StudyRow.id)
        with self._database.reading() as connection:
            return tuple(_study(row) for row in connection.execute(query))

    def close(self, id: str, *, at: float) -> None:
        """End a study: no assignment and no answer is taken any more. Raises UnknownNameError."""
        with self._database.writing() as connection:
            _get(connection, id)
            change = sa.update(StudyRow).where(StudyRow.id == id, StudyRow.state == "open")
            connection.execute(change.values(state="closed", closed_at=at))

    def pairs(self, id: str) -> tuple[StudyPair, ...]:
        """The pairs of a study by number. Not for participants: they name the systems."""
        query = sa.select(StudyPairRow.__table__).where(StudyPairRow.study == id).order_by(StudyPairRow.number)
        with self._database.reading() as connection:
            return tuple(StudyPair(**row._asdict()) for row in connection.execute(query))

    def assign(self, id: str, user: str, choose: Assign) -> tuple[StudyAssignment, ...]:
        """Give pairs to a participant: `choose` picks them, and no other participant is given any meanwhile.

        Raises UnknownNameError, and UsageError when the study is closed.
        """
        given = sa.func.count(StudyAssignmentRow.id)
        mine = sa.select(StudyAssignmentRow.pair).where(StudyAssignmentRow.study == id, StudyAssignmentRow.user == user)
        free = sa.select(StudyPairRow.id, given).outerjoin(
            StudyAssignmentRow, StudyAssignmentRow.pair == StudyPairRow.id
        )
        free = free.where(StudyPairRow.study == id, StudyPairRow.id.not_in(mine)).group_by(StudyPairRow.id)
        with self._database.writing() as connection:
            exclude_others(connection, f"study {id}")
            _check_open(connection, id)
            counts = {row[0]: row[1] for row in connection.execute(free.order_by(StudyPairRow.number))}
            place = connection.scalar(sa.select(sa.func.count()).select_from(mine.subquery())) or 0
            chosen = tuple(choose(counts, place))
            if chosen:
                connection.execute(sa.insert(StudyAssignmentRow), [vars(item) for item in chosen])
        return chosen

    def next(self, id: str, *, user: str) -> tuple[StudyAssignment, StudyPair, tuple[str, ...]] | None:
        """A participant's first assignment that is not wholly answered, its pair, and the questions still open.

        None when nothing is left. Raises UnknownNameError.
        """
        with self._database.reading() as connection:
            study = _get(connection, id)
            count = sa.select(sa.func.count()).where(StudyAnswerRow.assignment == StudyAssignmentRow.id)
            query = sa.select(StudyAssignmentRow.__table__).where(StudyAssignmentRow.study == id)
            query = query.where(StudyAssignmentRow.user == user, count.scalar_subquery() < len(study.questions))
            row = connection.execute(query.order_by(StudyAssignmentRow.place).limit(1)).one_or_none()
            if row is None:
                return None
            pair = connection.execute(sa.select(StudyPairRow.__table__).where(StudyPairRow.id == row.pair)).one()
            done = scalars_in(connection, sa.select(StudyAnswerRow.question), StudyAnswerRow.assignment, [row.id])
        left = tuple(question for question in study.questions if question not in done)
        return StudyAssignment(**row._asdict()), StudyPair(**pair._asdict()), left

    def assignment(self, id: str) -> tuple[StudyAssignment, StudyPair]:
        """An assignment with its pair, whoever has it. Raises UnknownNameError."""
        with self._database.reading() as connection:
            query = sa.select(StudyAssignmentRow.__table__).where(StudyAssignmentRow.id == id)
            row = connection.execute(query).one_or_none()
            if row is None:
                raise UnknownNameError(f"assignment {id!r} does not exist")
            pair = connection.execute(sa.select(StudyPairRow.__table__).where(StudyPairRow.id == row.pair)).one()
        return StudyAssignment(**row._asdict()), StudyPair(**pair._asdict())

    def taken_part(self, *, user: str | None = None, study: str | None = None) -> tuple[Participation, ...]:
        """How far participants are, by study and user: one person's studies, one study's people, or all."""
        answers = sa.func.count(StudyAnswerRow.question)
        of = (StudyAssignmentRow.study, StudyAssignmentRow.user)
        query = sa.select(*of, answers, StudyRow.questions).join(StudyRow, StudyRow.id == StudyAssignmentRow.study)
        query = query.outerjoin(StudyAnswerRow, StudyAnswerRow.assignment == StudyAssignmentRow.id)
        for column, value in zip(of, (study, user), strict=True):
            query = query if value is None else query.where(column == value)
        found: dict[tuple[str, str], list[bool]] = {}
        with self._database.reading() as connection:
            # Grouped by the key of the study, whose questions depend on it; PostgreSQL compares no JSON.
            for row in connection.execute(query.group_by(*of, StudyAssignmentRow.id, StudyRow.id).order_by(*of)):
                found.setdefault((row[0], row[1]), []).append(row[2] >= len(row[3]))
        return tuple(
            Participation(study=study, user=user, given=len(done), answered=sum(done))
            for (study, user), done in found.items()
        )

    def answer(self, answer: StudyAnswer, *, user: str) -> bool:
        """Keep a participant's choice; False when it was made before: the first one stays, however often it is sent.

        Raises UnknownNameError when the assignment is not theirs, UsageError for a question that the study does not ask
        and when the study is closed.
        """
        with self._database.writing() as connection:
            query = sa.select(StudyAssignmentRow.study).where(StudyAssignmentRow.id == answer.assignment)
            found = connection.scalar(query.where(StudyAssignmentRow.user == user))
            if found is None:
                raise UnknownNameError(f"assignment {answer.assignment!r} was not given to this person")
            study = _check_open(connection, found)
            if answer.question not in study.questions:
                raise UsageError(
                    f"the question {answer.question!r} is not one of this study: it asks {', '.join(study.questions)}"
                )
            statement = insert(connection, StudyAnswerRow).values(**vars(answer)).on_conflict_do_nothing()
            return connection.execute(statement.returning(StudyAnswerRow.assignment)).one_or_none() is not None

    def results(self, id: str) -> tuple[StudyResult, ...]:
        """All answers of a study, in the order they came: for its table, clustered by user. Raises UnknownNameError."""
        columns = [column.label(f"pair_{column.name}") for column in StudyPairRow.__table__.columns]
        query = sa.select(StudyAnswerRow.__table__, StudyAssignmentRow.user, StudyAssignmentRow.swapped, *columns)
        query = query.select_from(StudyAnswerRow)
        query = query.join(StudyAssignmentRow, StudyAssignmentRow.id == StudyAnswerRow.assignment)
        query = query.join(StudyPairRow, StudyPairRow.id == StudyAssignmentRow.pair).where(StudyPairRow.study == id)
        order = (StudyAnswerRow.received_at, StudyAnswerRow.assignment, StudyAnswerRow.question)
        with self._database.reading() as connection:
            _get(connection, id)
            return tuple(_result(row) for row in connection.execute(query.order_by(*order)))


def _get(connection: sa.Connection, id: str) -> Study:
    row = connection.execute(sa.select(StudyRow.__table__).where(StudyRow.id == id)).one_or_none()
    if row is None:
        raise not_here("study", id, connection.scalars(sa.select(StudyRow.id).limit(20)))
    return _study(row)


def _check_open(connection: sa.Connection, id: str) -> Study:
    study = _get(connection, id)
    if study.state != "open":
        raise UsageError(f"the study {study.title!r} is closed: nothing is taken any more; its owner can begin another")
    return study


def _study(row: sa.Row[Any]) -> Study:
    return Study(**{**row._asdict(), "questions": tuple(row.questions), "state": cast(StudyState, row.state)})


def _result(row: sa.Row[Any]) -> StudyResult:
    values = row._asdict()
    pair = {name.removeprefix("pair_"): values[name] for name in values if name.startswith("pair_")}
    return StudyResult(
        user=row.user,
        pair=StudyPair(**pair),
        question=row.question,
        # With the pictures swapped, the first system's stands on the right.
        chose_first=(row.choice == "left") != row.swapped,
        swapped=row.swapped,
        lead_ms=row.lead_ms,
        received_at=row.received_at,
    )
