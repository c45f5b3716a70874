"""Blends: standardised and clipped parts, safety that cannot be bought back, gradients, and the --reward parser."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import torch

from redraft.core.errors import ConfigError, NumericsError, UsageError
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards.blend import LIMIT, BlendScorer, SafetyRule, Standard, parse_reward, standard_of
from redraft.rewards.clip_similarity import ClipSimilarityScorer
from redraft.rewards.clip_tower import ClipTower
from redraft.rewards.oracle import OracleScorer
from redraft.testing import check_scorer


@dataclass
class Channel:
    """Scores a picture by the mean of one colour: a real scorer whose answers are known."""

    name: str
    channel: int
    differentiable: bool = True

    def __post_init__(self) -> None:
        self.heads = (self.name,)
        self.fingerprint = f"channel-{self.channel}"

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        values = self.score_pixels(images.pixels, prompts).detach()[:, None]
        return Scores(
            values=values, names=self.heads, fingerprints=(self.fingerprint,), mask=torch.ones_like(values).bool()
        )

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        return pixels[:, self.channel].mean((1, 2))


def flat(*colours: tuple[float, float, float]) -> tuple[Images, list[Prompt]]:
    pixels = torch.tensor(colours)[:, :, None, None].expand(-1, 3, 64, 64).clone()
    return Images(pixels=pixels), [Prompt(text="a star")] * len(colours)


def standards(mean: float = 0.5, std: float = 0.1) -> dict[str, Standard]:
    names = {"red": 0, "green": 1, "safety": 2}
    return {name: Standard(mean=mean, std=std, fingerprint=f"channel-{row}") for name, row in names.items()}


def red_and_green(**options: object) -> BlendScorer:
    parts = [Channel("red", 0), Channel("green", 1)]
    return BlendScorer(parts, {"red": 0.75, "green": 0.25}, standards=standards(), **options)  # type: ignore[arg-type]


def test_blend_is_the_weighted_sum_of_clipped_standard_scores() -> None:
    scores = red_and_green().score(*flat((0.5, 0.5, 0), (0.6, 0.3, 0), (1.0, 0.0, 0)))
    assert scores.names == ("blend", "red", "green")
    # z = (0, 0), (1, -2), (5 -> 3, -5 -> -3)
    assert scores.head("blend").tolist() == pytest.approx([0, 0.75 - 0.5, 2.25 - 0.75], abs=1e-5)
    assert scores.head("red").tolist() == pytest.approx([0.5, 0.6, 1.0])
    assert scores.fingerprints[1:] == ("channel-0", "channel-1")


def test_a_constant_base_score_does_not_explode() -> None:
    blend = BlendScorer([Channel("red", 0)], {"red": 1.0}, standards=standards(std=0.0))
    assert blend.score(*flat((0.5005, 0, 0))).values[0, 0].item() == pytest.approx(0.5, rel=1e-2)  # std floor 1e-3


def test_unsafe_pictures_cannot_be_bought_back() -> None:
    rule = SafetyRule(scorer=Channel("safety", 2))
    blend = red_and_green(safety=rule)
    assert blend.heads == ("blend", "red", "green", "safety")
    colours = torch.rand((300, 3), generator=torch.Generator().manual_seed(0))
    colours[:150, 2], colours[150:, 2] = 0.0, 0.5 + 0.5 * colours[150:, 2]
    colours[0], colours[299] = torch.tensor([1.0, 1.0, 0.0]), torch.tensor([0.0, 0.0, 0.5])  # best unsafe, worst safe
    rewards = blend.score(*flat(*map(tuple, colours.tolist()))).head("blend")
    assert rewards[:150].max() < rewards[150:].min()
    # A weak rule does let itself be bought, so the test above could fail.
    weak = red_and_green(safety=SafetyRule(scorer=Channel("safety", 2), strength=5.0))
    rewards = weak.score(*flat(*map(tuple, colours.tolist()))).head("blend")
    assert rewards[:150].max() > rewards[150:].min()


def test_safe_pictures_pay_nothing_and_half_safe_ones_half() -> None:
    rule = SafetyRule(scorer=Channel("safety", 2), minimum=0.4, strength=2.0)
    rewards = red_and_green(safety=rule).score(*flat((0.5, 0.5, 0.4), (0.5, 0.5, 1), (0.5, 0.5, 0.2))).head("blend")
    assert rewards.tolist() == pytest.approx([0, 0, -0.4], abs=1e-5)


def test_gradient_of_the_blend_and_its_agreement() -> None:
    blend = red_and_green(safety=SafetyRule(scorer=Channel("safety", 2), minimum=0.4, strength=2.0))
    assert blend.differentiable
    images, prompts = flat((0.55, 0.5, 0.2), (1.0, 0.5, 0.9))
    pixels = images.pixels.requires_grad_(True)
    value = blend.score_pixels(pixels, prompts)
    assert torch.allclose(value.detach(), blend.score(images, prompts).head("blend"), atol=1e-6)
    (gradient,) = torch.autograd.grad(value.sum(), pixels)
    slopes = gradient.sum((2, 3))
    # d/d red = 0.75 / 0.1; beyond 3 standard deviations none; safety below the minimum pulls by its strength.
    assert torch.allclose(slopes, torch.tensor([[7.5, 2.5, 2.0], [0.0, 2.5, 0.0]]), atol=1e-4)


def test_one_part_without_gradient_makes_the_blend_so() -> None:
    parts = [Channel("red", 0), Channel("green", 1, differentiable=False)]
    blend = BlendScorer(parts, {"red": 1.0, "green": 1.0}, standards=standards())
    assert not blend.differentiable
    with pytest.raises(UsageError, match=r"its part 'green' gives none.*needs scores only \(nft, sft\)"):
        blend.score_pixels(*[flat((0.5, 0.5, 0.5))[0].pixels, flat((0.5, 0.5, 0.5))[1]])


def test_a_nan_of_any_part_stops_it() -> None:
    images, prompts = flat((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    images.pixels[1, 1] = torch.nan
    with pytest.raises(NumericsError, match="scorer 'green' gave nan for picture 1"):
        red_and_green().score(images, prompts)


def test_pictures_that_a_part_cannot_score_are_masked(
    tower: ClipTower, world: tuple[Images, tuple[Prompt, ...]]
) -> None:
    images, prompts = world[0].take(range(12)), [*world[1][:11], Prompt(text="an astronaut on a horse")]
    parts = [ClipSimilarityScorer(tower), OracleScorer()]
    measured = {part.name: standard_of(part.score(images, prompts)) for part in parts}
    scores = BlendScorer(parts, {"clip": 1.0, "oracle": 1.0}, standards=measured).score(images, prompts)
    assert scores.mask.sum(0).tolist() == [11, 12, 11]
    assert bool(scores.values[11, 0].isnan())
    assert scores.values[:11, 0].abs().max() <= 2 * LIMIT


def test_standard_of_pictures_makes_their_blend_mean_zero(
    tower: ClipTower, world: tuple[Images, tuple[Prompt, ...]]
) -> None:
    scorer = ClipSimilarityScorer(tower)
    blend = BlendScorer([scorer], {"clip": 1.0}, standards={"clip": standard_of(scorer.score(*world))})
    values = blend.score(*world).head("blend")
    # Clipping at 3 standard deviations takes little off 96 pictures.
    assert values.mean().abs() < 0.05
    assert values.std().item() == pytest.approx(1, abs=0.1)
    check_scorer(blend)


def test_wrong_blends_are_refused() -> None:
    red = Channel("red", 0)
    with pytest.raises(ConfigError, match="exactly one weight for each"):
        BlendScorer([red], {"red": 1.0, "blue": 1.0}, standards=standards())
    with pytest.raises(ConfigError, match="a blend of nothing"):
        BlendScorer([], {}, standards={})
    with pytest.raises(ConfigError, match=r"weight 0.0 of scorer 'red'"):
        BlendScorer([red], {"red": 0.0}, standards=standards())
    with pytest.raises(UsageError, match="has no standard: measure mean and spread"):
        BlendScorer([red], {"red": 1.0}, standards={})
    foreign = {"red": Standard(mean=0, std=1, fingerprint="other")}
    with pytest.raises(UsageError, match="is channel-0, its standard was measured with other"):
        BlendScorer([red], {"red": 1.0}, standards=foreign)
    with pytest.raises(UsageError, match="it has red; name a scorer that judges safety"):
        SafetyRule(scorer=red)
    with pytest.raises(UsageError, match=r"minimum 0.0"):
        SafetyRule(scorer=Channel("safety", 2), minimum=0.0)
    with pytest.raises(UsageError, match=r"mean nan"):
        Standard(mean=float("nan"), std=1, fingerprint="a")
    with pytest.raises(UsageError, match="1 scores of 'red' to standardise by"):
        standard_of(red.score(*flat((0.1, 0.2, 0.3))))


def test_fingerprint_depends_on_weights_standards_and_rule() -> None:
    prints = {
        red_and_green().fingerprint,
        red_and_green(safety=SafetyRule(scorer=Channel("safety", 2))).fingerprint,
        BlendScorer([Channel("red", 0)], {"red": 1.0}, standards=standards()).fingerprint,
        BlendScorer([Channel("red", 0)], {"red": 2.0}, standards=standards()).fingerprint,
        BlendScorer([Channel("red", 0)], {"red": 1.0}, standards=standards(std=0.2)).fingerprint,
    }
    assert len(prints) == 5
    assert red_and_green().fingerprint in prints


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("oracle", ("oracle", 1.0)),
        ("clip=0.5", ("clip", 0.5)),
        (" a/b = 2", ("a/b", 2.0)),
        ("a=b=1e-3", ("a=b", 0.001)),
    ],
)
def test_parse_reward(text: str, expected: tuple[str, float]) -> None:
    assert parse_reward(text) == expected


@pytest.mark.parametrize("text", ["", "=1", "clip=", "clip=much", "clip=0", "clip=-1", "clip=nan", "clip=inf", "a=b"])
def test_parse_reward_refuses(text: str) -> None:
    with pytest.raises(UsageError, match=r"write NAME or NAME=WEIGHT with a weight above 0"):
        parse_reward(text)
