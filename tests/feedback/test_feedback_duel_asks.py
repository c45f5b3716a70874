"""Whom to ask to compare two models: a coin of its own within the same budget, and nothing learnt from it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redraft.core.errors import NumericsError
from redraft.feedback.asks import AskPolicy, Memory, Moment, Wishes, begun
from redraft.feedback.duel_asks import decide_duel

POLICY = AskPolicy(daily_budget=2, warm_up=0)
MOMENT = Moment(confidence=None, day="2026-11-02", minute=600, session="a")


def test_the_coin_decides_with_the_share_whatever_the_confidence() -> None:
    for confidence in (None, 0.0, 1.0):
        for coin, asked in ((0.0, True), (0.0999, True), (0.1, False), (0.9, False)):
            _, made = decide_duel(
                POLICY, Wishes(), memory=None, moment=replace(MOMENT, confidence=confidence), share=0.1, coin=coin
            )
            assert (made.asked, made.probability, made.coin, made.excluded) == (asked, 0.1, coin, "")


def test_it_counts_in_the_budget_and_leaves_threshold_and_pictures_alone() -> None:
    before = replace(begun(POLICY, Wishes()), day=MOMENT.day, session="a", pictures=9, pictures_today=4)
    memory, made = decide_duel(POLICY, Wishes(), memory=before, moment=MOMENT, share=1.0, coin=0.5)
    assert made.budget_left == 2
    assert memory == replace(before, asked_today=1, asked_in_session=1)
    memory, _ = decide_duel(POLICY, Wishes(), memory=memory, moment=MOMENT, share=1.0, coin=0.5)
    memory, made = decide_duel(POLICY, Wishes(), memory=memory, moment=MOMENT, share=1.0, coin=0.5)
    assert (made.asked, made.excluded, made.coin, made.probability) == (False, "day_cap", None, 0.0)
    # The next day it is open again.
    memory, made = decide_duel(
        POLICY, Wishes(), memory=memory, moment=replace(MOMENT, day="2026-11-03"), share=1.0, coin=0
    )
    assert made.asked
    assert (memory.asked_today, memory.pictures_today, memory.pictures) == (1, 0, 9)


@pytest.mark.parametrize(
    ("wishes", "memory", "why"),
    [
        (Wishes(opted_out=True), None, "opted_out"),
        (Wishes(quiet_from=540, quiet_until=660), None, "quiet_hours"),
        (Wishes(), Memory(threshold=0.2, session="a", asked_in_session=5), "session_cap"),
    ],
)
def test_who_is_not_asked_about_pictures_is_not_asked_to_compare(
    wishes: Wishes, memory: Memory | None, why: str
) -> None:
    _, made = decide_duel(POLICY, wishes, memory=memory, moment=MOMENT, share=1.0, coin=0.0)
    assert (made.asked, made.excluded) == (False, why)


def test_new_people_are_left_alone_as_long_as_with_pictures() -> None:
    policy = AskPolicy(warm_up=3)
    for pictures, why in ((0, "warm_up"), (2, "warm_up"), (3, "")):
        memory = replace(begun(policy, Wishes()), pictures=pictures)
        assert decide_duel(policy, Wishes(), memory=memory, moment=MOMENT, share=1.0, coin=0.5)[1].excluded == why


@pytest.mark.parametrize(("share", "coin"), [(1.1, 0.5), (-0.1, 0.5), (0.5, 1.0), (float("nan"), 0.5)])
def test_numbers_out_of_range_stop_it(share: float, coin: float) -> None:
    with pytest.raises(NumericsError, match="they must lie in"):
        decide_duel(POLICY, Wishes(), memory=None, moment=MOMENT, share=share, coin=coin)
