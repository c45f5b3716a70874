"""Promotion by people's votes: the limits by hand, and the error over many trials that are watched every night."""

from __future__ import annotations

from dataclasses import replace
from math import pi

import numpy as np
import pytest

from redraft.core.errors import UsageError
from redraft.evaluation.duels import Standing, confidence_sequence, log_evidence, standing
from redraft.evaluation.people_gate import PeoplePolicy, decide_by_people

GOOD = Standing(people=100, win_rate=0.7, low=0.55, high=0.8, evidence=1000.0, against=0.01)


def test_what_promotes_and_what_does_not() -> None:
    # Trial k may spend 0.05 * 6 / (pi^2 k^2): 1 / that is 32.9 for the first and 131.6 for the second.
    needed = pi**2 / (6 * 0.05)
    assert decide_by_people(GOOD).decision == "promote"
    assert decide_by_people(replace(GOOD, evidence=needed + 0.01)).decision == "promote"
    assert decide_by_people(replace(GOOD, evidence=needed - 0.01)).decision == "hold"
    assert decide_by_people(replace(GOOD, evidence=131.0), trial=2).decision == "hold"
    assert decide_by_people(replace(GOOD, evidence=132.0), trial=2).decision == "promote"
    assert decide_by_people(replace(GOOD, low=0.499)).decision == "hold"
    few = decide_by_people(replace(GOOD, people=49))
    assert few.decision == "hold"
    assert few.reasons[0].startswith("only 49 people have voted, 50 are needed: wait for more")
    bad = decide_by_people(replace(GOOD, people=10, win_rate=0.2, evidence=0.001, against=40.0))
    assert bad.decision == "reject"
    assert "worse: 10 people prefer the challenger in 20.0 % of duels" in bad.reasons[0]
    with pytest.raises(UsageError, match="counted from 1"):
        decide_by_people(GOOD, trial=0)


def test_an_equal_challenger_is_hardly_ever_promoted_over_a_year_of_nights() -> None:
    """400 workspaces, each with 6 challengers that are as good as the champion, looked at after every vote of 300."""
    rng, promoted = np.random.default_rng(4), 0
    for _ in range(400):
        for trial in range(1, 7):
            votes = rng.choice([0.0, 0.5, 1.0], size=300, p=[0.4, 0.2, 0.4])
            evidence = np.exp(log_evidence(votes))
            enough = np.arange(1, 301) >= 50
            # The first moment at which evidence suffices; the sequence is only looked at there.
            when = np.flatnonzero(enough & (evidence >= trial**2 * pi**2 / 0.3))
            if len(when) and confidence_sequence(votes[: when[0] + 1])[0] > 0.5:
                promoted += 1
                break
    # 5 % at most; three standard errors are 3.3 points.
    assert promoted / 400 <= 0.05 + 0.033


def test_a_better_challenger_is_found() -> None:
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(20):
        votes = [(f"person {n}", "candidate" if rng.random() < 0.65 else "incumbent") for n in range(300)]
        found += decide_by_people(standing(votes)).decision == "promote"  # type: ignore[arg-type]
    # At a true rate of 0.65 the expected growth is 0.046 nats a vote: 300 votes are worth e^13.7.
    assert found >= 18


def test_the_policy_refuses_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        PeoplePolicy(least_people=0)
