"""When to ask a person to compare the champion with a challenger: a coin of its own. Draws no pictures, keeps nothing.

Unlike asks about one picture this knows nothing of confidence: of the requests of eligible people each is drawn with
one fixed probability, so that what is compared is a uniform sample of what people ask for. An ask drawn counts in the
budget of asks like any other; the threshold is left as it is.
"""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from redraft.core.config import Config
from redraft.core.errors import NumericsError
from redraft.feedback.asks import (
    AskPolicy,
    Decision,
    Memory,
    Moment,
    Rates,
    Wishes,
    begun,
    budget_of,
    counted,
    excluded,
    turned,
)


class DuelPolicy(Config):
    """share: of the requests of consenting people, while there is a challenger, that are painted twice more, by the
    champion and by the challenger, to be compared; 0: none.
    """

    share: float = Field(default=0.05, ge=0, le=1)


def decide_duel(
    policy: AskPolicy, wishes: Wishes, *, memory: Memory | None, moment: Moment, share: float, coin: float
) -> tuple[Memory, Decision]:
    """Decide about one request. `share`: the probability, 0..1. `coin`: a uniform draw in [0, 1) for this request.

    moment: day, minute and session of it; what it says of a picture does not count. Returns what to remember and the
    decision, whose `excluded` says why no coin was thrown. Raises NumericsError for a share or coin out of its range.
    """
    if not 0 <= share <= 1 or not 0 <= coin < 1:
        raise NumericsError(f"share {share}, coin {coin}: they must lie in [0, 1] and in [0, 1)")
    memory = turned(memory or begun(policy, wishes), day=moment.day, session=moment.session)
    # The causes that are a picture's cannot hold: there is none yet.
    known = replace(moment, confidence=1.0, likeness=None, withheld=False, unsafe=False)
    # The caps are looked at as for the picture that is being asked for.
    coming = counted(memory, day=moment.day, session=moment.session)
    reason = excluded(policy, wishes, memory=coming, moment=known)
    asked = not reason and coin < share
    made = Decision(
        asked=asked, probability=0.0 if reason else share, coin=None if reason else coin, excluded=reason,
        threshold=memory.threshold, rates=Rates(rate=share, exploration=share, below=0.0),
        budget_left=max(0, budget_of(policy, wishes) - memory.asked_today),
    )  # fmt: skip
    if asked:
        memory = replace(memory, asked_today=memory.asked_today + 1, asked_in_session=memory.asked_in_session + 1)
    return memory, made
