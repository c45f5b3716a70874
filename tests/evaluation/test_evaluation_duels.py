"""Duels watched as they come: exact martingale property, false alarms under constant looking, coverage, power."""

from itertools import product

import numpy as np
import pytest

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.evaluation.duels import confidence_sequence, log_evidence, observations, standing
from redraft.evaluation.power import (
    anytime_needed,
    detectable_share,
    duels_needed,
    plan,
    prompts_needed,
)

KEY = Key(seed=2)


def test_evidence_is_a_martingale_at_one_half() -> None:
    # All 2^6 sequences of fair coins, each as likely: the mean of the e-value is 1 after every number of votes.
    sequences = np.array(list(product((0.0, 1.0), repeat=6)))
    means = np.exp(np.array([log_evidence(row) for row in sequences])).mean(axis=0)
    assert means == pytest.approx(np.ones(6), rel=1e-12)


def test_evidence_of_ties_alone_stays_one() -> None:
    assert log_evidence(np.full(50, 0.5)) == pytest.approx(np.zeros(50), abs=1e-12)


def test_looking_after_every_vote_raises_no_false_alarms() -> None:
    # 1,500 fair studies of 600 people, a third of them ties; at most 5 % may ever reach 20, and an ordinary test at
    # 1.645 looked at every day would alarm far more often. Three standard errors of 5 % are 1.7 points.
    rng = np.random.default_rng(0)
    alarms = sum(bool((log_evidence(rng.choice([0.0, 0.5, 1.0], size=600)) >= np.log(20)).any()) for _ in range(1500))
    assert alarms / 1500 <= 0.05 + 0.017


def test_people_with_strong_tastes_cannot_carry_the_test() -> None:
    # Half of the people love, half hate the candidate, and each votes 40 times in a row: counted by votes that looks
    # like evidence, counted by people it does not.
    rng = np.random.default_rng(1)
    by_person = by_vote = 0
    for _ in range(300):
        votes = [
            (f"{person}", "candidate" if loves else "incumbent")
            for person, loves in enumerate(rng.random(30) < 0.5)
            for _ in range(40)
        ]
        seen = observations(votes, votes_per_person=1)  # type: ignore[arg-type]
        plain = np.array([float(vote == "candidate") for _, vote in votes])
        by_person += bool((log_evidence(seen) >= np.log(20)).any())
        by_vote += bool((log_evidence(plain) >= np.log(20)).any())
    assert by_person / 300 <= 0.05 + 0.038  # three standard errors
    assert by_vote / 300 > 0.5


def test_observations_are_the_first_votes_of_each_person_in_the_order_of_completion() -> None:
    votes = [("a", "candidate"), ("b", "tie"), ("b", "incumbent"), ("a", "both bad"), ("a", "incumbent"), ("c", "tie")]
    assert observations(votes, votes_per_person=2) == pytest.approx([0.25, 0.75])  # type: ignore[arg-type]
    assert observations(votes, votes_per_person=1) == pytest.approx([1.0, 0.5, 0.5])  # type: ignore[arg-type]


def test_confidence_sequence_covers_at_all_times() -> None:
    # Any miss among looks at 20, 40, ... 200 people counts. 120 repetitions; it is conservative.
    rng = np.random.default_rng(3)
    misses = 0
    for _ in range(120):
        seen = (rng.random(200) < 0.6).astype(float)
        bounds = [confidence_sequence(seen[:count]) for count in range(20, 201, 60)]
        misses += any(not low <= 0.6 <= high for low, high in bounds)
    assert misses / 120 <= 0.05 + 0.06  # three standard errors


def test_standing_of_a_clear_winner() -> None:
    votes = [(str(person), "candidate" if person % 4 else "incumbent") for person in range(200)]
    found = standing(votes)  # type: ignore[arg-type]
    assert found.people == 200
    assert found.win_rate == 0.75
    assert found.evidence > 20 > 1 > found.against
    assert 0.5 < found.low < 0.75 < found.high
    nobody = standing([])
    assert (nobody.people, nobody.low, nobody.high, nobody.evidence) == (0, 0.0, 1.0, 1.0)


def test_swapping_the_models_mirrors_everything() -> None:
    votes = [(str(person), "candidate" if person % 3 else "incumbent") for person in range(90)]
    swapped = [(person, "incumbent" if vote == "candidate" else "candidate") for person, vote in votes]
    one, other = standing(votes), standing(swapped)  # type: ignore[arg-type]
    assert one.evidence == pytest.approx(other.against)
    assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low), abs=1e-9)


def test_duels_needed_by_the_textbook_formula() -> None:
    # p = 0.6: ((1.959964 * 0.5 + 0.841621 * sqrt(0.24)) / 0.1)^2 = 193.8.
    assert duels_needed(0.6) == 194
    assert duels_needed(0.4) == 194
    # Half of the duels are ties: the effect is 0.05, the deviations are sqrt(1/8) and sqrt(1/8 - 0.05^2).
    expected = ((1.959963985 * 0.125**0.5 + 0.841621234 * (0.125 - 0.0025) ** 0.5) / 0.05) ** 2
    assert duels_needed(0.6, ties=0.5) == int(np.ceil(expected))
    assert duels_needed(0.6, votes_per_person=5, correlation=0.25) == int(np.ceil(193.8477 * 2))
    assert duels_needed(0.6, votes_per_person=5) == duels_needed(0.6)


def test_the_planned_number_has_the_planned_power() -> None:
    # The two-sided test at 5 % of 194 duels at a share of 0.6: 80 % of 20,000 studies; the binomial is discrete, so the
    # true power lies within two points.
    rng = np.random.default_rng(4)
    wins = rng.binomial(194, 0.6, size=20_000)
    z = (wins / 194 - 0.5) / np.sqrt(0.25 / 194)
    assert np.mean(np.abs(z) > 1.959964) == pytest.approx(0.80, abs=0.02)


def test_detectable_share_inverts_duels_needed() -> None:
    share = detectable_share(1000, ties=0.2)
    assert duels_needed(share, ties=0.2) <= 1000 < duels_needed(share - 1e-4, ties=0.2)


def test_prompts_needed() -> None:
    assert prompts_needed(0.1, deviation=1.0) == int(np.ceil((2.801585 / 0.1) ** 2))
    with pytest.raises(UsageError, match="the effect must not be 0"):
        prompts_needed(0.0, deviation=1.0)


def test_the_anytime_test_needs_more_at_worst_but_often_ends_earlier() -> None:
    worst, median = anytime_needed(0.6, key=KEY, runs=400, most=1500)
    assert worst is not None
    assert median is not None
    assert median < worst
    # The notes' mixture e-process ends after a median of 240 votes at 0.60; this one must not be much worse.
    assert median <= 240
    assert 194 < worst < 3 * 194
    found = plan(0.45, key=KEY)
    assert found.share == 0.55
    assert found.fixed == 783


def test_wrong_input() -> None:
    with pytest.raises(UsageError, match=r"share 0\.5: it must be between 0 and 1, and not 0\.5"):
        duels_needed(0.5)
    with pytest.raises(UsageError, match="ties 1: their share must be in"):
        duels_needed(0.6, ties=1)
    with pytest.raises(UsageError, match="0 duels: give at least 1"):
        detectable_share(0)
    with pytest.raises(UsageError, match="3 duels find no share at all"):
        detectable_share(3, ties=0.9)
    with pytest.raises(UsageError, match="vote 'left': a duel is answered by one of candidate, incumbent, tie"):
        observations([("a", "left")], votes_per_person=1)  # type: ignore[list-item]
    with pytest.raises(UsageError, match=r"they must lie in 0\.\.1"):
        log_evidence(np.array([2.0]))
