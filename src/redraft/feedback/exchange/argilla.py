"""Argilla's records, as `dataset.records.to_json` writes and `Record.from_dict` reads them, in a JSON list.

A record has `fields` (prompt, picture_0, picture_1, ...) and `responses` by question, each with the user's id. Our
questions: `choice` (first, second, tie), `chosen` (a picture's field), `ranking` (a list of {value, rank}), `stars_0`
and so on, `thumb_0` and so on, and `rating_NAME`. Ratings carry their scales in the metadata `scales`; one
without is refused, for a record does not tell which numbers its questions offer. User ids are UUIDs there: other
pseudonyms are written as one made from them, and stay readable in the metadata `redraft`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from redraft.core.errors import UsageError, printable
from redraft.core.feedback import Judgement, Preference, Rating
from redraft.feedback.exchange import fields
from redraft.feedback.exchange.formats import Found, Reading, Writing, only
from redraft.feedback.exchange.rows import Fault, Row, extras, restored

NAME = "argilla"
KINDS = ("pair", "choice", "ranks", "stars", "thumbs", "rating")
_SIDES = {"first": (1.0, 0.0), "second": (0.0, 1.0), "tie": (0.5, 0.5)}
_PEOPLE = uuid.UUID("5a0b3c0e-5d0f-5b57-8c0c-7d3e6d0a9b11")
"""The namespace of user ids that are made from pseudonyms."""


def decode(found: Found, _reading: Reading) -> Sequence[Row | Fault]:
    """One row for each user of a record. Raises UsageError."""
    record = fields.entry(found.value, ("fields", "responses"), what="a record of Argilla")
    shown = fields.entry(record["fields"], ("prompt",), what="fields")
    pictures = _pictures(shown)
    metadata = fields.entry(record.get("metadata") or {}, (), what="metadata")
    people, faults = _by_user(record["responses"])
    if not people and not faults:
        raise UsageError("has no response: nobody has answered this record yet")
    prompt, scales, kept = fields.text(shown, "prompt"), _json(metadata, "scales"), _json(metadata, "redraft")
    own = {
        "record": fields.rest(record, ("fields", "responses", "metadata")),
        "metadata": fields.rest(metadata, ("scales", "redraft")),
        "fields": {key: item for key, item in shown.items() if key != "prompt" and not key.startswith("picture_")},
    }
    own = {name: item for name, item in own.items() if item}
    rows: list[Row | Fault] = []
    for user, answers in people:
        try:
            judgement = _judgement(prompt, pictures, answers, scales=scales, rater=user)
            row = Row(judgement=judgement, format=NAME, item=str(found.entry), details=own)
            row = restored(row, kept.get(user) if user else None)
        except UsageError as error:
            rows.append(Fault(where=_named(user), message=str(error)))
            continue
        rows.append(row)
        own = {} if row.format == NAME else own
    return rows + faults


def _pictures(shown: Mapping[str, Any]) -> tuple[str, ...]:
    count = sum(1 for key in shown if key.startswith("picture_"))
    if not count:
        raise UsageError("fields has no picture_0: our records have prompt, picture_0, picture_1 and so on")
    return tuple(fields.text(shown, f"picture_{place}") for place in range(count))


def _json(metadata: Mapping[str, Any], key: str) -> dict[str, Any]:
    text = metadata.get(key)
    try:
        value = json.loads(text) if text else {}
    except (ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"metadata.{key} is {str(text)[:60]!r} ({error}): leave it as it was written") from error
    return fields.entry(value, (), what=f"metadata.{key}")


def _by_user(responses: Any) -> tuple[list[tuple[str, dict[str, Any]]], list[Fault]]:
    """Each user's answers by question, and a fault for whatever cannot be read, was not submitted, or contradicts."""
    given: dict[str, dict[str, list[Any]]] = {}
    faults: list[Fault] = []
    for question, items in fields.entry(responses, (), what="responses").items():
        for item in items if isinstance(items, list) else [items]:
            try:
                user, value = _response(item)
            except UsageError as error:
                faults.append(Fault(where=f"response to {printable(question)}", message=str(error)))
            else:
                given.setdefault(user, {}).setdefault(question, []).append(value)
    people: list[tuple[str, dict[str, Any]]] = []
    for user, answers in given.items():
        question, most = max(((name, len(values)) for name, values in answers.items()), key=lambda found: found[1])
        if most == 1:
            people.append((user, {name: values[0] for name, values in answers.items()}))
        elif not user and len(answers) == 1:  # nobody says who they are, but each of them answered everything
            people += [("", {question: value}) for value in answers[question]]
        else:
            message = _TWICE if user else _NAMELESS
            message = f"{most} answers to {printable(question)}: {message}"
            faults.append(Fault(where=_named(user), message=message, rows=most))
    return people, faults


_TWICE = "a person gives one, and nothing says which is meant; remove the others"
_NAMELESS = "nothing says which belong to one person with the answers to the other questions; give each its user_id"


def _named(user: str) -> str:
    return f"user {printable(user)}" if user else "user without an id"


def _response(item: Any) -> tuple[str, Any]:
    response = fields.entry(item, ("value",), what="a response")
    if response.get("status") in ("draft", "discarded"):
        raise UsageError(f"is {response['status']}, so the person did not mean it: only submitted ones are read")
    # Of a person whose account is gone, the id is null, or the text of it.
    user = response.get("user_id")
    return "" if user in (None, "None") else fields.text(response, "user_id"), response["value"]


def _judgement(
    prompt: str, pictures: tuple[str, ...], answers: Mapping[str, Any], *, scales: Mapping[str, Any], rater: str
) -> Judgement:
    names = set(answers)
    if names == {"choice"}:
        side = _SIDES.get(str(answers["choice"]))
        if side is None:
            raise UsageError(f"choice is {str(answers['choice'])[:40]!r}: it is first, second or tie")
        return Preference(prompt=prompt, pictures=pictures, kind="pair", answer=side, rater=rater)
    if names == {"chosen"}:
        marks = tuple(float(f"picture_{place}" == answers["chosen"]) for place in range(len(pictures)))
        return Preference(prompt=prompt, pictures=pictures, kind="choice", answer=marks, rater=rater)
    if names == {"ranking"}:
        ranks = _ranks(answers["ranking"], len(pictures))
        return Preference(prompt=prompt, pictures=pictures, kind="ranks", answer=ranks, rater=rater)
    for stem in ("stars", "thumb"):
        wanted = [f"{stem}_{place}" for place in range(len(pictures))]
        if names == set(wanted):
            return _marks(prompt, pictures, stem, [answers[name] for name in wanted], rater=rater)
    if names and all(name.startswith("rating_") for name in names) and len(pictures) == 1:
        return _rating(prompt, pictures[0], answers, scales=scales, rater=rater)
    raise UsageError(
        f"answers to {fields.listed(names) or 'nothing'} about {len(pictures)} pictures: choice, chosen, ranking, "
        "stars_0, thumb_0 and rating_NAME are read, each for all pictures"
    )


def _marks(prompt: str, pictures: tuple[str, ...], stem: str, values: Sequence[Any], *, rater: str) -> Preference:
    if stem == "stars":
        stars = fields.numbers({"stars": list(values)}, "stars")
        return Preference(prompt=prompt, pictures=pictures, kind="stars", answer=stars, rater=rater)
    if not all(value in ("up", "down") for value in values):
        raise UsageError(f"thumbs {list(values)}: each is up or down")
    thumbs = tuple(float(value == "up") for value in values)
    return Preference(prompt=prompt, pictures=pictures, kind="thumbs", answer=thumbs, rater=rater)


def _ranks(value: Any, count: int) -> tuple[float, ...]:
    if not isinstance(value, list):
        raise UsageError("ranking must be a list of {value, rank}")
    places = [fields.entry(item, ("value", "rank"), what="a place of a ranking") for item in value]
    ranks = {str(place["value"]): fields.number(place, "rank") for place in places}
    names = [f"picture_{place}" for place in range(count)]
    if set(ranks) != set(names) or len(places) != count:
        raise UsageError(f"ranking of {fields.listed(ranks)}: it ranks {', '.join(names)}, each once")
    return tuple(ranks[name] for name in names)


def _rating(prompt: str, picture: str, answers: Mapping[str, Any], *, scales: Mapping[str, Any], rater: str) -> Rating:
    values = {name.removeprefix("rating_"): fields.number(answers, name) for name in answers}
    ranges: dict[str, tuple[float, float]] = {}
    for name in scales:
        ends = fields.numbers(scales, name)
        if len(ends) != 2:
            raise UsageError(
                f"metadata.scales: {printable(name)} has {len(ends)} ends: give the lowest and the highest number"
            )
        ranges[name] = (ends[0], ends[1])
    unknown = [name for name in values if name not in ranges]
    if unknown:
        example = json.dumps({"scales": json.dumps({unknown[0][:60]: [1, 5]})})
        raise UsageError(
            f"nothing says the scale of {printable('rating_' + unknown[0])}, for records do not tell what a "
            f"question's numbers are: give its lowest and highest one in the record's metadata, such as {example}"
        )
    return Rating(prompt=prompt, picture=picture, values=values, scales=ranges, rater=rater)


def encode(rows: Sequence[Row], _writing: Writing) -> dict[str, Any]:
    """The record of one item, with the responses of each person. Raises UsageError."""
    only(rows, *KINDS, format=NAME)
    first = rows[0]
    own = first.details if first.format == NAME else {}
    shown = {"prompt": first.judgement.prompt}
    shown |= {f"picture_{place}": name for place, name in enumerate(first.pictures)}
    responses: dict[str, list[dict[str, Any]]] = {}
    kept: dict[str, str] = {}
    users: set[str] = set()
    for place, row in enumerate(rows):
        user = _user(row.judgement.rater, place=place)
        if user in users:
            raise UsageError(f"the rater {row.judgement.rater!r} judged one item twice: a record takes one answer each")
        users.add(user)
        for question, value in _answers(row.judgement).items():
            responses.setdefault(question, []).append({"value": value, "user_id": user})
        more = extras(row, format=NAME, native=("rater",))
        if more or user != row.judgement.rater:
            kept[user] = json.dumps({**json.loads(more or "{}"), "rater": row.judgement.rater})
    metadata = dict(own.get("metadata", {}))
    if isinstance(first.judgement, Rating):
        metadata["scales"] = json.dumps(dict(first.judgement.scales))
    if kept:
        metadata["redraft"] = json.dumps(kept)
    record = {"id": first.item or None, "suggestions": {}, "vectors": {}, **own.get("record", {})}
    return {**record, "fields": {**shown, **own.get("fields", {})}, "metadata": metadata, "responses": responses}


def _user(rater: str, *, place: int) -> str:
    """The user id of a rater: the name itself where it is a UUID, else one made from it. The nameless have one each."""
    try:
        if str(uuid.UUID(rater)) == rater:
            return rater
    except ValueError:
        pass
    return str(uuid.uuid5(_PEOPLE, rater or f"nameless {place}"))


def _answers(said: Judgement) -> dict[str, Any]:
    if isinstance(said, Rating):
        return {f"rating_{name}": fields.plain(value) for name, value in said.values.items()}
    places = range(len(said.pictures))
    match said.kind:
        case "pair":
            side = next((name for name, answer in _SIDES.items() if answer == said.answer), None)
            if side is None:
                raise UsageError(f"shares {said.answer}: a choice is first, second or tie; export to jsonl")
            return {"choice": side}
        case "choice":
            return {"chosen": f"picture_{said.answer.index(1.0)}"}
        case "ranks":
            return {"ranking": [{"value": f"picture_{i}", "rank": fields.plain(said.answer[i])} for i in places]}
        case "stars":
            return {f"stars_{i}": fields.plain(said.answer[i]) for i in places}
    return {f"thumb_{i}": "up" if said.answer[i] else "down" for i in places}
