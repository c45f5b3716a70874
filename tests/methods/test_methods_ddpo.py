"""DDPO: the policy gradient of a linear chain, the clip, the closed-form optimum under KL, and the few-step rounds."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from exact_parts import context_of, gaussian, gradient, prompts_of, scored_of, set_weights
from policy_parts import (
    KINDS,
    MODELS,
    TILTED,
    LinearChain,
    learnt,
    painted,
    recipe_for,
    rolled,
    scored_chain,
    transitions_of,
)

from redraft.core.errors import ConfigError, NumericsError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import MethodContext
from redraft.core.records import Kernel, Recipe
from redraft.diffusion.kernels import standard_deviation
from redraft.diffusion.levels import alphas_cumprod_scaled_linear, few_step_levels, flow_levels
from redraft.diffusion.sample import denoise, sample
from redraft.methods.clipped_ratio import clipped_surrogate, replay_transitions
from redraft.methods.ddpo import Ddpo, DdpoConfig, is_few_step_round, levels_at, prompt_advantages
from redraft.methods.fit import FitConfig, fit, next_round
from redraft.methods.transitions import some_transitions
from redraft.testing import check_method

KEY = Key(seed=61)


def ddpo(*, noise_level=None, **options) -> Ddpo:
    context = MethodContext(recipe=Recipe(levels=flow_levels(4)), reward=None, noise_level=noise_level)
    return Ddpo.build(DdpoConfig(**options), context)


@pytest.mark.parametrize("kind", KINDS)
def test_policy_gradient_of_a_linear_chain(kind: str) -> None:
    """Oracle C5: x' = 0.8 x + 0.1 + 0.5 z four times, reward -(x - 1)^2: d E[r] / d theta = 4.1611, exactly
    2 s (1 - 0.1 s) with s = 1 + 0.8 + 0.64 + 0.512."""
    chain = LinearChain(prediction=kind, std=0.5, transitions=4, slope=0.8, start=0.1)
    scored = scored_chain(chain, lambda x: -((x - 1) ** 2), count=400_000, key=KEY)
    # A baseline does not change the expectation; the mean of as many pictures makes no bias that could be seen.
    advantage = scored.reward - scored.reward.mean()
    examples = transitions_of(scored, advantage)
    method = ddpo(kl_coefficient=0.0, smallest_noise=0.0, steps_per_picture=4)
    loss = method.loss(examples, context=context_of(chain), key=KEY)
    # The loss is a mean over the transitions too.
    estimate = -4 * gradient(loss.value, chain)["theta"].item()
    rollout = examples.rollout
    noise = (rollout.after - 0.8 * rollout.before - 0.1) / 0.5
    each = advantage * (noise / 0.5).sum(dim=0).flatten()
    error = each.std().item() / math.sqrt(len(each))
    s = 1 + 0.8 + 0.64 + 0.512
    assert 2 * s * (1 - 0.1 * s) == pytest.approx(4.1611, abs=1e-4)
    assert error < 0.03
    assert estimate == pytest.approx(4.1611, abs=3 * error)
    assert loss.parts["largest_log_ratio"] == 0.0


@pytest.mark.parametrize("name", TILTED)
@pytest.mark.parametrize("kind", ["epsilon", "flow"])
def test_it_reaches_the_tilted_gaussian(kind: str, name: str) -> None:
    """Oracle C1 from N(0.5, 0.64) with b = 0.5: one step of std 0.8. Its std is the kernel's and not trained.

    `prepare` divides rewards by their deviation, so b is a coefficient of 0.5 over that of the optimum.
    """
    tilted, chain = TILTED[name], LinearChain(prediction=kind, std=0.8, transitions=1, start=0.5)
    method = ddpo(kl_coefficient=0.5 / tilted.deviation, clip_range=0.2)
    theta = learnt(method, chain, tilted.reward, key=KEY)
    assert 0.5 + theta == pytest.approx(tilted.mean, abs=tilted.tolerance)


@pytest.mark.parametrize(("kind", "kernel"), MODELS)
@pytest.mark.parametrize("guidance_scale", [1.0, 3.0])
def test_ratio_is_exactly_one_before_any_update(kind: str, kernel: str, guidance_scale: float) -> None:
    backbone = gaussian(shape=(1, 2, 2), prediction=kind, prompt_means={"prompt 1": 0.5, "prompt 6": -1.0})
    set_weights(backbone, shift=0.1)
    recipe = recipe_for(backbone, kernel, guidance_scale=guidance_scale)
    examples = ddpo().prepare(painted(backbone, recipe=recipe, key=KEY), key=KEY)
    loss = ddpo(smallest_noise=0.0).loss(examples, context=context_of(backbone), key=KEY)
    assert loss.parts["largest_log_ratio"] == loss.parts["clipped_share"] == 0.0
    assert loss.parts["kl"] > 0
    assert loss.value.item() - 0.01 * loss.parts["kl"] == pytest.approx(-examples.advantage.mean().item(), abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_log_ratio_is_that_of_the_densities_for_each_latent_element(kind: str) -> None:
    chain = LinearChain(prediction=kind, std=0.5, transitions=3, slope=0.8, start=0.1, latent_shape=(1, 2, 2))
    examples = transitions_of(scored_chain_of(chain), torch.ones(16).double())
    set_weights(chain, theta=0.03)
    replayed = replay_transitions(examples, context=context_of(chain), with_kl=True)
    noise = (examples.rollout.after - 0.8 * examples.rollout.before - 0.1) / 0.5
    # log N(x; m + d, s) - log N(x; m, s) = z d / s - (d / s)^2 / 2, here as a mean over the four elements.
    expected = (noise * 0.03 / 0.5 - (0.03 / 0.5) ** 2 / 2).mean(dim=(2, 3, 4))
    torch.testing.assert_close(replayed.log_ratio, expected, rtol=1e-7, atol=1e-10)
    assert replayed.kl is not None
    torch.testing.assert_close(replayed.kl, torch.full((3, 16), 0.5 * (0.03 / 0.5) ** 2).double(), rtol=1e-7, atol=0)


def scored_chain_of(chain: LinearChain):
    scored = scored_chain(replace(chain, latent_shape=(1, 1, 1)), lambda x: x, count=16, key=KEY)
    return replace(scored, rollout=rolled(chain, recipe=chain.recipe(), count=16, key=KEY))


def test_clip_has_no_gradient_beyond_the_range_on_the_side_that_the_advantage_wants() -> None:
    log_ratio = torch.tensor([[0.3, 0.3, -0.3, -0.3, 0.05, 0.05]], dtype=torch.float64, requires_grad=True)
    advantage = torch.tensor([2.0, -2.0, 2.0, -2.0, 2.0, -2.0], dtype=torch.float64)
    value = clipped_surrogate(log_ratio, advantage, clip_range=0.1)
    up, down, near = math.exp(0.3), math.exp(-0.3), math.exp(0.05)
    expected = [-2 * 1.1, 2 * up, -2 * down, 2 * 0.9, -2 * near, 2 * near]
    assert value.flatten().tolist() == pytest.approx(expected, rel=1e-12)
    slope = torch.autograd.grad(value.sum(), log_ratio)[0].flatten().tolist()
    assert slope == pytest.approx([0.0, 2 * up, -2 * down, 0.0, -2 * near, 2 * near], rel=1e-12)


def test_partial_losses_have_the_whole_one_as_their_mean_and_nothing_without_advantage_costs() -> None:
    backbone = gaussian(shape=(1, 2, 2))
    examples = ddpo().prepare(painted(backbone, recipe=recipe_for(backbone, "ddim_eta"), key=KEY), key=KEY)
    set_weights(backbone, shift=0.01)
    losses = {}
    for seed in range(40):
        key = Key(seed=seed)
        one = some_transitions(examples.rollout, count=1, smallest_noise=0.0, key=key.child("transitions"))
        losses[one.steps] = (
            ddpo(steps_per_picture=1, smallest_noise=0.0)
            .loss(examples, context=context_of(backbone), key=key)
            .value.item()
        )
    assert len(losses) == 3
    whole = ddpo(steps_per_picture=3, smallest_noise=0.0).loss(examples, context=context_of(backbone), key=KEY)
    assert sum(losses.values()) / 3 == pytest.approx(whole.value.item(), rel=1e-12)
    silent = replace(examples, advantage=examples.advantage.clone())
    silent.advantage[[1, 4, 5]] = 0.0
    free, held = (ddpo(kl_coefficient=value) for value in (0.0, 1e-30))
    sparse, full = (method.loss(silent, context=context_of(backbone), key=KEY) for method in (free, held))
    assert sparse.value.item() == pytest.approx(full.value.item(), rel=1e-12)
    torch.testing.assert_close(gradient(sparse.value, backbone)["shift"], gradient(full.value, backbone)["shift"])
    assert sparse.parts["without_advantage"] == 0.375
    none = replace(silent, advantage=torch.zeros(8).double())
    assert gradient(free.loss(none, context=context_of(backbone), key=KEY).value, backbone)["shift"].abs().max() == 0


def test_advantages_of_a_prompt_need_enough_pictures() -> None:
    reward = torch.tensor([0.0, 2.0, 4.0, 10.0, 14.0], dtype=torch.float64)
    group = torch.tensor([3, 3, 3, 1, 1])
    advantage = prompt_advantages(reward, group, minimum=3, clip=5.0)
    own = (reward[:3] - 2) / (8 / 3) ** 0.5
    overall = (reward - 6) / ((36 + 16 + 4 + 16 + 64) / 5) ** 0.5
    torch.testing.assert_close(advantage, torch.cat([own, overall[3:]]))
    torch.testing.assert_close(prompt_advantages(reward, group, minimum=16, clip=5.0), overall)
    assert prompt_advantages(reward, group, minimum=16, clip=0.5).abs().max().item() == 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_few_step_rounds(kind: str) -> None:
    """The levels and parity of algorithms' section on "ADD" epochs; the odd rounds' steps have their closed density."""
    backbone = gaussian(shape=(1, 2, 2), prediction=kind)
    method = ddpo(few_step="alternate", noise_level=backbone.noise_level)
    given = replace(recipe_for(backbone, "few_step", steps=6, guidance_scale=2.0), kernel=Kernel())
    recipes = [method.collect_recipe(given, round_number=number) for number in range(4)]
    assert [is_few_step_round(number) for number in range(4)] == [False, True, False, True]
    assert recipes[0] == recipes[2] == replace(given, kernel=Kernel(name="ddim_eta", strength=1.0))
    few = recipes[1]
    assert recipes[3] == few
    assert (few.kernel.name, few.guidance_scale, few.dtype) == ("few_step", 2.0, "float64")
    assert [level.timestep for level in few.levels] == [999, 749, 499, 249, 0]
    assert few.levels[-1].sigma == 0
    assert few.levels[0].alpha < 0.07  # hardly any signal
    if kind != "flow":
        assert few.levels == few_step_levels(alphas_cumprod_scaled_linear(0.00085, 0.012, 1000))
    # Half of the pictures are painted again with fewer calls: of 50 steps, 54 % of the calls.
    assert (50 + few.steps) / 100 == 0.54
    scored = painted(backbone, recipe=few, count=4, key=KEY)
    examples = ddpo().prepare(scored, key=KEY)
    assert examples.rollout.steps == (0, 1, 2)
    for place in range(3):
        level, following = few.levels[place], few.levels[place + 1]
        law = denoise(backbone, examples.rollout.before[place], examples.conditioning, recipe=few, index=place).step
        assert standard_deviation(level, following, kernel=few.kernel) == following.sigma
        residual = (examples.rollout.after[place] - law.mean) / following.sigma
        density = -0.5 * residual.square().sum(dim=(1, 2, 3)) - 4 * math.log(following.sigma * math.sqrt(2 * math.pi))
        torch.testing.assert_close(examples.rollout.log_probabilities[place], density, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_few_step_levels_keep_the_mean_of_a_perfect_denoiser(kind: str) -> None:
    backbone = gaussian(shape=(1, 50, 50), prediction=kind)
    levels = levels_at((999, 749, 499, 249), noise_level=backbone.noise_level)
    recipe = Recipe(levels=levels, kernel=Kernel(name="few_step"), dtype="float64")
    drawn = sample(backbone, prompts_of(16, backbone).conditioning, recipe=recipe, key=KEY).latents
    # The start has no signal where the model expects some (alpha 0.07), which shifts the mean by less than 0.001;
    # 40,000 draws of standard deviation 0.5 at most: three standard errors are 0.0075.
    assert drawn.mean().item() == pytest.approx(1.0, abs=0.0085)


@pytest.mark.parametrize("kind", KINDS)
def test_round_after_round_the_expected_reward_rises(kind: str) -> None:
    backbone, state = gaussian(prediction=kind, trains=("offset",)), None
    # One element: its ratio is no average, so that the range must be wide.
    method = ddpo(clip_range=0.9, kl_coefficient=0.0)
    recipe = method.collect_recipe(recipe_for(backbone, "few_step"), round_number=0)
    config = FitConfig(steps=12, batch_size=64, learning_rate=0.03, ema_decay=0.0, weight_decay=0.0)
    rewards = []
    for turn in range(4):
        # The same noise in every round, so that the rewards differ by the weights alone.
        scored = painted(backbone, recipe=recipe, count=128, key=KEY)
        rewards.append(scored.reward.mean().item())
        key = KEY.child("round", turn)
        last = None if state is None else next_round(state, config=config)
        state = fit(method, backbone, method.prepare(scored, key=key), config=config, key=key, state=last).state
    assert all(later > earlier + 0.05 for earlier, later in itertools.pairwise(rewards))


@pytest.mark.parametrize("kind", KINDS)
def test_conformance(kind: str) -> None:
    check_method(ddpo(), gaussian(shape=(1, 2, 2), prediction=kind))


def test_refusals() -> None:
    backbone = gaussian()
    recipe = recipe_for(backbone, "ddim_eta")
    with pytest.raises(UsageError, match=r"ddpo was given pictures without their transitions .*use 'nft'"):
        ddpo().prepare(scored_of([0.0, 1.0], [0, 0]), key=KEY)
    with pytest.raises(UsageError, match=r"ddpo was given PromptBatch: it trains on Transitions"):
        ddpo().loss(prompts_of(1, backbone), context=context_of(backbone), key=KEY)
    with pytest.raises(UsageError, match=r"ddpo with kernel 'deterministic' in 4 steps: .*use ddim_eta"):
        ddpo(kernel="deterministic", strength=0.0).collect_recipe(recipe, round_number=0)
    with pytest.raises(ConfigError, match=r"kernel few_step with strength 1.0: this kernel has none"):
        ddpo(kernel="few_step").collect_recipe(recipe, round_number=0)
    with pytest.raises(UsageError, match=r"no transition has noise of standard deviation 3 or more"):
        ddpo(smallest_noise=3.0).collect_recipe(recipe, round_number=0)
    with pytest.raises(UsageError, match=r"few_step='alternate' without the model's noise path"):
        ddpo(few_step="alternate").collect_recipe(recipe, round_number=0)
    scored = painted(backbone, recipe=recipe, key=KEY)
    flat = replace(scored, reward=torch.tensor([1.0] * 4 + [2.0] * 4))
    with pytest.raises(UsageError, match=r"rewards of all 8 pictures equal those of their siblings \(2 groups"):
        ddpo().prepare(flat, key=KEY)
    lone = replace(flat, group=torch.arange(8))
    assert ddpo().prepare(lone, key=KEY).advantage.tolist() == [-1.0] * 4 + [1.0] * 4
    with pytest.raises(NumericsError, match=r"the reward of picture 2 is nan"):
        ddpo().prepare(replace(scored, reward=torch.tensor([0, 1, torch.nan, 1, 0, 1, 0, 1])), key=KEY)
    examples = ddpo().prepare(scored, key=KEY)
    with pytest.raises(UsageError, match=r"ddpo was given no pictures"):
        ddpo().loss(examples.take([]), context=context_of(backbone), key=KEY)
    with pytest.raises(UsageError, match=r"no transition has noise of standard deviation 9 or more"):
        ddpo(smallest_noise=9.0).loss(examples, context=context_of(backbone), key=KEY)
