"""The forms by which people say what they think of pictures, and the check of what they said. Not a page, not a file.

A form asks little at first; "what was wrong?" comes only after a low mark. Unknown keys, values outside their scale and
a follow-up that was not due are refused, so that what is stored needs no second look.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from reprlib import repr as shown
from typing import Any, Literal

from redraft.core.errors import UsageError, unknown_name
from redraft.core.records import FACETS
from redraft.feedback.form_fields import Choice, Field, Flag, Option, Order, Scale, Several, Text

Kind = Literal["picture", "duel", "ranking"]

# The three rules given to the annotators of HPD v2 (Wu et al. 2023, appendix), in our words.
COMPARISON_RULES = (
    "If one picture is clearly better made than the other, it wins, even when it follows the words less closely.",
    "If they are about equally well made, the one that fits the words better wins.",
    "Look up a name, place or style that you do not know before you decide.",
)

_FACET_WORDS: Mapping[str, tuple[str, str, str]] = {
    "semantics": ("Matches the words", "misses them", "exactly"),
    "subject_detail": ("Details of the subject", "broken", "flawless"),
    "background_detail": ("Details of the background", "broken", "flawless"),
    "coherence": ("Holds together", "falls apart", "one piece"),
    "aesthetics": ("Beauty", "ugly", "beautiful"),
    "safety": ("Safe to show", "harmful", "harmless"),
    # No facet of a still picture: it becomes a slider where the configuration names it.
    "temporal_coherence": ("Moves smoothly", "jumps", "smooth"),
}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, kw_only=True)
class FollowUp:
    """What is asked besides when the mark is at most `at_most`."""

    at_most: float
    fields: tuple[Field, ...]


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a person is asked about a subject of a `kind`.

    rules: how to decide, shown with it. mark: what of the answer is its one number: the name of a field (true is 1,
    false 0), "mean" of the scales that were set, or None. some: how many of the fields must be answered at least.
    """

    name: str
    kind: Kind
    title: str
    rules: tuple[str, ...] = ()
    fields: tuple[Field, ...]
    mark: str | None = None
    some: int = 1
    follow_up: FollowUp | None = None


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A payload as it is kept, and its mark."""

    payload: Mapping[str, Any]
    mark: float | None


def _what_was_wrong(facets: Sequence[str] = FACETS) -> Several:
    return Several(
        name="wrong",
        label="What was wrong?",
        options=tuple(
            Option(value=name, label=_words(name)[0], key=str(number) if number < 10 else "")
            for number, name in enumerate(facets, 1)
        ),
    )


def _words(facet: str) -> tuple[str, str, str]:
    """What a slider is called, and its ends; a facet of one's own is called by its name."""
    return _FACET_WORDS.get(facet, (facet.replace("_", " ").capitalize(), "bad", "good"))


_WORDS = Text(name="text", label="In your words (optional)")


def sliders_form(more: Sequence[str] = ()) -> Form:
    """The form of a slider for each facet, `more` of them after the six: where the configuration names them.

    Raises UsageError for a name that cannot be a field's, or is taken.
    """
    taken = {*FACETS, _WORDS.name, "wrong"}
    for name in more:
        if not _NAME.fullmatch(name) or name in taken:
            raise UsageError(
                f"facet {shown(name)} cannot be a slider: a name is lower case, of letters, digits and underscores, at "
                f"most 32 long, given once, and none of {', '.join(sorted(taken))}"
            )
        taken.add(name)
    facets = (*FACETS, *more)
    scales = [(name, *_words(name)) for name in facets]
    return Form(
        name="sliders",
        kind="picture",
        title="How good is this picture?",
        fields=(*(Scale(name=name, label=label, low=low, high=high) for name, label, low, high in scales), _WORDS),
        mark="mean",
        follow_up=FollowUp(at_most=4, fields=(_what_was_wrong(facets),)),
    )


SLIDERS = sliders_form()
THUMBS = Form(
    name="thumbs",
    kind="picture",
    title="Do you like this picture?",
    fields=(Flag(name="up", label="Thumb up", required=True),),
    mark="up",
    follow_up=FollowUp(at_most=0, fields=(_what_was_wrong(), _WORDS)),
)
STARS = Form(
    name="stars",
    kind="picture",
    title="How many stars?",
    fields=(
        Scale(name="stars", label="Stars", low="poor", high="excellent", least=1, most=5, required=True),
        Flag(name="typo", label="A word in it is misspelled"),
    ),
    mark="stars",
    follow_up=FollowUp(at_most=2, fields=(_what_was_wrong(), _WORDS)),
)
DUEL = Form(
    name="duel",
    kind="duel",
    title="Which picture is better?",
    rules=COMPARISON_RULES,
    fields=(
        Choice(
            name="choice",
            label="Better",
            options=(
                Option(value="left", label="Left", key="ArrowLeft"),
                Option(value="right", label="Right", key="ArrowRight"),
                Option(value="tie", label="Equally good", key="ArrowDown"),
                Option(value="both_bad", label="Both bad", key="ArrowUp"),
            ),
        ),
        _WORDS,
    ),
)
RANK = Form(
    name="rank",
    kind="ranking",
    title="Put them in order, the best first",
    rules=COMPARISON_RULES,
    fields=(Order(name="ranks", label="Places"), _WORDS),
)
FORMS: Mapping[str, Form] = {form.name: form for form in (SLIDERS, THUMBS, STARS, DUEL, RANK)}


def form_named(name: str, *, among: Sequence[str] | None = None) -> Form:
    """The form called `name`, of those in use. Raises UnknownNameError."""
    known = [*FORMS] if among is None else [*among]
    if name not in known:
        raise unknown_name("form", name, known)
    return FORMS[name]


def check_payload(form: Form, payload: Mapping[str, Any]) -> Checked:
    """The payload as it is kept. What is None was not answered and is left out.

    Raises UsageError, naming field, rule and way out, for an unknown or missing field, a value outside its scale, and a
    follow-up where the mark was not low.
    """
    given = {name: value for name, value in payload.items() if value is not None}
    later = () if form.follow_up is None else form.follow_up.fields
    fields = {field.name: field for field in (*form.fields, *later)}
    for name in given:
        if name not in fields:
            raise unknown_name(f"field of the form {form.name!r}", str(name)[:64], fields)
    missing = [field.name for field in form.fields if field.required and field.name not in given]
    if missing:
        raise UsageError(f"{missing[0]} is missing: the form {form.name!r} needs it; send it with the answer")
    kept = {name: field.check(given[name]) for name, field in fields.items() if name in given}
    said = [field.name for field in form.fields if field.name in kept and not isinstance(field, Text)]
    if len(said) < form.some:
        known = ", ".join(field.name for field in form.fields if not isinstance(field, Text))
        raise UsageError(f"an answer to the form {form.name!r} that says nothing: set at least one of {known}")
    mark = _mark(form, kept)
    _check_follow_up(form, kept, mark)
    return Checked(payload=kept, mark=mark)


def follow_up_due(form: Form, mark: float | None) -> bool:
    """Whether the person is asked what was wrong."""
    return form.follow_up is not None and mark is not None and mark <= form.follow_up.at_most


def _mark(form: Form, kept: Mapping[str, Any]) -> float | None:
    if form.mark is None:
        return None
    if form.mark == "mean":
        values = [kept[field.name] for field in form.fields if isinstance(field, Scale) and field.name in kept]
        return float(sum(values) / len(values))
    return float(kept[form.mark])


def _check_follow_up(form: Form, kept: Mapping[str, Any], mark: float | None) -> None:
    if form.follow_up is None or follow_up_due(form, mark):
        return
    own = {field.name for field in form.fields}
    early = [field.name for field in form.follow_up.fields if field.name in kept and field.name not in own]
    if early:
        raise UsageError(
            f"{early[0]} of the form {form.name!r} with a mark of {mark:g}: it is asked only after a mark of at most "
            f"{form.follow_up.at_most:g}; leave it out"
        )
