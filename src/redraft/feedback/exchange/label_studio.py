"""Label Studio's JSON of tasks with annotations, and a labeling configuration beside it so that import is one click.

Read: tasks of our own configurations, and of anybody's that compare two pictures (Pairwise) or rate one (Rating,
Number); scales come from the configuration. A skipped annotation is told as a fault, for nothing was said. Written:
one task an item, one annotation a person; the raters' names, which Label Studio cannot take, stay in `data.redraft` by
the ids of their annotations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from redraft.core.errors import UsageError, printable
from redraft.core.feedback import Judgement, Preference, Rating
from redraft.feedback.exchange import fields
from redraft.feedback.exchange.annotation_ids import Matched, matched, put_aside
from redraft.feedback.exchange.annotation_results import Said, read_results
from redraft.feedback.exchange.formats import Found, Reading, Writing, only
from redraft.feedback.exchange.labeling import MOST, Labeling, labeling_for, read_labeling
from redraft.feedback.exchange.people import rater_of, without_names
from redraft.feedback.exchange.rows import Fault, Row, extras, restored

NAME = "label-studio"
KINDS = ("pair", "choice", "ranks", "stars", "thumbs", "rating")
_SIDES = {"left": (1.0, 0.0), "right": (0.0, 1.0), "tie": (0.5, 0.5)}
_SCORES = ("rank_", "stars_", "thumb_")
_read = lru_cache(maxsize=4)(read_labeling)


def decode(found: Found, reading: Reading) -> Sequence[Row | Fault]:
    """One row an annotation of a task. Raises UsageError."""
    task = fields.entry(found.value, ("data",), what="a task of Label Studio")
    data = fields.entry(task["data"], (), what="data")
    people = task.get("annotations") or []
    if not isinstance(people, list) or not people:
        raise UsageError("has no annotation: nobody has answered this task yet")
    labeling = _read(reading.labeling) if reading.labeling else None
    try:
        known = matched(people, data.get("redraft"))
    except UsageError as error:
        return [Fault(where="the task", message=str(error), rows=len(people))]
    own = {
        "task": without_names(fields.rest(task, ("data", "annotations"))),
        "data": {name: item for name, item in data.items() if not _is_ours(name, labeling)},
    }
    rows: list[Row | Fault] = []
    for place, person in enumerate(known, 1):
        try:
            row, unread = _person(person, data, labeling, details=own, item=str(found.entry))
        except UsageError as error:
            rows.append(Fault(where=f"annotation {place}", message=str(error)))
            continue
        rows.append(row)
        rows += [Fault(where=f"annotation {place}, {printable(name)}", message=_UNREAD) for name in unread]
        own = {} if row.format == NAME else own  # it goes with the first that can be read
    return rows


_UNREAD = (
    "was not read, for it stands beside a comparison, and an annotation is read as one kind of answer: ask this in a "
    "project of its own"
)


def _person(
    found: Matched, data: Mapping[str, Any], labeling: Labeling | None, *, details: Mapping[str, Any], item: str
) -> tuple[Row, Sequence[str]]:
    """The row of an annotation, and the controls that were answered besides."""
    if found.fault:
        raise UsageError(found.fault)
    person, aside = fields.entry(found.annotation, ("result",), what="an annotation"), found.aside or {}
    if person.get("was_cancelled"):
        raise UsageError("was skipped by the person: there is nothing in it to learn from")
    said = read_results(person)
    judgement = _judgement(data, said, labeling, rater=rater_of(person.get("completed_by")))
    annotation = without_names(fields.rest(person, ("result",)))
    if "completed_by" in annotation and judgement.rater and rater_of(annotation["completed_by"]) != judgement.rater:
        annotation["completed_by"] = judgement.rater  # there was only an address, of which nothing is left
    beside = [*aside.get("beside", []), *without_names(said.beside)]
    annotation |= {"result": beside} if beside else {}
    known = {name: value for name, value in {**details, "annotation": annotation}.items() if value}
    judgement = replace(judgement, rater=aside.get("rater", judgement.rater))
    row = Row(judgement=judgement, format=NAME, item=item, details=known)
    return restored(row, aside.get("extras")), said.unread


def _is_ours(name: str, labeling: Labeling | None) -> bool:
    used = {labeling.prompt, *labeling.objects.values()} if labeling else set()
    return name in {"prompt", "redraft", *used} or name.startswith("picture_")


def _judgement(data: Mapping[str, Any], said: Said, labeling: Labeling | None, *, rater: str) -> Judgement:
    answers, compared = said.answers, said.compared
    prompt = fields.text(data, labeling.prompt if labeling and labeling.prompt else "prompt")
    if said.is_comparison:
        side = "tie" if compared is None or "tie" in answers else str(answers[compared["from_name"]])
        if side not in _SIDES:
            raise UsageError(f"a pairwise result selects {side[:40]!r}: it is left or right")
        pictures = _pair_of(data, compared, labeling)
        return Preference(prompt=prompt, pictures=pictures, kind="pair", answer=_SIDES[side], rater=rater)
    pictures = tuple(fields.text(data, key) for key in _picture_keys(data, labeling))
    if "chosen" in answers:
        chosen = str(answers["chosen"])
        marks = tuple(float(str(place) == chosen) for place in range(len(pictures)))
        return Preference(prompt=prompt, pictures=pictures, kind="choice", answer=marks, rater=rater)
    if all(name.startswith(_SCORES) for name in answers):
        return _scored(prompt, pictures, answers, rater=rater)
    return _rated(prompt, pictures, answers, labeling, rater=rater)


def _pair_of(data: Mapping[str, Any], result: Mapping[str, Any] | None, labeling: Labeling | None) -> tuple[str, ...]:
    """The pictures that a comparison is about: as its configuration says, as its result says, or ours."""
    about: tuple[str, ...] = ()
    if result is not None:
        control = labeling.controls.get(result["from_name"]) if labeling else None
        about = control.about if control else tuple(str(result.get("to_name", "")).split(","))
    if len(about) != 2:
        about = ("picture_0", "picture_1")
    keys = [labeling.objects.get(name, name) if labeling else name for name in about]
    return tuple(fields.text(data, key) for key in keys)


def _picture_keys(data: Mapping[str, Any], labeling: Labeling | None) -> tuple[str, ...]:
    if labeling and labeling.objects:
        keys = tuple(labeling.objects.values())
    else:
        keys = tuple(f"picture_{place}" for place in range(MOST))
    present = tuple(key for key in keys if data.get(key) not in (None, ""))
    if not present:
        raise UsageError(
            f"data has no picture under {fields.listed(keys[:3])}: give --labeling-config, it names the keys"
        )
    return present


def _scored(prompt: str, pictures: tuple[str, ...], answers: Mapping[str, Any], *, rater: str) -> Preference:
    stem = next(stem for stem in _SCORES if next(iter(answers)).startswith(stem))
    names = [f"{stem}{place}" for place in range(len(pictures))]
    if set(names) != set(answers):
        raise UsageError(f"answers to {fields.listed(answers)}: {', '.join(names)} are needed, one a picture")
    if stem == "thumb_":
        if not all(answers[name] in ("up", "down") for name in names):
            raise UsageError("a thumb is neither up nor down: choose one of them")
        marks = tuple(float(answers[name] == "up") for name in names)
    else:
        marks = tuple(fields.number(answers, name) for name in names)
    match stem:
        case "rank_":
            return Preference(prompt=prompt, pictures=pictures, kind="ranks", answer=marks, rater=rater)
        case "stars_":
            return Preference(prompt=prompt, pictures=pictures, kind="stars", answer=marks, rater=rater)
    return Preference(prompt=prompt, pictures=pictures, kind="thumbs", answer=marks, rater=rater)


def _rated(
    prompt: str, pictures: Sequence[str], answers: Mapping[str, Any], labeling: Labeling | None, *, rater: str
) -> Rating:
    if len(pictures) != 1:
        raise UsageError(f"numbers about {len(pictures)} pictures: ratings of one picture and comparisons are read")
    scales = {name: control.scale for name, control in labeling.controls.items()} if labeling else {}
    unknown = [name for name in answers if scales.get(name) is None]
    if unknown:
        raise UsageError(
            f"nothing says the scale of {unknown[0]!r}: give its project's --labeling-config, with min and max"
        )
    return Rating(
        prompt=prompt, picture=pictures[0], values={name: fields.number(answers, name) for name in answers},
        scales={name: scale for name, scale in scales.items() if scale is not None}, rater=rater,
    )  # fmt: skip


def encode(rows: Sequence[Row], _writing: Writing) -> dict[str, Any]:
    """The task of one item, with an annotation for each person. Raises UsageError."""
    only(rows, *KINDS, format=NAME)
    first = rows[0]
    if len(first.pictures) > MOST:
        raise UsageError(f"{len(first.pictures)} pictures: a task has places for {MOST}; export to jsonl")
    if {row.kind for row in rows} != {first.kind}:
        raise UsageError("one item with answers of several kinds: give each kind its own file")
    places = {"pair": 2, "rating": 1}.get(first.kind, MOST)
    shown = {f"picture_{place}": "" for place in range(places)}
    shown |= {f"picture_{place}": name for place, name in enumerate(first.pictures)}
    own = first.details if first.format == NAME else {}
    data = {"prompt": first.judgement.prompt, **shown, **own.get("data", {})}
    annotations, asides = [], []
    for row in rows:
        details = dict(row.details.get("annotation", {})) if row.format == NAME else {}
        beside = details.pop("result", [])  # of controls that the configuration we write does not have
        annotations.append({"result": _results_of(row.judgement), **details})
        asides.append(_aside(row, details) | ({"beside": beside} if beside else {}))
    redraft = put_aside(annotations, asides, of=f"{first.item} {first.judgement.prompt} {' '.join(first.pictures)}")
    if redraft:
        data["redraft"] = redraft
    return {**own.get("task", {}), "data": data, "annotations": annotations}


def _aside(row: Row, annotation: Mapping[str, Any]) -> dict[str, Any]:
    """What Label Studio has no place for; empty where it can tell everything."""
    rater, more = row.judgement.rater, extras(row, format=NAME, native=("rater",))
    told = rater and rater_of(annotation.get("completed_by")) == rater
    if told and not more:
        return {}
    return {"rater": rater} | ({"extras": more} if more else {})


def _results_of(said: Judgement) -> list[dict[str, Any]]:
    if isinstance(said, Rating):
        return [_result(name, "picture_0", "number", value) for name, value in said.values.items()]
    places = range(len(said.pictures))
    match said.kind:
        case "pair" if said.answer == (0.5, 0.5):
            return [_result("tie", "picture_0", "choices", ["tie"])]
        case "pair" if set(said.answer) == {0.0, 1.0}:
            side = "left" if said.answer[0] else "right"
            # Label Studio's own checks want one object here; its configuration says that the choice is about two.
            return [{"from_name": "choice", "to_name": "picture_0", "type": "pairwise", "value": {"selected": side}}]
        case "pair":
            raise UsageError(f"shares {said.answer}: a comparison is left, right or a tie; export to jsonl")
        case "choice":
            return [_result("chosen", "picture_0", "choices", [str(said.answer.index(1.0))])]
        case "thumbs":
            return [
                _result(f"thumb_{i}", f"picture_{i}", "choices", ["up" if said.answer[i] else "down"]) for i in places
            ]
        case "stars" if all(mark == int(mark) for mark in said.answer):
            return [_result(f"stars_{i}", f"picture_{i}", "rating", int(said.answer[i])) for i in places]
        case "stars":
            raise UsageError(f"{said.answer} stars: Label Studio has whole stars only; export to jsonl")
    return [_result(f"rank_{i}", f"picture_{i}", "number", said.answer[i]) for i in places]


def _result(name: str, about: str, kind: str, value: Any) -> dict[str, Any]:
    return {"from_name": name, "to_name": about, "type": kind, "value": {kind: value}}


COMPANION = (".config.xml", labeling_for)
