"""Rotational anti-correlation: its best, worst and undefined cases, its invariances, its gradient."""

from __future__ import annotations

import pytest
import torch

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.core.tensors import Images
from redraft.rewards.rotation import RotationScorer
from redraft.testing import check_scorer

SCORER = RotationScorer()
KEY = Key(seed=3)


def scores(*pictures: torch.Tensor) -> torch.Tensor:
    pixels = torch.stack([picture.expand(3, -1, -1) for picture in pictures])
    return SCORER.score(Images(pixels=pixels), [Prompt(text="anything")] * len(pictures)).values[:, 0]


def grid(size: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    axis = torch.linspace(-1, 1, size)
    return torch.meshgrid(axis, axis, indexing="ij")


def test_closed_forms() -> None:
    rows, columns = grid()
    saddle, bowl = (2 + rows**2 - columns**2) / 4, (rows**2 + columns**2) / 2
    ramp = (1 + rows) / 2
    # A saddle turned by 90 degrees is its own negative, a bowl is itself, a ramp is uncorrelated with the turned one.
    assert scores(saddle, bowl, ramp).tolist() == pytest.approx([1, -1, 0], abs=1e-5)


def test_a_constant_picture_scores_nothing_and_pulls_nowhere() -> None:
    colour = torch.tensor([0.9, 0.2, 0.4])[:, None, None].expand(3, 8, 8)
    pixels = torch.stack([colour, torch.zeros(3, 8, 8)]).requires_grad_(True)
    value = SCORER.score_pixels(pixels, [Prompt(text="")] * 2)
    assert value.abs().max().item() < 1e-4
    (slope,) = torch.autograd.grad(value.sum(), pixels)
    assert bool(torch.isfinite(slope).all())


def test_invariances() -> None:
    picture = KEY.uniform((3, 12, 12))
    shifted = 0.4 * picture + torch.tensor([0.1, 0.3, 0.5])[:, None, None]
    turned = torch.rot90(picture, dims=(1, 2))
    found = scores(picture, shifted, turned, torch.rot90(picture, 2, dims=(1, 2)))
    assert found.tolist() == pytest.approx([found[0].item()] * 4, abs=1e-5)
    many = SCORER.score(Images(pixels=KEY.child("many").uniform((50, 3, 6, 6))), [Prompt(text="")] * 50).values
    assert -1 <= many.min().item() < many.max().item() <= 1


def test_gradient_equals_central_differences() -> None:
    pixels, prompts = KEY.uniform((2, 3, 7, 7)).double().requires_grad_(True), [Prompt(text="")] * 2
    assert torch.autograd.gradcheck(lambda value: SCORER.score_pixels(value, prompts), pixels, rtol=1e-5, atol=1e-8)


def test_following_the_gradient_reaches_the_best_value() -> None:
    pixels = 0.4 + 0.2 * KEY.uniform((3, 3, 8, 8))
    prompts = [Prompt(text="")] * 3
    for _ in range(100):
        pixels.requires_grad_(True)
        (slope,) = torch.autograd.grad(SCORER.score_pixels(pixels, prompts).sum(), pixels)
        pixels = (pixels.detach() + 0.1 * slope / slope.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).clamp(0, 1)
    assert SCORER.score_pixels(pixels, prompts).min().item() > 0.95


def test_conformance_and_messages() -> None:
    check_scorer(SCORER)
    with pytest.raises(UsageError, match=r"pictures of 6 x 4 pixels: .* must be square; crop them"):
        SCORER.score_pixels(torch.zeros(1, 3, 4, 6), [Prompt(text="")])
