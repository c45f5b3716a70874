"""Metrics against closed forms and invariances."""

import numpy as np
import pytest

from redraft.core.errors import NumericsError, UsageError
from redraft.evaluation.metrics import (
    Moments,
    diversity,
    frechet_distance,
    frechet_of_moments,
    mean_of_task_means,
    moments,
    near_identical_share,
    rank_note,
    saturation,
    task_means,
)


def gaussian(mean: list[float], covariance: list[list[float]]) -> Moments:
    return Moments(mean=np.array(mean), covariance=np.array(covariance), count=1000)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # C18: N(0,1) against N(1,1) and against N(0,4).
        (gaussian([0], [[1]]), gaussian([1], [[1]]), 1.0),
        (gaussian([0], [[1]]), gaussian([0], [[4]]), 1.0),
        (gaussian([0, 0], [[2, 1], [1, 3]]), gaussian([3, 4], [[2, 1], [1, 3]]), 25.0),
        (gaussian([0, 0], [[1, 0], [0, 4]]), gaussian([0, 0], [[9, 0], [0, 16]]), 8.0),
        # Matrices that do not commute: 9 - 2 tr sqrt, worked out by hand from trace and determinant of the product.
        (gaussian([0, 0], [[2, 1], [1, 2]]), gaussian([0, 0], [[1, 0], [0, 4]]), 0.7712204476543398),
    ],
)
def test_frechet_closed_forms(first: Moments, second: Moments, expected: float) -> None:
    assert frechet_of_moments(first, second) == pytest.approx(expected, abs=1e-12)
    assert frechet_of_moments(second, first) == pytest.approx(expected, abs=1e-12)


def test_frechet_invariances() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(80, 5)), rng.normal(0.5, 1.7, size=(60, 5))
    rotation, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    distance = frechet_distance(first, second)
    assert distance > 0
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(second, first) == pytest.approx(distance, rel=1e-12)
    assert frechet_distance(first @ rotation, second @ rotation) == pytest.approx(distance, rel=1e-12)
    assert frechet_distance(3 * first, 3 * second) == pytest.approx(9 * distance, rel=1e-12)
    assert frechet_distance(first[rng.permutation(80)], second) == pytest.approx(distance, rel=1e-12)


def test_frechet_of_samples_comes_near_the_closed_form() -> None:
    rng = np.random.default_rng(1)
    # Standard error of a sample mean over 200,000 is 0.002, so 1 is met to about 0.01.
    assert frechet_distance(rng.normal(size=(200_000, 1)), rng.normal(1, 1, size=(200_000, 1))) == pytest.approx(
        1, abs=0.03
    )


def test_moments_use_n_minus_one_and_weights_are_repeats() -> None:
    features = np.array([[0.0], [2.0], [7.0]])
    assert moments(features[:2]).covariance[0, 0] == 2.0
    weighted = moments(features, weights=np.array([2.0, 0.0, 3.0]))
    repeated = moments(features[[0, 0, 2, 2, 2]])
    assert weighted.mean == pytest.approx(repeated.mean)
    assert weighted.covariance == pytest.approx(repeated.covariance)
    assert weighted.count == repeated.count == 5


def test_rank_deficient_sets_are_named_and_still_measured() -> None:
    rng = np.random.default_rng(2)
    few = rng.normal(size=(6, 20))
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-9)
    assert rank_note([6, 100], 20).startswith("only 6 pictures for 20 feature dimensions")
    assert rank_note([21, 100], 20) == ""


def test_frechet_refuses_what_it_cannot_measure() -> None:
    with pytest.raises(UsageError, match="features of 2 and of 3 dimensions: use one extractor for both sets"):
        frechet_distance(np.eye(3)[:, :2], np.eye(3))
    with pytest.raises(UsageError, match=r"features of shape \(1, 2\): a covariance needs N,D with N >= 2"):
        moments(np.zeros((1, 2)))
    with pytest.raises(NumericsError, match="the features of picture 1 are not finite"):
        moments(np.array([[0.0], [np.nan]]))


def test_diversity_is_the_mean_distance_within_prompts() -> None:
    features = np.array([[0.0, 0.0], [3.0, 4.0], [1.0, 1.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    group = np.array([0, 0, 1, 2, 2, 2])
    values = diversity(features, group, count=4)
    assert values[0] == 5.0
    assert np.isnan(values[1])
    assert values[2] == pytest.approx(2 / 3)
    assert np.isnan(values[3])
    assert diversity(2 * features, group, count=4)[0] == 10.0


def test_near_identical_share_counts_pairs_within_prompts() -> None:
    features = np.array([[0.0], [0.01], [1.0], [0.0], [5.0]])
    group = np.array([0, 0, 0, 1, 1])
    # Pairs of prompt 0: 0.01, 1, 0.99; of prompt 1: 5. Pictures of different prompts never pair.
    assert near_identical_share(features, group, count=2, threshold=0.1) == 0.25
    with pytest.raises(UsageError, match="no prompt has two pictures: paint some prompts several times"):
        near_identical_share(features[:1], group[:1], count=1, threshold=0.1)


def test_every_task_counts_alike() -> None:
    means = task_means(np.array([1.0, 0.0, 0.0, 0.0]), ["colors", "counting", "counting", "counting"])
    assert means == {"colors": 1.0, "counting": 0.0}
    assert mean_of_task_means(means) == 0.5


def test_saturation_of_plain_pictures() -> None:
    colours = [(1.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.0, 0.0, 0.0), (0.8, 0.4, 0.4)]
    pixels = np.stack([np.broadcast_to(np.array(colour)[:, None, None], (3, 4, 4)) for colour in colours])
    values = saturation(pixels)
    assert values[:, 0] == pytest.approx([1, 0, 0, 0.5])
    assert values[:, 1] == pytest.approx([1, 0, 1, 0])
    with pytest.raises(UsageError, match=r"pixels of shape \(4, 4, 3\): saturation reads B,3,H,W in 0..1"):
        saturation(np.zeros((4, 4, 3)))
