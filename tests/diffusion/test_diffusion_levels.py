"""Noise levels: closed forms and bad input. Agreement with diffusers is in test_diffusion_schedulers.py."""

from __future__ import annotations

import math

import pytest
import torch

from redraft.core.errors import ConfigError
from redraft.diffusion import levels

ABAR = levels.alphas_cumprod_scaled_linear(0.00085, 0.012, 1000)


def test_stable_diffusion_table_has_the_published_last_step() -> None:
    level = levels.vp_levels(ABAR, 50, spacing="leading", steps_offset=1)[-2]
    # algorithms note 3.3: t = 1, a_1 = 0.9991477, s_1 = 0.0412792
    assert level.timestep == 1
    assert level.alpha == pytest.approx(0.9991477, abs=5e-8)
    assert level.sigma == pytest.approx(0.0412792, abs=5e-8)


@pytest.mark.parametrize("steps", [1, 4, 7, 30, 50, 999, 1000])
@pytest.mark.parametrize("spacing", ["leading", "trailing"])
def test_vp_levels_fall_and_end_clean(steps: int, spacing: str) -> None:
    schedule = levels.vp_levels(ABAR, steps, spacing=spacing)
    assert len(schedule) == steps + 1
    assert (schedule[-1].alpha, schedule[-1].sigma, schedule[-1].timestep) == (1, 0, 0)
    sigmas = [level.sigma for level in schedule]
    assert sigmas == sorted(sigmas, reverse=True)
    assert all(abs(level.alpha**2 + level.sigma**2 - 1) < 1e-12 for level in schedule)


def test_flow_levels_are_on_the_straight_path() -> None:
    for level in levels.flow_levels(28, shift=3.0):
        assert level.alpha + level.sigma == pytest.approx(1, abs=1e-15)
        assert level.timestep == pytest.approx(1000 * level.sigma, abs=1e-12)


def test_few_step_levels_are_the_trailing_four_and_begin_almost_without_signal() -> None:
    few = levels.few_step_levels(ABAR)
    assert [level.timestep for level in few] == [999, 749, 499, 249, 0]
    assert few == levels.vp_levels(ABAR, 4, spacing="trailing")
    assert few[0].alpha < 0.07


def test_vp_noise_level_reads_the_table_and_interpolates_abar() -> None:
    alpha, sigma = levels.vp_noise_level(ABAR, torch.tensor([0.0, 10.0, 10.25, 999.0, 1000.0], dtype=torch.float64))
    expected = torch.stack([ABAR[0], ABAR[10], 0.75 * ABAR[10] + 0.25 * ABAR[11], ABAR[999], ABAR[999]])
    torch.testing.assert_close(alpha.square(), expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(alpha.square() + sigma.square(), torch.ones(5, dtype=torch.float64))


def test_noise_levels_of_integer_timesteps_are_float32() -> None:
    for alpha, sigma in (
        levels.vp_noise_level(ABAR, torch.tensor([1, 981])),
        levels.flow_noise_level(torch.tensor([1, 981])),
    ):
        assert alpha.dtype == sigma.dtype == torch.float32
    assert sigma.tolist() == pytest.approx([0.001, 0.981], rel=1e-6)
    assert alpha.tolist() == pytest.approx([0.999, 0.019], rel=1e-6)


def test_noise_level_agrees_with_the_schedule() -> None:
    schedule = levels.vp_levels(ABAR, 20, spacing="leading", steps_offset=1)[:-1]
    alpha, sigma = levels.vp_noise_level(ABAR, torch.tensor([level.timestep for level in schedule]))
    assert alpha.tolist() == pytest.approx([level.alpha for level in schedule], rel=1e-6)
    assert sigma.tolist() == pytest.approx([level.sigma for level in schedule], rel=1e-6)


@pytest.mark.parametrize("timestep", [-1.0, 1000.5, math.nan])
def test_timestep_out_of_range_is_named(timestep: float) -> None:
    with pytest.raises(ConfigError, match=r"must lie within 0\.\.1000"):
        levels.flow_noise_level(torch.tensor([3.0, timestep]))
    with pytest.raises(ConfigError, match=r"must lie within 0\.\.1000"):
        levels.vp_noise_level(ABAR, torch.tensor([3.0, timestep]))


def test_bad_schedules_are_named() -> None:
    with pytest.raises(ConfigError, match=r"steps=1001: must be within 1\.\.1000"):
        levels.vp_levels(ABAR, 1001, spacing="leading")
    with pytest.raises(ConfigError, match="must fall and lie within"):
        levels.vp_levels(ABAR, 1000, spacing="leading", steps_offset=1)
    with pytest.raises(ConfigError, match="spacing='even'"):
        levels.vp_levels(ABAR, 10, spacing="even")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"timesteps \(3, 7\): must fall"):
        levels.few_step_levels(ABAR, (3, 7))
    with pytest.raises(ConfigError, match="steps=0, shift=3"):
        levels.flow_levels(0, shift=3.0)
    with pytest.raises(ConfigError, match=r"betas from 0\.0 to 0\.1 in 10 steps"):
        levels.alphas_cumprod_scaled_linear(0.0, 0.1, 10)
