"""Flow-GRPO: the policy gradient on the SDE, the optimum under KL, the moving window, and the guarded ratio."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from exact_parts import context_of, gaussian, gradient, prompts_of, scored_of, set_weights
from policy_parts import KINDS, MODELS, TILTED, LinearChain, learnt, painted, recipe_for, scored_chain, transitions_of

from redraft.core.errors import ConfigError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import MethodContext
from redraft.core.records import Kernel, Recipe
from redraft.core.tensors import LoggedRollout
from redraft.diffusion.levels import flow_levels
from redraft.diffusion.sample import denoise, sample, sample_logged
from redraft.methods.clipped_ratio import replay_transitions
from redraft.methods.fit import FitConfig, fit, next_round
from redraft.methods.grpo import Grpo, GrpoConfig, window_of_round
from redraft.testing import check_method

KEY = Key(seed=67)


def grpo(**options) -> Grpo:
    return Grpo.build(GrpoConfig(**options), MethodContext(recipe=Recipe(levels=flow_levels(4)), reward=None))


@pytest.mark.parametrize("kind", KINDS)
def test_policy_gradient_of_a_linear_chain(kind: str) -> None:
    """Oracle C5 through `prepare`: advantages are rewards less their mean over their deviation, not clipped here."""
    chain = LinearChain(prediction=kind, std=0.5, transitions=4, slope=0.8, start=0.1)
    scored = scored_chain(chain, lambda x: -((x - 1) ** 2), count=400_000, key=KEY)
    method = grpo(kl_coefficient=0.0, smallest_noise=0.0, advantage_clip=1e6)
    examples = method.prepare(scored, key=KEY)
    loss = method.loss(examples, context=context_of(chain), key=KEY)
    deviation = scored.reward.std(unbiased=False).item()
    estimate = -4 * deviation * gradient(loss.value, chain)["theta"].item()
    rollout = examples.rollout
    noise = (rollout.after - 0.8 * rollout.before - 0.1) / 0.5
    each = deviation * examples.advantage * (noise / 0.5).sum(dim=0).flatten()
    error = each.std().item() / math.sqrt(len(each))
    assert error < 0.03
    assert estimate == pytest.approx(4.1611, abs=3 * error)


@pytest.mark.parametrize("name", TILTED)
@pytest.mark.parametrize("kind", ["v", "flow"])
def test_it_reaches_the_tilted_gaussian(kind: str, name: str) -> None:
    """Oracle C1 from N(0.5, 0.64) with b = 0.5; the variance is the kernel's and stays. Advantages are rewards over
    their deviation, so b is a coefficient of 0.5 over that of the optimum."""
    tilted, chain = TILTED[name], LinearChain(prediction=kind, std=0.8, transitions=1, start=0.5)
    method = grpo(kl_coefficient=0.5 / tilted.deviation, clip_range=0.2)
    theta = learnt(method, chain, tilted.reward, key=KEY)
    assert 0.5 + theta == pytest.approx(tilted.mean, abs=tilted.tolerance)


@pytest.mark.parametrize(("kind", "kernel"), MODELS)
@pytest.mark.parametrize("guard", [False, True])
def test_ratio_is_exactly_one_before_any_update(kind: str, kernel: str, guard: bool) -> None:
    backbone = gaussian(shape=(1, 2, 2), prediction=kind, prompt_means={"prompt 1": 0.5})
    recipe = recipe_for(backbone, kernel, guidance_scale=3.0)
    examples = grpo().prepare(painted(backbone, recipe=recipe, key=KEY), key=KEY)
    loss = grpo(guard=guard, smallest_noise=0.0).loss(examples, context=context_of(backbone), key=KEY)
    assert loss.parts["largest_log_ratio"] == loss.parts["kl"] == loss.parts["clipped_share"] == 0.0
    assert loss.value.item() == pytest.approx(0.0, abs=1e-12)  # advantages have mean 0


@pytest.mark.parametrize("kind", KINDS)
def test_kl_is_that_of_the_steps_in_closed_form(kind: str) -> None:
    """A shift d of the prediction moves the mean of a few_step step by alpha' sigma d (over alpha for epsilon)."""
    backbone = gaussian(shape=(1, 2, 2), prediction=kind)
    recipe = recipe_for(backbone, "few_step")
    examples = grpo().prepare(painted(backbone, recipe=recipe, key=KEY), key=KEY)
    set_weights(backbone, shift=0.3)
    replayed = replay_transitions(examples, context=context_of(backbone), with_kl=True)
    assert replayed.kl is not None
    for place in range(3):
        level, following = recipe.levels[place], recipe.levels[place + 1]
        moved = 0.3 * following.alpha * level.sigma / (level.alpha if kind == "epsilon" else 1.0)
        expected = torch.full((8,), 0.5 * (moved / following.sigma) ** 2, dtype=torch.float64)
        torch.testing.assert_close(replayed.kl[place].detach(), expected, rtol=1e-9, atol=0)
    free, held = (
        grpo(kl_coefficient=value, smallest_noise=0.0).loss(examples, context=context_of(backbone), key=KEY)
        for value in (0.0, 2.0)
    )
    assert (held.value - free.value).item() == pytest.approx(2 * held.parts["kl"], rel=1e-9)
    assert "kl" not in free.parts


@pytest.mark.parametrize(("kind", "kernel"), MODELS)
def test_guard_frees_the_log_ratio_of_its_mean_and_of_the_steps_width(kind: str, kernel: str) -> None:
    """Guarded, it is the mean over elements of z (m_theta - m_old), with z the noise that was drawn."""
    backbone = gaussian(shape=(1, 2, 2), prediction=kind)
    set_weights(backbone, shift=0.2)
    old = {"shift": backbone.trainable()["shift"].detach().clone()}
    recipe = recipe_for(backbone, kernel)
    examples = grpo().prepare(painted(backbone, recipe=recipe, key=KEY), key=KEY)
    set_weights(backbone, shift=0.7)
    replayed = replay_transitions(examples, context=context_of(backbone, old=old), with_kl=False, guarded=True)
    rollout = examples.rollout
    for place, index in enumerate(rollout.steps):
        now, then = (
            denoise(
                backbone, rollout.before[place], examples.conditioning, recipe=recipe, index=index, parameters=weights
            ).step
            for weights in (None, old)
        )
        expected = ((rollout.after[place] - then.mean) / then.std * (now.mean - then.mean)).mean(dim=(1, 2, 3))
        torch.testing.assert_close(replayed.log_ratio[place], expected, rtol=1e-7, atol=1e-10)


def test_plain_log_ratio_leans_to_below_one_and_the_guarded_one_does_not() -> None:
    """E[log ratio] over the noise is minus the KL: why a symmetric clip treats good and bad pictures unlike."""
    chain = LinearChain(prediction="flow", std=0.5, transitions=2, slope=0.8)
    examples = transitions_of(scored_chain(chain, lambda x: x, count=100_000, key=KEY), torch.ones(100_000).double())
    set_weights(chain, theta=0.25)
    context = context_of(chain)
    plain, guarded = (
        replay_transitions(examples, context=context, with_kl=False, guarded=guard).log_ratio.mean().item()
        for guard in (False, True)
    )
    # 200,000 draws: of deviation 0.5 plain, 0.25 * 1 guarded; three standard errors 0.0034 and 0.0017.
    assert plain == pytest.approx(-0.125, abs=0.0034)
    assert guarded == pytest.approx(0.0, abs=0.0017)


def test_window_moves_towards_the_picture_and_begins_anew() -> None:
    moved = [window_of_round(number, end=4, size=2, rounds=1) for number in range(5)]
    assert moved == [(0, 2), (1, 3), (2, 4), (0, 2), (1, 3)]
    firsts = [window_of_round(number, end=24, size=4, rounds=25)[0] for number in (0, 24, 25, 524, 525)]
    assert firsts == [0, 0, 1, 20, 0]
    given = Recipe(levels=flow_levels(5), dtype="float64")
    recipe = grpo(window=2, window_rounds=3).collect_recipe(given, round_number=4)
    assert (recipe.window, recipe.kernel) == ((1, 3), Kernel(name="flow_sde", strength=0.7))
    assert [recipe.kernel_at(index).stochastic for index in range(5)] == [False, True, True, False, False]
    with pytest.raises(ConfigError, match=r"window=\(0, 5\) of a recipe with 5 steps: .*end <= 4, for the last step"):
        grpo(window=5).collect_recipe(given, round_number=0)
    # The step to the last level of an epsilon model is too narrow to train on: the window stops before it.
    narrow = Recipe(levels=gaussian().levels(5))
    windows = [grpo(window=2).collect_recipe(narrow, round_number=number).window for number in range(3)]
    assert windows == [(0, 2), (1, 3), (0, 2)]
    with pytest.raises(UsageError, match=r"no transition has noise of standard deviation 2 or more"):
        grpo(smallest_noise=2.0).collect_recipe(narrow, round_number=0)


@pytest.mark.parametrize(("kind", "kernel"), MODELS)
def test_outside_the_window_the_sampler_is_the_ode_and_is_not_logged(kind: str, kernel: str) -> None:
    backbone = gaussian(shape=(1, 2, 2), prediction=kind)
    whole = recipe_for(backbone, kernel, steps=6)
    batch = prompts_of(8, backbone).conditioning
    every = sample_logged(backbone, batch, recipe=replace(whole, window=(0, 5)), key=KEY)
    assert torch.equal(every.latents, sample_logged(backbone, batch, recipe=whole, key=KEY).latents)
    mixed = replace(whole, window=(2, 4))
    visited: list[torch.Tensor] = []
    rollout = sample_logged(backbone, batch, recipe=mixed, key=KEY, on_step=lambda _, latents: visited.append(latents))
    assert isinstance(rollout, LoggedRollout)
    assert rollout.steps == (2, 3)
    ordinary: list[torch.Tensor] = []
    plain = replace(whole, kernel=Kernel())
    sample(backbone, batch, recipe=plain, key=KEY, on_step=lambda _, latents: ordinary.append(latents))
    assert torch.equal(visited[1], ordinary[1])
    assert not torch.equal(visited[2], ordinary[2])
    last = denoise(backbone, visited[4], batch, recipe=plain, index=5).step
    torch.testing.assert_close(rollout.latents, last.mean.detach(), rtol=0, atol=0)
    scored = replace(painted(backbone, recipe=mixed, key=KEY), rollout=rollout)
    loss = grpo(smallest_noise=0.0).loss(grpo().prepare(scored, key=KEY), context=context_of(backbone), key=KEY)
    assert loss.parts["largest_log_ratio"] == 0.0
    assert gradient(loss.value, backbone)["shift"].abs().max() > 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"window": 1}, {"guard": True}])
def test_round_after_round_the_expected_reward_rises(kind: str, options: dict) -> None:
    backbone, state = gaussian(prediction=kind, trains=("offset",)), None
    # One element: its ratio is no average, so that the range must be wide.
    method = grpo(clip_range=0.9, kl_coefficient=0.0, **options)
    given = replace(recipe_for(backbone, "few_step"), kernel=Kernel())
    config = FitConfig(steps=12, batch_size=64, learning_rate=0.03, ema_decay=0.0, weight_decay=0.0)
    rewards = []
    for turn in range(4):
        recipe = method.collect_recipe(given, round_number=turn)
        # Judged on the same noise in every round, so that the rewards differ by the weights alone.
        judged = painted(backbone, recipe=method.collect_recipe(given, round_number=0), count=128, key=KEY)
        rewards.append(judged.reward.mean().item())
        key = KEY.child("round", turn)
        scored = painted(backbone, recipe=recipe, count=128, groups=8, key=key)
        last = None if state is None else next_round(state, config=config)
        state = fit(method, backbone, method.prepare(scored, key=key), config=config, key=key, state=last).state
    assert all(later > earlier + 0.05 for earlier, later in itertools.pairwise(rewards))


def test_prepare_normalises_in_groups_and_the_kernel_follows_the_model() -> None:
    backbone = gaussian()
    scored = painted(backbone, recipe=recipe_for(backbone, "ddim_eta"), count=6, groups=3, key=KEY)
    scored = replace(scored, reward=torch.tensor([0.0, 1.0, 5.0, 5.0, 0.0, 4.0]))
    assert grpo().prepare(scored, key=KEY).advantage.tolist() == [-1.0, 1.0, 0.0, 0.0, -1.0, 1.0]
    overall = grpo(advantage_scale="global").prepare(scored, key=KEY).advantage
    torch.testing.assert_close(overall[-1] / overall[1], torch.tensor(4.0))
    for kind, kernel in [("epsilon", "ddim_eta"), ("v", "ddim_eta"), ("flow", "flow_sde")]:
        given = Recipe(levels=gaussian(prediction=kind).levels(4))
        assert grpo().collect_recipe(given, round_number=0).kernel == Kernel(name=kernel, strength=0.7)
    few = grpo(kernel="few_step", strength=0.0).collect_recipe(given, round_number=0)
    assert few.kernel.name == "few_step"


@pytest.mark.parametrize("kind", KINDS)
def test_conformance(kind: str) -> None:
    check_method(grpo(), gaussian(shape=(1, 2, 2), prediction=kind))


def test_refusals() -> None:
    backbone = gaussian()
    recipe = recipe_for(backbone, "ddim_eta")
    with pytest.raises(UsageError, match=r"grpo with kernel 'deterministic' in 4 steps: .*2 steps or more"):
        grpo(kernel="deterministic", strength=0.0).collect_recipe(recipe, round_number=0)
    with pytest.raises(UsageError, match=r"grpo was given pictures without their transitions .*'deterministic'"):
        grpo().prepare(scored_of([0.0, 1.0], [0, 0]), key=KEY)
    with pytest.raises(UsageError, match=r"grpo was given PromptBatch: it trains on Transitions"):
        grpo().loss(prompts_of(1, backbone), context=context_of(backbone), key=KEY)
    scored = painted(backbone, recipe=recipe, key=KEY)
    with pytest.raises(UsageError, match=r"grpo with a group of 1 picture: .*paint 2 or more pictures of each prompt"):
        grpo().prepare(replace(scored, group=torch.tensor([0, 0, 0, 0, 1, 1, 1, 2])), key=KEY)
    with pytest.raises(UsageError, match=r"rewards of all 8 pictures equal those of their siblings"):
        grpo().prepare(replace(scored, reward=torch.ones(8)), key=KEY)
