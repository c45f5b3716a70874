"""Rating sessions: which picture a person who wants to rate is shown next. Costs no budget of asks. Keeps nothing.

Own pictures not rated yet, drawn uniformly: good ones too, for nobody likes to see bad ones only. Now and then one
whose right answer is known. What leans unsafe goes to consenting, adult, trained reviewers and to nobody else.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from redraft.store.gallery import Painting, Selection
from redraft.store.requests import Request
from redraft.studio.asking import is_reviewer
from redraft.studio.context import Studio
from redraft.studio.identity.people import Person
from redraft.studio.identity.tokens import AskToken, sign_ask
from redraft.studio.ranking import RECENT

POLICY = "review"
_TOKEN_SECONDS = 7 * 86_400.0
_COIN = 2**32


@dataclass(frozen=True, kw_only=True)
class ToReview:
    """A picture to rate, with the token that lets this person answer about it."""

    painting: Painting
    request: Request
    form: str
    token: str
    revealed: bool


def next_review(studio: Studio, person: Person) -> ToReview | None:
    """What the person rates next; None: everything is rated."""
    share = studio.settings.raters.gold_share
    if secrets.randbelow(_COIN) < share * _COIN:
        gold = studio.workspace.raters.unseen_gold(person.id)
        fitting = [item for item in gold if item.kind == "picture" and item.form in _forms(studio)]
        if fitting:
            item = fitting[secrets.randbelow(len(fitting))]
            return _found(studio, person, item.subject, form=item.form)
    unsafe = studio.workspace.raters.unsafe_paintings(person.id) if is_reviewer(person.account) else ()
    own = _own(studio, person)
    # One of both heaps by a fair coin where there are both, so that reviewers do not see unsafe pictures only.
    heap = unsafe if unsafe and (not own or secrets.randbits(1)) else own
    if not heap:
        return None
    return _found(studio, person, heap[secrets.randbelow(len(heap))], form=studio.settings.preset.ask_form)


def _own(studio: Studio, person: Person) -> tuple[str, ...]:
    form = studio.settings.preset.ask_form
    selection = Selection(answered=False, form=form, safety="ok")
    page = studio.workspace.gallery.page(person.id, selection=selection, limit=RECENT)
    return tuple(exhibit.painting.id for exhibit in page.exhibits if not exhibit.painting.unsafe)


def _forms(studio: Studio) -> frozenset[str]:
    return frozenset(form.name for form in studio.settings.preset.forms)


def _found(studio: Studio, person: Person, picture: str, *, form: str) -> ToReview | None:
    found = studio.workspace.gallery.find([picture])
    if not found:
        return None
    painting = found[0]
    token = AskToken(
        id=f"review-{studio.new_id()}",
        user=person.id,
        kind="picture",
        subject=picture,
        form=form,
        policy=POLICY,
        expires_at=studio.now() + _TOKEN_SECONDS,
    )
    return ToReview(
        painting=painting,
        request=studio.workspace.requests.get(painting.request, owner=painting.owner),
        form=form,
        token=sign_ask(studio.keys, token),
        revealed=painting.blurred and is_reviewer(person.account),
    )
