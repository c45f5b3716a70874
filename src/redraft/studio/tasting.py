"""What a person likes, as far as their own marks tell: predicted facets that are higher in what they liked. No fit.

The vector of taste that scoring uses is fitted by `redraft reward fit --kind profile`.
"""

from __future__ import annotations

from dataclasses import dataclass

from redraft.feedback.forms import FORMS, follow_up_due
from redraft.store.gallery import Exhibit, Selection
from redraft.studio.context import Studio
from redraft.studio.identity.people import Person

ENOUGH = 10
_LOOKED_AT = 300


@dataclass(frozen=True, kw_only=True)
class Taste:
    """answers: marks that were looked at. likes: by facet, its mean in liked pictures less that in the others."""

    answers: int
    likes: dict[str, float]
    fitted: bool


def taste_of(studio: Studio, person: Person) -> Taste:
    """What the person's newest marks tell."""
    page = studio.workspace.gallery.page(person.id, selection=Selection(answered=True), limit=_LOOKED_AT)
    sides: dict[bool, list[Exhibit]] = {True: [], False: []}
    for exhibit in page.exhibits:
        liked = _liked(exhibit)
        if liked is not None:
            sides[liked].append(exhibit)
    likes = {}
    if min(len(sides[True]), len(sides[False])) > 0:
        names = sorted({name for exhibit in page.exhibits for name in exhibit.painting.facets})
        for name in names:
            means = [_mean(sides[side], name) for side in (True, False)]
            if means[0] is not None and means[1] is not None:
                likes[name] = means[0] - means[1]
    fitted = studio.workspace.people.profile(person.id) is not None
    return Taste(answers=len(sides[True]) + len(sides[False]), likes=likes, fitted=fitted)


def _liked(exhibit: Exhibit) -> bool | None:
    """Whether the newest mark is above what counts as low; None where there is none."""
    for answer in reversed(exhibit.answers):
        form = FORMS.get(answer.form)
        if form is not None and answer.mark is not None and form.follow_up is not None:
            return not follow_up_due(form, answer.mark)
    return None


def _mean(exhibits: list[Exhibit], facet: str) -> float | None:
    values = [exhibit.painting.facets[facet] for exhibit in exhibits if facet in exhibit.painting.facets]
    return sum(values) / len(values) if values else None
