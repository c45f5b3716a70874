"""The JPEG rewards: the transform against Pillow, the surrogate against real files, gradients, where they lead."""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image
from scipy.stats import spearmanr

from redraft.core import config as configuration
from redraft.core.errors import ConfigError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images
from redraft.rewards.jpeg import JpegCompressibilityScorer, JpegConfig, JpegIncompressibilityScorer
from redraft.rewards.jpeg_codec import file_sizes, pillow_round_trip, quantisation, soft_round, soft_round_trip
from redraft.testing import check_scorer

KEY = Key(seed=21)
World = tuple[Images, tuple[Prompt, ...]]


def nothing(count: int) -> list[Prompt]:
    return [Prompt(text="anything")] * count


def degraded(pictures: torch.Tensor) -> torch.Tensor:
    """The pictures, and the same blurred and with noise of two strengths: files of many sizes."""
    blurred = torch.nn.functional.avg_pool2d(pictures, 5, 1, 2, count_include_pad=False)
    noise = KEY.child("noise").normal(pictures.shape)
    return torch.cat([pictures, blurred, pictures + 0.03 * noise, pictures + 0.1 * noise]).clamp(0, 1)


@pytest.mark.parametrize("quality", [1, 10, 50, 75, 95])
def test_the_tables_are_those_that_pillow_writes(quality: int) -> None:
    content = io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, format="JPEG", quality=quality, subsampling=0)
    written = Image.open(content).quantization
    expected = quantisation(quality).long()
    assert sorted(written[0]) == sorted(expected[0].flatten().tolist())
    assert sorted(written[1]) == sorted(expected[1].flatten().tolist())
    assert written[0] == expected[0].flatten().tolist()


def test_a_flat_picture_loses_nothing() -> None:
    """The notes' oracle. A grey of 8-bit values is a multiple of the first quantisation step (8) at quality 75."""
    grey = (torch.arange(0, 256, 17).float() / 255).view(-1, 1, 1, 1).expand(-1, 3, 16, 16)
    assert (soft_round_trip(grey, quality=75) - grey).abs().max() < 1e-5
    for scorer in (JpegCompressibilityScorer(), JpegIncompressibilityScorer()):
        assert scorer.score_pixels(grey, nothing(16)).abs().max() < 1e-5
    assert (pillow_round_trip(grey, quality=75) - grey).abs().max() == 0


def test_finer_steps_lose_less_and_a_second_trip_loses_nearly_nothing(world: World) -> None:
    pixels = world[0].pixels[:8].double()
    lost = [(soft_round_trip(pixels, quality=quality) - pixels).square().mean().item() for quality in (10, 50, 75, 95)]
    assert lost == sorted(lost, reverse=True)
    assert lost[3] < lost[0] / 20
    real = pillow_round_trip(pixels.float(), quality=50).double()
    # What comes out of a file lies on its quantisation grid, but for 8-bit rounding (and clipping at black and white).
    again = (soft_round_trip(real, quality=50) - real).square().mean().item()
    assert again < lost[1] / 5


def test_soft_rounding_has_the_stated_slope() -> None:
    value = torch.tensor([-1.7, -0.3, 0.0, 0.2, 0.45, 2.9], dtype=torch.float64, requires_grad=True)
    rounded = soft_round(value)
    assert (rounded - value.round()).abs().max() <= 0.125
    (slope,) = torch.autograd.grad(rounded.sum(), value)
    torch.testing.assert_close(slope, 3 * (value.detach() - value.detach().round()) ** 2)


@pytest.mark.parametrize("shape", [(16, 16), (13, 21)])
def test_gradient_equals_central_differences(shape: tuple[int, int]) -> None:
    pixels = KEY.child("pixels").uniform((2, 3, *shape)).double().requires_grad_(True)
    scorer = JpegIncompressibilityScorer()
    (slope,) = torch.autograd.grad(scorer.score_pixels(pixels, nothing(2)).sum(), pixels)
    direction = KEY.child("direction").normal(pixels.shape).double()
    width = 1e-7
    with torch.no_grad():
        values = [scorer.score_pixels(pixels + sign * width * direction, nothing(2)).sum() for sign in (1, -1)]
    assert ((values[0] - values[1]) / (2 * width)).item() == pytest.approx((slope * direction).sum().item(), rel=1e-5)


def test_the_surrogate_lies_near_the_real_round_trip_and_orders_files_by_size(world: World) -> None:
    """Measured on 96 renders in four conditions, quality 75 (the numbers stand in docs/rewards.md)."""
    pixels = degraded(world[0].pixels)
    soft, real = soft_round_trip(pixels, quality=75), pillow_round_trip(pixels, quality=75)
    apart = 255 * (soft.clamp(0, 1) - real).square().mean().sqrt().item()
    distance = (255 * (soft - pixels)).square().flatten(1).mean(1)
    exact = (255 * (real - pixels)).square().flatten(1).mean(1)
    sizes = file_sizes(pixels, quality=75)
    # Measured: 2.6 levels, 0.84, 0.998, 0.968. Soft rounding keeps up to an eighth of a step that JPEG takes away.
    assert apart < 3.0
    assert 0.75 < (distance.sum() / exact.sum()).item() < 0.95
    assert spearmanr(distance, exact).statistic > 0.99
    assert spearmanr(distance, sizes).statistic > 0.95


def test_both_scorers_are_one_number_with_two_signs(world: World) -> None:
    images, prompts = world[0].take(range(6)), world[1][:6]
    small, large = JpegCompressibilityScorer(), JpegIncompressibilityScorer()
    assert torch.equal(small.score(images, prompts).values, -large.score(images, prompts).values)
    assert small.fingerprint != large.fingerprint
    scores = large.score(images, prompts)
    assert scores.names == ("distance", "kilobytes")
    stored = (images.pixels * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    for row, picture in enumerate(stored):
        content = io.BytesIO()
        Image.fromarray(picture).save(content, format="JPEG", quality=75, subsampling=0)
        assert scores.head("kilobytes")[row].item() == pytest.approx(len(content.getvalue()) / 1000)
    # Between 8-bit values, score reads the stored picture and score_pixels the one it is given.
    assert torch.allclose(large.score_pixels(images.pixels, prompts), scores.head("distance"), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("main", ["distance", "kilobytes"])
@pytest.mark.parametrize("plugin", [JpegCompressibilityScorer, JpegIncompressibilityScorer])
def test_conformance(plugin: type[JpegCompressibilityScorer], main: str) -> None:
    config = configuration.build(JpegConfig, {"main": main}, source="test")
    scorer = plugin.build(config, ModelContext(folder=""))
    assert scorer.heads[0] == main
    assert scorer.differentiable == (main == "distance")
    check_scorer(scorer)


@pytest.mark.parametrize(
    ("scorer", "sign"), [(JpegCompressibilityScorer(), -1), (JpegIncompressibilityScorer(), 1)], ids=["small", "large"]
)
def test_following_the_gradient_changes_the_real_file_as_it_should(
    world: World, scorer: JpegCompressibilityScorer, sign: int
) -> None:
    pixels = degraded(world[0].pixels[:12])[24:36]  # with a little noise, so that there is something to compress
    before = file_sizes(pixels, quality=75)
    for _ in range(20):
        pixels.requires_grad_(True)
        (slope,) = torch.autograd.grad(scorer.score_pixels(pixels, nothing(12)).sum(), pixels)
        norm = slope.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        pixels = (pixels.detach() + 0.3 * slope / norm).clamp(0, 1)
    change = (file_sizes(pixels, quality=75) - before) * sign
    assert bool((change > 0).all())


def test_messages() -> None:
    blind = JpegCompressibilityScorer(main="kilobytes")
    with pytest.raises(UsageError, match=r"main='kilobytes' has no gradient.*set main to 'distance', or use a method"):
        blind.score_pixels(torch.zeros(1, 3, 8, 8), nothing(1))
    with pytest.raises(ConfigError, match=r"quality"):
        configuration.build(JpegConfig, {"quality": 0}, source="[scorers.jpeg-compressibility]")
    with pytest.raises(UsageError, match=r"scorer 'jpeg-compressibility' takes 0..1"):
        JpegCompressibilityScorer().score(Images(pixels=torch.full((1, 3, 8, 8), 7.0)), nothing(1))
