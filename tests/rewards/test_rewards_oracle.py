"""The oracle as a scorer: renders are right, wrong prompts are wrong, free texts are masked, no gradient."""

import pytest
import torch

from redraft.core.errors import UsageError
from redraft.core.protocols import ModelContext
from redraft.core.records import FACETS, Prompt
from redraft.core.tensors import Images
from redraft.rewards import oracle
from redraft.rewards.oracle import OracleConfig, OracleScorer, require_verifiable, unverifiable, world_version
from redraft.testing import check_scorer
from redraft.world import facets, parse

FREE = Prompt(text="an astronaut riding a horse")


def test_renders_are_right_and_shuffled_prompts_are_wrong(world: tuple[Images, tuple[Prompt, ...]]) -> None:
    images, prompts = world
    scorer = OracleScorer.build(OracleConfig(), ModelContext(folder=""))
    scores = scorer.score(images, prompts)
    assert scorer.heads == ("accuracy", *FACETS)
    assert bool(scores.mask.all())
    assert scores.head("accuracy").tolist() == [1.0] * 96
    turned = [prompts[-1], *prompts[:-1]]
    # Another prompt is true of a picture only when it asks for less of the same.
    assert scorer.score(images, turned).head("accuracy").mean() < 0.1


def test_facets_are_those_of_the_world(world: tuple[Images, tuple[Prompt, ...]]) -> None:
    images, prompts = world[0].take(range(4)), world[1][1:5]
    values = OracleScorer().score(images, prompts).values
    for row, prompt in enumerate(prompts):
        picture = (images.pixels[row].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        seen = facets(picture, parse(prompt.text))
        assert values[row, 1:].tolist() == pytest.approx([seen[name] for name in FACETS])


def test_free_texts_are_masked_and_counted(world: tuple[Images, tuple[Prompt, ...]]) -> None:
    images, scorer = world[0].take(range(3)), OracleScorer()
    prompts = [world[1][0], FREE, world[1][2]]
    scores = scorer.score(images, prompts).require_finite()
    assert scores.mask[:, 0].tolist() == [True, False, True]
    assert scores.mask.shape == scores.values.shape
    assert bool(scores.values[1].isnan().all())  # never a number that could be taken for a score
    assert unverifiable(prompts) == (FREE,)
    with pytest.raises(UsageError, match=r"1 of 3 prompts cannot be verified.*astronaut.*another reward such as clip"):
        require_verifiable(prompts)
    require_verifiable(world[1])
    with pytest.raises(UsageError, match="3 of 3 prompts cannot be verified"):
        scorer.score(images, [FREE] * 3)


def test_it_has_no_gradient_and_says_the_way_out(world: tuple[Images, tuple[Prompt, ...]]) -> None:
    scorer = OracleScorer()
    check_scorer(scorer)
    with pytest.raises(UsageError, match=r"has no gradient: use a method that needs scores only \(nft, sft\)"):
        scorer.score_pixels(world[0].pixels, world[1])
    with pytest.raises(UsageError, match="the oracle reads 64,64,3"):
        scorer.score(Images(pixels=torch.zeros(1, 3, 32, 32)), world[1][:1])


def test_fingerprint_changes_with_the_rules_of_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    before = OracleScorer().fingerprint
    assert OracleScorer().fingerprint == before
    world_version.cache_clear()
    monkeypatch.setattr(oracle, "_MODULES", oracle._MODULES[1:])
    assert OracleScorer().fingerprint != before
    world_version.cache_clear()
