"""HPD v2 (Human Preference Dataset): choices between two pictures (train), or ranks of several by people (test).

    train: {"prompt", "file_path": [2], "human_preference": [1, 0]}
    test:  {"prompt", "image_path": [k], "rank": [k, averaged], "raw_annotations": [{"rank": [k], "user_hash"}]}

Version 1 of the set is read as well: `human_preference` is there the index of the picture that was chosen of several.
It never stores the winner first, so sides stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from redraft.core.errors import UsageError
from redraft.core.feedback import Preference, PreferenceKind
from redraft.feedback.exchange import fields
from redraft.feedback.exchange.formats import Found, Reading, Writing, only
from redraft.feedback.exchange.rows import Fault, Row, extras, restorable, restored

NAME = "hpdv2"
_CHOICE = ("prompt", "file_path", "human_preference", "redraft")
_RANKS = ("prompt", "image_path", "rank", "raw_annotations", "redraft")


def decode(found: Found, _reading: Reading) -> Sequence[Row | Fault]:
    """One row for each person of an entry. Raises UsageError."""
    value = fields.entry(found.value, ("prompt",), what="an entry of HPD v2")
    if "image_path" in value:
        return _ranks(value, item=str(found.entry))
    fields.entry(value, ("file_path", "human_preference"), what="an entry of HPD v2 (train)")
    prompt, pictures, chosen = fields.text(value, "prompt"), fields.texts(value, "file_path"), value["human_preference"]
    details = fields.rest(value, _CHOICE)
    if isinstance(chosen, int) and not isinstance(chosen, bool):
        if not 0 <= chosen < len(pictures):
            raise UsageError(
                f"human_preference is {chosen} of {len(pictures)} pictures: it is the index of one of them"
            )
        answer = tuple(float(place == chosen) for place in range(len(pictures)))
        details["version"] = 1
    else:
        answer = fields.numbers(value, "human_preference")
    kind: PreferenceKind = "pair" if len(pictures) == 2 else "choice"
    judgement = Preference(
        prompt=prompt, pictures=pictures, kind=kind, answer=answer,
        rater=fields.text(value, "user_hash", "") if "version" in details else "",
    )  # fmt: skip
    return (restored(Row(judgement=judgement, format=NAME, details=details), value.get("redraft")),)


def _ranks(value: dict[str, Any], *, item: str) -> Sequence[Row | Fault]:
    """One row an annotation; the entry's averaged rank and whatever else it has stay with the first."""
    prompt, pictures = fields.text(value, "prompt"), fields.texts(value, "image_path")
    people = value.get("raw_annotations") or []
    if not isinstance(people, list):
        raise UsageError("raw_annotations must be a list of {rank, user_hash}")
    details = fields.rest(value, _RANKS)
    if value.get("rank") is not None:
        details["rank"] = list(fields.numbers(value, "rank"))
    if not people:
        if "rank" not in details:
            raise UsageError("has neither raw_annotations nor rank: nobody judged these pictures")
        people = [{"rank": details.pop("rank")}]
        details["averaged"] = True
    kept = restorable(value.get("redraft"), len(people))
    rows: list[Row | Fault] = []
    for place, (person, more) in enumerate(zip(people, kept, strict=True)):
        try:
            row = _person(person, prompt, pictures, details=details if not rows else {})
            rows.append(restored(replace(row, item=item), more))
        except UsageError as error:
            rows.append(Fault(where=f"annotation {place + 1}", message=str(error)))
    return rows


def _person(value: Any, prompt: str, pictures: tuple[str, ...], *, details: dict[str, Any]) -> Row:
    person = fields.entry(value, ("rank",), what="an annotation of HPD v2 (test)")
    ranks, rest = fields.numbers(person, "rank"), fields.rest(person, ("rank", "user_hash"))
    own = {**details, **({"annotation": rest} if rest else {})}
    if ranks and min(ranks) == 0:
        ranks, own["rank_base"] = tuple(rank + 1 for rank in ranks), 0
    rater = fields.text(person, "user_hash", "")
    judgement = Preference(prompt=prompt, pictures=pictures, kind="ranks", answer=ranks, rater=rater)
    return Row(judgement=judgement, format=NAME, details=own)


def encode(rows: Sequence[Row], _writing: Writing) -> dict[str, Any]:
    """The entry of one choice, or of one set of pictures that several people ranked. Raises UsageError."""
    only(rows, "pair", "choice", "ranks", format=NAME)
    first = rows[0]
    said = first.judgement
    assert isinstance(said, Preference)
    own = dict(first.details) if first.format == NAME else {}
    if said.kind == "ranks":
        return _ranked(rows, own)
    own.pop("version", None)
    preference = [fields.plain(share) for share in said.answer]
    value = {"human_preference": preference, "prompt": said.prompt, "file_path": list(said.pictures), **own}
    more = extras(first, format=NAME)
    return value | ({"redraft": more} if more else {})


def _ranked(rows: Sequence[Row], own: dict[str, Any]) -> dict[str, Any]:
    said = rows[0].judgement
    averaged = own.pop("averaged", False)
    own.pop("annotation", None)
    own.pop("rank_base", None)
    value: dict[str, Any] = {"prompt": said.prompt, "image_path": list(rows[0].pictures)}
    given, people, kept = own.pop("rank", None), [], []
    for row in rows:
        judgement = row.judgement
        assert isinstance(judgement, Preference)
        shift = 1 - int(row.details.get("rank_base", 1)) if row.format == NAME else 0
        person: dict[str, Any] = {"rank": [fields.plain(rank - shift) for rank in judgement.answer]}
        if judgement.rater:
            person["user_hash"] = judgement.rater
        people.append(person | (dict(row.details.get("annotation", {})) if row.format == NAME else {}))
        kept.append(extras(row, format=NAME, native=("rater",)))
    if averaged and len(people) == 1 and not rows[0].judgement.rater:
        value["rank"] = people[0]["rank"]
        people = []
    else:
        columns = zip(*(person["rank"] for person in people), strict=True)
        means = [sum(column) / len(people) for column in columns]
        value["rank"] = [fields.plain(mean) for mean in (given if given is not None else means)]
    value |= {"raw_annotations": people, **own}
    return value | ({"redraft": json.dumps(kept)} if any(kept) else {})
