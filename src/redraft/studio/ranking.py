"""Which pictures are put in order: those of one request. Draws which request comes next. Keeps nothing."""

from __future__ import annotations

import secrets

from redraft.store.gallery import Exhibit, Painting, Selection
from redraft.studio.context import Studio
from redraft.studio.identity.people import Person

LEAST, MOST = 3, 10
RECENT = 300
"""How many of a person's newest pictures are looked through for what to compare."""


def ranked_pictures(studio: Studio, person: Person, request: str) -> tuple[Painting, ...]:
    """The pictures of a person's request that may be shown, by place; of a large one the first."""
    found = studio.workspace.gallery.of_request(request, owner=person.id)
    return tuple(painting for painting in found if painting.safety == "ok" and not painting.unsafe)[:MOST]


def recent_pictures(studio: Studio, person: Person) -> tuple[Exhibit, ...]:
    """A person's newest pictures that may be shown to anybody."""
    page = studio.workspace.gallery.page(person.id, selection=Selection(safety="ok"), limit=RECENT)
    return tuple(exhibit for exhibit in page.exhibits if not exhibit.painting.unsafe)


def next_ranking(studio: Studio, person: Person) -> tuple[str, tuple[Exhibit, ...]] | None:
    """A request drawn uniformly from those with enough pictures and no ranking yet; its pictures in random order."""
    groups: dict[str, list[Exhibit]] = {}
    for exhibit in recent_pictures(studio, person):
        groups.setdefault(exhibit.request.id, []).append(exhibit)
    large = [request for request, group in groups.items() if len(group) >= LEAST]
    ranked = {answer.subject for answer in studio.workspace.answers.standing(person.id, large) if answer.form == "rank"}
    waiting = [request for request in large if request not in ranked]
    if not waiting:
        return None
    request = waiting[secrets.randbelow(len(waiting))]
    there = {painting.id for painting in ranked_pictures(studio, person, request)}
    pictures = [exhibit for exhibit in groups[request] if exhibit.painting.id in there]
    if len(pictures) < len(there):
        # Some are older than what was looked through; they belong to the ranking too.
        seen = {exhibit.painting.id for exhibit in pictures}
        pictures += [studio.workspace.gallery.get(id, owner=person.id) for id in sorted(there - seen)]
    secrets.SystemRandom().shuffle(pictures)
    return request, tuple(pictures)
