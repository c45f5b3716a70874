"""Calibration and confidence: closed forms, monotony, round trips, reasons."""

from pathlib import Path

import pytest
import torch

from redraft.core.errors import DamagedError, NumericsError, UsageError
from redraft.rewards.calibrate import (
    LEAST_SAMPLE,
    calibrate,
    expected_calibration_error,
    load_calibrations,
    save_calibrations,
)
from redraft.rewards.confidence import confidence

SAMPLE = torch.randn(2_500, generator=torch.Generator().manual_seed(3)) * 0.05 + 0.3


def test_empirical_calibration_is_the_share_below() -> None:
    points = torch.arange(LEAST_SAMPLE, dtype=torch.float32)
    calibration = calibrate(points.flip(0), fingerprint="a")
    assert calibration.kind == "empirical"
    scores = torch.tensor([-5.0, 0.0, 249.5, 499.0, 900.0])
    # A score equal to a point counts half of it.
    expected = torch.tensor([0.0, 0.001, 0.5, 0.999, 1.0])
    assert torch.allclose(calibration(scores, fingerprint="a"), expected)


def test_calibrated_fresh_scores_are_uniform() -> None:
    fresh = torch.randn(4_000, generator=torch.Generator().manual_seed(4)) * 0.05 + 0.3
    calibrated = calibrate(SAMPLE, fingerprint="a")(fresh, fingerprint="a").sort().values
    uniform = (torch.arange(4_000) + 0.5) / 4_000
    # Kolmogorov-Smirnov: 1.95 (p = 0.001) * sqrt(1/2500 + 1/4000), plus half a step of the 2,000 kept quantiles.
    assert (calibrated - uniform).abs().max() < 1.95 * (1 / 2_500 + 1 / 4_000) ** 0.5 + 0.0005


@pytest.mark.parametrize("count", [50, LEAST_SAMPLE, 2_500])
def test_calibration_is_monotone_within_0_and_1_and_keeps_nan(count: int) -> None:
    calibration = calibrate(SAMPLE[:count], fingerprint="a")
    assert calibration.kind == ("linear" if count < LEAST_SAMPLE else "empirical")
    values = calibration(torch.linspace(-1, 2, 999), fingerprint="a")
    assert bool((values.diff() >= 0).all())
    assert (values[0].item(), values[-1].item()) == (0.0, 1.0)
    assert calibration(torch.tensor([torch.nan]), fingerprint="a").isnan().all()


def test_linear_fallback_is_the_clipped_line() -> None:
    calibration = calibrate(torch.tensor([0.1]), fingerprint="a", low=0.0, high=0.4)
    assert calibration(torch.tensor([-1.0, 0.1, 0.4, 2.0]), fingerprint="a").tolist() == pytest.approx([0, 0.25, 1, 1])
    with pytest.raises(UsageError, match=r"from 2 to 2 by 3 scores: low must be below high"):
        calibrate(torch.tensor([2.0, 2.0, 2.0]), fingerprint="a")
    with pytest.raises(UsageError, match="no scores to calibrate by"):
        calibrate(torch.tensor([]), fingerprint="a")
    with pytest.raises(NumericsError, match="1 of 2 scores to calibrate by are not finite"):
        calibrate(torch.tensor([1.0, torch.inf]), fingerprint="a")


def test_another_scorer_is_refused() -> None:
    with pytest.raises(UsageError, match="scores of the scorer b with a calibration of a"):
        calibrate(SAMPLE, fingerprint="a")(SAMPLE, fingerprint="b")


def test_calibrations_survive_the_disk_and_damage_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "calibrations.safetensors"
    kept = {"clip": calibrate(SAMPLE, fingerprint="a"), "aesthetic": calibrate(SAMPLE[:9], fingerprint="b")}
    save_calibrations(path, kept)
    found = load_calibrations(path)
    assert path.stat().st_size < 20_000
    assert list(tmp_path.iterdir()) == [path]
    for name, item in kept.items():
        assert (found[name].kind, found[name].fingerprint) == (item.kind, item.fingerprint)
        assert torch.equal(found[name].points, item.points)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DamagedError, match="is not a file of calibrations"):
        load_calibrations(path)
    with pytest.raises(UsageError, match="no calibrations at"):
        load_calibrations(tmp_path / "none")


def test_expected_calibration_error() -> None:
    chances = torch.tensor([0.05, 0.05, 0.95, 0.95])
    assert expected_calibration_error(chances, torch.tensor([0.0, 0, 1, 1])) == pytest.approx(0.05)
    assert expected_calibration_error(chances, torch.tensor([1.0, 1, 0, 0])) == pytest.approx(0.95)
    assert expected_calibration_error(torch.tensor([1.0, 0.0]), torch.tensor([1.0, 0.0])) == 0
    # Two bins with gaps of 0.5 and 0.1 that hold 1/4 and 3/4 of the pictures.
    mixed = expected_calibration_error(torch.tensor([0.25, 0.85, 0.85, 0.85]), torch.tensor([0.75, 0.95, 0.95, 0.95]))
    assert mixed == pytest.approx(0.25 * 0.5 + 0.75 * 0.1)
    generator = torch.Generator().manual_seed(0)
    true = torch.rand(20_000, generator=generator)
    drawn = (torch.rand(20_000, generator=generator) < true).float()
    # Of a perfect forecaster: mean |error| of ten bins of 2,000, each about 0.8 * sqrt(1/6 / 2000) = 0.007.
    assert expected_calibration_error(true, drawn) < 0.015
    with pytest.raises(UsageError, match=r"must lie in 0..1"):
        expected_calibration_error(torch.tensor([1.2]), torch.tensor([1.0]))
    with pytest.raises(UsageError, match="2 probabilities, 1 labels"):
        expected_calibration_error(torch.tensor([0.2, 0.3]), torch.tensor([1.0]))


def test_confidence_is_the_minimum_and_knows_its_weakest_term() -> None:
    found = confidence(
        clip=torch.tensor([0.2, 0.9, 0.9, 0.5]),
        aesthetic=torch.tensor([0.5, 0.3, 0.8, 0.5]),
        unsafe=torch.tensor([0.1, 0.1, 0.9, 0.5]),
    )
    assert found.value.tolist() == pytest.approx([0.2, 0.3, 0.1, 0.5])
    assert found.weakest == ("clip", "aesthetic", "unsafe", "clip")
    assert found.reasons == (None,) * 4
    assert torch.allclose(found.terms[:, 2], torch.tensor([0.9, 0.9, 0.1, 0.5]))


def test_missing_or_nan_terms_give_no_confidence_and_a_reason() -> None:
    found = confidence(clip=torch.tensor([0.9, torch.nan]), aesthetic=None, unsafe=torch.tensor([0.0, torch.inf]))
    assert found.value.tolist() == [0.0, 0.0]
    assert found.weakest == ("aesthetic", "clip")
    assert found.reasons == ("aesthetic_missing", "clip_not_finite+aesthetic_missing+unsafe_not_finite")
    with pytest.raises(UsageError, match=r"the term clip is 24: it must lie in 0..1; calibrate scores first"):
        confidence(clip=torch.tensor([24.0]), aesthetic=None, unsafe=None)
    with pytest.raises(UsageError, match="give at least one of clip, aesthetic and unsafe"):
        confidence(clip=None, aesthetic=None, unsafe=None)
    with pytest.raises(UsageError, match="one number per picture and as many in each"):
        confidence(clip=torch.tensor([0.1]), aesthetic=torch.tensor([0.1, 0.2]), unsafe=None)
