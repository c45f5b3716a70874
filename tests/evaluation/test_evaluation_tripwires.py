"""Tripwires on planted histories, their false alarms under the null, and the way back."""

from dataclasses import replace

import numpy as np
import pytest

from redraft.core.errors import UsageError
from redraft.evaluation.tripwires import Probe, Tripwires, best_step, check

COUNT = 256


def luck(seed: int) -> np.ndarray:
    """The part of verdicts that a prompt and its noise bring, alike in every probe."""
    return np.random.default_rng(seed).random(COUNT)


def probe(step: int, *, reward: float, oracle: float, seed: int = 0, flips: float = 0.2) -> Probe:
    """A probe as they are in practice: verdicts share most of their luck with the first probe, a fifth is redrawn."""
    rng = np.random.default_rng([seed, step, 1])
    shared = luck(seed)
    redrawn = (rng.random(COUNT) < flips) & (step > 0)
    chance = np.where(redrawn, rng.random(COUNT), shared)
    return Probe(
        step=step,
        trained=reward + 0.1 * shared + 0.03 * rng.normal(size=COUNT),
        heldout=0.3 + 0.1 * shared + 0.03 * rng.normal(size=COUNT),
        oracle=(chance < oracle).astype(np.float64),
        diversity=1 + 0.2 * shared + 0.05 * rng.normal(size=COUNT),
        drift=0.001 * step,
        saturation=0.3,
        clipped=0.01,
        near_identical=0.0,
    )


HEALTHY = tuple(probe(step, reward=0.3 + 0.002 * step, oracle=0.37 + 0.002 * step) for step in (0, 20, 40))


def test_healthy_training_trips_nothing() -> None:
    assert check(HEALTHY) is None
    assert check(HEALTHY[:1]) is None


def test_reward_hacking_is_named_as_such() -> None:
    # As measured on two cores: a reward fitted on rated pictures, 0.32 -> 0.41, oracle 37 % -> 25 % in 20 steps.
    trip = check((probe(0, reward=0.32, oracle=0.37), probe(20, reward=0.41, oracle=0.25)))
    assert trip is not None
    assert (trip.wire, trip.step, trip.best_step) == ("oracle", 20, 0)
    assert "oracle accuracy fell from" in trip.message
    assert "while the trained reward rose from" in trip.message
    assert trip.message.endswith("the reward is being hacked; training stopped and the weights of step 0 are kept")


def test_the_measured_hacking_cases_are_caught_nearly_always() -> None:
    # 37 % -> 25 % on 256 pictures is about 4 paired standard errors here, against a threshold of 2.3.
    histories = [
        (probe(0, reward=0.32, oracle=0.37, seed=seed), probe(20, reward=0.41, oracle=0.25, seed=seed))
        for seed in range(60)
    ]
    caught = sum(check(history) is not None for history in histories)
    assert caught >= 54


def test_plain_damage_trips_without_a_rising_reward() -> None:
    trip = check((probe(0, reward=0.32, oracle=0.37), probe(20, reward=0.25, oracle=0.2)))
    assert trip is not None
    assert trip.wire == "oracle"
    assert "training harms the model" in trip.message


def test_false_alarms_are_rare() -> None:
    # Nothing changes but noise, in ten probes each. At most 5 % of the runs may trip; 200 runs have a standard error of
    # 1.5 points, so more than 9 % would be 2.6 standard errors too many.
    limits = Tripwires(tolerated_oracle_fall=0, tolerated_heldout_fall=0, least_diversity=1)
    alarms = 0
    for seed in range(200):
        history = tuple(probe(step, reward=0.3, oracle=0.37, seed=seed) for step in range(0, 110, 10))
        alarms += any(check(history[:stop], limits) is not None for stop in range(2, 12))
    assert alarms <= 18


def test_a_falling_held_out_scorer_trips() -> None:
    last = HEALTHY[2]
    assert last.heldout is not None
    trip = check((*HEALTHY[:2], replace(last, heldout=last.heldout - 0.03)))
    assert trip is not None
    assert trip.wire == "heldout"
    # A small fall within a tenth of a standard deviation is no alarm, however certain it is.
    first = HEALTHY[0].heldout
    assert first is not None
    assert check((HEALTHY[0], replace(last, heldout=first - 0.05 * first.std()))) is None


def test_falling_diversity_trips_below_the_limit() -> None:
    first = HEALTHY[0].diversity
    assert first is not None
    trip = check((HEALTHY[0], replace(HEALTHY[2], diversity=0.7 * first)))
    assert trip is not None
    assert trip.wire == "diversity"
    assert "diversity is 70 % of what it was, below the limit of 85 %" in trip.message
    assert check((HEALTHY[0], replace(HEALTHY[2], diversity=0.9 * first))) is None


@pytest.mark.parametrize(
    ("change", "wire", "words"),
    [
        ({"drift": 0.2}, "drift", "drift from the base is 0.2, above the limit 0.1"),
        ({"saturation": 0.5}, "saturation", "saturation rose from 0.300 to 0.500, by more than the limit 0.150"),
        ({"clipped": 0.4}, "clipped", "the share of clipped values rose from 0.010 to 0.400"),
        ({"near_identical": 0.5}, "near_identical", "the share of near-identical pictures rose from 0.000 to 0.500"),
        ({"drift": float("nan")}, "non_finite", "drift holds NaN or infinity, and every measured number"),
        ({"trained": np.full(COUNT, np.inf)}, "non_finite", "trained holds NaN or infinity"),
    ],
)  # fmt: skip
def test_other_wires(change: dict[str, object], wire: str, words: str) -> None:
    trip = check((*HEALTHY[:2], replace(HEALTHY[2], **change)))  # type: ignore[arg-type]
    assert trip is not None
    assert trip.wire == wire
    assert words in trip.message


def test_what_was_not_measured_never_trips() -> None:
    bare = [Probe(step=step, trained=np.zeros(4)) for step in (0, 1)]
    assert check(tuple(bare)) is None
    assert check((HEALTHY[0], replace(HEALTHY[2], drift=9.0)), Tripwires(most_drift=None)) is None


def test_the_way_back_is_the_best_finite_step() -> None:
    history = (
        probe(0, reward=0.3, oracle=0.3, flips=0), probe(10, reward=0.3, oracle=0.6, flips=0),
        probe(20, reward=0.9, oracle=0.4, flips=0), probe(30, reward=0.9, oracle=0.1, flips=0),
    )  # fmt: skip
    trip = check(history)
    assert trip is not None
    assert trip.best_step == 10
    broken = replace(history[1], drift=float("inf"))
    assert best_step((history[0], broken, history[2])) == 20
    assert best_step((history[0], replace(history[0], step=5))) == 0
    with pytest.raises(UsageError, match="no probe is finite: there is no earlier step to go back to"):
        best_step((broken,))


def test_unpaired_probes_are_refused() -> None:
    with pytest.raises(UsageError, match="probe of step 0 after step 20: give probes in the order of steps"):
        check((HEALTHY[1], HEALTHY[0]))
    with pytest.raises(UsageError, match="measure the same prompts in every probe, so that they pair"):
        check((HEALTHY[0], replace(HEALTHY[1], oracle=np.zeros(3))))
