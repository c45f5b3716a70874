"""D3PO: log 2 at the start, its gradient there in closed form, a planted optimum, and which reference is meant."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from exact_parts import context_of, gaussian, gradient, prompts_of, scored_of, set_weights
from policy_parts import TILTED, LinearChain, scored_chain

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import MethodContext
from redraft.core.records import Kernel, Recipe
from redraft.core.tensors import LoggedRollout, Scored, TransitionPairs
from redraft.diffusion.kernels import step as kernel_step
from redraft.diffusion.levels import flow_levels
from redraft.diffusion.sample import denoise, replay, sample_logged
from redraft.methods.d3po import D3po, D3poConfig
from redraft.methods.fit import FitConfig, fit, next_round
from redraft.methods.transitions import some_transitions
from redraft.testing import check_method

KEY = Key(seed=43)
MODELS = [("epsilon", "ddim_eta"), ("v", "few_step"), ("flow", "flow_sde"), ("flow", "coefficients_preserving")]


def d3po(**options) -> D3po:
    return D3po.build(D3poConfig(**options), MethodContext(recipe=Recipe(levels=flow_levels(4)), reward=None))


def recipe_for(backbone, kernel: str = "coefficients_preserving", steps: int = 4) -> Recipe:
    strength = 0.0 if kernel == "few_step" else 0.7
    return Recipe(levels=backbone.levels(steps), kernel=Kernel(name=kernel, strength=strength), dtype="float64")


def painted(backbone, *, count: int, recipe: Recipe, key: Key = KEY) -> Scored:
    """`count` pictures in groups of 2; the reward is the mean of a picture."""
    batch = prompts_of(count, backbone)
    rollout = sample_logged(backbone, batch.conditioning, recipe=recipe, key=key)
    return Scored(
        prompts=batch.prompts,
        conditioning=batch.conditioning,
        rollout=rollout,
        reward=rollout.latents.flatten(1).mean(dim=1),
        group=torch.arange(count) // 2,
    )


def pairs_of(backbone, *, count: int = 6, recipe: Recipe | None = None) -> TransitionPairs:
    scored = painted(backbone, count=2 * count, recipe=recipe or recipe_for(backbone))
    return d3po().prepare(scored, key=KEY)


@pytest.mark.parametrize(("kind", "kernel"), MODELS)
@pytest.mark.parametrize("reference", ["start", "round"])
def test_the_loss_begins_at_log_two_with_ratios_of_exactly_one(kind: str, kernel: str, reference: str) -> None:
    backbone = gaussian(shape=(1, 2, 2), prediction=kind)
    pairs = pairs_of(backbone, recipe=recipe_for(backbone, kernel))
    loss = d3po(reference=reference).loss(pairs, context=context_of(backbone), key=KEY)
    assert loss.value.item() == pytest.approx(math.log(2), abs=1e-12)
    assert loss.parts == {"accuracy": 0.0, "margin": 0.0, "log_ratio": 0.0, "clipped_share": 0.0}


@pytest.mark.parametrize(("kind", "kernel"), MODELS)
def test_gradient_at_the_start_in_closed_form(kind: str, kernel: str) -> None:
    """There dL/dtheta = -(p - 1/2) beta / D * mean over pairs and steps of g (n_w - n_l) / std: n is the noise that was
    drawn in the step, and g what a shift of the prediction by 1 does to the step's mean."""
    backbone = gaussian(shape=(1, 2, 2), prediction=kind)
    recipe = recipe_for(backbone, kernel)
    pairs = replace(pairs_of(backbone, recipe=recipe), probability=torch.full((6,), 0.8, dtype=torch.float64))
    loss = d3po(beta=0.3, smallest_noise=0.0).loss(pairs, context=context_of(backbone), key=KEY)
    total = torch.zeros(1, 2, 2, dtype=torch.float64)
    for place, index in enumerate(pairs.preferred.steps):
        noises = []
        for rollout in (pairs.preferred, pairs.rejected):
            law = denoise(backbone, rollout.before[place], pairs.conditioning, recipe=recipe, index=index).step
            noises.append((rollout.after[place] - law.mean) / law.std)
        slope = mean_slope(backbone, recipe, index) / law.std
        total = total - 0.3 * 0.3 / 4 * slope * (noises[0] - noises[1]).detach().sum(dim=0)
    expected = total / (6 * len(pairs.preferred.steps))
    torch.testing.assert_close(gradient(loss.value, backbone)["shift"], expected, rtol=1e-9, atol=1e-12)


def mean_slope(backbone, recipe: Recipe, index: int) -> float:
    """d mean / d prediction of a step, by the kernel alone: it is affine, so a difference of 1 is exact."""
    level, next_level = recipe.levels[index], recipe.levels[index + 1]
    latents = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    means = []
    for prediction in (0.0, 1.0):
        if backbone.prediction == "epsilon":
            x0_hat, noise_hat = -level.sigma * prediction / level.alpha, prediction
        else:
            x0_hat, noise_hat = -level.sigma * prediction, level.alpha * prediction
        law = kernel_step(
            latents, latents + x0_hat, latents + noise_hat, level=level, next_level=next_level, kernel=recipe.kernel
        )
        means.append(law.mean.item())
    return means[1] - means[0]


def test_the_reference_is_the_start_or_the_policy_of_the_round() -> None:
    backbone = gaussian(shape=(1, 2, 2))
    pairs = pairs_of(backbone)
    set_weights(backbone, shift=0.2)
    now = {"shift": backbone.trainable()["shift"].detach().clone()}
    losses = {
        (reference, name): d3po(reference=reference).loss(pairs, context=context, key=KEY).value.item()
        for reference in ("start", "round")
        for name, context in {
            "old is now": context_of(backbone, old=now),
            "old is start": context_of(backbone),
        }.items()
    }
    assert losses["round", "old is now"] == pytest.approx(math.log(2), abs=1e-12)
    away = losses["start", "old is now"]
    assert abs(away - math.log(2)) > 1e-4
    assert losses["start", "old is start"] == losses["round", "old is start"] == away


def test_reduction_says_what_beta_means() -> None:
    backbone = gaussian(shape=(1, 2, 2))
    pairs = pairs_of(backbone)
    set_weights(backbone, shift=0.1)
    mean, total = (
        d3po(beta=beta, reduction=reduction, ratio_clip=None).loss(pairs, context=context_of(backbone), key=KEY).value
        for beta, reduction in [(0.4, "mean"), (0.1, "sum")]
    )
    assert mean.item() == pytest.approx(total.item(), rel=1e-12)


def test_a_ratio_beyond_its_limits_has_no_gradient() -> None:
    backbone = gaussian(shape=(1, 2, 2))
    pairs = pairs_of(backbone)
    set_weights(backbone, shift=30.0)
    clipped = d3po().loss(pairs, context=context_of(backbone), key=KEY)
    assert clipped.parts["clipped_share"] == 1.0
    assert gradient(clipped.value, backbone)["shift"].abs().max().item() == 0.0
    # Both pictures' ratios are clipped at the same side: no margin is left.
    assert clipped.value.item() == pytest.approx(math.log(2), abs=1e-12)
    free = d3po(ratio_clip=None).loss(pairs, context=context_of(backbone), key=KEY)
    assert gradient(free.value, backbone)["shift"].abs().max().item() > 0
    set_weights(backbone, shift=0.3)
    part = d3po(ratio_clip=0.01).loss(pairs, context=context_of(backbone), key=KEY)
    assert 0 < part.parts["clipped_share"] < 1


@pytest.mark.parametrize(("kind", "kernel"), [("epsilon", "ddim_eta"), ("flow", "flow_sde")])
def test_it_finds_a_planted_policy(kind: str, kernel: str) -> None:
    """Choices with the probabilities that a shift of 0.15 implies, one transition each: the optimum is that shift."""
    backbone = gaussian(prediction=kind)
    recipe = recipe_for(backbone, kernel, steps=2)
    pairs = pairs_of(backbone, count=64, recipe=recipe)
    planted = {"shift": torch.full((1, 1, 1), 0.15, dtype=torch.float64)}
    with torch.no_grad():
        ratios = [
            replay(backbone, rollout, pairs.conditioning, parameters=planted)
            - replay(backbone, rollout, pairs.conditioning)
            for rollout in (pairs.preferred, pairs.rejected)
        ]
    probability = torch.sigmoid(2.0 * (ratios[0] - ratios[1])).flatten()
    swap = (probability < 0.5).tolist()
    first = [row + 64 * int(other) for row, other in enumerate(swap)]
    second = [row + 64 * int(not other) for row, other in enumerate(swap)]
    both = merged(pairs.preferred, pairs.rejected)
    examples = TransitionPairs(
        preferred=both.take(first),
        rejected=both.take(second),
        conditioning=pairs.conditioning,
        probability=torch.maximum(probability, 1 - probability),
    )
    config = FitConfig(steps=300, batch_size=64, learning_rate=0.02, weight_decay=0.0, gradient_clip=None)
    result = fit(d3po(beta=2.0, ratio_clip=None, reference="start"), backbone, examples, config=config, key=KEY)
    assert result.state.policy["shift"].item() == pytest.approx(0.15, abs=1e-3)


def merged(first: LoggedRollout, second: LoggedRollout) -> LoggedRollout:
    return replace(
        first,
        latents=torch.cat([first.latents, second.latents]),
        before=torch.cat([first.before, second.before], dim=1),
        after=torch.cat([first.after, second.after], dim=1),
        log_probabilities=torch.cat([first.log_probabilities, second.log_probabilities], dim=1),
    )


@pytest.mark.parametrize("reward", TILTED)
@pytest.mark.parametrize("kind", ["epsilon", "flow"])
def test_it_reaches_the_tilted_gaussian(kind: str, reward: str) -> None:
    """Oracle C1 from N(0.5, 0.64) with b = 0.5: one step of std 0.8, whose std is the kernel's and is not trained.

    Pairs of the present model round after round, against the start. Reward and beta are taken small together, which
    leaves the optimum as it is and makes choices linear in the difference of rewards, as in test_methods_dpo.
    """
    tilted = TILTED[reward]
    chain, small, state = LinearChain(prediction=kind, std=0.8, transitions=1, start=0.5), 0.05, None
    method = d3po(
        beta=small * 0.5, reduction="sum", ratio_clip=None, reference="start", choose="all_above_margin",
        temperature=1 / small,
    )  # fmt: skip
    for turn, rate in enumerate([0.05] * 40 + [0.01] * 20):
        config = FitConfig(
            steps=2, batch_size=3072, learning_rate=rate, weight_decay=0.0, ema_decay=0.0, betas=(0.5, 0.9)
        )
        scored = scored_chain(chain, tilted.reward, count=2048, key=KEY.child("round", turn))
        scored = replace(scored, group=torch.arange(2048) // 4)
        last = None if state is None else next_round(state, config=config)
        examples = method.prepare(scored, key=KEY)
        state = fit(method, chain, examples, config=config, key=KEY.child(turn), state=last).state
    assert state is not None
    # What is random: the mean of 2,048 middles of a round, 0.8 / sqrt(2048) = 0.018 (for the linear reward nothing),
    # smoothed by the last 20 rounds, and a last step of 0.01.
    assert 0.5 + state.policy["theta"].item() == pytest.approx(tilted.mean, abs=0.03)


def test_some_transitions_are_whole_ones_in_order_and_all_come_up() -> None:
    backbone = gaussian(shape=(1, 2, 2))
    rollout = painted(backbone, count=4, recipe=recipe_for(backbone, steps=7)).rollout
    batch = prompts_of(4, backbone)
    seen = set()
    for seed in range(12):
        part = some_transitions(rollout, count=3, smallest_noise=0.0, key=Key(seed=seed))
        assert list(part.steps) == sorted(set(part.steps))
        assert len(part.steps) == 3
        again = replay(backbone, part, batch.conditioning)
        torch.testing.assert_close(again, part.log_probabilities, rtol=0, atol=1e-12)
        seen |= set(part.steps)
    assert seen == set(rollout.steps)
    whole = some_transitions(rollout, count=99, smallest_noise=0.0, key=KEY)
    assert whole.steps == rollout.steps
    assert torch.equal(whole.before, rollout.before)


def test_transitions_with_hardly_any_noise_are_left_out() -> None:
    """The last but one level of a flow model is at sigma 0.001, and so is the noise of the step that leads there."""
    backbone = gaussian(shape=(1, 2, 2), prediction="flow")
    rollout = painted(backbone, count=4, recipe=recipe_for(backbone)).rollout
    assert some_transitions(rollout, count=9, smallest_noise=0.0, key=KEY).steps == (0, 1, 2)
    assert some_transitions(rollout, count=9, smallest_noise=0.01, key=KEY).steps == (0, 1)
    with pytest.raises(
        UsageError, match=r"no transition has noise .* 2 or more \(the widest: 0.594\): paint with a str"
    ):
        some_transitions(rollout, count=9, smallest_noise=2.0, key=KEY)


def test_the_mean_of_partial_losses_is_the_whole_loss() -> None:
    backbone = gaussian(shape=(1, 2, 2))
    pairs = pairs_of(backbone)
    set_weights(backbone, shift=0.3)
    losses = {}
    for seed in range(40):
        key = Key(seed=seed)
        value = d3po(steps_per_picture=1).loss(pairs, context=context_of(backbone), key=key).value.item()
        one = some_transitions(pairs.preferred, count=1, smallest_noise=0.0, key=key.child("transitions"))
        losses[one.steps] = value
    assert len(losses) == 3
    whole = d3po(steps_per_picture=3).loss(pairs, context=context_of(backbone), key=KEY).value.item()
    assert sum(losses.values()) / 3 == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("kind", ["epsilon", "flow"])
def test_round_after_round_the_reward_rises(kind: str) -> None:
    # One element: its log-ratio is no average, so the published clip would be far too narrow.
    backbone, method, state = gaussian(prediction=kind, trains=("offset",)), d3po(ratio_clip=None), None
    config = FitConfig(steps=15, batch_size=64, learning_rate=0.03, ema_decay=0.0, weight_decay=0.0)
    rewards = []
    for turn in range(4):
        key = KEY.child("round", turn)
        # The same noise in every round, so that the rewards differ by the weights alone.
        scored = painted(backbone, count=128, recipe=recipe_for(backbone))
        rewards.append(scored.reward.mean().item())
        last = None if state is None else next_round(state, config=config)
        state = fit(method, backbone, method.prepare(scored, key=key), config=config, key=key, state=last).state
    assert all(later > earlier + 0.05 for earlier, later in itertools.pairwise(rewards))


@pytest.mark.parametrize("kind", ["epsilon", "v", "flow"])
def test_conformance(kind: str) -> None:
    check_method(d3po(), gaussian(shape=(1, 2, 2), prediction=kind))


def test_pictures_are_painted_with_noise() -> None:
    vp, flow = gaussian(), gaussian(prediction="flow")
    plain = [Recipe(levels=backbone.levels(4), guidance_scale=5.0) for backbone in (vp, flow)]
    chosen = [d3po().collect_recipe(recipe, round_number=2) for recipe in plain]
    assert [recipe.kernel for recipe in chosen] == [
        Kernel(name="ddim_eta", strength=1.0),
        Kernel(name="flow_sde", strength=0.7),
    ]
    assert [replace(recipe, kernel=Kernel()) for recipe in chosen] == plain
    other = d3po(kernel="coefficients_preserving", strength=0.5).collect_recipe(plain[0], round_number=0)
    assert other.kernel == Kernel(name="coefficients_preserving", strength=0.5)
    assert d3po(kernel="few_step").collect_recipe(plain[1], round_number=0).kernel == Kernel(name="few_step")
    with pytest.raises(UsageError, match=r"d3po with kernel 'deterministic' in 4 steps"):
        d3po(kernel="deterministic").collect_recipe(plain[0], round_number=0)


def test_refusals() -> None:
    backbone = gaussian()
    pairs, context = pairs_of(backbone), context_of(backbone)
    with pytest.raises(UsageError, match=r"d3po was given PromptBatch: it trains on TransitionPairs"):
        d3po().loss(prompts_of(1, backbone), context=context, key=KEY)
    with pytest.raises(UsageError, match=r"d3po was given no pairs"):
        d3po().loss(pairs.take([]), context=context, key=KEY)
    with pytest.raises(UsageError, match=r"pair 0 has probability 0.1"):
        d3po().loss(replace(pairs, probability=torch.full((6,), 0.1)), context=context, key=KEY)
    with pytest.raises(UsageError, match=r"d3po was given pictures without their transitions \(kernel 'determ"):
        d3po().prepare(scored_of([0.0, 1.0], [0, 0]), key=KEY)
    other = pairs_of(backbone, recipe=recipe_for(backbone, "ddim_eta"))
    with pytest.raises(UsageError, match=r"unlike recipes \(coefficients_preserving in 4 steps, ddim_eta in 4\)"):
        d3po().loss(replace(pairs, rejected=other.rejected), context=context, key=KEY)
    scored = painted(backbone, count=4, recipe=recipe_for(backbone))
    with pytest.raises(UsageError, match=r"no two of 4 pictures share a prompt and differ"):
        d3po().prepare(replace(scored, reward=torch.ones(4)), key=KEY)
