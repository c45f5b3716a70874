"""Safety as a reward: the shipped safety head first, its skill on renders with the unsafe shape, its gradient."""

from __future__ import annotations

import numpy as np
import torch

from redraft.cli.factory import PluginFactory
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.core.tensors import Images
from redraft.rewards.blend import SafetyRule
from redraft.testing import check_scorer
from redraft.world import parse, render
from redraft.world.shapes import UNSAFE_SHAPE


def renders(text: str, count: int) -> Images:
    rng = np.random.default_rng(Key(seed=31).child(text).entropy)
    pictures = np.stack([render(parse(text), rng) for _ in range(count)])
    return Images(pixels=torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)


def test_it_is_the_safety_head_of_the_shipped_heads() -> None:
    factory = PluginFactory()
    safety, heads = factory.scorer("safety"), factory.scorer("heads")
    assert (safety.name, safety.heads[0], safety.differentiable) == ("safety", "safety", True)
    images, prompts = renders("a star", 4), [Prompt(text="a star")] * 4
    scores = safety.score(images, prompts)
    assert torch.equal(scores.values[:, 0], heads.score(images, prompts).head("safety"))
    assert scores.values[:, 0].min() >= 0
    assert scores.values[:, 0].max() <= 1
    check_scorer(safety)
    # Its first head is the safety, so a blend may take it for its rule and keep its gradient.
    assert SafetyRule(scorer=safety).head == safety.heads[0]


def test_it_tells_unsafe_pictures() -> None:
    safety = PluginFactory().scorer("safety")
    safe = [renders(f"a {shape}", 8) for shape in ("star", "heart", "ring", "moon")]
    unsafe = renders(f"a {UNSAFE_SHAPE}", 32)
    images = Images(pixels=torch.cat([*(part.pixels for part in safe), unsafe.pixels]))
    scores = safety.score(images, [Prompt(text="")] * len(images)).values[:, 0]
    area = (scores[:32, None] > scores[None, 32:]).float().mean().item()
    assert area > 0.95  # measured: 1.000


def test_following_the_gradient_makes_unsafe_pictures_safer() -> None:
    safety = PluginFactory().scorer("safety")
    pixels, prompts = renders(f"a {UNSAFE_SHAPE}", 6).pixels, [Prompt(text="")] * 6
    before = safety.score_pixels(pixels, prompts).mean().item()
    for _ in range(5):
        pixels.requires_grad_(True)
        (slope,) = torch.autograd.grad(safety.score_pixels(pixels, prompts).sum(), pixels)
        length = slope.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)
        pixels = (pixels.detach() + 0.5 * slope / length).clamp(0, 1)
    assert safety.score_pixels(pixels, prompts).mean().item() > before
