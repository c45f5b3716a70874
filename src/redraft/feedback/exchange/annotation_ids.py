"""Which annotation of a Label Studio task is which of those that we wrote, and what Label Studio has no place for.

Of an annotation Label Studio keeps `result`, `completed_by` and a few of its own keys; the place among others is not
kept, for people remove and add some. It gives each a new `id` and keeps the one it came with as `import_id`, a whole
number of 64 bits. So what is put aside in `data.redraft` stands there by an id that we give to each annotation:

    {"4823...": {"rater": "anna", "extras": "{\\"weight\\": 2.0}", "id": 7, "beside": [...]}}

rater: also "", for what nobody completed is completed by who imports the file. extras: see `rows.extras`. id: the one
that the annotation had before. beside: results that are no answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from redraft.core.errors import UsageError
from redraft.feedback.exchange.rows import write_json

_LEAST = 2**52
"""Ids run from here to twice this: no database has counted so far, and JavaScript still tells them apart."""
_AS_WRITTEN = "leave it as it was written, or remove it to read the answers as those of Label Studio's own people"


class Matched(NamedTuple):
    """An annotation as it was before it got its id, what was put aside of it, and why it cannot be read, if so.

    aside: None where it is none of those that we wrote.
    """

    annotation: Any
    aside: Mapping[str, Any] | None
    fault: str = ""


def put_aside(annotations: Sequence[dict[str, Any]], asides: Sequence[dict[str, Any]], *, of: str) -> str | None:
    """Gives each annotation its id; the text for `data.redraft`, None when there is nothing to be put aside.

    of: says what task it is, so that annotations of different tasks have different ids.
    """
    if not any(asides):
        return None
    known: dict[str, Any] = {}
    for place, (annotation, aside) in enumerate(zip(annotations, asides, strict=True)):
        digest = hashlib.sha256(write_json([of, place, annotation, aside]).encode(errors="surrogatepass")).digest()
        number = _LEAST + int.from_bytes(digest[:8], "big") % _LEAST
        known[str(number)] = aside | ({"id": annotation["id"]} if "id" in annotation else {})
        annotation["id"] = number
    return write_json(known)


def matched(annotations: Sequence[Any], text: Any) -> list[Matched]:
    """Each annotation with what `put_aside` had put aside of it. Raises UsageError when `text` is no such text."""
    known = _read(text)
    left, found = dict(known), []
    for annotation in annotations:
        key = _key(annotation, known)
        if not key:
            found.append(Matched(annotation, None))
            continue
        name = str(annotation[key])
        if name not in left:
            message = f"is the second with the {key} {name}, so it may be another person's: remove its {key}, or itself"
            found.append(Matched(annotation, None, message))
            continue
        aside = left.pop(name)
        before = {item: value for item, value in annotation.items() if item != key}
        found.append(Matched(before | ({key: aside["id"]} if "id" in aside else {}), aside))
    return [_doubted(item, left=len(left)) if left and _is_doubtful(item) else item for item in found]


def _key(annotation: Any, known: Mapping[str, Any]) -> str:
    """Under which key an annotation has one of our ids, "" where it has none."""
    if not known or not isinstance(annotation, dict):
        return ""
    ids = {key: annotation.get(key) for key in ("id", "import_id")}
    return next((key for key, value in ids.items() if isinstance(value, int | str) and str(value) in known), "")


def _is_doubtful(item: Matched) -> bool:
    """Whether this may be one of ours whose id was lost: what people add in Label Studio has an `import_id`, null."""
    return item.aside is None and isinstance(item.annotation, dict) and "import_id" not in item.annotation


def _doubted(item: Matched, *, left: int) -> Matched:
    if item.fault:
        return item
    return item._replace(
        fault=f"nothing says whose it is: data.redraft tells of {left} more by their ids, and it has neither one of "
        'these nor an import_id; keep ids as they were written, or give it "import_id": null if it is somebody else\'s'
    )


def _read(text: Any) -> dict[str, dict[str, Any]]:
    if not text:
        return {}
    try:
        known = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"data.redraft is {str(text)[:80]!r} ({error}): {_AS_WRITTEN}") from error
    if isinstance(known, list):
        raise UsageError(
            "data.redraft lists people by the place of their annotations, which tells nothing once one was removed or "
            "moved: export these answers again, or remove it to read them as those of Label Studio's own people"
        )
    asides = list(known.values()) if isinstance(known, dict) else [None]
    if not all(map(_is_aside, asides)):
        raise UsageError(f"data.redraft is {str(text)[:80]!r}, no object by ids of annotations: {_AS_WRITTEN}")
    return dict(known)


def _is_aside(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return isinstance(value.get("beside", []), list) and isinstance(value.get("rater", ""), str)
