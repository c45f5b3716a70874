"""The forms in use: what people are asked, in which words, and how they are thanked."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from redraft.feedback.form_fields import Field
from redraft.feedback.form_presets import PRESETS, Reward
from redraft.feedback.forms import Form
from redraft.studio.context import StudioDep
from redraft.studio.identity.people import PersonDep
from redraft.studio.rewarding import reward_of

router = APIRouter(tags=["rating"])


class OptionView(BaseModel):
    """One of several answers. key: the key of a keyboard that gives it."""

    value: str
    label: str
    key: str


class FieldView(BaseModel):
    """A field of a form. low, high, least, most belong to scales, least and most to an order, most to a text."""

    type: Literal["scale", "choice", "several", "flag", "text", "order"]
    name: str
    label: str
    required: bool
    low: str = ""
    high: str = ""
    least: int | None = None
    most: int | None = None
    options: list[OptionView] = []


class FollowUpView(BaseModel):
    """What is asked besides when the mark is at most `at_most`."""

    at_most: float
    fields: list[FieldView]


class FormView(BaseModel):
    """A form. mark: the field that is its one number, "mean" of the scales that were set, or null."""

    name: str
    kind: Literal["picture", "duel", "ranking"]
    title: str
    rules: list[str]
    fields: list[FieldView]
    mark: str | None
    follow_up: FollowUpView | None


class PresetName(BaseModel):
    """A shipped preset."""

    name: str
    title: str


class FormsView(BaseModel):
    """What is asked here, and how people are thanked."""

    preset: str
    title: str
    ask_form: str
    forms: list[FormView]
    reward: Reward
    personal_profile: bool
    presets: list[PresetName]


@router.get("/api/v1/forms")
def forms(studio: StudioDep, _who: PersonDep) -> FormsView:
    """The forms in use, that of asks first."""
    preset = studio.settings.preset
    return FormsView(
        preset=studio.settings.forms,
        title=preset.title,
        ask_form=preset.ask_form,
        forms=[form_view(form) for form in preset.forms],
        reward=reward_of(studio.settings),
        personal_profile=preset.profile,
        presets=[PresetName(name=name, title=known.title) for name, known in PRESETS.items()],
    )


def form_view(form: Form) -> FormView:
    """A form in the words of the API."""
    later = form.follow_up
    return FormView(
        name=form.name,
        kind=form.kind,
        title=form.title,
        rules=list(form.rules),
        fields=[_field(field) for field in form.fields],
        mark=form.mark,
        follow_up=None
        if later is None
        else FollowUpView(at_most=later.at_most, fields=[_field(field) for field in later.fields]),
    )


def _field(field: Field) -> FieldView:
    values: dict[str, Any] = asdict(field)
    return FieldView.model_validate({"type": field.type, **values})
