"""Preference sampling: ranks, the rules against their definitions, and what must not change the choice."""

from __future__ import annotations

import math

import pytest
import torch

from redraft.core.errors import ConfigError, UsageError
from redraft.core.keys import Key
from redraft.core.tensors import Scores
from redraft.methods.preference_sampling import pareto_fronts, percentile_ranks, require_scores, sample_preferred

KEY = Key(seed=3)
RULES = ["rank_intersection", "mean_rank", "min_rank", "zsum", "pareto", "random"]
VALUES = Key(seed=9).normal((200, 3)).double()


def rows_of(values, rule="rank_intersection", *, keep, group=None, key=KEY, **options) -> tuple[int, ...]:
    values = torch.as_tensor(values, dtype=torch.float64)
    group = torch.arange(len(values)) if group is None else torch.tensor(group)
    return sample_preferred(values, group, rule=rule, keep=keep, key=key, **options).rows


def test_percentile_ranks_run_from_0_to_1_and_ties_share_the_middle() -> None:
    ranks = percentile_ranks(torch.tensor([[5.0, 1.0], [7.0, 1.0], [6.0, 1.0], [9.0, 3.0], [9.0, 2.0]]))
    assert ranks[:, 0].tolist() == [0.0, 0.5, 0.25, 0.875, 0.875]
    assert ranks[:, 1].tolist() == [0.25, 0.25, 0.25, 1.0, 0.75]
    assert percentile_ranks(torch.tensor([[3.0]])).tolist() == [[1.0]]


def test_rank_intersection_asks_for_the_floor_in_every_score() -> None:
    #        good in one score only          good in both
    values = [[9, 0], [0, 9], [8, 1], [1, 8], [6, 6], [5, 7], [3, 2], [2, 3], [4, 4], [7, 5]]
    # Ranks are value / 9, so a floor of 0.5 is a value of 4.5; three pass, all of mean 6, and the earlier one is first.
    assert rows_of(values, keep=3) == (4, 5, 9)
    assert rows_of(values, "mean_rank", keep=3) == (4, 5, 9)
    # A specialist, ranks (1, 0.25), is better on average than the picture of ranks (0.5, 0.5), but fails one score.
    special = [[4, 1], [2, 2], [3, 0], [1, 3], [0, 4]]
    assert rows_of(special, keep=1) == (1,)
    assert rows_of(special, "mean_rank", keep=1) == (0,)


def test_the_floor_falls_until_enough_survive_and_not_further_than_allowed() -> None:
    line = torch.arange(21.0)[:, None].expand(-1, 2)
    # Ranks 0, 0.05, .., 1: above the floor 0.5 there are 11.
    options = {"rule": "rank_intersection", "key": KEY}
    exact = sample_preferred(line, torch.arange(21), keep=11, **options)
    assert (exact.rows, exact.floor) == (tuple(range(20, 9, -1)), 0.5)
    more = sample_preferred(line, torch.arange(21), keep=13, **options)
    assert len(more.rows) == 13
    assert more.floor == pytest.approx(0.4)
    assert sample_preferred(line, torch.arange(21), keep=21, **options).floor == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(
        UsageError, match=r"12 of 21 pictures survive preference sampling and 13 were asked for .* floor 0.45\): paint"
    ):
        sample_preferred(line, torch.arange(21), keep=13, lowest_floor=0.45, **options)


@pytest.mark.parametrize("rule", ["rank_intersection", "mean_rank", "min_rank", "pareto"])
def test_rules_of_ranks_do_not_depend_on_the_scale_of_a_score(rule: str) -> None:
    stretched = torch.stack([VALUES[:, 0].exp(), 100 * VALUES[:, 1] - 3, VALUES[:, 2] ** 3], dim=1)
    assert rows_of(stretched, rule, keep=20) == rows_of(VALUES, rule, keep=20)


def test_zsum_does_not_depend_on_linear_scales() -> None:
    scaled = VALUES * torch.tensor([10.0, 0.1, 3.0]) + torch.tensor([5.0, -7.0, 0.0])
    assert rows_of(scaled, "zsum", keep=20) == rows_of(VALUES, "zsum", keep=20)
    constant = torch.cat([VALUES, torch.ones(200, 1)], dim=1)
    assert rows_of(constant, "zsum", keep=20) == rows_of(VALUES, "zsum", keep=20)


@pytest.mark.parametrize("rule", RULES)
def test_the_best_picture_in_every_score_is_kept_first(rule: str) -> None:
    values = VALUES.clone()
    values[77] = 50.0
    kept = rows_of(values, rule, keep=20)
    assert len(set(kept)) == 20
    assert rule == "random" or kept[0] == 77


def test_min_rank_prefers_the_balanced_picture() -> None:
    values = torch.cat([VALUES, torch.tensor([[9.0, 9.0, -9.0]])])  # the best in two scores, the worst in the third
    assert 200 not in rows_of(values, "min_rank", keep=20)
    assert 200 in rows_of(values, "zsum", keep=20)


def test_pareto_fronts_by_their_definition() -> None:
    values = torch.cat([VALUES[:60], VALUES[:3]])  # three twins, which do not beat each other
    fronts = pareto_fronts(values)
    left = set(range(63))
    number = 0
    while left:
        beaten = {
            i
            for i in left
            for j in left
            if bool((values[j] >= values[i]).all()) and bool((values[j] > values[i]).any())
        }
        assert {row for row in left if int(fronts[row]) == number} == left - beaten
        left, number = beaten, number + 1
    kept = rows_of(values, "pareto", keep=int((fronts == 0).sum()))
    assert set(kept) == set((fronts == 0).nonzero().flatten().tolist())


def test_random_ignores_the_scores_and_repeats_for_a_key() -> None:
    first = rows_of(VALUES, "random", keep=50)
    assert rows_of(-VALUES, "random", keep=50) == first
    assert rows_of(VALUES, "random", keep=50, key=Key(seed=4)) != first
    # Means of 50 of 200 standard normal draws: standard error 0.12 (without replacement), four of them.
    assert VALUES[list(first)].mean(dim=0).sub(VALUES.mean(dim=0)).abs().max().item() < 0.5


def test_at_most_so_many_of_one_prompt() -> None:
    values = [[6.0], [5.0], [4.0], [3.0], [2.0], [1.0]]
    group = [0, 0, 0, 1, 1, 2]
    assert rows_of(values, keep=3, group=group) == (0, 3, 5)
    assert rows_of(values, keep=3, group=group, at_most_per_group=2) == (0, 1, 3)
    with pytest.raises(UsageError, match=r"3 of 6 pictures survive .* 4 were asked for .* at most 1 of a prompt"):
        rows_of(values, keep=4, group=group)


@pytest.mark.parametrize("rule", RULES)
def test_pictures_without_a_finite_score_are_rejected(rule: str) -> None:
    values = VALUES[:10].clone()
    values[2, 1], values[5, 0] = math.nan, math.inf
    kept = rows_of(values, rule, keep=8)
    assert set(kept) == set(range(10)) - {2, 5}
    with pytest.raises(UsageError, match=r"8 of 10 pictures survive .* 9 were asked for .* 8 with finite scores"):
        rows_of(values, rule, keep=9)


def test_heads_are_chosen_by_name_and_unscored_pictures_are_not_numbers() -> None:
    scores = Scores(
        values=torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        names=("clip", "aesthetic", "hps"),
        fingerprints=("a", "b", "c"),
        mask=torch.tensor([[True, True, True], [True, True, False]]),
    )
    assert require_scores(scores, ("hps", "clip"))[0].tolist() == [3.0, 1.0]
    assert torch.isnan(require_scores(scores, None)[1]).tolist() == [False, False, True]
    with pytest.raises(UsageError, match=r"no score 'pick': they have clip, aesthetic, hps; name some of these"):
        require_scores(scores, ("clip", "pick"))


@pytest.mark.parametrize("options", [{"keep": 0}, {"keep": 1, "floor": 0.2, "lowest_floor": 0.3}])
def test_options_out_of_range(options) -> None:
    with pytest.raises(ConfigError, match=r"at least one picture must be kept, and 0 <= lowest_floor <= floor <= 1"):
        rows_of(VALUES, **options)
