"""When to ask a person about a picture: a threshold control for each person, by confidence. Keeps nothing.

Of eligible pictures one is asked about with probability pi = eps + (1 - eps) * [s < tau]; after every picture
tau <- tau + eta * (q - [s < tau]), q = (rho - eps) / (1 - eps), so that pi is rho on average: stochastic gradient
descent on the pinball loss (quantile tracking, the P-control of conformal PID: Angelopoulos, Candes, Tibshirani 2023).
tau is never clipped, which gives for every prefix of T pictures, whatever their confidences in 0..1,

    |mean [s < tau] - q| <= (1 + eta) / (eta T).

The random part eps is deliberate: where pi is 0 no weighting can correct the bias of asking about doubtful pictures.
What may not be asked about is settled before the coin, and is no part of what estimates speak of.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from pydantic import Field

from redraft.core.config import Config
from redraft.core.errors import NumericsError

Exclusion = Literal[
    "", "opted_out", "not_scored", "withheld", "unsafe", "duplicate", "warm_up", "quiet_hours", "day_cap", "session_cap"
]
EXCLUSIONS: dict[Exclusion, str] = {
    "opted_out": "the person does not want to be asked",
    "not_scored": "the picture has no confidence",
    "withheld": "the picture may not be shown",
    "unsafe": "the picture leans unsafe and the person is no trained, adult reviewer who agreed to see such ones",
    "duplicate": "the person was asked about one much like it",
    "warm_up": "the person is new here",
    "quiet_hours": "it is a time at which the person does not want to be asked",
    "day_cap": "the person was asked often enough today",
    "session_cap": "the person was asked often enough in this session",
}
"""Why no coin was thrown, in the order in which it is looked at."""
# About the picture or for good, so that tau must not learn from it; after the others tau goes on as if it had been
# asked by chance, or it would climb while a cap holds.
_UNLEARNED: tuple[Exclusion, ...] = ("opted_out", "not_scored", "withheld", "unsafe", "duplicate")
DAYS_KEPT = 14


class AskPolicy(Config):
    """The settings of the ask rule.

    daily_budget: asks a person gets a local day at most; less_budget: for who wants fewer. session_cap: in one
    session. learning_rate: eta. random_share: of the asks that are drawn at random, by which eps is found;
    least_random: eps at least. warm_up: pictures before the first ask. usual_pictures: a day, before anything is known
    of a person. alike: cosine from which two pictures are much alike.
    """

    daily_budget: int = Field(default=3, ge=0)
    less_budget: int = Field(default=1, ge=0)
    session_cap: int = Field(default=5, ge=1)
    learning_rate: float = Field(default=0.05, gt=0, le=1)
    random_share: float = Field(default=0.2, ge=0, le=1)
    least_random: float = Field(default=0.01, ge=0, le=1)
    warm_up: int = Field(default=3, ge=0)
    usual_pictures: float = Field(default=10.0, gt=0)
    alike: float = Field(default=0.97, ge=0, le=1)

    @property
    def version(self) -> str:
        """Names the rule and its numbers in every stored decision."""
        numbers = (self.learning_rate, self.random_share, self.least_random, self.session_cap, self.warm_up, self.alike)
        return "threshold-1/" + "/".join(f"{number:g}" for number in numbers)


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How the person wants to be asked. Quiet hours are minutes after local midnight; they may pass midnight."""

    less: bool = False
    opted_out: bool = False
    quiet_from: int | None = None
    quiet_until: int | None = None

    def quiet_at(self, minute: int) -> bool:
        """Whether it is quiet at this minute of the local day, 0..1439."""
        if self.quiet_from is None or self.quiet_until is None or self.quiet_from == self.quiet_until:
            return False
        if self.quiet_from < self.quiet_until:
            return self.quiet_from <= minute < self.quiet_until
        return minute >= self.quiet_from or minute < self.quiet_until


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What the rule remembers of a person.

    threshold: tau. session: the one that `asked_in_session` counts. pictures: in all. recent: pictures of each day
    before `day`, the newest first, at most DAYS_KEPT.
    """

    threshold: float
    day: str = ""
    asked_today: int = 0
    pictures_today: int = 0
    session: str = ""
    asked_in_session: int = 0
    pictures: int = 0
    recent: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A finished picture before a person.

    confidence: in 0..1, the final one, or None where it was not scored. day: the person's local day as YYYY-MM-DD,
    minute: of that day. likeness: cosine to the most similar picture that the person was asked about lately, None where
    unknown. withheld: it may not be shown; unsafe: it leans unsafe; reviewer: the person may be asked about such ones.
    """

    confidence: float | None
    day: str
    minute: int
    session: str = ""
    likeness: float | None = None
    withheld: bool = False
    unsafe: bool = False
    reviewer: bool = False


@dataclass(frozen=True, kw_only=True)
class Rates:
    """The targets of a decision: rho, eps and q, each in 0..1."""

    rate: float
    exploration: float
    below: float


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What was decided, with all that a later estimate must know. probability and coin as in the store's entries."""

    asked: bool
    probability: float
    coin: float | None
    excluded: Exclusion
    threshold: float
    rates: Rates
    budget_left: int


def rates(policy: AskPolicy, *, budget: float, pictures: float) -> Rates:
    """The targets for a budget of asks a day and so many expected pictures a day (more than 0)."""
    rate = min(1.0, budget / pictures)
    exploration = min(rate, max(policy.random_share * rate, policy.least_random))
    below = 1.0 if exploration >= 1 else (rate - exploration) / (1 - exploration)
    return Rates(rate=rate, exploration=exploration, below=below)


def first_threshold(below: float) -> float:
    """Where tau starts: the q-quantile of the least of two independent uniform numbers.

    Calibrated CLIP and aesthetic scores of the model's own pictures are uniform by construction, and few pictures are
    unsafe, so this is the quantile of everybody's confidences before anything is known of the person.
    """
    return 1 - math.sqrt(1 - below)


def stepped(threshold: float, *, confidence: float, below: float, learning_rate: float) -> float:
    """tau after a picture: one step of the pinball loss. Raises NumericsError when the confidence is not in 0..1."""
    if not 0 <= confidence <= 1:
        raise NumericsError(f"confidence {confidence}: it must lie in 0..1; calibrate the scores it is made of")
    return threshold + learning_rate * (below - (confidence < threshold))


def probability(confidence: float, *, threshold: float, exploration: float) -> float:
    """pi, exactly 1 below the threshold (strictly) and eps otherwise."""
    return 1.0 if confidence < threshold else exploration


def budget_of(policy: AskPolicy, wishes: Wishes) -> int:
    """Asks that the person gets a day at most; 0 for who opted out."""
    if wishes.opted_out:
        return 0
    return min(policy.less_budget, policy.daily_budget) if wishes.less else policy.daily_budget


def expected_pictures(policy: AskPolicy, memory: Memory) -> float:
    """Pictures that the person makes on a day with any: the mean of such days of the last 14 and one usual day.

    Never less than this day has seen already, this picture among them, so that a busy day is not all asked in its
    first hour.
    """
    active = [count for count in memory.recent if count > 0]
    mean = (policy.usual_pictures + sum(active)) / (1 + len(active))
    return max(mean, memory.pictures_today)


def begun(policy: AskPolicy, wishes: Wishes) -> Memory:
    """What is remembered of a new person."""
    targets = rates(policy, budget=budget_of(policy, wishes), pictures=policy.usual_pictures)
    return Memory(threshold=first_threshold(targets.below))


def counted(memory: Memory, *, day: str, session: str) -> Memory:
    """Memory after one more picture, on that day and in that session; a day never goes back."""
    memory = turned(memory, day=day, session=session)
    return replace(memory, pictures_today=memory.pictures_today + 1, pictures=memory.pictures + 1)


def turned(memory: Memory, *, day: str, session: str) -> Memory:
    """Memory on that day and in that session, without a picture more; a day never goes back."""
    if session != memory.session:
        memory = replace(memory, session=session, asked_in_session=0)
    if day > memory.day:
        memory = replace(memory, day=day, asked_today=0, pictures_today=0, recent=_shifted(memory, day))
    return memory


def excluded(policy: AskPolicy, wishes: Wishes, *, memory: Memory, moment: Moment) -> Exclusion:
    """Why the person may not be asked about the picture; "" when they may. `memory` has counted the picture."""
    causes: tuple[tuple[Exclusion, bool], ...] = (
        ("opted_out", wishes.opted_out),
        ("not_scored", moment.confidence is None),
        ("withheld", moment.withheld),
        ("unsafe", moment.unsafe and not moment.reviewer),
        ("duplicate", moment.likeness is not None and moment.likeness >= policy.alike),
        ("warm_up", memory.pictures <= policy.warm_up),
        ("quiet_hours", wishes.quiet_at(moment.minute)),
        ("day_cap", memory.asked_today >= budget_of(policy, wishes)),
        ("session_cap", memory.asked_in_session >= policy.session_cap),
    )
    return next((name for name, holds in causes if holds), "")


def decide(
    policy: AskPolicy, wishes: Wishes, *, memory: Memory | None, moment: Moment, coin: float
) -> tuple[Memory, Decision]:
    """Decide about a picture. `memory` None: a new person. `coin`: a uniform draw in [0, 1), made for this decision.

    Returns what to remember and the decision. Raises NumericsError for a confidence or coin outside its range.
    """
    if not 0 <= coin < 1:
        raise NumericsError(f"coin {coin}: it must lie in [0, 1); draw it uniformly")
    memory = counted(memory or begun(policy, wishes), day=moment.day, session=moment.session)
    budget = budget_of(policy, wishes)
    targets = rates(policy, budget=budget, pictures=expected_pictures(policy, memory))
    reason = excluded(policy, wishes, memory=memory, moment=moment)
    threshold, chance, thrown = memory.threshold, 0.0, None
    if not reason and moment.confidence is not None:
        chance = probability(moment.confidence, threshold=threshold, exploration=targets.exploration)
        thrown = coin
    asked = thrown is not None and thrown < chance
    left = max(0, budget - memory.asked_today)
    if moment.confidence is not None and reason not in _UNLEARNED:
        after = stepped(
            threshold, confidence=moment.confidence, below=targets.below, learning_rate=policy.learning_rate
        )
        memory = replace(memory, threshold=after)
    if asked:
        memory = replace(memory, asked_today=memory.asked_today + 1, asked_in_session=memory.asked_in_session + 1)
    made = Decision(
        asked=asked, probability=chance, coin=thrown, excluded=reason, threshold=threshold, rates=targets,
        budget_left=left,
    )  # fmt: skip
    return memory, made


def charged(policy: AskPolicy, wishes: Wishes, *, memory: Memory, moment: Moment, asked: bool) -> Memory:
    """Memory after a picture about which a device decided offline: its ask is charged, tau goes its own way.

    The device decided by the tau that it had taken along; this one learns from the picture by itself, so that its bound
    holds for everything the person saw, wherever they were.
    """
    memory = counted(memory, day=moment.day, session=memory.session)
    reason = excluded(policy, wishes, memory=memory, moment=moment)
    if moment.confidence is not None and reason not in _UNLEARNED:
        targets = rates(policy, budget=budget_of(policy, wishes), pictures=expected_pictures(policy, memory))
        after = stepped(
            memory.threshold, confidence=moment.confidence, below=targets.below, learning_rate=policy.learning_rate
        )
        memory = replace(memory, threshold=after)
    # An ask of an earlier day was charged to that day's budget, which nobody can spend any more.
    return replace(memory, asked_today=memory.asked_today + 1) if asked and moment.day == memory.day else memory


def _shifted(memory: Memory, day: str) -> tuple[int, ...]:
    """The counts of the days before `day`: what was counted of the last one, and zeros for those between."""
    if not memory.day:
        return ()
    between = (date.fromisoformat(day) - date.fromisoformat(memory.day)).days - 1
    earlier = (*(0 for _ in range(min(between, DAYS_KEPT))), memory.pictures_today, *memory.recent)
    return earlier[:DAYS_KEPT]
