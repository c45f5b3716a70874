"""C3, C4 and the published mean gradients of the DRaFT oracle: N(1, 0.5^2), Stable Diffusion's schedule, 50 DDIM steps.

One picture of 300 x 300 latent elements with a shift of its own for each is 90,000 trajectories with their gradients:
the gradient of the summed reward by an element's shift is that element's own gradient.
"""

from __future__ import annotations

import math

import pytest
import torch
from exact_parts import LatentReward, context_of, gaussian, gradient, prompts_of, recipe_of

from redraft.core.keys import Key
from redraft.core.protocols import MethodContext
from redraft.core.records import NoiseLevel, Recipe
from redraft.diffusion.exact import ExactBackbone
from redraft.diffusion.sample import sample
from redraft.methods.draft import Draft, DraftConfig, lv_terms

SIDE = 300
KEY = Key(seed=17)


def smooth(latents: torch.Tensor) -> torch.Tensor:
    return -((latents - 2) ** 2) / 2


def rough(latents: torch.Tensor) -> torch.Tensor:
    return torch.sin(60 * latents) / 60


@pytest.fixture(scope="module")
def backbone() -> ExactBackbone:
    return gaussian(shape=(1, SIDE, SIDE))


@pytest.fixture(scope="module")
def recipe(backbone: ExactBackbone) -> Recipe:
    return recipe_of(backbone, 50)


@pytest.fixture(scope="module")
def clean(backbone: ExactBackbone, recipe: Recipe) -> torch.Tensor:
    conditioning = prompts_of(1, backbone).conditioning
    return sample(backbone, conditioning, recipe=recipe, key=KEY.child("sample")).latents


def by_method(backbone: ExactBackbone, recipe: Recipe, function, **options) -> torch.Tensor:
    """Gradient of each element's reward through `Draft.loss`."""
    method = Draft.build(DraftConfig(**options), MethodContext(recipe=recipe, reward=LatentReward(function)))
    loss = method.loss(prompts_of(1, backbone), context=context_of(backbone), key=KEY)
    return -gradient(loss.value, backbone)["shift"]


def by_draws(backbone: ExactBackbone, recipe: Recipe, clean: torch.Tensor, function, draws: int) -> torch.Tensor:
    """Gradient of each element's reward, averaged over LV draws, through `lv_terms`, the code that Draft.loss runs."""
    noise = KEY.child("lv").normal_each(range(draws), clean.shape).double()
    latents, _ = lv_terms(backbone, clean, prompts_of(1, backbone).conditioning, recipe=recipe, noise=noise)
    return gradient(function(latents).sum() / draws, backbone)["shift"]


def test_the_setup_is_the_published_one(recipe: Recipe) -> None:
    assert [level.timestep for level in recipe.levels[:2]] == [981.0, 961.0]
    last = recipe.levels[-2]
    assert (last.timestep, last.alpha, last.sigma) == (
        1.0,
        pytest.approx(0.9991477, abs=1e-7),
        pytest.approx(0.0412792, abs=1e-7),
    )


def test_draws_alone_through_the_method_are_lv_terms(backbone, recipe, clean) -> None:
    through = by_method(backbone, recipe, rough, lv_draws=2, include_base=False)
    torch.testing.assert_close(through, by_draws(backbone, recipe, clean, rough, 2), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("draws", "ratio"), [(1, 1.0), (2, 0.50), (8, 0.127)])
def test_c3_rough_reward_draws_divide_the_variance(backbone, recipe, clean, draws: int, ratio: float) -> None:
    # 90,000 samples: a variance is known to about 0.5 %, the tolerance of the oracle is 10 %.
    base = by_method(backbone, recipe, rough)
    measured = by_draws(backbone, recipe, clean, rough, draws).var() / base.var()
    assert measured.item() == pytest.approx(ratio, rel=0.1)


def test_c3_base_and_two_draws_averaged(backbone, recipe) -> None:
    base = by_method(backbone, recipe, rough)
    mixed = by_method(backbone, recipe, rough, lv_draws=2)
    assert (mixed.var() / base.var()).item() == pytest.approx(0.355, rel=0.1)


@pytest.mark.parametrize(("draws", "ratio"), [(1, 0.994), (2, 0.990), (8, 0.987)])
def test_c4_smooth_reward_draws_give_nothing(backbone, recipe, clean, draws: int, ratio: float) -> None:
    # Both variances are taken on the same pictures, so their common error cancels in the ratio.
    measured = by_draws(backbone, recipe, clean, smooth, draws).var() / by_method(backbone, recipe, smooth).var()
    assert 0.97 <= measured.item() <= 1.0
    assert measured.item() == pytest.approx(ratio, abs=0.01)


class Flow:
    """C3 and C4 for a rectified flow whose last noise is that of the oracle, after equal steps from sigma 1."""

    recipe = Recipe(
        levels=(
            *(
                NoiseLevel(alpha=1 - sigma, sigma=sigma, timestep=1000 * sigma)
                for sigma in torch.linspace(1, 0.0412792, 50, dtype=torch.float64).tolist()
            ),
            NoiseLevel(alpha=1.0, sigma=0.0, timestep=0.0),
        ),
        dtype="float64",
    )
    backbone = gaussian(shape=(1, SIDE, SIDE), prediction="flow")

    @classmethod
    def ratio(cls, function, draws: int) -> float:
        conditioning = prompts_of(1, cls.backbone).conditioning
        clean = sample(cls.backbone, conditioning, recipe=cls.recipe, key=KEY.child("sample")).latents
        base = by_method(cls.backbone, cls.recipe, function)
        return (by_draws(cls.backbone, cls.recipe, clean, function, draws).var() / base.var()).item()


@pytest.mark.parametrize(("draws", "ratio"), [(1, 1.0), (2, 0.50), (8, 0.127)])
def test_c3_rough_reward_of_a_flow_model(draws: int, ratio: float) -> None:
    assert Flow.ratio(rough, draws) == pytest.approx(ratio, rel=0.1)


@pytest.mark.parametrize("draws", [1, 2, 8])
def test_c4_smooth_reward_of_a_flow_model(draws: int) -> None:
    assert 0.97 <= Flow.ratio(smooth, draws) <= 1.0


def test_published_mean_gradients(backbone, recipe, clean) -> None:
    def mean_and_error(gradients: torch.Tensor) -> tuple[float, float]:
        return gradients.mean().item(), gradients.std().item() / math.sqrt(gradients.numel())

    for gradients, published in [
        (by_method(backbone, recipe, smooth), -0.04283),
        (by_draws(backbone, recipe, clean, smooth, 8), -0.04282),
    ]:
        mean, error = mean_and_error(gradients)
        assert abs(mean - published) < 4 * error  # four standard errors of ours; theirs is half as large
        assert error < 1e-4
    small = gaussian(shape=(1, 150, 150))
    mean, error = mean_and_error(by_method(small, recipe, smooth, last="all"))
    assert abs(mean + 2.0347) < 4 * error
    assert error < 0.01
