"""The ask rule: the bound C10, the spread C11, eligibility before the coin, and a year of people."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, timedelta

import pytest

from redraft.core.errors import NumericsError
from redraft.feedback.asks import (
    DAYS_KEPT,
    EXCLUSIONS,
    AskPolicy,
    Decision,
    Memory,
    Moment,
    Wishes,
    begun,
    budget_of,
    decide,
    expected_pictures,
    first_threshold,
    rates,
    stepped,
)

POLICY = AskPolicy()
DAY = "2026-11-21"
MOMENT = Moment(confidence=0.5, day=DAY, minute=600)
SETTLED = Memory(threshold=0.3, day=DAY, pictures=100, pictures_today=1)


def _confidences(kind: str, count: int, draw: random.Random) -> list[float]:
    """Sequences of confidences; the adversaries of C10 look at tau, so they are made in the test itself."""
    if kind == "uniform":
        return [draw.random() for _ in range(count)]
    if kind == "shifted":
        return [draw.random() * (1.0 if n < count // 2 else 0.3) for n in range(count)]
    if kind == "constant":
        return [0.7] * count
    return [float(n % 2) for n in range(count)]


@pytest.mark.parametrize("below", [0.0, 0.02, 0.1, 0.5, 0.97, 1.0])
@pytest.mark.parametrize("kind", ["uniform", "shifted", "constant", "alternating", "just below tau", "just above tau"])
def test_c10_the_rate_is_within_the_bound_at_every_prefix(kind: str, below: float) -> None:
    eta, count, draw = 0.05, 3_000, random.Random(7)
    threshold, low = first_threshold(below), 0
    given = _confidences(kind, count, draw) if not kind.startswith("just") else []
    for number in range(1, count + 1):
        # An adversary who knows tau makes the indicator what hurts most; only the range 0..1 binds it.
        target = threshold - 1e-9 if kind == "just below tau" else threshold
        confidence = given[number - 1] if given else min(1.0, max(0.0, target))
        low += confidence < threshold
        threshold = stepped(threshold, confidence=confidence, below=below, learning_rate=eta)
        assert -eta * (1 - below) - 1e-12 <= threshold <= 1 + eta * below + 1e-12
        assert abs(low / number - below) <= (1 + eta) / (eta * number) + 1e-9


def test_c10_a_rule_that_clips_tau_breaks_the_bound() -> None:
    """The test above can fail: the usual mistake does."""
    eta, below, threshold, low, count = 0.05, 0.1, 0.0, 0, 5_000
    for _ in range(count):
        # Confidence 0 is never below a tau of 0: the true rule climbs above and asks at the rate.
        low += threshold > 0.0
        threshold = min(0.0, stepped(threshold, confidence=0.0, below=below, learning_rate=eta))
    assert abs(low / count - below) > (1 + eta) / (eta * count)


@pytest.mark.parametrize(("shape", "density_at_quantile"), [("uniform", 1.0), ("beta 5 2", None)])
def test_c11_the_spread_of_tau(shape: str, density_at_quantile: float | None) -> None:
    # sd(tau) = sqrt(eta rho (1 - rho) / (2 f(tau*))), notes/algorithms.md 6.2: 0.0474 and 0.0501 there.
    eta, below, draw = 0.05, 0.1, random.Random(11)
    if density_at_quantile is None:
        # Beta(5, 2): F(x) = 6 x^5 - 5 x^6, f(x) = 30 x^4 (1 - x); its 0.1-quantile by bisection.
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if 6 * middle**5 - 5 * middle**6 < below else (low, middle)
        density_at_quantile = 30 * low**4 * (1 - low)
    expected = math.sqrt(eta * below * (1 - below) / (2 * density_at_quantile))
    threshold, total, squares, count = 0.3, 0.0, 0.0, 300_000
    for number in range(count + 2_000):
        confidence = draw.random() if shape == "uniform" else draw.betavariate(5, 2)
        threshold = stepped(threshold, confidence=confidence, below=below, learning_rate=eta)
        if number >= 2_000:
            total, squares = total + threshold, squares + threshold * threshold
    deviation = math.sqrt(squares / count - (total / count) ** 2)
    # tau forgets over some 1 / (eta f) = 20 to 50 pictures, so this holds 6,000 or more independent values: 1 % error.
    assert deviation == pytest.approx(expected, rel=0.10)


@pytest.mark.parametrize(("budget", "pictures"), [(3, 10), (3, 3), (3, 1), (3, 1000), (0, 10), (1, 100)])
def test_rates_make_the_asks_of_a_day_the_budget(budget: int, pictures: float) -> None:
    found = rates(POLICY, budget=budget, pictures=pictures)
    assert found.rate == min(1.0, budget / pictures)
    # A picture is asked about with eps + (1 - eps) q on average, which is rho.
    assert found.exploration + (1 - found.exploration) * found.below == pytest.approx(found.rate)
    assert found.exploration <= found.rate
    if budget:
        assert found.exploration >= min(found.rate, 0.01)
        assert found.exploration == pytest.approx(min(found.rate, max(0.2 * found.rate, 0.01)))
    else:
        assert found.exploration == 0


def test_tau_starts_at_the_quantile_of_the_least_of_two_uniform_numbers() -> None:
    draw = random.Random(3)
    tau = first_threshold(0.3)
    share = sum(min(draw.random(), draw.random()) < tau for _ in range(100_000)) / 100_000
    # Standard error of a share of 0.3 over 100,000: 0.00145.
    assert share == pytest.approx(0.3, abs=3 * 0.00145)


def test_pi_is_one_strictly_below_tau_and_eps_otherwise() -> None:
    for confidence, chance in ((0.2999, 1.0), (0.3, None), (0.9, None)):
        _, made = decide(POLICY, Wishes(), memory=SETTLED, moment=replace(MOMENT, confidence=confidence), coin=0.99999)
        assert made.probability == (chance if chance else made.rates.exploration)
        assert made.asked is (chance == 1.0)
        assert (made.threshold, made.coin, made.excluded) == (0.3, 0.99999, "")


def test_a_fifth_of_asks_is_random() -> None:
    _, made = decide(POLICY, Wishes(), memory=SETTLED, moment=MOMENT, coin=0.0)
    assert (made.rates.rate, made.rates.exploration, made.probability) == pytest.approx((0.3, 0.06, 0.06))
    assert made.asked


@pytest.mark.parametrize(
    ("reason", "wishes", "memory", "moment"),
    [
        ("opted_out", {"opted_out": True}, {}, {}),
        ("not_scored", {}, {}, {"confidence": None}),
        ("withheld", {}, {}, {"withheld": True}),
        ("unsafe", {}, {}, {"unsafe": True, "confidence": 0.0}),
        ("duplicate", {}, {}, {"likeness": 0.98}),
        ("warm_up", {}, {"pictures": 2}, {}),
        ("quiet_hours", {"quiet_from": 540, "quiet_until": 660}, {}, {}),
        ("quiet_hours", {"quiet_from": 1380, "quiet_until": 420}, {}, {"minute": 10}),
        ("day_cap", {}, {"asked_today": 3}, {}),
        ("day_cap", {"less": True}, {"asked_today": 1}, {}),
        ("session_cap", {}, {"asked_in_session": 5}, {}),
    ],
)
def test_who_may_not_be_asked_gets_no_coin(
    reason: str, wishes: dict[str, object], memory: dict[str, object], moment: dict[str, object]
) -> None:
    assert reason in EXCLUSIONS
    before, at = replace(SETTLED, **memory), replace(MOMENT, **{"confidence": 0.0, **moment})
    after, made = decide(POLICY, Wishes(**wishes), memory=before, moment=at, coin=0.0)
    assert (made.asked, made.probability, made.coin, made.excluded) == (False, 0.0, None, reason)
    assert (after.asked_today, after.pictures) == (before.asked_today, before.pictures + 1)
    # tau goes on through caps, quiet hours and warm-up, as if it had been a matter of chance, and stands still else.
    moves = reason in ("warm_up", "quiet_hours", "day_cap", "session_cap")
    assert (after.threshold != before.threshold) is moves


def test_reviewers_may_be_asked_about_what_leans_unsafe() -> None:
    _, made = decide(
        POLICY, Wishes(), memory=SETTLED, moment=replace(MOMENT, unsafe=True, reviewer=True, confidence=0.0), coin=0.5
    )
    assert made.asked


def test_quiet_hours_pass_midnight_and_equal_ends_mean_none() -> None:
    night = Wishes(quiet_from=1320, quiet_until=420)
    assert [night.quiet_at(minute) for minute in (1319, 1320, 1439, 0, 419, 420)] == [
        False,
        True,
        True,
        True,
        True,
        False,
    ]
    assert not Wishes(quiet_from=600, quiet_until=600).quiet_at(600)
    assert not Wishes(quiet_from=600).quiet_at(600)


def test_a_day_and_a_session_are_counted_apart() -> None:
    memory, _ = decide(
        POLICY,
        Wishes(),
        memory=replace(SETTLED, session="a"),
        moment=replace(MOMENT, confidence=0.0, session="a"),
        coin=0,
    )
    assert (memory.asked_today, memory.asked_in_session) == (1, 1)
    memory, _ = decide(POLICY, Wishes(), memory=memory, moment=replace(MOMENT, confidence=0.0, session="b"), coin=0)
    assert (memory.asked_today, memory.asked_in_session) == (2, 1)
    later = replace(MOMENT, confidence=0.9, day="2026-11-24", session="b")
    memory, made = decide(POLICY, Wishes(), memory=memory, moment=later, coin=0.99)
    assert (memory.asked_today, memory.pictures_today, memory.recent) == (0, 1, (0, 0, 3))
    assert made.budget_left == 3


def test_a_clock_that_goes_back_wins_no_second_budget() -> None:
    spent = replace(SETTLED, asked_today=3)
    earlier = replace(MOMENT, confidence=0.0, day="2026-11-20")
    memory, made = decide(POLICY, Wishes(), memory=spent, moment=earlier, coin=0.0)
    assert (made.excluded, memory.day) == ("day_cap", DAY)


def test_expected_pictures_are_of_days_with_any_and_keep_up_with_a_busy_day() -> None:
    assert expected_pictures(POLICY, Memory(threshold=0, pictures_today=1)) == 10
    assert expected_pictures(POLICY, Memory(threshold=0, recent=(0, 40, 0, 10), pictures_today=1)) == 20
    assert expected_pictures(POLICY, Memory(threshold=0, recent=(4,), pictures_today=50)) == 50
    memory = Memory(threshold=0.5, day="2026-01-01", pictures_today=9, recent=tuple(range(DAYS_KEPT)))
    after, _ = decide(POLICY, Wishes(), memory=memory, moment=replace(MOMENT, day="2027-01-01"), coin=0.5)
    assert after.recent == (0,) * DAYS_KEPT


def test_a_number_outside_its_range_stops_the_rule() -> None:
    with pytest.raises(NumericsError, match=r"confidence 1\.2: it must lie in 0\.\.1; calibrate"):
        decide(POLICY, Wishes(), memory=SETTLED, moment=replace(MOMENT, confidence=1.2), coin=0.5)
    with pytest.raises(NumericsError, match="confidence nan"):
        stepped(0.3, confidence=math.nan, below=0.1, learning_rate=0.05)
    with pytest.raises(NumericsError, match=r"coin 1.0: it must lie in \[0, 1\)"):
        decide(POLICY, Wishes(), memory=SETTLED, moment=MOMENT, coin=1.0)


class _Person:
    """One simulated person of a year: how much they paint, how good it is, and what they want."""

    def __init__(self, number: int, draw: random.Random) -> None:
        self.draw = draw
        self.wishes = Wishes(
            less=number % 9 == 1, opted_out=number % 25 == 2,
            quiet_from=1320 if number % 4 == 3 else None, quiet_until=420 if number % 4 == 3 else None,
        )  # fmt: skip
        self.pictures = draw.lognormvariate(1.2, 0.8)  # a day: a median of 3, a heavy tail
        self.active = draw.uniform(0.3, 1.0)
        self.skill = draw.uniform(0.7, 2.5)
        self.memory: Memory | None = None

    def day(self, number: int) -> list[tuple[Moment, float]]:
        if self.draw.random() > self.active:
            return []
        day = (date(2026, 1, 1) + timedelta(days=number)).isoformat()
        # From the middle of the year on the model is better: confidences shift.
        skill = self.skill * (1.0 if number < 180 else 1.8)
        found = []
        for place in range(min(60, 1 + int(self.draw.expovariate(1 / self.pictures)))):
            moment = Moment(
                confidence=self.draw.betavariate(skill, 1.5), day=day, minute=self.draw.randrange(1440),
                session=f"{number}/{place // 12}", likeness=self.draw.random(), unsafe=self.draw.random() < 0.03,
            )  # fmt: skip
            found.append((moment, self.draw.random()))
        return found


def _year(people: int, days: int) -> None:
    """Assert of a simulated year what must hold of every person and of all together."""
    strata: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for number in range(people):
        person = _Person(number, random.Random(1000 + number))
        budget = budget_of(POLICY, person.wishes)
        learned, low, targets = 0, 0, 0.0
        asked: Counter[str] = Counter()
        for day in range(days):
            for moment, coin in person.day(day):
                before = person.memory or begun(POLICY, person.wishes)
                person.memory, made = decide(POLICY, person.wishes, memory=person.memory, moment=moment, coin=coin)
                asked[moment.day] += made.asked
                _tally(strata, made, moment)
                if person.memory.threshold != before.threshold:
                    assert moment.confidence is not None
                    learned, low = learned + 1, low + (moment.confidence < made.threshold)
                    targets += made.rates.below
                    # C10 with targets that change from picture to picture: against their mean.
                    assert abs(low - targets) <= 1.05 / 0.05 + 1e-6
        assert max(asked.values(), default=0) <= budget
        assert not person.wishes.opted_out or sum(asked.values()) == 0
    for name, (count, expected, happened) in strata.items():
        # Coins are independent: a sum of Bernoulli draws, four standard errors.
        tolerance = 4 * math.sqrt(max(expected * (1 - expected / count), 1e-12))
        assert abs(happened - expected) <= tolerance + 1e-6, name
    assert strata["random"][0] > 20 * people


def _tally(strata: dict[str, list[float]], made: Decision, moment: Moment) -> None:
    """Count pictures, stored probabilities and asks, apart by kind of decision and by tenth of confidence."""
    kind = "excluded" if made.excluded else "certain" if made.probability == 1 else "random"
    assert moment.confidence is not None
    for name in (kind, f"{kind} {int(10 * moment.confidence)}"):
        row = strata[name]
        row[0], row[1], row[2] = row[0] + 1, row[1] + made.probability, row[2] + made.asked


def test_a_year_of_40_people() -> None:
    _year(people=40, days=365)


@pytest.mark.slow
def test_a_year_of_1000_people() -> None:
    _year(people=1000, days=365)


def test_estimates_over_the_stored_probabilities_are_right_and_plain_means_are_not() -> None:
    """Why pi is stored: satisfaction rises with confidence, so the plain mean of asked pictures is far too low."""
    draw, memory = random.Random(5), replace(SETTLED, asked_today=-(10**9))
    truth, weighted, weights, plain = 0.0, 0.0, 0.0, []
    policy = AskPolicy(session_cap=10**9)
    for _ in range(40_000):
        confidence = draw.random()
        liked = float(draw.random() < 0.2 + 0.6 * confidence)
        truth += liked / 40_000
        at = Memory(**{**vars(memory), "pictures_today": 1})
        memory, made = decide(
            policy, Wishes(), memory=at, moment=replace(MOMENT, confidence=confidence), coin=draw.random()
        )
        if made.asked:
            weighted, weights = weighted + liked / made.probability, weights + 1 / made.probability
            plain.append(liked)
    # About 2,000 random asks carry nearly all the weight: a standard error of 0.011.
    assert weighted / weights == pytest.approx(truth, abs=4 * 0.011)
    assert sum(plain) / len(plain) < truth - 0.1
