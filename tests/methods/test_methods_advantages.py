"""Group normalisation against hand-computed values and its invariances."""

from __future__ import annotations

import pytest
import torch

from redraft.core.errors import ConfigError, NumericsError
from redraft.methods.advantages import group_normalise


def test_values_by_hand_for_each_scale() -> None:
    reward = torch.tensor([1.0, 3.0, 10.0, 10.0, 2.0, 6.0], dtype=torch.float64)
    group = torch.tensor([7, 7, 1, 1, 3, 3])
    by_group = group_normalise(reward, group, scale="group", clip=5.0)
    assert by_group.advantage.tolist() == [-1.0, 1.0, 0.0, 0.0, -1.0, 1.0]
    assert (by_group.groups, by_group.zero_variance_groups) == (3, 1)
    # Centred rewards -1, 1, 0, 0, -2, 2: their mean square is 10 / 6.
    batch = group_normalise(reward, group, scale="batch", clip=5.0).advantage
    torch.testing.assert_close(batch, torch.tensor([-1.0, 1, 0, 0, -2, 2], dtype=torch.float64) / (10 / 6) ** 0.5)
    # Raw rewards have mean 32 / 6 and mean square 250 / 6.
    deviation = (250 / 6 - (32 / 6) ** 2) ** 0.5
    overall = group_normalise(reward, group, scale="global", clip=5.0).advantage
    torch.testing.assert_close(overall, torch.tensor([-1.0, 1, 0, 0, -2, 2], dtype=torch.float64) / deviation)


@pytest.mark.parametrize("scale", ["group", "batch", "global"])
def test_adding_a_constant_to_a_group_or_scaling_all_changes_nothing_of_the_order(scale: str) -> None:
    reward = torch.tensor([0.1, 0.7, 0.3, 0.9, 0.2, 0.2], dtype=torch.float64)
    group = torch.tensor([0, 0, 0, 1, 1, 1])
    first = group_normalise(reward, group, scale=scale, clip=100.0).advantage
    torch.testing.assert_close(group_normalise(reward * 8, group, scale=scale, clip=100.0).advantage, first)
    if scale != "global":  # the deviation of raw rewards sees the distance between groups
        moved = group_normalise(reward + 4.0 * group, group, scale=scale, clip=100.0).advantage
        torch.testing.assert_close(moved, first)
    means = torch.zeros(2, dtype=torch.float64).index_add(0, group, first)
    torch.testing.assert_close(means, torch.zeros(2, dtype=torch.float64), atol=1e-12, rtol=0)


def test_rounding_noise_is_no_variance_and_clip_is_symmetric() -> None:
    noise = torch.tensor([0.3, 0.1 + 0.2, 1e3, 1e3 + 1e-7], dtype=torch.float64)
    quiet = group_normalise(noise, torch.tensor([0, 0, 1, 1]), scale="group", clip=5.0)
    assert quiet.advantage.tolist() == [0.0] * 4
    assert quiet.zero_variance_groups == 2
    lone = torch.tensor([0.0] * 99 + [1.0])
    clipped = group_normalise(lone, torch.zeros(100, dtype=torch.long), scale="group", clip=5.0).advantage
    assert clipped.max().item() == 5.0
    assert group_normalise(-lone, torch.zeros(100), scale="group", clip=5.0).advantage.min().item() == -5.0
    assert clipped.dtype == torch.float32


def test_a_bad_reward_is_named_and_a_bad_clip_refused() -> None:
    with pytest.raises(NumericsError, match=r"reward of picture 1 is nan: every reward must be finite"):
        group_normalise(torch.tensor([0.0, torch.nan]), torch.tensor([0, 0]), scale="group", clip=5.0)
    with pytest.raises(ConfigError, match=r"clip=0: .*must be above 0; 5 is usual"):
        group_normalise(torch.tensor([0.0, 1.0]), torch.tensor([0, 0]), scale="group", clip=0)
