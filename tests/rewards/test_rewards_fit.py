"""Fitting: planted models, masks, raters, splits, determinism, tuning of CLIP layers, saved rewards."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from redraft.core.errors import DamagedError, NumericsError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import ModelContext
from redraft.core.records import FACETS, Prompt
from redraft.core.tensors import Images
from redraft.rewards.clip_tower import ClipTower, open_tower
from redraft.rewards.feature_heads import FeatureHeads, entries
from redraft.rewards.fit import fit_head, fit_reward
from redraft.rewards.fit_config import RewardFitConfig
from redraft.rewards.fitted import FittedRewardConfig, FittedRewardScorer, open_fitted
from redraft.rewards.ratings import Ratings, area_under_curve, checked_labels, rating_loss, split_by_group
from redraft.testing import check_scorer

KEY = Key(seed=0)


def planted(count: int = 1500, width: int = 12, heads: int = 6) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features, noisy ratings and a mask that hides 40 % of them at random."""
    features = KEY.child("features").normal((count, width)) * 2 + 1
    values = 0.5 + 0.05 * features @ KEY.child("truth").normal((width, heads))
    noise = 0.02 * KEY.child("noise").normal(values.shape)
    return features, values + noise, KEY.child("mask").uniform(values.shape) > 0.4


def slopes(module: FeatureHeads) -> torch.Tensor:
    return module.weight / module.std


@pytest.mark.parametrize("optimizer", ["lbfgs", "adamw"])
def test_a_planted_linear_model_is_recovered_through_masks(optimizer: str) -> None:
    features, labels, mask = planted()
    hidden = torch.where(mask, labels, torch.nan)  # what was not rated may be anything
    config = RewardFitConfig.model_validate({"optimizer": optimizer, "l2": 1e-5})
    fitted = fit_head(features, hidden, key=KEY, config=config, mask=mask, names=FACETS, output="value")
    for facet in FACETS:
        assert fitted.metrics[f"held_out/{facet}/r2"] > 0.95
    truth = 0.05 * KEY.child("truth").normal((12, 6)).T
    # Standard error of a slope: 0.02 / (2 sqrt(700)) = 0.0004; AdamW's last steps add as much again.
    assert (slopes(fitted.module) - truth).abs().max() < 0.004


def test_a_fully_masked_head_stays_as_it_began() -> None:
    features, labels, mask = planted()
    mask[:, 2] = False
    for options in ({}, {"optimizer": "adamw", "epochs": 3}, {"hidden": 4, "epochs": 3, "l2": 0.1}):
        config = RewardFitConfig.model_validate(options)
        fitted = fit_head(features, labels, key=KEY, config=config, mask=mask, names=FACETS, output="value").module
        initial = FeatureHeads(12, fitted.entries, hidden=config.hidden, key=KEY.child("heads"))
        for name, value in fitted.named_parameters():
            before = dict(initial.named_parameters())[name]
            assert torch.equal(value[2], before[2])
            assert not torch.equal(value[3], before[3])


def test_planted_thumbs_are_recovered() -> None:
    features = KEY.child("features").normal((6000, 4))
    truth = torch.tensor([1.5, -1.0, 0.5, 0.0])
    chance = torch.sigmoid(features @ truth - 0.3)
    thumbs = (KEY.child("coins").uniform((6000,)) < chance).float()
    fitted = fit_head(features, thumbs, key=KEY, config=RewardFitConfig(l2=1e-6))
    # Standard error of a logistic slope here: about 1 / sqrt(4800 * 0.17) = 0.035.
    assert (slopes(fitted.module)[0] - truth).abs().max() < 0.14
    assert fitted.metrics["held_out/reward/auc"] > 0.8
    assert fitted.metrics["held_out/reward/accuracy"] > 0.7
    assert fitted.metrics["held_out/reward/ece"] < 0.06  # of about 1,200: bins of 120 err by 0.04 by chance


def test_logistic_fit_of_soft_labels_is_the_closed_form() -> None:
    # One binary feature: the best logits are those of the two mean labels.
    features = torch.tensor([[0.0], [1.0]]).repeat(200, 1)
    labels = torch.tensor([0.2, 0.9]).repeat(200)
    fitted = fit_head(features, labels, key=KEY, config=RewardFitConfig(l2=0.0))
    assert fitted.module.predict(torch.tensor([[0.0], [1.0]])).flatten().tolist() == pytest.approx([0.2, 0.9], abs=1e-3)


def test_weights_count_as_repeated_pictures() -> None:
    features, labels = planted(heads=1)[:2]
    groups = [str(row) for row in range(1500)]
    twice = torch.arange(1500) % 3 == 0
    rows = torch.cat([torch.arange(1500), twice.nonzero().flatten()])
    options = {
        "key": KEY,
        "names": ("a",),
        "output": "value",
        "config": RewardFitConfig(l2=0.0, epochs=300, patience=300),
    }
    weighted = fit_head(features, labels, weights=1 + twice.float(), groups=groups, **options)  # type: ignore[arg-type]
    # The inputs' scaling counts rows, so compare predictions, with no penalty that would see it.
    repeated = fit_head(features[rows], labels[rows], groups=[groups[row] for row in rows], **options)  # type: ignore[arg-type]
    apart = weighted.module(features) - repeated.module(features)
    assert apart.abs().max() < 2e-3


def test_permuting_raters_leaves_the_loss_unchanged() -> None:
    values, mask = KEY.child("y").uniform((40, 3)), KEY.child("m").uniform((40, 3)) > 0.5
    raw, weights = KEY.child("r").normal((40, 3)).double(), KEY.child("w").uniform((40,))
    heads = entries(["a", "b", "c"], "probability")
    labels = checked_labels(values, count=40, heads=heads, mask=mask, weights=weights, groups=None)
    order = KEY.child("o").permutation(40)
    turned = rating_loss(raw[order], labels.take(order), heads=heads)
    assert torch.isclose(turned, rating_loss(raw, labels, heads=heads), rtol=1e-12)


def test_rating_loss_is_its_formula() -> None:
    heads = (*entries(["a"], "probability"), *entries(["b"], "value"))
    labels = checked_labels(
        torch.tensor([[1.0, 0.5], [0.0, 9.0]]), count=2, heads=heads, mask=torch.tensor([[True, True], [True, False]]),
        weights=torch.tensor([1.0, 3.0]), groups=None,
    )  # fmt: skip
    raw = torch.tensor([[0.0, 0.8], [0.0, 0.0]])
    # Cross-entropy ln 2 of both; Huber of 0.3 with delta 0.1: 0.1 * (0.3 - 0.05) = 0.025.
    expected = (0.6931472 + 0.025 + 3 * 0.6931472) / (1 + 1 + 3)
    assert rating_loss(raw, labels, heads=heads, huber_delta=0.1).item() == pytest.approx(expected, rel=1e-5)


def test_area_under_curve() -> None:
    up = torch.tensor([True, True, False, False])
    assert area_under_curve(torch.tensor([3.0, 2, 1, 0]), up) == 1
    assert area_under_curve(torch.tensor([0.0, 1, 2, 3]), up) == 0
    assert area_under_curve(torch.tensor([1.0, 1, 1, 1]), up) == 0.5
    assert area_under_curve(torch.tensor([2.0, 0, 1, 0]), up) == pytest.approx((2 + 0.5) / 4)
    assert area_under_curve(torch.tensor([1.0, 2]), torch.tensor([True, True])) is None


def test_the_split_goes_by_prompt_and_never_changes() -> None:
    groups = [f"prompt {row // 4}" for row in range(4000)]
    inside, outside = split_by_group(groups, share=0.2)
    assert {groups[row] for row in inside}.isdisjoint(groups[row] for row in outside)
    assert len(outside) / 4000 == pytest.approx(0.2, abs=0.05)  # 1,000 coins of 0.2: standard deviation 0.013
    turned = groups[::-1]
    assert {groups[row] for row in outside} == {turned[row] for row in split_by_group(turned, share=0.2)[1]}
    with pytest.raises(UsageError, match=r"[01] of 1 groups \(prompts\) of answers are held out"):
        split_by_group(["same"] * 9, share=0.2)


def test_bad_ratings_are_refused() -> None:
    features = torch.zeros(10, 3)
    with pytest.raises(UsageError, match=r"labels \(9, 1\).*for 10 pictures and 1 heads"):
        fit_head(features, torch.zeros(9), key=KEY)
    with pytest.raises(UsageError, match=r"a label 7 for the probability head 'reward'.*divide sliders"):
        fit_head(features, torch.full((10,), 7.0), key=KEY)
    with pytest.raises(NumericsError, match="a rating or weight is NaN or infinite: mask"):
        fit_head(features, torch.full((10,), torch.nan), key=KEY)
    with pytest.raises(UsageError, match="there is nothing to fit to"):
        fit_head(features, torch.zeros(10), mask=torch.zeros(10).bool(), key=KEY)
    with pytest.raises(UsageError, match="negative weight"):
        fit_head(features, torch.zeros(10), weights=torch.full((10,), -1.0), key=KEY)
    with pytest.raises(NumericsError, match=r"features of shape \(10, 3\) must be finite"):
        fit_head(features / 0, torch.zeros(10), key=KEY)


def rated(world: tuple[Images, tuple[Prompt, ...]], repeats: int = 4) -> Ratings:
    """Half of the pictures with their own prompt (liked), half with another's (disliked), pixels a little noisy."""
    images, prompts = world
    pixels = images.pixels.repeat(repeats, 1, 1, 1)
    pixels = (pixels + 0.03 * KEY.child("pixels").normal(pixels.shape)).clamp(0, 1)
    right = KEY.child("right").uniform((len(pixels),)) < 0.5
    asked = [prompts[(row if right[row] else row + 1) % len(prompts)] for row in range(len(pixels))]
    return Ratings(images=Images(pixels=pixels), prompts=asked, labels=right.float())


def bright(world: tuple[Images, tuple[Prompt, ...]]) -> Ratings:
    """Ratings that a picture alone decides: like the darker half."""
    images = world[0]
    level = images.pixels.mean((1, 2, 3))
    return Ratings(images=images, prompts=world[1], labels=(level > level.median()).float())


def middle_red() -> Ratings:
    """Disliked when red is neither weak nor strong: a linear head on random features hardly tells that."""
    colours = KEY.child("colours").uniform((400, 3, 1, 1))
    pixels = (colours + 0.03 * KEY.child("grain").normal((400, 3, 64, 64))).clamp(0, 1)
    liked = (3 * colours[:, 0]).floor() != 1
    prompts = [Prompt(text=f"picture {row}") for row in range(400)]
    return Ratings(images=Images(pixels=pixels), prompts=prompts, labels=liked.flatten().float())


def test_a_fitted_reward_survives_the_disk_and_conforms(
    clip_folder: Path, tower: ClipTower, world: tuple[Images, tuple[Prompt, ...]], tmp_path: Path
) -> None:
    reward = fit_reward(tower, bright(world), key=KEY)
    check_scorer(reward)
    reward.save(tmp_path / "reward")
    assert sorted(path.name for path in (tmp_path / "reward").iterdir()) == ["card.json", "head.safetensors"]
    config = FittedRewardConfig(clip=str(clip_folder))
    again = FittedRewardScorer.build(config, ModelContext(folder=str(tmp_path / "reward")))
    assert again.fingerprint == reward.fingerprint
    assert torch.equal(again.score(*world).values, reward.score(*world).values)
    card = json.loads((tmp_path / "reward" / "card.json").read_text())
    assert card["clip"] == tower.identity
    assert card["metrics"]["held_out/reward/count"] > 5
    assert len(card["data_hash"]) == 16
    assert str(clip_folder) not in json.dumps(card)


def test_fitting_is_deterministic_and_the_data_hash_knows_the_data(
    tower: ClipTower, world: tuple[Images, tuple[Prompt, ...]]
) -> None:
    config = RewardFitConfig(hidden=4, optimizer="adamw", epochs=3)
    first, second = (fit_reward(tower, bright(world), key=KEY, config=config) for _ in range(2))
    assert first.fingerprint == second.fingerprint
    assert first.card == second.card
    other = bright(world)
    other.labels[0] = 1 - other.labels[0]
    third = fit_reward(tower, other, key=KEY, config=config)
    assert third.card.data_hash != first.card.data_hash
    assert third.fingerprint != first.fingerprint


def test_tuning_layers_beats_frozen_features_and_leaves_the_parent_alone(
    tower: ClipTower, world: tuple[Images, tuple[Prompt, ...]], tmp_path: Path
) -> None:
    ratings, before = middle_red(), tower.model.state_dict()["visual_projection.weight"].clone()
    options = {"inputs": "image", "epochs": 10, "patience": 10}
    frozen = fit_reward(tower, ratings, key=KEY, config=RewardFitConfig.model_validate(options))
    tuned = fit_reward(tower, ratings, key=KEY, config=RewardFitConfig.model_validate({**options, "tune_layers": 1}))
    assert tuned.card.metrics["held_out/loss"] < 0.85 * frozen.card.metrics["held_out/loss"]
    assert torch.equal(tower.model.state_dict()["visual_projection.weight"], before)
    assert not any(value.requires_grad for value in tower.model.parameters())
    assert not any(value.requires_grad for value in (*tuned.tower.model.parameters(), *tuned.module.parameters()))
    assert tuned.fingerprint != frozen.fingerprint
    tuned.save(tmp_path)
    again = open_fitted(tmp_path, tower)
    assert torch.equal(again.score(*world).values, tuned.score(*world).values)
    check_scorer(tuned)
    # The metrics of the card are those of the scorer that is handed out.
    groups = [prompt.id for prompt in ratings.prompts]
    outside = split_by_group(groups, share=0.2)[1]
    chances = tuned.score(ratings.images, ratings.prompts).values[outside, 0]
    curve = area_under_curve(chances, ratings.labels[outside] > 0.5)
    assert curve == pytest.approx(tuned.card.metrics["held_out/reward/auc"], abs=1e-6)


def test_tuning_that_only_harms_is_undone(tower: ClipTower) -> None:
    options = {"inputs": "image", "epochs": 2}
    frozen = fit_reward(tower, middle_red(), key=KEY, config=RewardFitConfig.model_validate(options))
    wild = {**options, "tune_layers": 1, "learning_rate": 1.0, "tune_learning_rate": 1.0}
    tuned = fit_reward(tower, middle_red(), key=KEY, config=RewardFitConfig.model_validate(wild))
    assert tuned.card.metrics["held_out/loss"] == pytest.approx(frozen.card.metrics["held_out/loss"], rel=1e-4)
    assert torch.equal(tuned.module.weight, frozen.module.weight)


def test_gradient_of_a_fitted_reward_raises_it(tower: ClipTower, world: tuple[Images, tuple[Prompt, ...]]) -> None:
    reward = fit_reward(tower, bright(world), key=KEY, config=RewardFitConfig(inputs="image", l2=1e-2))
    pixels = world[0].pixels[:16].clone().requires_grad_(True)
    value = reward.score_pixels(pixels, world[1][:16])
    assert (value - reward.score(*world).values[:16, 0]).abs().max() < 0.01
    (gradient,) = torch.autograd.grad(value.sum(), pixels)
    moved = (pixels + 0.002 * gradient.sign()).clamp(0, 1).detach()
    assert (reward.score_pixels(moved, world[1][:16]) > value).float().mean() > 0.9


def test_wrong_rewards_and_folders_are_refused(
    tower: ClipTower, other_clip_folder: Path, world: tuple[Images, tuple[Prompt, ...]], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="tune_layers = 3: this CLIP has 2 image layers"):
        fit_reward(tower, bright(world), key=KEY, config=RewardFitConfig(tune_layers=3))
    with pytest.raises(UsageError, match="is no folder"):
        open_fitted(tmp_path / "none", tower)
    fit_reward(tower, bright(world), key=KEY).save(tmp_path / "reward")
    with pytest.raises(UsageError, match="was fitted on the CLIP"):
        open_fitted(tmp_path / "reward", open_tower(other_clip_folder))
    broken = tmp_path / "broken"
    shutil.copytree(tmp_path / "reward", broken)
    card = json.loads((broken / "card.json").read_text())
    (broken / "card.json").write_text(json.dumps({**card, "tune_layers": 1}))
    with pytest.raises(DamagedError, match="other weights than its card tells"):
        open_fitted(broken, tower)
    (broken / "card.json").unlink()
    with pytest.raises(UsageError, match=r"has no card.json"):
        open_fitted(broken, tower)


def test_alignment_inputs_see_the_prompt(tower: ClipTower, world: tuple[Images, tuple[Prompt, ...]]) -> None:
    aware = fit_reward(tower, rated(world), key=KEY, config=RewardFitConfig(epochs=5))
    blind = fit_reward(tower, rated(world), key=KEY, config=RewardFitConfig(epochs=5, inputs="image"))
    turned = [world[1][-1], *world[1][:-1]]
    assert torch.equal(blind.score(world[0], turned).values, blind.score(*world).values)
    assert aware.inputs == "alignment"
    assert aware.module.width == 3 * 64 + 1
