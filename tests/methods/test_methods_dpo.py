"""Diffusion-DPO: log 2 at the start, its two conventions, a closed form, and the tilted Gaussian that it must reach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from exact_parts import context_of, gaussian, gradient, prompts_of, recipe_of, scored_of, set_weights

from redraft.core.errors import NumericsError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import MethodContext
from redraft.core.records import Recipe
from redraft.core.tensors import Pairs, Rollout, Scored
from redraft.diffusion.exact import ExactBackbone, Mixture
from redraft.diffusion.levels import flow_levels
from redraft.methods.dpo import Dpo, DpoConfig
from redraft.methods.fit import FitConfig, fit, next_round
from redraft.testing import check_method

KEY = Key(seed=41)
KINDS = ["epsilon", "v", "flow"]


def dpo(**options) -> Dpo:
    return Dpo.build(DpoConfig(**options), MethodContext(recipe=Recipe(levels=flow_levels(4)), reward=None))


def pairs_of(backbone, probability: Sequence[float]) -> Pairs:
    count = len(probability)
    return Pairs(
        preferred=1.3 + 0.5 * Key(seed=2).normal((count, *backbone.latent_shape)).double(),
        rejected=0.8 + 0.5 * Key(seed=3).normal((count, *backbone.latent_shape)).double(),
        conditioning=prompts_of(count, backbone).conditioning,
        probability=torch.tensor(probability, dtype=torch.float64),
    )


class OneLevel(ExactBackbone):
    """The exact backbone with one noise level for all timesteps, where Diffusion-DPO is DPO without approximation."""

    def noise_level(self, timesteps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        alpha = 0.6 if self.prediction != "flow" else 0.55
        sigma = 0.8 if self.prediction != "flow" else 0.45
        ones = torch.ones_like(timesteps)
        return alpha * ones, sigma * ones


def one_level(kind: str, *, mean: float, variance: float) -> ExactBackbone:
    mixture = Mixture(means=(mean,), variances=(variance,))
    return OneLevel(mixture, prediction=kind, trains=("offset",))


def slope(kind: str, *, variance: float) -> float:
    """k: how far a shift of the data's mean by 1 moves the exact prediction at the one level (sign left out)."""
    alpha, sigma = (0.55, 0.45) if kind == "flow" else (0.6, 0.8)
    total = alpha**2 * variance + sigma**2
    # x0_hat moves by sigma^2 / total and noise_hat by -alpha sigma / total; v and flow are their combinations.
    return {"epsilon": alpha * sigma, "v": sigma, "flow": sigma}[kind] / total


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_loss_begins_at_log_two(kind: str, reduction: str) -> None:
    """Oracle C6, tolerance 1e-6."""
    backbone = gaussian(shape=(1, 2, 2), prediction=kind)
    pairs = pairs_of(backbone, [1.0, 0.9, 0.5, 1.0])
    loss = dpo(reduction=reduction).loss(pairs, context=context_of(backbone), key=KEY)
    assert loss.value.item() == pytest.approx(math.log(2), abs=1e-6)
    assert loss.parts["margin"] == loss.parts["preferred_error_change"] == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_beta_in_both_conventions(kind: str) -> None:
    """Authors: half of beta 5000 on means. diffusers: beta 2500. Sums over the 4 elements: a quarter of it."""
    backbone = gaussian(shape=(1, 2, 2), prediction=kind)
    set_weights(backbone, shift=0.01)
    pairs, context = pairs_of(backbone, [1.0, 0.8, 1.0]), context_of(backbone)
    settings = [(5000.0, "half", "mean"), (2500.0, "one", "mean"), (1250.0, "half", "sum"), (625.0, "one", "sum")]
    losses = [
        dpo(beta=beta, factor=factor, reduction=reduction).loss(pairs, context=context, key=KEY).value.item()
        for beta, factor, reduction in settings
    ]
    assert losses[0] != pytest.approx(math.log(2), abs=1e-2)
    assert losses == pytest.approx([losses[0]] * 4, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_both_pictures_get_the_same_noise_and_timestep(kind: str) -> None:
    """Hence two equal pictures have no margin, whatever the weights are."""
    backbone = gaussian(shape=(1, 2, 2), prediction=kind)
    set_weights(backbone, shift=0.7)
    pairs = pairs_of(backbone, [1.0] * 5)
    for seed in range(3):
        same = dpo().loss(replace(pairs, rejected=pairs.preferred), context=context_of(backbone), key=Key(seed=seed))
        assert same.value.item() == pytest.approx(math.log(2), abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_margin_in_closed_form_and_free_of_noise(kind: str) -> None:
    """At one level, with the mean moved by d: z = beta k^2 d (x_w - x_l), so b of the log-ratio is beta k^2 v."""
    backbone = one_level(kind, mean=0.5, variance=0.64)
    set_weights(backbone, offset=0.3)
    pairs = pairs_of(backbone, [1.0, 0.7])
    margin = 11.0 * slope(kind, variance=0.64) ** 2 * 0.3 * (pairs.preferred - pairs.rejected).flatten()
    p = pairs.probability
    expected = (-p * torch.sigmoid(margin).log() - (1 - p) * torch.sigmoid(-margin).log()).mean().item()
    for seed in range(3):
        loss = dpo(beta=11.0).loss(pairs, context=context_of(backbone), key=Key(seed=seed))
        assert loss.value.item() == pytest.approx(expected, rel=1e-9)
    assert loss.parts["margin"] == pytest.approx(margin.mean().item(), rel=1e-9)
    assert loss.parts["accuracy"] == (margin > 0).double().mean().item()
    step = gradient(loss.value, backbone)["offset"].item()
    pull = (-(p - torch.sigmoid(margin)) * margin / 0.3).mean().item()
    assert step == pytest.approx(pull, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_it_reaches_the_tilted_gaussian(kind: str) -> None:
    """Oracle C1, linear reward: from N(0.5, 0.64) and b = 0.5 to mean 1.78 (variance unchanged, and not trained).

    Choices enter as Bradley-Terry probabilities, so the optimum is exact for these pairs and there is no sampling
    error; what is left is the optimizer's.
    """
    backbone = one_level(kind, mean=0.5, variance=0.64)
    beta = 0.5 / (slope(kind, variance=0.64) ** 2 * 0.64)
    method = dpo(beta=beta, choose="all_above_margin", temperature=1.0)
    latents = 0.5 + 0.8 * Key(seed=6).normal((128, 1, 1, 1)).double()
    batch = prompts_of(128, backbone)
    scored = Scored(
        prompts=batch.prompts,
        conditioning=batch.conditioning,
        rollout=Rollout(latents=latents, recipe=recipe_of(gaussian(), 4)),
        reward=latents.flatten(),
        group=torch.arange(128) // 4,
    )
    config = FitConfig(steps=150, batch_size=192, learning_rate=0.05, weight_decay=0.0, gradient_clip=None)
    result = fit(method, backbone, method.prepare(scored, key=KEY), config=config, key=KEY)
    assert 0.5 + result.state.policy["offset"].item() == pytest.approx(1.78, abs=1e-3)
    assert result.log[-1].parts["accuracy"] == 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_of_its_own_pictures_lead_to_the_tilted_mean_of_a_quadratic_reward(kind: str) -> None:
    """Oracle C1, quadratic reward -(x - 2)^2 / 2, from N(0.5, 0.64) and b = 0.5 to mean 1.3421; the variance stays.

    The pairs are those of the present model, round after round, against the reference of the start. Reward and b are
    taken small together (which leaves exp(r / b) as it is), so that choices are linear in the difference of rewards:
    the odds of two pictures then say 2 less their middle, whose mean is the model's, as the optimum needs.
    """
    backbone, small = one_level(kind, mean=0.5, variance=0.64), 0.05
    beta = small * 0.5 / (slope(kind, variance=0.64) ** 2 * 0.64)
    method, state = dpo(beta=beta, choose="all_above_margin", temperature=1 / small), None
    # Mid-quantiles in random groups of 4: a round has no sampling error in the mean, and none of its groups is special.
    share = (torch.arange(512, dtype=torch.float64) + 0.5) / 512
    normal = math.sqrt(2) * torch.erfinv(2 * share - 1)
    for turn, rate in enumerate([0.05] * 30 + [0.01] * 20):
        centre = 0.5 + (0.0 if state is None else state.policy["offset"].item())
        latents = centre + 0.8 * normal[KEY.child("groups", turn).permutation(512)].view(-1, 1, 1, 1)
        examples = method.prepare(quadratic(latents), key=KEY)
        config = FitConfig(
            steps=2, batch_size=768, learning_rate=rate, weight_decay=0.0, ema_decay=0.0, betas=(0.5, 0.9)
        )
        last = None if state is None else next_round(state, config=config)
        state = fit(method, backbone, examples, config=config, key=KEY.child(turn), state=last).state
    assert state is not None
    # Steps of 0.01 end within one of them; the middles of 768 pairs of a round have a mean known to 0.02.
    assert 0.5 + state.policy["offset"].item() == pytest.approx(1.3421, abs=0.03)


def quadratic(latents: torch.Tensor) -> Scored:
    batch = prompts_of(len(latents), gaussian())
    return Scored(
        prompts=batch.prompts,
        conditioning=batch.conditioning,
        rollout=Rollout(latents=latents, recipe=recipe_of(gaussian(), 4)),
        reward=-((latents.flatten() - 2) ** 2) / 2,
        group=torch.arange(len(latents)) // 4,
    )


def test_a_weight_counts_as_copies() -> None:
    """Loss and gradient of weights 2 and 0 are those of the first pair alone."""
    backbone = one_level("flow", mean=0.5, variance=0.64)
    set_weights(backbone, offset=0.3)
    pairs = pairs_of(backbone, [1.0, 0.7])
    weighted = replace(pairs, weight=torch.tensor([2.0, 0.0]))
    both, first = (
        dpo(beta=11.0).loss(examples, context=context_of(backbone), key=KEY) for examples in (weighted, pairs.take([0]))
    )
    assert both.value.item() == pytest.approx(first.value.item(), rel=1e-9)
    torch.testing.assert_close(gradient(both.value, backbone), gradient(first.value, backbone))
    assert weighted.take([1, 0]).weight is not None
    assert weighted.take([1, 0]).weight.tolist() == [0.0, 2.0]  # type: ignore[union-attr]


def test_a_tie_pulls_to_the_reference_only() -> None:
    backbone = one_level("epsilon", mean=0.5, variance=0.64)
    tie = pairs_of(backbone, [0.5, 0.5, 0.5])
    at_reference = dpo(beta=5.0).loss(tie, context=context_of(backbone), key=KEY)
    assert gradient(at_reference.value, backbone)["offset"].abs().item() < 1e-12
    set_weights(backbone, offset=0.4)
    away = dpo(beta=5.0).loss(tie, context=context_of(backbone), key=KEY)
    swapped = replace(tie, preferred=tie.rejected, rejected=tie.preferred)
    assert away.value.item() == pytest.approx(
        dpo(beta=5.0).loss(swapped, context=context_of(backbone), key=KEY).value.item(), rel=1e-12
    )
    assert away.value.item() > math.log(2)
    assert gradient(away.value, backbone)["offset"].item() > 0


def test_the_reference_has_no_gradient_and_is_not_the_old_policy() -> None:
    backbone = gaussian(shape=(1, 2, 2), prediction="flow")
    set_weights(backbone, shift=0.02)
    pairs = pairs_of(backbone, [1.0, 1.0])
    present = {"shift": backbone.trainable()["shift"].detach().clone()}
    first = dpo().loss(pairs, context=context_of(backbone), key=KEY).value
    second = dpo().loss(pairs, context=context_of(backbone, old=present), key=KEY).value
    assert first.item() == second.item() != pytest.approx(math.log(2), abs=1e-3)
    held = replace(context_of(backbone), reference=present)
    assert dpo().loss(pairs, context=held, key=KEY).value.item() == pytest.approx(math.log(2), abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_conformance(kind: str) -> None:
    check_method(dpo(), gaussian(shape=(1, 2, 2), prediction=kind))


def test_refusals() -> None:
    backbone = gaussian()
    context = context_of(backbone)
    with pytest.raises(UsageError, match=r"dpo was given PromptBatch: it trains on Pairs"):
        dpo().loss(prompts_of(1, backbone), context=context, key=KEY)
    with pytest.raises(UsageError, match=r"dpo was given no pairs: collect answers"):
        dpo().loss(pairs_of(backbone, [1.0]).take([]), context=context, key=KEY)
    with pytest.raises(UsageError, match=r"pair 0 has probability 0.2 .* exchange the two pictures"):
        dpo().loss(pairs_of(backbone, [0.2]), context=context, key=KEY)
    with pytest.raises(UsageError, match=r"no two of 4 pictures share a prompt and differ"):
        dpo().prepare(scored_of([1.0, 1.0, 0.5, 0.5], [0, 0, 1, 1]), key=KEY)
    with pytest.raises(NumericsError, match=r"reward of picture 0 is inf"):
        dpo().prepare(scored_of([math.inf, 1.0], [0, 0]), key=KEY)
