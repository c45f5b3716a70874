"""How this studio thanks for reviews: what its preset and settings say together. The formulas are `feedback.points`."""

from __future__ import annotations

from collections.abc import Callable

from redraft.feedback.form_presets import Reward
from redraft.feedback.points import PointsPolicy, amounts
from redraft.studio.settings import StudioSettings


def reward_of(settings: StudioSettings) -> Reward:
    """The preset's reward; "none" when points are switched off."""
    return settings.preset.reward if settings.points.enabled else "none"


def points_policy(settings: StudioSettings) -> PointsPolicy:
    """The settings of points; a ledger of paid raters counts answers by one each unless an amount was set."""
    policy = settings.points
    if settings.preset.reward == "ledger" and policy.flat is None:
        return policy.model_copy(update={"flat": 1.0})
    return policy


def amount_of(settings: StudioSettings) -> Callable[[int], float] | None:
    """Points of the n-th review of a day; None: none are given."""
    return None if reward_of(settings) == "none" else amounts(points_policy(settings))


def has_perks(settings: StudioSettings) -> bool:
    """Whether tiers bring perks here."""
    return reward_of(settings) in ("points", "tier")
