"""The rounds of self-training: when they stop, which one is returned, and that they share no prompt."""

from __future__ import annotations

import math

import pytest
import torch

from redraft.core.errors import ConfigError, UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.methods.collapse import CollapseRules, RoundRecord, best_round, collapse, feature_spread
from redraft.methods.round_prompts import prompts_of_round

RULES = CollapseRules()
POOL = [Prompt(text=f"prompt {number}") for number in range(40)]


def history(held_out: list[float], *, weight: float = 0.9, spread: float = 1.0) -> list[RoundRecord]:
    return [
        RoundRecord(
            number=number, held_out=value, mean_weight=weight if number else 1.0, spread=spread if number else 1.0
        )
        for number, value in enumerate(held_out)
    ]


def test_two_falls_in_a_row_stop_the_rounds_and_the_best_is_returned() -> None:
    values = [0.2, 0.3, 0.5, 0.45, 0.48, 0.4, 0.39]
    answers = [collapse(history(values[: count + 1]), rules=RULES) for count in range(len(values))]
    assert answers[:6] == [None] * 6  # one fall, a recovery, one fall
    assert answers[6] == ("round 6: the held-out metric fell 2 rounds in a row, to 0.39; the best, 0.5, was in round 2")
    assert best_round(history(values)).number == 2
    assert collapse(history(values[:4]), rules=CollapseRules(falls=1)) is not None


def test_the_untouched_model_is_the_best_where_every_round_made_it_worse() -> None:
    assert best_round(history([0.5, 0.4, 0.3])).number == 0
    assert best_round(history([0.5, 0.5])).number == 0


def test_low_weights_and_little_spread_stop_the_rounds() -> None:
    rising = [0.1, 0.2]
    assert collapse(history(rising, weight=0.5), rules=RULES) is None
    assert collapse(history(rising, weight=0.47), rules=RULES) == (
        "round 1: the mean distance weight is 0.47, below 0.5: the pictures have left what the first model painted"
    )
    assert collapse(history(rising, spread=0.1), rules=RULES) is None
    narrow = collapse(history(rising, spread=0.1), rules=CollapseRules(lowest_spread=0.3))
    assert narrow == "round 1: the spread of features is 0.1, below 0.3 of the 1 it began with"


def test_spread_of_features() -> None:
    features = torch.tensor([[0.0, 0.0], [2.0, 4.0]])
    assert feature_spread(features) == pytest.approx(math.sqrt((1 + 4) / 2))
    assert feature_spread(features + 100) == pytest.approx(feature_spread(features))
    assert feature_spread(3 * features) == pytest.approx(3 * feature_spread(features))
    with pytest.raises(UsageError, match=r"spread of 1 pictures: at least two"):
        feature_spread(features[:1])


def test_refusals() -> None:
    with pytest.raises(UsageError, match=r"no round to judge: record the untouched model as round 0"):
        collapse([], rules=RULES)
    with pytest.raises(UsageError, match=r"metric of round 1 is nan: it must be a number"):
        best_round(history([0.5, math.nan]))


def test_rounds_share_no_prompt_and_use_the_whole_pool() -> None:
    key = Key(seed=2)
    rounds = [prompts_of_round(POOL, number=number, count=5, key=key) for number in range(8)]
    ids = [prompt.id for part in rounds for prompt in part]
    assert sorted(ids) == sorted(prompt.id for prompt in POOL)
    assert rounds[3] == prompts_of_round(POOL, number=3, count=5, key=key)
    assert rounds[0] != tuple(POOL[:5])
    assert rounds[0] != prompts_of_round(POOL, number=0, count=5, key=Key(seed=3))


def test_repeats_in_the_pool_do_not_join_two_rounds() -> None:
    rounds = [prompts_of_round([*POOL, *POOL], number=number, count=20, key=Key(seed=2)) for number in range(2)]
    assert not {prompt.id for prompt in rounds[0]} & {prompt.id for prompt in rounds[1]}
    with pytest.raises(UsageError, match=r"needs 60 different prompts and the pool has 40: .* enough for 2 rounds"):
        prompts_of_round([*POOL, *POOL], number=2, count=20, key=Key(seed=2))
    with pytest.raises(ConfigError, match=r"number=-1, count=5: rounds count from 0"):
        prompts_of_round(POOL, number=-1, count=5, key=Key(seed=2))
