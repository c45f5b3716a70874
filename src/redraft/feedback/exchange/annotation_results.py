"""What the results of one Label Studio annotation say: one kind of answer, what was answered besides, and comments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redraft.core.errors import UsageError
from redraft.feedback.exchange import fields

_NUMBERS = ("pairwise", "rating", "number")


@dataclass(frozen=True, kw_only=True)
class Said:
    """answers: by control, all of one kind. compared: the result that compares two pictures, if one does.

    unread: the controls of other answers, which a row cannot hold. beside: results that are no answer: comments, areas.
    """

    answers: Mapping[str, Any]
    compared: Mapping[str, Any] | None
    unread: tuple[str, ...]
    beside: list[dict[str, Any]]

    @property
    def is_comparison(self) -> bool:
        """Whether two pictures are compared."""
        return self.compared is not None or "tie" in self.answers


def read_results(annotation: Mapping[str, Any]) -> Said:
    """What an annotation says. Raises UsageError when that is nothing, or two things at once."""
    found = annotation["result"]
    if not isinstance(found, list):
        raise UsageError("the result of an annotation must be a list")
    if not found:
        raise UsageError("an annotation without any result: nothing was answered; remove it")
    answers: dict[str, Any] = {}
    compared, beside = None, []
    for item in found:
        if isinstance(item, dict) and item.get("type") == "relation":  # between two areas; no control asks for it
            beside.append(item)
            continue
        result = fields.entry(item, ("from_name", "type", "value"), what="a result")
        name = fields.text(result, "from_name")
        if not _is_answer(name, result):
            beside.append(result)
            continue
        value = _value(result)
        if name in answers and answers[name] != value:
            raise UsageError(
                f"two results of {name[:60]!r}, {str(answers[name])[:40]!r} and {str(value)[:40]!r}: only one of them "
                "can be meant; remove the other"
            )
        answers[name] = value
        compared = compared or (result if result["type"] == "pairwise" else None)
    if not answers:
        first = beside[0]
        raise UsageError(
            f"a result of type {str(first['type'])[:40]!r} by {str(first.get('from_name'))[:60]!r} and no answer: "
            "pairwise, rating and number are read, and of choices those of our own configurations"
        )
    kept = _of_one_kind(answers, compared)
    return Said(answers=kept, compared=compared, unread=tuple(sorted(answers.keys() - kept.keys())), beside=beside)


def _of_one_kind(answers: dict[str, Any], compared: Mapping[str, Any] | None) -> dict[str, Any]:
    if compared is not None:
        names = {compared["from_name"], "tie"}
    elif "tie" in answers or "chosen" in answers:
        names = {"tie" if "tie" in answers else "chosen"}
    else:
        return answers
    return {name: value for name, value in answers.items() if name in names}


def _is_answer(name: str, result: Mapping[str, Any]) -> bool:
    """Whether it judges pictures; what other people's choices mean nothing says."""
    if result["type"] == "choices":
        return name == "chosen" or name.startswith("thumb_") or (name == "tie" and _value(result) == "tie")
    return result["type"] in _NUMBERS


def _value(result: Mapping[str, Any]) -> Any:
    value = fields.entry(result["value"], (), what="the value of a result")
    match result["type"]:
        case "pairwise":
            return value.get("selected")
        case "choices":
            chosen = fields.texts(value, "choices")
            return chosen[0] if len(chosen) == 1 else chosen
    return fields.number(value, result["type"])
