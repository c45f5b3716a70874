"""Object present, object removed and classifier target: their algebra on any CLIP, their skill on the shipped one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from redraft.cli.factory import PluginFactory
from redraft.core.errors import UnknownNameError, UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.core.tensors import Images
from redraft.rewards.clip_tower import ClipTower
from redraft.rewards.named_things import ClassifierTargetScorer, ObjectPresentScorer, ObjectRemovedScorer
from redraft.rewards.zero_shot import NAMES, ZeroShotClassifier
from redraft.testing import check_scorer
from redraft.world import parse, render

KEY = Key(seed=13)
World = tuple[Images, tuple[Prompt, ...]]


def test_present_and_removed_are_one_number_with_two_signs(tower: ClipTower, world: World) -> None:
    images, prompts = world[0].take(range(8)), world[1][:8]
    for target in NAMES[:3]:
        present = ObjectPresentScorer(tower, target=target).score(images, prompts).values
        removed = ObjectRemovedScorer(tower, target=target).score(images, prompts).values
        assert torch.equal(present, -removed)
    logits = ZeroShotClassifier(tower, NAMES).logits(images.pixels)
    last = NAMES.index(NAMES[2])
    others = [column for column in range(len(NAMES)) if column != last]
    torch.testing.assert_close(present[:, 0], logits[:, last] - logits[:, others].mean(1), atol=1e-4, rtol=1e-4)
    # Over all names the scores sum to zero: what speaks for one thing speaks against the others.
    total = sum(ObjectPresentScorer(tower, target=name).score(images, prompts).values for name in NAMES)
    assert total.abs().max().item() < 1e-3


def test_classifier_target_is_minus_a_cross_entropy(tower: ClipTower, world: World) -> None:
    images, prompts = world[0].take(range(8)), world[1][:8]
    logits = ZeroShotClassifier(tower, NAMES).logits(images.pixels)
    total = torch.zeros(8)
    for column, name in enumerate(NAMES):
        score = ClassifierTargetScorer(tower, target=name).score(images, prompts).values[:, 0]
        entropy = torch.nn.functional.cross_entropy(logits, torch.full((8,), column), reduction="none")
        torch.testing.assert_close(score, -entropy, atol=1e-4, rtol=1e-4)
        total += score.exp()
    torch.testing.assert_close(total, torch.ones(8), atol=1e-4, rtol=0)


def test_the_prompt_is_not_read(tower: ClipTower, world: World) -> None:
    scorer = ObjectPresentScorer(tower, target="star")
    one = scorer.score(world[0].take(range(4)), world[1][:4]).values
    assert torch.equal(one, scorer.score(world[0].take(range(4)), [Prompt(text="something else")] * 4).values)


@pytest.mark.parametrize("plugin", [ObjectPresentScorer, ObjectRemovedScorer, ClassifierTargetScorer])
def test_conformance(tower: ClipTower, plugin: type[ObjectPresentScorer]) -> None:
    check_scorer(plugin(tower, target="heart"))
    assert plugin(tower, target="heart").fingerprint != plugin(tower, target="star").fingerprint


def renders(shapes: list[str], count: int) -> Images:
    """`count` renders of each shape alone, in colours and places of their own."""
    rng = np.random.default_rng(KEY.entropy)
    pictures = np.stack([render(parse(f"a {shape}"), rng) for shape in shapes for _ in range(count)])
    return Images(pixels=torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)


def area_under_curve(good: torch.Tensor, bad: torch.Tensor) -> float:
    return (good[:, None] > bad[None]).float().mean().item()


def test_the_shipped_clip_tells_shapes_apart() -> None:
    """160 renders of 8 shapes; the numbers stand in docs/rewards.md."""
    count = 20
    images = renders(list(NAMES), count)
    prompts = [Prompt(text="")] * len(images)
    opened = PluginFactory(scorers={"object-present": {"target": "ring"}}).scorer("object-present")
    assert isinstance(opened, ObjectPresentScorer)
    assert opened.target == NAMES.index("ring")
    correct, areas = 0, []
    for index, name in enumerate(NAMES):
        present = ObjectPresentScorer(opened.tower, target=name).score(images, prompts).values[:, 0]
        own = torch.zeros(len(images), dtype=torch.bool)
        own[index * count : (index + 1) * count] = True
        areas.append(area_under_curve(present[own], present[~own]))
        target = ClassifierTargetScorer(opened.tower, target=name).score(images, prompts).values[:, 0]
        correct += int((target[own].exp() > 0.5).sum())
    assert min(areas) > 0.99  # measured: 1.000 for each
    assert correct / len(images) > 0.98  # measured: 1.000


@pytest.mark.parametrize("name", ["object-present", "object-removed", "classifier-target"])
def test_following_the_gradient_changes_what_the_clip_sees(name: str) -> None:
    scorer = PluginFactory(scorers={name: {"target": "cross"}}).scorer(name)
    pixels, prompts = renders(["circle", "cross", "moon"], 2).pixels, [Prompt(text="")] * 6
    before = scorer.score_pixels(pixels, prompts)
    for _ in range(5):
        pixels.requires_grad_(True)
        (slope,) = torch.autograd.grad(scorer.score_pixels(pixels, prompts).sum(), pixels)
        pixels = (pixels.detach() + 0.5 * slope / slope.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).clamp(0, 1)
    assert bool((scorer.score_pixels(pixels, prompts) > before).all())


def test_messages(tower: ClipTower) -> None:
    with pytest.raises(UnknownNameError, match=r"class 'stars' is unknown: did you mean 'star'"):
        ObjectPresentScorer(tower, target="stars")
    for names in ((), ("star",), ("star", "star")):
        with pytest.raises(UsageError, match=r"two or more different names are needed to tell apart"):
            ClassifierTargetScorer(tower, target="star", names=names)
