"""How many pictures a person may make a day: the server's limit, and what the person's tier adds."""

from __future__ import annotations

from redraft.feedback.points import Standing, daily_pictures, perks_open, tier_of
from redraft.studio.context import Studio
from redraft.studio.identity.people import Person
from redraft.studio.rewarding import has_perks, points_policy

_DAY = 86_400.0


def daily_quota(studio: Studio, person: Person) -> int:
    """Pictures of one day for this person."""
    base = studio.settings.limits.daily_pictures
    if not has_perks(studio.settings):
        return base
    points = studio.workspace.points.balance(person.id).final
    if tier_of(points).more_pictures == 0:
        return base
    return daily_pictures(
        base, points=points, standing=standing_of(studio, person), policy=points_policy(studio.settings)
    )


def standing_of(studio: Studio, person: Person) -> Standing:
    """What perks look at besides points."""
    quality = studio.workspace.raters.quality(person.id)
    return Standing(
        age_days=(studio.now() - person.account.created_at) / _DAY,
        active_days=studio.workspace.points.active_days(person.id),
        weight=studio.settings.raters.first_weight if quality is None else quality.weight,
    )


def perks_granted(studio: Studio, person: Person) -> bool:
    """Whether the perks of the person's tier are open to them."""
    return has_perks(studio.settings) and perks_open(standing_of(studio, person), policy=points_policy(studio.settings))
