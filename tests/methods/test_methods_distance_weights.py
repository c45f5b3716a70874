"""Distance weighting: the published curve, distances by their definitions, and a threshold that holds elsewhere."""

from __future__ import annotations

import math

import pytest
import torch

from redraft.core.errors import ConfigError, NumericsError, UsageError
from redraft.core.keys import Key
from redraft.methods.distance_weights import PUBLISHED_RATIO, Distance, calibrate, embed, weigh

KINDS = ["mean", "nearest_neighbours", "mahalanobis"]


def test_the_published_curve() -> None:
    """Oracle C8."""
    distances = torch.tensor([0.0, 20.0, 35.0, 36.0, 37.0, 39.0, 45.0], dtype=torch.float64)
    expected = [1.0, 1.0, 1.0, math.exp(-0.5), math.exp(-1), math.exp(-2), math.exp(-5)]
    assert expected[3:] == pytest.approx([0.60653, 0.36788, 0.13534, 0.0067379], abs=5e-6)
    assert weigh(distances, beta=35, sigma2=2).tolist() == pytest.approx(expected, abs=1e-6)


def test_weights_are_one_up_to_beta_continuous_falling_and_positive() -> None:
    distances = torch.linspace(0, 40, 4001, dtype=torch.float64)
    weights = weigh(distances, beta=7.0, sigma2=0.9)
    assert bool((weights[distances <= 7.0] == 1).all())
    assert bool((weights[distances > 7.0] < 1).all())
    assert bool((weights.diff() <= 0).all())
    assert 0 < weights.min().item() <= weights.max().item() == 1
    # The steepest slope is 1 / sigma2, right behind beta.
    assert weights.diff().abs().max().item() <= 0.01 / 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_the_calibrated_threshold_holds_on_other_pictures(kind: str) -> None:
    """5 % of the held-out half of D0 lie beyond beta, +- 1.5 % (2,500 pictures: standard error 0.44 %)."""
    points = Key(seed=1).normal((5000, 16)).double()
    distance = Distance(kind=kind)
    beta = calibrate(distance.within(points[:2500]), quantile=0.95)
    beyond = (distance.to(points[2500:], origin=points[:2500]) > beta).double().mean().item()
    assert beyond == pytest.approx(0.05, abs=0.015)
    assert pytest.approx(2 / 35) == PUBLISHED_RATIO


def test_leaving_a_point_out_matters_where_dimensions_are_many() -> None:
    """With as many elements as pictures the distances of D0 to itself would be far too short for other pictures."""
    points = Key(seed=2).normal((800, 300)).double()
    distance = Distance(kind="mahalanobis", shrinkage=0.01)
    others = distance.to(points[400:], origin=points[:400])
    assert distance.within(points[:400]).mean().item() == pytest.approx(others.mean().item(), rel=0.02)
    assert distance.to(points[:400], origin=points[:400]).mean().item() < 0.6 * others.mean().item()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(9, 4), (6, 12)])
def test_distances_by_their_definition(kind: str, shape: tuple[int, int]) -> None:
    origin, points = Key(seed=4).normal(shape).double(), 1 + Key(seed=5).normal((3, shape[1])).double()
    distance = Distance(kind=kind, neighbours=3, shrinkage=0.2)
    for point, found in zip(points, distance.to(points, origin=origin), strict=True):
        assert found.item() == pytest.approx(defined(kind, point, origin, multiple=None), rel=1e-9)
    centred = origin - origin.mean(dim=0)
    multiple = 0.2 * centred.square().sum().item() / (shape[0] - 1) / shape[1]
    for row, found in enumerate(distance.within(origin)):
        others = torch.cat([origin[:row], origin[row + 1 :]])
        assert found.item() == pytest.approx(defined(kind, origin[row], others, multiple=multiple), rel=1e-9)


def defined(kind: str, point: torch.Tensor, origin: torch.Tensor, *, multiple: float | None) -> float:
    lengths = (origin - point).norm(dim=1)
    if kind == "mean":
        return lengths.mean().item()
    if kind == "nearest_neighbours":
        return lengths.sort().values[:3].mean().item()
    covariance = torch.cov(origin.T)
    if multiple is None:
        multiple = 0.2 * torch.trace(covariance).item() / len(point)
    shrunk = 0.8 * covariance + multiple * torch.eye(len(point), dtype=torch.float64)
    difference = point - origin.mean(dim=0)
    return math.sqrt(difference @ torch.linalg.solve(shrunk, difference))


def test_mean_and_neighbours_do_not_feel_rotation_and_mahalanobis_does_not_feel_scale() -> None:
    origin, points = Key(seed=6).normal((50, 5)).double(), Key(seed=7).normal((8, 5)).double()
    turn = torch.linalg.qr(Key(seed=8).normal((5, 5)).double()).Q
    for kind in KINDS:
        distance = Distance(kind=kind)
        torch.testing.assert_close(
            distance.to(points @ turn + 3, origin=origin @ turn + 3), distance.to(points, origin=origin)
        )
    distance = Distance(kind="mahalanobis")
    torch.testing.assert_close(distance.to(7 * points, origin=7 * origin), distance.to(points, origin=origin))


def test_more_pictures_than_one_block_change_nothing() -> None:
    points = Key(seed=9).normal((1100, 2)).double()
    for kind in ("mean", "nearest_neighbours"):
        whole = Distance(kind=kind).within(points)
        torch.testing.assert_close(
            Distance(kind=kind).to(points[1050:1051], origin=del_row(points, 1050)), whole[1050:1051]
        )


def del_row(points: torch.Tensor, row: int) -> torch.Tensor:
    return torch.cat([points[:row], points[row + 1 :]])


def test_embedding_flattens_or_averages_over_a_grid() -> None:
    latents = Key(seed=10).normal((4, 2, 8, 8))
    assert torch.equal(embed(latents, grid=None), latents.flatten(1))
    coarse = embed(latents, grid=2)
    assert coarse.shape == (4, 8)
    torch.testing.assert_close(coarse[:, 0], latents[:, 0, :4, :4].mean(dim=(1, 2)))
    assert torch.equal(embed(latents, grid=64), latents.flatten(1))


def test_messages() -> None:
    few = torch.zeros(4, 3)
    with pytest.raises(UsageError, match=r"\(nearest_neighbours\) to 4 pictures of the first model: at least 11"):
        Distance(kind="nearest_neighbours").to(few, origin=few)
    with pytest.raises(UsageError, match=r"\(mean\) to 2 pictures .* at least 3 are needed; paint more"):
        Distance().within(few[:2])
    with pytest.raises(NumericsError, match=r"a latent is not finite"):
        Distance().to(few + math.nan, origin=few)
    with pytest.raises(UsageError, match=r"are 0 apart \(quantile 0.95\): they are all the same"):
        calibrate(Distance().within(few), quantile=0.95)
    with pytest.raises(ConfigError, match=r"beta=1, sigma2=0: beta must be 0 or more and sigma2 above 0"):
        weigh(few, beta=1, sigma2=0)
    with pytest.raises(ConfigError, match=r"neighbours=0, shrinkage=0.1: at least one neighbour"):
        Distance(neighbours=0)
