"""The gallery: the pictures that people asked for, page by page, with what was predicted of them. Owners see their own.

Pages are found by a key, not by counting: the thousandth costs what the first does, however much feedback there is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import sqlalchemy as sa

from redraft.core.errors import UnknownNameError
from redraft.store.answer_ingest import answer_of
from redraft.store.answer_records import Answer
from redraft.store.requests import TRIAL, Request, request_of
from redraft.store.schema_feedback import AnswerRow, StandingAnswerRow
from redraft.store.schema_pictures import EmbeddingRow, GalleryFacetRow, GalleryRow, RequestRow
from redraft.store.transactions import Database
from redraft.store.upsert import insert

Column = sa.SQLColumnExpression[Any]
Safety = Literal["ok", "blurred", "withheld", "quarantined"]


@dataclass(frozen=True, kw_only=True)
class Painting:
    """A picture of a request. id: public and random; picture: the hash of its bytes, never shown.

    place: which of the request's pictures, from 0. confidence: the least of `terms`, None when it was not scored;
    weakest: the name of that term. facets: predicted. fingerprints: of the scorers. unsafe: it leans unsafe. blurred:
    it is shown blurred.
    """

    id: str
    request: str
    owner: str
    picture: str
    place: int = 0
    seed: int
    base: str
    checkpoint: str
    confidence: float | None = None
    weakest: str = ""
    terms: Mapping[str, float] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    facets: Mapping[str, float] = field(default_factory=dict)
    unsafe: bool = False
    blurred: bool = False
    safety: Safety = "ok"
    safety_reason: str = ""
    favourite: bool = False
    created_at: float


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """A painting as its owner sees it: with its request, and with the owner's own answers that count."""

    painting: Painting
    request: Request
    answers: tuple[Answer, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which paintings, in which order. Every bound is inclusive; None means no bound.

    order: "newest", "confidence" (the least first) or the name of a predicted facet (the least first).
    low and high bound what is ordered by, but for "newest", where they bound the confidence. answered: only those the
    owner answered about (True) or not (False), with `form` only by that form; least_mark bounds that answer's mark.
    """

    order: str = "newest"
    low: float | None = None
    high: float | None = None
    base: str | None = None
    checkpoint: str | None = None
    safety: Safety | None = None
    favourite: bool | None = None
    answered: bool | None = None
    form: str | None = None
    least_mark: float | None = None
    most_mark: float | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """A part of the gallery. next: where the following page begins; None on the last one."""

    exhibits: tuple[Exhibit, ...]
    next: tuple[float, str] | None


class Gallery:
    """The paintings of all people."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, paintings: Sequence[Painting], *, embeddings: Mapping[str, tuple[str, bytes]] | None = None) -> None:
        """Enter paintings in one transaction; their pictures must be in the store already.

        `embeddings`: (fingerprint of the network, bytes) by the painting's id. Raises UnknownNameError when a request
        is not one of the painting's owner; then none is entered.
        """
        if not paintings:
            return
        made = embeddings or {}
        with self._database.writing() as connection:
            owners = sa.select(RequestRow.id, RequestRow.owner)
            owners = owners.where(RequestRow.id.in_({painting.request for painting in paintings}))
            found = {row.id: row.owner for row in connection.execute(owners)}
            for painting in paintings:
                if found.get(painting.request) != painting.owner:
                    raise UnknownNameError(f"request {painting.request!r} is not among the requests of this person")
            connection.execute(sa.insert(GalleryRow), [_values(painting) for painting in paintings])
            facets = [
                {"picture": painting.id, "owner": painting.owner, "name": name, "value": value}
                for painting in paintings
                for name, value in painting.facets.items()
            ]
            if facets:
                connection.execute(sa.insert(GalleryFacetRow), facets)
            vectors = [{"picture": id, "fingerprint": made[id][0], "data": made[id][1]} for id in made]
            if vectors:
                connection.execute(sa.insert(EmbeddingRow), vectors)

    def page(
        self, owner: str, *, selection: Selection | None = None, after: tuple[float, str] | None = None, limit: int = 50
    ) -> Page:
        """A page of a person's gallery, `after` the `next` of the page before."""
        chosen = selection or Selection()
        query, order = _selected(owner, chosen)
        if after is not None:
            bound = sa.tuple_(*map(sa.literal, after))
            query = query.where(sa.tuple_(*order) < bound if chosen.order == "newest" else sa.tuple_(*order) > bound)
        directed = [column.desc() if chosen.order == "newest" else column for column in order]
        with self._database.reading() as connection:
            rows = connection.execute(
                query.add_columns(order[0].label("key")).order_by(*directed).limit(limit + 1)
            ).all()
            shown = rows[:limit]
            exhibits = _exhibits(connection, owner, [row.id for row in shown])
        last = (float(shown[-1].key), shown[-1].id) if len(rows) > limit and shown else None
        return Page(exhibits=exhibits, next=last)

    def get(self, id: str, *, owner: str, trials: bool = False) -> Exhibit:
        """A person's painting; those of trials, which tell of a model, only with `trials`.

        Raises UnknownNameError, the same for absent ones and those of others.
        """
        with self._database.reading() as connection:
            found = _exhibits(connection, owner, [id])
        if not found or (found[0].request.source == TRIAL and not trials):
            raise _unknown(id)
        return found[0]

    def of_request(self, request: str, *, owner: str) -> tuple[Painting, ...]:
        """The paintings of a person's request, by place."""
        query = sa.select(GalleryRow.__table__).where(GalleryRow.request == request, GalleryRow.owner == owner)
        with self._database.reading() as connection:
            return tuple(_record(row) for row in connection.execute(query.order_by(GalleryRow.place, GalleryRow.id)))

    def set_favourite(self, id: str, favourite: bool, *, owner: str) -> None:
        """Mark a person's painting or not. Raises UnknownNameError."""
        with self._database.writing() as connection:
            change = sa.update(GalleryRow).where(GalleryRow.id == id, GalleryRow.owner == owner)
            if connection.execute(change.values(favourite=favourite)).rowcount != 1:
                raise _unknown(id)

    def set_safety(self, id: str, safety: Safety, *, reason: str) -> None:
        """Change how any painting may be shown, for moderators. It is blurred in every state but "ok"."""
        with self._database.writing() as connection:
            change = sa.update(GalleryRow).where(GalleryRow.id == id)
            values = {"safety": safety, "safety_reason": reason, "blurred": safety != "ok"}
            if connection.execute(change.values(**values)).rowcount != 1:
                raise _unknown(id)

    def find(self, ids: Sequence[str]) -> tuple[Painting, ...]:
        """Any person's paintings by id: for duels, reviews and training, never on the word of a client."""
        query = sa.select(GalleryRow.__table__).where(GalleryRow.id.in_(ids)).order_by(GalleryRow.id)
        with self._database.reading() as connection:
            return tuple(_record(row) for row in connection.execute(query))

    def put_embedding(self, id: str, *, owner: str, fingerprint: str, data: bytes) -> None:
        """Enter or replace the embedding of a person's painting. Raises UnknownNameError."""
        with self._database.writing() as connection:
            mine = sa.select(GalleryRow.id).where(GalleryRow.id == id, GalleryRow.owner == owner)
            if connection.scalar(mine) is None:
                raise _unknown(id)
            statement = insert(connection, EmbeddingRow).values(picture=id, fingerprint=fingerprint, data=data)
            statement = statement.on_conflict_do_update(index_elements=["picture", "fingerprint"], set_={"data": data})
            connection.execute(statement)

    def embeddings(self, owner: str, ids: Sequence[str], *, fingerprint: str) -> dict[str, bytes]:
        """Embeddings of a person's paintings, by id; those that have none are left out."""
        query = sa.select(EmbeddingRow.picture, EmbeddingRow.data).join(
            GalleryRow, GalleryRow.id == EmbeddingRow.picture
        )
        query = query.where(GalleryRow.owner == owner, GalleryRow.id.in_(ids), EmbeddingRow.fingerprint == fingerprint)
        with self._database.reading() as connection:
            return {row.picture: row.data for row in connection.execute(query)}

    def histogram(
        self, base: str, checkpoint: str, *, form: str, low_mark: float, bins: int = 20, since: float = float("-inf")
    ) -> tuple[tuple[int, int, int], ...]:
        """Of everybody's scored paintings of a model, for each of `bins` equal bins of confidence in 0..1:
        how many there are, how many were answered by `form`, and how many of these with a mark of at most `low_mark`.
        """
        edges = [number / bins for number in range(1, bins)]
        place = sa.case(*((GalleryRow.confidence < edge, number) for number, edge in enumerate(edges)), else_=bins - 1)
        mark = sa.and_(StandingAnswerRow.subject == GalleryRow.id, StandingAnswerRow.user == GalleryRow.owner)
        mine = sa.and_(mark, StandingAnswerRow.form == form, ~StandingAnswerRow.retracted)
        low = sa.func.sum(sa.case((StandingAnswerRow.mark <= low_mark, 1), else_=0))
        query = sa.select(place.label("place"), sa.func.count(), sa.func.count(StandingAnswerRow.answer), low)
        query = query.select_from(GalleryRow).outerjoin(StandingAnswerRow, mine).group_by(place)
        query = query.where(GalleryRow.base == base, GalleryRow.checkpoint == checkpoint)
        query = query.where(GalleryRow.created_at >= since, GalleryRow.confidence.is_not(None))
        with self._database.reading() as connection:
            found = {row[0]: (row[1], row[2], int(row[3])) for row in connection.execute(query)}
        return tuple(found.get(number, (0, 0, 0)) for number in range(bins))


def _selected(owner: str, chosen: Selection) -> tuple[sa.Select[Any], tuple[Column, Column]]:
    """The ids of a selection, and the two columns that order them: those of one index."""
    of_trial = sa.select(RequestRow.id).where(RequestRow.id == GalleryRow.request, RequestRow.source == TRIAL)
    query = sa.select(GalleryRow.id).where(GalleryRow.owner == owner, ~of_trial.exists())
    order: tuple[Column, Column] = (GalleryRow.created_at, GalleryRow.id)
    bounded: Column = GalleryRow.confidence
    if chosen.order == "confidence":
        order = (GalleryRow.confidence, GalleryRow.id)
        query = query.where(GalleryRow.confidence.is_not(None))
    elif chosen.order != "newest":
        query = query.join(GalleryFacetRow, GalleryFacetRow.picture == GalleryRow.id)
        query = query.where(GalleryFacetRow.owner == owner, GalleryFacetRow.name == chosen.order)
        order, bounded = (GalleryFacetRow.value, GalleryFacetRow.picture), GalleryFacetRow.value
    if chosen.low is not None:
        query = query.where(bounded >= chosen.low)
    if chosen.high is not None:
        query = query.where(bounded <= chosen.high)
    for column, value in (
        (GalleryRow.base, chosen.base),
        (GalleryRow.checkpoint, chosen.checkpoint),
        (GalleryRow.safety, chosen.safety),
        (GalleryRow.favourite, chosen.favourite),
    ):
        if value is not None:
            query = query.where(column == value)
    if chosen.answered is not None:
        answered = _answered(owner, chosen)
        query = query.where(answered if chosen.answered else ~answered)
    return query, order


def _answered(owner: str, chosen: Selection) -> sa.ColumnElement[bool]:
    query = sa.select(StandingAnswerRow.answer).where(StandingAnswerRow.subject == GalleryRow.id)
    query = query.where(StandingAnswerRow.user == owner, ~StandingAnswerRow.retracted)
    if chosen.form is not None:
        query = query.where(StandingAnswerRow.form == chosen.form)
    if chosen.least_mark is not None:
        query = query.where(StandingAnswerRow.mark >= chosen.least_mark)
    if chosen.most_mark is not None:
        query = query.where(StandingAnswerRow.mark <= chosen.most_mark)
    return query.exists()


def _exhibits(connection: sa.Connection, owner: str, ids: Sequence[str]) -> tuple[Exhibit, ...]:
    """The owner's paintings among `ids`, in that order, with requests and the owner's answers."""
    mine = sa.select(GalleryRow.__table__).where(GalleryRow.id.in_(ids), GalleryRow.owner == owner)
    paintings = {row.id: _record(row) for row in connection.execute(mine)}
    wanted = sa.select(RequestRow.__table__).where(RequestRow.id.in_({item.request for item in paintings.values()}))
    requests = {row.id: request_of(row) for row in connection.execute(wanted)}
    counting = sa.select(AnswerRow.__table__).join(StandingAnswerRow, StandingAnswerRow.answer == AnswerRow.number)
    counting = counting.where(StandingAnswerRow.subject.in_(list(paintings)), StandingAnswerRow.user == owner)
    answers: dict[str, list[Answer]] = {}
    for row in connection.execute(counting.where(~StandingAnswerRow.retracted).order_by(AnswerRow.number)):
        answers.setdefault(row.subject, []).append(answer_of(row))
    return tuple(
        Exhibit(painting=item, request=requests[item.request], answers=tuple(answers.get(item.id, ())))
        for item in (paintings[id] for id in ids if id in paintings)
    )


def _unknown(id: str) -> UnknownNameError:
    return UnknownNameError(f"picture {id!r} is not in this person's gallery")


def _values(painting: Painting) -> dict[str, Any]:
    kept = {name: dict(getattr(painting, name)) for name in ("terms", "fingerprints", "facets")}
    return {**vars(painting), **kept}


def _record(row: sa.Row[Any]) -> Painting:
    return Painting(**{**row._asdict(), "safety": cast(Safety, row.safety)})
