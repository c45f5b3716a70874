"""The oracle reads every rendered picture, most of the slightly spoilt ones, and never trips over nonsense."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from redraft.core.errors import UsageError
from redraft.world import ALL_TASKS, draw_request, parse, read, render, verify, verify_batch

from .conftest import Sample


def test_every_rendered_picture_is_read_rightly(sample: Sample) -> None:
    requests, pictures = zip(*sample, strict=True)
    verdicts = verify_batch(pictures, requests)
    assert [request for request, verdict in zip(requests, verdicts, strict=True) if not verdict.correct] == []
    assert all(read(picture).unclear == 0 for picture in pictures[:200])


def test_light_blur_and_noise_hardly_matter(sample: Sample, rng: np.random.Generator) -> None:
    spoilt = [
        np.clip(ndimage.gaussian_filter(picture.astype(float), (0.6, 0.6, 0)) + rng.normal(0, 6, picture.shape), 0, 255)
        for _, picture in sample
    ]
    verdicts = verify_batch([picture.astype(np.uint8) for picture in spoilt], [request for request, _ in sample])
    assert np.mean([verdict.correct for verdict in verdicts]) >= 0.97


def test_bytes_and_floats_read_alike(sample: Sample) -> None:
    for _, picture in sample[:40]:
        as_bytes, as_floats = read(picture), read(picture.astype(np.float32) / 255)
        assert [(thing.shape, thing.color, thing.box) for thing in as_bytes.objects] == [
            (thing.shape, thing.color, thing.box) for thing in as_floats.objects
        ]


def _nonsense() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    half = np.full((64, 64, 3), 255, dtype=np.uint8)
    half[:, 32:] = 128
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    return [
        np.zeros((64, 64, 3), dtype=np.uint8),
        np.full((64, 64, 3), 255, dtype=np.uint8),
        np.full((64, 64, 3), 128, dtype=np.uint8),
        half,
        half.transpose(1, 0, 2).copy(),
        np.repeat(checks[:, :, None], 3, axis=2).astype(np.uint8),
        np.repeat(np.linspace(0, 255, 64)[:, None, None], 64, axis=1).repeat(3, axis=2).astype(np.uint8),
        *(rng.integers(0, 256, (64, 64, 3)).astype(np.uint8) for _ in range(20)),
    ]


def test_nonsense_satisfies_no_request(rng: np.random.Generator) -> None:
    for picture in _nonsense():
        for task in ALL_TASKS * 3:
            assert not verify(picture, draw_request(rng, task=task, weights="uniform")).correct


def test_numbers_that_are_none_do_not_trip_the_oracle() -> None:
    assert read(np.full((64, 64, 3), np.nan)).objects == ()
    assert read(np.full((64, 64, 3), np.inf)).objects == ()


@pytest.mark.parametrize(
    "picture", [np.zeros((64, 64)), np.zeros((3, 64, 64)), np.zeros((32, 32, 3)), np.zeros((64, 64, 3), dtype=np.int64)]
)
def test_wrong_forms_are_named(picture: NDArray[np.generic]) -> None:
    with pytest.raises(UsageError, match="the oracle reads"):
        read(picture)


def test_neon_is_a_dark_ground_and_labels_are_read(rng: np.random.Generator) -> None:
    assert read(render(parse("a red star, neon style"), rng)).style == "neon"
    assert read(render(parse('a black ring labelled "JAM"'), rng)).label == "JAM"
