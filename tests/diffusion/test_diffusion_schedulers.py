"""Our deterministic sampling and DDIM-eta width against diffusers' own schedulers, over whole trajectories."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch

from redraft.core.keys import Key
from redraft.core.records import Kernel, NoiseLevel, Prompt, Recipe
from redraft.diffusion.kernels import standard_deviation
from redraft.diffusion.levels import alphas_cumprod_scaled_linear, flow_levels, vp_levels
from redraft.diffusion.sample import initial_noise, sample

ABAR = alphas_cumprod_scaled_linear(0.00085, 0.012, 1000)
PROMPTS = [Prompt(text="a red square"), Prompt(text="two blue circles")]


def ddim(**options: Any) -> Any:
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        num_train_timesteps=1000,
        clip_sample=False,
        set_alpha_to_one=True,
        **options,
    )


def euler(shift: float) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(shift=shift)


def worst_difference(network: Any, scheduler: Any, levels: tuple[NoiseLevel, ...]) -> float:
    """Largest difference after any step, in units of the largest latent: ours in `sample`, theirs in `step`."""
    conditioning, key = network.encode(PROMPTS), Key(seed=5)
    ours: list[torch.Tensor] = []
    recipe = Recipe(levels=levels)
    sample(network, conditioning, recipe=recipe, key=key, on_step=lambda _, latents: ours.append(latents))
    scheduler.set_timesteps(recipe.steps)
    latents = initial_noise(key, indices=range(2), shape=network.latent_shape)
    worst = 0.0
    for timestep, mine in zip(scheduler.timesteps, ours, strict=True):
        with torch.no_grad():
            prediction = network.predict(latents, timestep.float().expand(2), text=conditioning.positive)
        latents = scheduler.step(prediction, timestep, latents, return_dict=False)[0]
        worst = max(worst, float((mine - latents).abs().max() / latents.abs().max()))
    return worst


@pytest.mark.parametrize("kind", ["epsilon", "v"])
@pytest.mark.parametrize(("spacing", "offset"), [("leading", 1), ("trailing", 0)])
def test_deterministic_sampling_is_ddim(kind: str, spacing: Any, offset: int, request: pytest.FixtureRequest) -> None:
    network = request.getfixturevalue(f"{kind}_network")
    scheduler = ddim(
        prediction_type={"epsilon": "epsilon", "v": "v_prediction"}[kind],
        timestep_spacing=spacing,
        steps_offset=offset,
    )
    levels = vp_levels(ABAR, 50, spacing=spacing, steps_offset=offset)
    assert worst_difference(network, scheduler, levels) < 1e-5


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("steps", [1, 28])
def test_deterministic_sampling_is_flow_match_euler(shift: float, steps: int, flow_network: Any) -> None:
    assert worst_difference(flow_network, euler(shift), flow_levels(steps, shift=shift)) < 1e-5


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("steps", [1, 2, 10, 28, 50])
def test_flow_levels_are_those_of_diffusers(shift: float, steps: int) -> None:
    scheduler = euler(shift)
    scheduler.set_timesteps(steps)
    ours = flow_levels(steps, shift=shift)
    assert [level.sigma for level in ours] == pytest.approx(scheduler.sigmas.tolist(), abs=1e-7)
    assert [level.timestep for level in ours[:-1]] == pytest.approx(scheduler.timesteps.tolist(), abs=1e-4)


@pytest.mark.parametrize("steps", [1, 3, 7, 30, 50, 999])
@pytest.mark.parametrize(("spacing", "offset"), [("leading", 1), ("leading", 0), ("trailing", 0)])
def test_vp_timesteps_are_those_of_diffusers(steps: int, spacing: Any, offset: int) -> None:
    scheduler = ddim(timestep_spacing=spacing, steps_offset=offset)
    scheduler.set_timesteps(steps)
    ours = vp_levels(ABAR, steps, spacing=spacing, steps_offset=offset)
    assert [level.timestep for level in ours[:-1]] == scheduler.timesteps.tolist()


def test_table_is_that_of_diffusers() -> None:
    # diffusers multiplies a thousand factors in float32, hence not closer.
    torch.testing.assert_close(ABAR.float(), ddim().alphas_cumprod, rtol=2e-5, atol=0)


@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_ddim_eta_width_is_that_of_diffusers(eta: float) -> None:
    scheduler = ddim(timestep_spacing="leading", steps_offset=1)
    # The same formula on our float64 table, so that float32 rounding of 1 - abar/abar' does not hide a difference.
    scheduler.alphas_cumprod = ABAR
    scheduler.set_timesteps(20)
    levels = vp_levels(ABAR, 20, spacing="leading", steps_offset=1)
    kernel = Kernel(name="ddim_eta", strength=eta)
    for level, next_level in itertools.pairwise(levels[:-1]):
        variance = float(scheduler._get_variance(int(level.timestep), int(next_level.timestep)))
        assert standard_deviation(level, next_level, kernel=kernel) == pytest.approx(
            eta * math.sqrt(variance), rel=1e-9
        )
