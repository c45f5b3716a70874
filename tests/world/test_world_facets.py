"""Facets: six numbers in 0..1 that fall when the thing they measure gets worse."""

import numpy as np
from scipy import ndimage

from redraft.core.records import FACETS
from redraft.world import corrupt_request, facets, parse, read, render

from .conftest import Sample


def test_facets_are_in_order_and_in_range_even_for_nonsense(sample: Sample, rng: np.random.Generator) -> None:
    pictures = [picture for _, picture in sample[:90]]
    pictures += [np.zeros((64, 64, 3), np.uint8), rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)]
    for picture in pictures:
        values = facets(picture, sample[0][0])
        assert tuple(values) == FACETS
        assert all(0 <= value <= 1 for value in values.values())


def test_right_pictures_mean_more_than_wrong_ones(sample: Sample, rng: np.random.Generator) -> None:
    for request, picture in sample[:90]:
        assert facets(picture, request, reading=read(picture))["semantics"] == 1
    wrong = [facets(render(corrupt_request(request, rng), rng), request)["semantics"] for request, _ in sample[:90]]
    assert max(wrong) < 1


def test_blur_costs_detail_and_noise_costs_the_background(sample: Sample, rng: np.random.Generator) -> None:
    for request, picture in sample[:60]:
        clean = facets(picture, request)
        blurred = facets(ndimage.gaussian_filter(picture, (1.2, 1.2, 0)), request)
        noisy = facets(np.clip(picture + rng.normal(0, 12, picture.shape), 0, 255).astype(np.uint8), request)
        assert blurred["subject_detail"] < clean["subject_detail"]
        assert noisy["background_detail"] < clean["background_detail"]


def test_cut_objects_and_specks_of_paint_cost_coherence(rng: np.random.Generator) -> None:
    picture = render(parse("a blue circle"), rng)
    assert facets(picture, parse("a blue circle"))["coherence"] == 1
    left, _, right, _ = read(picture).objects[0].box
    moved = np.roll(picture, -(left + (right - left) // 8), axis=1)
    assert facets(moved, parse("a blue circle"))["coherence"] < 1


def test_the_unsafe_shape_is_unsafe_and_others_are_not(sample: Sample, rng: np.random.Generator) -> None:
    for text in ("a skull", "a red skull", "three skulls"):
        assert facets(render(parse(text), rng), parse(text))["safety"] == 0
    safe = [facets(picture, request)["safety"] for request, picture in sample[:300]]
    assert min(safe) > 0.5
    assert np.mean(safe) > 0.9


def test_composition_prefers_the_middle(rng: np.random.Generator) -> None:
    picture = render(parse("a green square"), rng)
    left, top, right, bottom = read(picture).objects[0].box
    centered = np.roll(picture, (32 - (top + bottom) // 2, 32 - (left + right) // 2), axis=(0, 1))
    cornered = np.roll(picture, (2 - top, 2 - left), axis=(0, 1))
    request = parse("a green square")
    assert facets(centered, request)["aesthetics"] > facets(cornered, request)["aesthetics"] + 0.2
