"""Five ready ways to ask for feedback and to thank for it, each after a system that people know. Not their programs.

A preset says which form is asked, which others may be used unasked, and how people are rewarded. The sixth way, your
own, is a configuration of the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import model_validator

from redraft.core.config import Config
from redraft.core.errors import UsageError, unknown_name
from redraft.feedback.forms import FORMS, Form, form_named, sliders_form

Reward = Literal["points", "badge", "tier", "ledger", "none"]
"""points: the curve, tiers and perks. badge: the tier's name alone. tier: a status with perks, without numbers.
ledger: the same amount for every accepted answer, to be paid elsewhere. none: nothing is counted."""


class Preset(Config):
    """How people are asked and thanked.

    ask_form: of a picture that the ask rule chose. volunteered: forms for whoever wants to say something unasked;
    comparisons among them. profile: a model of each person's taste is shown and fitted. facets: sliders besides the
    six, such as temporal_coherence for clips.
    """

    title: str
    ask_form: str
    volunteered: tuple[str, ...]
    reward: Reward
    profile: bool = False
    facets: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _forms_exist(self) -> Preset:
        for name in (self.ask_form, *self.volunteered):
            if name not in FORMS:
                raise ValueError(str(unknown_name("form", name, FORMS)))
        if FORMS[self.ask_form].kind != "picture":
            raise ValueError(f"ask_form {self.ask_form!r} compares pictures: an ask is about one; choose another")
        try:
            sliders_form(self.facets)
        except UsageError as error:
            raise ValueError(str(error)) from None
        return self

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms in use, that of asks first."""
        names = dict.fromkeys((self.ask_form, *self.volunteered))
        return tuple(self.any_form(name) for name in names)

    def form(self, name: str) -> Form:
        """The form in use that is called `name`. Raises UnknownNameError."""
        form_named(name, among=[form.name for form in self.forms])
        return self.any_form(name)

    def any_form(self, name: str) -> Form:
        """The form that is called `name`, in use or not: answers to it may be there. Raises UnknownNameError."""
        found = form_named(name)
        return sliders_form(self.facets) if name == "sliders" else found


_COMPARISONS = ("duel", "rank")

PRESETS: Mapping[str, Preset] = {
    "sliders": Preset(
        title="Six sliders and words, points and tiers",
        ask_form="sliders", volunteered=("thumbs", *_COMPARISONS), reward="points",
    ),
    "stars": Preset(
        title="Stars and a box for misspelled words, a badge",
        ask_form="stars", volunteered=_COMPARISONS, reward="badge",
    ),
    "thumbs-status": Preset(
        title="One thumb, a status tier and a profile of your taste",
        ask_form="thumbs", volunteered=_COMPARISONS, reward="tier", profile=True,
    ),
    "thumbs": Preset(
        title="One thumb and nothing else",
        ask_form="thumbs", volunteered=_COMPARISONS, reward="none",
    ),
    "sliders-paid": Preset(
        title="Six sliders, raters who are paid by the answer",
        ask_form="sliders", volunteered=_COMPARISONS, reward="ledger",
    ),
}  # fmt: skip
DEFAULT_PRESET = "sliders"


def preset_named(name: str) -> Preset:
    """The shipped preset called `name`. Raises UnknownNameError."""
    if name not in PRESETS:
        raise unknown_name("preset of forms", name, PRESETS)
    return PRESETS[name]
