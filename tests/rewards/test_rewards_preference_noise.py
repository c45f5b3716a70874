"""Spoiled pictures of a preference fit: how much is left of them, their loss in closed form, and what a fit learns."""

import math

import pytest
import torch

from redraft.core.keys import Key
from redraft.rewards.preference_noise import LEAST, spoiled, spoiled_loss

KEY = Key(seed=17)
PICTURES = 64


def test_at_most_half_of_a_spoiled_picture_is_itself() -> None:
    """Of a flat picture c the mean is (1 - share) c up to the noise's own mean, and the spread is the noise's."""
    flat = torch.full((PICTURES, 3, 32, 32), 50.0)
    found = spoiled(flat, key=KEY)
    share = 1 - found.mean((1, 2, 3)) / 50
    # The coarsest noise is 48 draws a picture: its mean deviates by 1 / sqrt(48), a 350th of what is flat.
    assert bool((share > LEAST - 0.02).all())
    assert bool((share < 1 + 0.02).all())
    assert share.max() - share.min() > 0.4  # uniform over half a unit: less once in 10^9
    empty = spoiled(torch.zeros(PICTURES, 3, 32, 32), key=KEY)
    assert torch.allclose(found, empty + (flat - 50 * share[:, None, None, None]), atol=50 * 0.02)
    assert torch.equal(spoiled(flat, key=KEY), found)
    assert not torch.equal(spoiled(flat, key=KEY.child("other")), found)


def test_noise_has_grains_of_one_to_eight_pixels() -> None:
    """Neighbours of fine noise have nothing in common, those of a coarse grain nearly all; a quarter of each."""
    noise = spoiled(torch.zeros(PICTURES, 3, 64, 64), key=KEY)
    first, second = noise[..., :-1].flatten(1), noise[..., 1:].flatten(1)
    alike = torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(first, second, strict=True)])
    assert 6 <= int((alike < 0.1).sum()) <= 28  # a quarter of 64 by chance: outside this range once in 1,000
    assert 6 <= int((alike > 0.95).sum()) <= 28


def test_small_pictures_are_spoiled_too() -> None:
    assert spoiled(torch.zeros(8, 3, 4, 4), key=KEY).shape == (8, 3, 4, 4)


def test_the_loss_is_that_of_a_duel_against_the_copy() -> None:
    found = spoiled_loss(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 0.0]))
    assert found.item() == pytest.approx((math.log(1 + math.exp(-2)) + math.log(2)) / 2)
