"""HPD v2 (Human Preference Dataset): choices between two pictures (train), or ranks of several by people (test).

    train: {"prompt", "file_path": [2], "human_preference": [1, 0]}
    test:  {"prompt", "image_path": [k], "rank": [k, averaged], "raw_annotations": [{"rank": [k], "user_hash"}]}

Version 1 of the set is read as well: `human_preference` is there the index of the picture that was chosen of several.
It never stores the winner first, so sides stay as they are. What the format has no place for stands in a key `redraft`
of each annotation, for annotations are removed and moved. The averaged `rank` is the file's as long as people's are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from redraft.core.errors import UsageError
from redraft.core.feedback import Preference, PreferenceKind
from redraft.feedback.exchange import fields
from redraft.feedback.exchange.formats import Found, Reading, Writing, only
from redraft.feedback.exchange.rows import Fault, Row, extras, restored

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
    """One row an annotation; the entry's averaged rank and what else it has stay with the first that can be read."""
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
        people = [{"rank": details.pop("rank"), "redraft": value.get("redraft")}]
        details["averaged"] = True
    elif value.get("redraft"):
        message = (
            "stands beside raw_annotations and tells of them by their place, which says nothing once one was removed "
            "or moved: export these answers again, or remove it"
        )
        return [Fault(where="redraft", message=message, rows=len(people))]
    elif "rank" in details:
        details["rank_of"] = _digest(people)
    rows: list[Row | Fault] = []
    for place, person in enumerate(people):
        try:
            row = _person(person, prompt, pictures, details=details, item=item)
        except UsageError as error:
            rows.append(Fault(where=f"annotation {place + 1}", message=str(error)))
            continue
        rows.append(row)
        details = {} if row.format == NAME else details
    return rows


def _person(value: Any, prompt: str, pictures: tuple[str, ...], *, details: dict[str, Any], item: str) -> Row:
    person = fields.entry(value, ("rank",), what="an annotation of HPD v2 (test)")
    ranks, rest = fields.numbers(person, "rank"), fields.rest(person, ("rank", "user_hash", "redraft"))
    own = {**details, **({"annotation": rest} if rest else {})}
    if ranks and min(ranks) == 0:
        ranks, own["rank_base"] = tuple(rank + 1 for rank in ranks), 0
    rater = fields.text(person, "user_hash", "")
    judgement = Preference(prompt=prompt, pictures=pictures, kind="ranks", answer=ranks, rater=rater)
    return restored(Row(judgement=judgement, format=NAME, item=item, details=own), person.get("redraft"))


def _digest(people: Sequence[Any]) -> str:
    """What people's ranks were, in whatever order they stand, as a short text; also of some that cannot be read."""
    ranks = [person.get("rank") if isinstance(person, dict) else None for person in people]
    texts = sorted(repr([_whole(rank) for rank in found] if isinstance(found, list) else found) for found in ranks)
    return hashlib.sha256("\n".join(texts).encode(errors="surrogatepass")).hexdigest()[:16]


def _whole(rank: Any) -> Any:
    return int(rank) if isinstance(rank, float) and rank.is_integer() else rank


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
    given, given_of = own.pop("rank", None), own.pop("rank_of", None)
    people = [_annotation(row) for row in rows]
    if averaged and len(people) == 1 and not said.rater:
        return value | people[0] | {"raw_annotations": [], **own}
    if given is None or given_of != _digest(people):  # else the file's average is still one of these people
        columns = zip(*(person["rank"] for person in people), strict=True)
        given = [sum(column) / len(people) for column in columns]
    return value | {"rank": [fields.plain(mean) for mean in given], "raw_annotations": people, **own}


def _annotation(row: Row) -> dict[str, Any]:
    """What one person said, with what the format has no place for."""
    said = row.judgement
    assert isinstance(said, Preference)
    own = row.details if row.format == NAME else {}
    shift = 1 - int(own.get("rank_base", 1))
    person: dict[str, Any] = {"rank": [fields.plain(rank - shift) for rank in said.answer]}
    if said.rater:
        person["user_hash"] = said.rater
    more = extras(row, format=NAME, native=("rater",))
    return person | dict(own.get("annotation", {})) | ({"redraft": more} if more else {})
