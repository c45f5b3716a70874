"""Duels between two models, watched as they come: an e-process and a confidence sequence that may be read at any time.

The unit is the person. A person's first `votes_per_person` votes make one observation in 0..1, which enters when it is
complete; whatever else that person says is not counted. So people with strong tastes cannot carry the test, and
stopping at any moment is allowed. An ordinary test looked at every day ships losers; this one does not.

Betting on a bounded mean: Waudby-Smith and Ramdas 2024 (arXiv 2010.09686), with a fixed mixture of bets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from redraft.core.errors import UsageError
from redraft.evaluation.statistics import LEVEL, FloatArray

Vote = Literal["candidate", "incumbent", "tie", "both bad"]

SCORES: dict[Vote, float] = {"candidate": 1.0, "incumbent": 0.0, "tie": 0.5, "both bad": 0.5}
BETS = 2.0 ** np.arange(-6, 0.01, 0.5)
"""Fractions of the largest allowed bet; half a power of two apart, so that one is near the best for any effect."""
_PRECISION = 1e-6


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a sequence of duels stands.

    people: with a complete observation. win_rate: the mean of these, ties counting half. low, high: the confidence
    sequence, which holds the true rate at all times together with the stated probability. evidence: the e-value against
    "the candidate wins at most half": at or above 1 / alpha the candidate is proven better at level alpha. against: the
    same for "wins at least half". Both are 1 at the start.
    """

    people: int
    win_rate: float
    low: float
    high: float
    evidence: float
    against: float


def standing(votes: Iterable[tuple[str, Vote]], *, votes_per_person: int = 1, level: float = LEVEL) -> Standing:
    """Read a sequence of votes (person, vote) in the order in which they came.

    Args:
        votes: all votes so far.
        votes_per_person: how many votes of a person make the one observation; fixed before the first vote.
        level: of the confidence sequence.

    Raises:
        UsageError: for an unknown vote or votes_per_person below 1.
    """
    observed = observations(votes, votes_per_person=votes_per_person)
    low, high = confidence_sequence(observed, level=level)
    return Standing(
        people=len(observed),
        win_rate=float(observed.mean()) if len(observed) else 0.5,
        low=low,
        high=high,
        evidence=float(np.exp(log_evidence(observed)[-1])) if len(observed) else 1.0,
        against=float(np.exp(log_evidence(1 - observed)[-1])) if len(observed) else 1.0,
    )


def observations(votes: Iterable[tuple[str, Vote]], *, votes_per_person: int) -> FloatArray:
    """One number in 0..1 a person, in the order in which they became complete. Errors as for `standing`."""
    if votes_per_person < 1:
        raise UsageError(f"votes_per_person = {votes_per_person}: a person's observation needs at least 1 vote")
    given: dict[str, list[float]] = {}
    complete: list[float] = []
    for person, vote in votes:
        if vote not in SCORES:
            raise UsageError(f"vote {vote!r}: a duel is answered by one of {', '.join(SCORES)}")
        mine = given.setdefault(person, [])
        if len(mine) < votes_per_person:
            mine.append(SCORES[vote])
            if len(mine) == votes_per_person:
                complete.append(sum(mine) / votes_per_person)
    return np.array(complete)


def log_evidence(observed: FloatArray, *, mean: float = 0.5) -> FloatArray:
    """Logarithm of the e-process against "the mean is at most `mean`" after each of N observations in 0..1.

    The average over a fixed set of bets of the product of 1 + bet * (x - mean): expected at most 1 at any stopping time
    if the hypothesis is true.

    Raises:
        UsageError: for an observation outside 0..1 or a mean outside (0, 1).
    """
    if len(observed) and not 0 <= observed.min() <= observed.max() <= 1:
        raise UsageError(f"observations from {observed.min()} to {observed.max()}: they must lie in 0..1")
    if not 0 < mean < 1:
        raise UsageError(f"mean {mean}: the hypothesis must lie strictly between 0 and 1")
    # Bets stay below 1 / mean, so that a lost one never costs everything.
    bets = 0.9 * BETS / mean
    wealth = np.cumsum(np.log1p(bets[:, None] * (observed - mean)[None, :]), axis=1)
    return np.asarray(_log_mean(wealth))


def confidence_sequence(observed: FloatArray, *, level: float = LEVEL) -> tuple[float, float]:
    """Bounds that hold the mean at all times together with probability `level`: means no bet has refuted so far.

    The bounds after N observations; they may be intersected over time. Two one-sided processes share 1 - level.
    """
    if not len(observed):
        return 0.0, 1.0
    limit = float(np.log(2 / (1 - level)))
    return _least_unrefuted(observed, limit), 1 - _least_unrefuted(1 - observed, limit)


def _least_unrefuted(observed: FloatArray, limit: float) -> float:
    """The least mean that the evidence has not refuted; evidence against "at most m" falls as m rises, so bisect."""
    low, high = 0.0, 1.0
    while high - low > _PRECISION:
        middle = (low + high) / 2
        refuted = log_evidence(observed, mean=middle)[-1] >= limit
        low, high = (middle, high) if refuted else (low, middle)
    return low


def _log_mean(logs: FloatArray) -> FloatArray:
    top = logs.max(axis=0)
    return np.asarray(top + np.log(np.exp(logs - top).mean(axis=0)))
