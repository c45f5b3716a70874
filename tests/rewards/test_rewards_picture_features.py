"""What a CLIP's layers see in pictures, for terms that compare pictures; and gradients of blends with toy rewards."""

from __future__ import annotations

import pytest
import torch

from redraft.core.protocols import PictureFeatures
from redraft.core.records import Prompt
from redraft.core.tensors import Images
from redraft.methods.diversity import diversity
from redraft.rewards.blend import BlendScorer, Standard
from redraft.rewards.clip_similarity import ClipSimilarityScorer
from redraft.rewards.clip_tower import ClipTower
from redraft.rewards.jpeg import JpegCompressibilityScorer
from redraft.rewards.rotation import RotationScorer

World = tuple[Images, tuple[Prompt, ...]]


def test_maps_are_the_patches_of_every_layer(tower: ClipTower, world: World) -> None:
    pixels = world[0].pixels[:3].requires_grad_(True)
    maps = tower.image_maps_differentiable(pixels)
    assert [tuple(layer.shape) for layer in maps] == [(3, 96, 8, 8)] * 2
    (slope,) = torch.autograd.grad(maps[-1].square().mean(), pixels, retain_graph=True)
    assert slope.abs().max() > 0
    # Before any layer has mixed the patches, a patch of the picture is a place of the map.
    (local,) = torch.autograd.grad(maps[0][0, :, 2, 5].square().sum(), pixels)
    assert local[1:].abs().max() == 0
    place = local[0].abs().sum(0).unfold(0, 8, 8).unfold(1, 8, 8).sum((2, 3))
    assert divmod(int(place.argmax()), 8) == (2, 5)


@pytest.mark.parametrize("kind", ["embedding", "perceptual"])
def test_diversity_of_pictures_by_a_real_clip(tower: ClipTower, world: World, kind: str) -> None:
    same = world[0].pixels[[0, 0, 1, 1]]
    other = world[0].pixels[[0, 2, 1, 3]]
    assert diversity(same, features=tower, kind=kind, count=2).item() == pytest.approx(0, abs=1e-5)  # type: ignore[arg-type]
    assert diversity(other, features=tower, kind=kind, count=2).item() > 1e-3  # type: ignore[arg-type]


def blend_of(*parts: tuple[object, float, float]) -> BlendScorer:
    standards = {p.name: Standard(mean=0.0, std=std, fingerprint=p.fingerprint) for p, _, std in parts}  # type: ignore[attr-defined]
    weights = {p.name: weight for p, weight, _ in parts}  # type: ignore[attr-defined]
    return BlendScorer([p for p, _, _ in parts], weights, standards=standards)  # type: ignore[misc]


def test_a_blend_lends_the_features_of_its_first_part_that_has_some(tower: ClipTower) -> None:
    clip = ClipSimilarityScorer(tower)
    assert isinstance(tower, PictureFeatures)
    assert blend_of((RotationScorer(), 1.0, 1.0), (clip, 1.0, 1.0)).tower is tower
    assert blend_of((RotationScorer(), 1.0, 1.0)).tower is None


def test_the_gradient_of_a_blend_is_the_weighted_sum_of_its_parts(tower: ClipTower, world: World) -> None:
    """Reward mixing (2309.17400, section 4.3), standardised; widths keep all parts within the clip."""
    pixels, prompts = world[0].pixels[:4].clone().requires_grad_(True), world[1][:4]
    parts = [
        (ClipSimilarityScorer(tower), 10.0, 1.0),
        (JpegCompressibilityScorer(), 2.0, 1e3),
        (RotationScorer(), 0.05, 2.0),
    ]
    blend = blend_of(*parts)
    assert blend.differentiable
    (slope,) = torch.autograd.grad(blend.score_pixels(pixels, prompts).sum(), pixels)
    expected = torch.zeros_like(slope)
    for scorer, weight, std in parts:
        (own,) = torch.autograd.grad(scorer.score_pixels(pixels, prompts).sum(), pixels)
        assert own.abs().max() > 0
        expected += weight / std * own
    torch.testing.assert_close(slope, expected, rtol=1e-4, atol=1e-7)
