"""Choosing and weighting pictures: exact rows, exact weights, and what must not depend on the order."""

from __future__ import annotations

import math

import pytest
import torch
from exact_parts import scored_of

from redraft.core.errors import ConfigError, NumericsError, UsageError
from redraft.core.keys import Key
from redraft.methods.select import best_of_n, keep_correct, reward_weighted

REWARD = [0.2, 0.9, 0.9, 0.5, 0.1, 0.4]
GROUP = [0, 0, 0, 4, 4, 4]


def rows_of(weights, scored) -> list[int]:
    return [int((scored.rollout.latents == latent).flatten(1).all(dim=1).nonzero()[0]) for latent in weights.latents]


def test_best_of_n_takes_the_highest_of_each_group_first_on_ties() -> None:
    scored = scored_of(REWARD, GROUP)
    one = best_of_n(scored, keep=1)
    assert rows_of(one, scored) == [1, 3]
    assert one.weight.tolist() == [1.0, 1.0]
    assert rows_of(best_of_n(scored, keep=2), scored) == [1, 2, 3, 5]
    assert rows_of(best_of_n(scored, keep=2, threshold=0.45), scored) == [1, 2, 3]
    assert rows_of(best_of_n(scored, keep=9), scored) == [0, 1, 2, 3, 4, 5]


def test_keep_correct_draws_at_random_among_the_good_ones() -> None:
    scored = scored_of([1.0] * 8 + [0.0] * 8, [0] * 8 + [1] * 8)
    drawn = {tuple(rows_of(keep_correct(scored, threshold=0.5, at_most=3, key=Key(seed=n)), scored)) for n in range(20)}
    assert all(len(rows) == 3 and max(rows) < 8 for rows in drawn)
    assert len(drawn) > 10  # 56 equally likely triples: 20 draws with 10 or fewer distinct have odds below 1e-6
    again = [rows_of(keep_correct(scored, threshold=0.5, at_most=3, key=Key(seed=1)), scored) for _ in range(2)]
    assert again[0] == again[1]


def test_softmax_weights_have_mean_one_in_every_group() -> None:
    scored = scored_of([0.0, math.log(3.0), 5.0, 5.0], [0, 0, 1, 1])
    weights = reward_weighted(scored, temperature=1.0).weight
    torch.testing.assert_close(weights, torch.tensor([0.5, 1.5, 1.0, 1.0], dtype=torch.float64))
    whole = reward_weighted(scored, temperature=1.0, scope="batch").weight
    expected = 4 * torch.softmax(scored.reward, dim=0)
    torch.testing.assert_close(whole, expected)
    # Rewards of any size: no overflow.
    assert reward_weighted(scored_of([1e6, 0.0], [0, 0]), temperature=1.0).weight.tolist() == [2.0, 0.0]


def test_conditioning_goes_with_its_picture() -> None:
    scored = scored_of(REWARD, GROUP)
    numbered = scored.conditioning.positive["mean"] + torch.arange(6.0).double()[:, None]
    scored.conditioning.positive["mean"][:] = numbered
    assert best_of_n(scored, keep=1).conditioning.positive["mean"].flatten().tolist() == [1.0, 3.0]


def test_messages() -> None:
    scored = scored_of(REWARD, GROUP)
    with pytest.raises(UsageError, match=r"no picture of 6 has a reward above 2.0 \(the highest is 0.9\).*lower the"):
        best_of_n(scored, threshold=2.0)
    with pytest.raises(ConfigError, match=r"keep=0: at least one picture"):
        best_of_n(scored, keep=0)
    with pytest.raises(ConfigError, match=r"temperature=0: must be above 0"):
        reward_weighted(scored, temperature=0)
    with pytest.raises(NumericsError, match=r"reward of picture 1 is inf"):
        keep_correct(scored_of([0.0, math.inf], [0, 0]), threshold=0.0, at_most=1, key=Key(seed=0))
