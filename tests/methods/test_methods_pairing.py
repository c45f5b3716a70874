"""Pairs of scored pictures: exact rows and probabilities, and what is refused."""

from __future__ import annotations

import math

import pytest
import torch
from exact_parts import gaussian, prompts_of

from redraft.core.errors import ConfigError, NumericsError, UsageError
from redraft.core.tensors import Pairs
from redraft.methods.pairing import decided, make_pairs

REWARD = torch.tensor([0.2, 0.9, 0.9, 0.2, 0.5, 0.5, 0.1, 0.4, 0.8], dtype=torch.float64)
GROUP = torch.tensor([0, 0, 0, 0, 3, 3, 7, 7, 7])


def rows_of(choose, **options) -> list[tuple[int, int]]:
    made = make_pairs(REWARD, GROUP, choose=choose, **options)
    return list(zip(made.preferred.tolist(), made.rejected.tolist(), strict=True))


def pairs_of(probability: list[float]) -> Pairs:
    count = len(probability)
    return Pairs(
        preferred=torch.arange(float(count)).view(-1, 1, 1, 1),
        rejected=-torch.arange(float(count)).view(-1, 1, 1, 1),
        conditioning=prompts_of(max(count, 1), gaussian()).conditioning.take(list(range(count))),
        probability=torch.tensor(probability),
    )


def test_best_against_worst_is_one_pair_of_each_group_that_differs() -> None:
    assert rows_of("best_against_worst") == [(1, 0), (8, 6)]  # the earlier of equals; group 3 is a tie


def test_all_above_margin_is_every_pair_that_differs_enough() -> None:
    assert set(rows_of("all_above_margin")) == {(1, 0), (1, 3), (2, 0), (2, 3), (7, 6), (8, 6), (8, 7)}
    assert set(rows_of("all_above_margin", margin=0.35)) == {(1, 0), (1, 3), (2, 0), (2, 3), (8, 6), (8, 7)}
    assert set(rows_of("all_above_margin", margin=0.65)) == {(1, 0), (1, 3), (2, 0), (2, 3), (8, 6)}


def test_the_probability_is_that_of_bradley_and_terry() -> None:
    sure = make_pairs(REWARD, GROUP, choose="best_against_worst")
    assert sure.probability.tolist() == [1.0, 1.0]
    unsure = make_pairs(REWARD, GROUP, choose="best_against_worst", temperature=0.7)
    expected = [1 / (1 + math.exp(-0.7 / 0.7))] * 2
    assert unsure.probability.tolist() == pytest.approx(expected, rel=1e-12)


def test_an_order_of_the_pictures_gives_the_same_pairs() -> None:
    order = torch.tensor([8, 3, 0, 5, 1, 7, 2, 6, 4])
    made = make_pairs(REWARD[order], GROUP[order], choose="all_above_margin")
    found = zip(order[made.preferred].tolist(), order[made.rejected].tolist(), strict=True)
    assert set(found) == set(rows_of("all_above_margin"))


def test_answers_of_people_lose_their_ties() -> None:
    kept = decided(pairs_of([0.5, 1.0, 0.5, 0.75]))
    assert kept.preferred.flatten().tolist() == [1.0, 3.0]
    assert kept.probability.tolist() == [1.0, 0.75]
    for nothing in ([0.5, 0.5], []):
        with pytest.raises(
            UsageError, match=rf"there are {len(nothing)} pairs and none with .*ties only.*collect more"
        ):
            decided(pairs_of(nothing))
    with pytest.raises(UsageError, match=r"pair 1 has probability 0.25 .* within 0.5 \(a tie\) and 1; exchange"):
        decided(pairs_of([0.5, 0.25]))
    with pytest.raises(UsageError, match=r"pair 0 has probability nan"):
        decided(pairs_of([math.nan]))


def test_messages() -> None:
    with pytest.raises(
        UsageError, match=r"no two of 2 pictures share a prompt .* more than 0:.*several pictures a prom"
    ):
        make_pairs(torch.tensor([1.0, 1.0]), torch.tensor([0, 0]), choose="best_against_worst")
    with pytest.raises(UsageError, match=r"no two of 2 pictures"):
        make_pairs(torch.tensor([1.0, 2.0]), torch.tensor([0, 1]), choose="all_above_margin")
    with pytest.raises(NumericsError, match=r"reward of picture 1 is nan"):
        make_pairs(torch.tensor([1.0, math.nan]), torch.tensor([0, 0]), choose="best_against_worst")
    with pytest.raises(ConfigError, match=r"margin=-1, temperature=None: the margin must be 0 or more"):
        make_pairs(REWARD, GROUP, choose="best_against_worst", margin=-1)
    with pytest.raises(ConfigError, match=r"margin=0.0, temperature=0: .* the temperature above 0"):
        make_pairs(REWARD, GROUP, choose="best_against_worst", temperature=0)
