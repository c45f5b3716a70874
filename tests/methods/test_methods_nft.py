"""DiffusionNFT: closed-form gradient where all policies agree, its signs and identities, and a toy that must learn."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import pytest
import torch
from exact_parts import context_of, gaussian, gradient, prompts_of, scored_of, set_weights, two_modes

from redraft.core.errors import NumericsError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import LossContext, MethodContext
from redraft.core.records import NoiseLevel, Prompt, Recipe
from redraft.core.tensors import Advantages, Conditioning, Images, Scored
from redraft.diffusion.levels import flow_levels, flow_noise_level
from redraft.diffusion.parameterize import split_prediction
from redraft.diffusion.sample import sample
from redraft.methods.fit import FitConfig, OldPolicy, fit, next_round
from redraft.methods.nft import Nft, NftConfig, contrast, x0_error
from redraft.methods.noising import add_noise

KEY = Key(seed=23)


def nft(**options) -> Nft:
    recipe = Recipe(levels=flow_levels(4))
    return Nft.build(NftConfig(**options), MethodContext(recipe=recipe, reward=None))


def examples_of(backbone, advantage: Sequence[float]) -> Advantages:
    clean = 1 + 0.5 * Key(seed=2).normal((len(advantage), *backbone.latent_shape)).double()
    return Advantages(
        latents=clean,
        conditioning=prompts_of(len(advantage), backbone).conditioning,
        advantage=torch.tensor(advantage, dtype=torch.float64),
    )


@pytest.mark.parametrize("prediction", ["flow", "epsilon", "v"])
@pytest.mark.parametrize("beta", [1.0, 0.1])
@pytest.mark.parametrize("timesteps", ["uniform", "logit_normal"])
def test_gradient_where_policy_old_and_reference_agree(prediction: str, beta: float, timesteps: str) -> None:
    """There L+ = L-, and the gradient is A * 2 error / size * d x0_hat / d prediction, for every beta."""
    backbone = gaussian(shape=(1, 2, 2), prediction=prediction)
    advantage = [2.0, -1.0, 0.0, 9.0, 0.5]
    examples = examples_of(backbone, advantage)
    method = nft(beta=beta, timesteps=timesteps, advantage_clip=5.0)
    loss = method.loss(examples, context=context_of(backbone), key=KEY)
    noised = add_noise(examples.latents, backbone=backbone, distribution=timesteps, key=KEY)
    with torch.no_grad():
        prediction_now = noised.prediction(backbone, examples.conditioning)
        x0_hat, _ = split_prediction(
            prediction_now, noised.latents, alpha=noised.alpha, sigma=noised.sigma, kind=prediction
        )
    error = x0_hat - examples.latents
    size = error.abs().mean(dim=(1, 2, 3), keepdim=True)
    slope = -noised.sigma / noised.alpha if prediction == "epsilon" else -noised.sigma
    clipped = torch.tensor(advantage).double().clamp(-5, 5).view(-1, 1, 1, 1)
    expected = (clipped * 2 * error / size * slope).sum(dim=0) / (4 * len(advantage))
    torch.testing.assert_close(gradient(loss.value, backbone)["shift"], expected, rtol=1e-9, atol=1e-12)
    assert loss.parts["kl"] == loss.parts["distance_to_old"] == 0.0
    assert loss.parts["positive"] == pytest.approx(loss.parts["negative"], rel=1e-12)


def test_good_pictures_pull_bad_ones_push_and_average_ones_do_neither() -> None:
    backbone = gaussian(shape=(1, 2, 2), prediction="flow", trains=("offset",))

    def pull(value: float) -> torch.Tensor:
        examples = Advantages(
            latents=torch.full((64, 1, 2, 2), 3.0, dtype=torch.float64),
            conditioning=prompts_of(64, backbone).conditioning,
            advantage=torch.full((64,), value, dtype=torch.float64),
        )
        return -gradient(nft().loss(examples, context=context_of(backbone), key=KEY).value, backbone)["offset"]

    # The pictures lie above the model's mean of 1, so descent on a good one must raise the mean.
    assert bool((pull(1.0) > 0.01).all())
    torch.testing.assert_close(pull(-1.0), -pull(1.0))
    torch.testing.assert_close(pull(2.0), 2 * pull(1.0))
    assert bool((pull(0.0).abs() < 1e-12).all())


def test_contrast_identities() -> None:
    velocity, old = Key(seed=0).normal((2, 3, 1, 2, 2)).double()
    for beta in (0.1, 1.0, 1.7):
        positive, negative = contrast(velocity, old, beta=beta)
        torch.testing.assert_close((positive + negative) / 2, old)
        torch.testing.assert_close(positive - negative, 2 * beta * (velocity - old))
    positive, negative = contrast(velocity, old, beta=1.0)
    torch.testing.assert_close(positive, velocity)
    torch.testing.assert_close(negative, 2 * old - velocity)
    for mixed in contrast(old, old, beta=0.3):
        torch.testing.assert_close(mixed, old)


@pytest.mark.parametrize("kind", ["epsilon", "v", "flow"])
def test_mixing_predictions_is_mixing_their_x0(kind: str) -> None:
    """Why one file serves all families: lines 4 and 5 of the algorithm commute."""
    backbone = gaussian(shape=(1, 2, 2), prediction=kind)
    noised = add_noise(examples_of(backbone, [0.0] * 5).latents, backbone=backbone, distribution="uniform", key=KEY)
    velocity, old = Key(seed=1).normal((2, 5, 1, 2, 2)).double()

    def x0(prediction: torch.Tensor) -> torch.Tensor:
        return split_prediction(prediction, noised.latents, alpha=noised.alpha, sigma=noised.sigma, kind=kind)[0]

    positive, negative = contrast(velocity, old, beta=0.4)
    torch.testing.assert_close(x0(positive), 0.4 * x0(velocity) + 0.6 * x0(old))
    torch.testing.assert_close(x0(negative), 1.4 * x0(old) - 0.4 * x0(velocity))


def test_error_is_normalised_by_its_detached_size_with_a_floor() -> None:
    backbone = gaussian(shape=(1, 2, 2), prediction="flow")
    noised = add_noise(examples_of(backbone, [0.0] * 3).latents, backbone=backbone, distribution="uniform", key=KEY)
    exact = noised.noise - noised.clean
    for distance, expected in [(0.5, 0.5), (1e-7, 1e-14 / 1e-5)]:
        prediction = (exact - distance / noised.sigma).requires_grad_()
        error = x0_error(prediction, noised, kind="flow")
        torch.testing.assert_close(error, torch.full((3,), expected, dtype=torch.float64), rtol=1e-6, atol=0)
    size = max(distance, 1e-5)
    slope = torch.autograd.grad(error.sum(), prediction)[0]
    torch.testing.assert_close(slope, -2 * distance * noised.sigma.expand(3, 1, 2, 2) / 4 / size, rtol=1e-6, atol=0)


def test_kl_is_the_squared_distance_to_the_reference_and_old_is_another_policy() -> None:
    backbone = gaussian(shape=(1, 2, 2), prediction="flow")
    set_weights(backbone, shift=0.3)
    old = {"shift": torch.full((1, 2, 2), 0.1, dtype=torch.float64)}
    examples, context = examples_of(backbone, [1.0, -1.0]), context_of(backbone, old=old)
    plain = nft(kl_coefficient=0.0).loss(examples, context=context, key=KEY)
    strong = nft(kl_coefficient=2.0).loss(examples, context=context, key=KEY)
    assert "kl" not in plain.parts
    assert strong.parts["kl"] == pytest.approx(0.09, rel=1e-9)
    assert strong.parts["distance_to_old"] == pytest.approx(0.04, rel=1e-9)
    assert (strong.value - plain.value).item() == pytest.approx(0.18, rel=1e-9)
    assert set(gradient(strong.value, backbone)) == {"shift"}
    assert not old["shift"].requires_grad


@pytest.mark.parametrize("prediction", ["flow", "epsilon", "v"])
def test_a_guided_old_prediction_pulls_the_policy_to_itself(prediction: str) -> None:
    """Without any difference in reward the guided old policy is what the policy moves to; unguided, nothing moves."""
    backbone, prompts = two_modes(prediction, guided=True)
    reference = {name: value.detach().clone() for name, value in backbone.trainable().items()}
    context = LossContext(backbone=backbone, reference=reference, old=reference, step=0)
    clean = Key(seed=6).normal((3, *backbone.latent_shape)).double()
    examples = Advantages(latents=clean, conditioning=prompts.conditioning, advantage=torch.zeros(3).double())
    plain = nft(kl_coefficient=0.0).loss(examples, context=context, key=KEY)
    assert all(value.abs().max() < 1e-12 for value in gradient(plain.value, backbone).values())

    noised = add_noise(clean, backbone=backbone, distribution="uniform", key=KEY)
    guided = noised.prediction(backbone, prompts.conditioning, guidance_scale=2.0).detach()
    distance = (noised.prediction(backbone, prompts.conditioning) - guided).square().mean()
    pulled = nft(kl_coefficient=0.0, old_guidance_scale=2.0).loss(examples, context=context, key=KEY)
    assert pulled.parts["distance_to_old"] == pytest.approx(distance.item(), rel=1e-9)
    assert distance.item() > 0.01
    towards, wanted = gradient(pulled.value, backbone), gradient(distance, backbone)
    assert sum((towards[name] * wanted[name]).sum().item() for name in wanted) > 0


def test_prepare_normalises_in_groups_and_refuses_bad_rewards_and_foreign_examples() -> None:
    advantages = nft().prepare(scored_of([0.0, 1.0, 0.0, 1.0, 5.0, 5.0], [0, 0, 1, 1, 2, 2]), key=KEY)
    assert advantages.advantage.tolist() == [-1.0, 1.0, -1.0, 1.0, 0.0, 0.0]
    with pytest.raises(NumericsError, match=r"reward of picture 1 is nan"):
        nft().prepare(scored_of([0.0, float("nan")], [0, 0]), key=KEY)
    backbone = gaussian()
    with pytest.raises(UsageError, match=r"nft was given PromptBatch: it trains on Advantages"):
        nft().loss(prompts_of(1, backbone), context=context_of(backbone), key=KEY)


class TwoModes:
    """A flow model in closed form: data at -1 and +1 (standard deviation 0.2), the share at +1 is sigmoid(logit)."""

    prediction = "flow"
    latent_shape = (1, 1, 1)

    def __init__(self) -> None:
        self._logit = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def encode(self, prompts: Sequence[Prompt]) -> Conditioning:
        empty = torch.zeros(len(prompts), 1, dtype=torch.float64)
        return Conditioning(positive={"text": empty}, negative={"text": empty})

    def predict(self, latents, timesteps, *, text: Mapping[str, torch.Tensor], parameters=None) -> torch.Tensor:
        del text
        logit = self._logit if parameters is None else parameters["logit"]
        alpha, sigma = (level.view(-1, 1, 1, 1) for level in self.noise_level(timesteps))
        total = alpha**2 * 0.04 + sigma**2
        # The log-odds of the right mode given the noisy latent; the two modes' densities differ in one linear term.
        right = torch.sigmoid(logit + 2 * alpha * latents / total)
        centre = 2 * right - 1
        x0_hat = centre + alpha * 0.04 / total * (latents - alpha * centre)
        return (latents - x0_hat) / sigma

    def decode(self, latents: torch.Tensor) -> Images:
        return Images(pixels=torch.sigmoid(latents).expand(-1, 3, -1, -1))

    def encode_images(self, images: Images) -> torch.Tensor:
        return torch.logit(images.pixels[:, :1])

    def trainable(self):
        return {"logit": self._logit}

    def reference(self):
        return {"logit": torch.zeros(1, dtype=torch.float64)}

    def noise_level(self, timesteps: torch.Tensor):
        return flow_noise_level(timesteps)

    def levels(self, steps: int) -> tuple[NoiseLevel, ...]:
        return flow_levels(steps)


def right_share(backbone: TwoModes) -> float:
    return torch.sigmoid(backbone.trainable()["logit"]).item()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_it_learns_a_mixture_from_a_reward_without_gradient(sign: float) -> None:
    """Reward 1 where the sample is on one side: its share must rise from 1/2, whichever side that is."""
    backbone, method, state = TwoModes(), nft(), None
    recipe = Recipe(levels=backbone.levels(10), dtype="float64")
    conditioning = backbone.encode([Prompt(text="either")] * 256)
    config = FitConfig(
        steps=30, batch_size=64, learning_rate=0.05, ema_decay=0.0, weight_decay=0.0, old_policy=OldPolicy()
    )
    shares = [right_share(backbone)]
    for turn in range(4):
        key = KEY.child("round", turn)
        rollout = sample(backbone, conditioning, recipe=recipe, key=key)
        reward = (sign * rollout.latents.flatten() > 0).double()
        scored = Scored(
            prompts=(Prompt(text="either"),) * 256,
            conditioning=conditioning,
            rollout=rollout,
            reward=reward,
            group=torch.zeros(256, dtype=torch.long),
        )
        result = fit(
            method,
            backbone,
            method.prepare(scored, key=key),
            config=config,
            key=key,
            state=None if state is None else next_round(state, config=config),
        )
        state = result.state
        shares.append(right_share(backbone))
    wanted = [share if sign > 0 else 1 - share for share in shares]
    assert wanted[0] == 0.5
    assert all(later > earlier for earlier, later in itertools.pairwise(wanted))
    assert wanted[-1] > 0.9
    # The sampler agrees with the weight: 256 draws, three standard errors of a share of 0.9.
    drawn = (sign * sample(backbone, conditioning, recipe=recipe, key=KEY.child("end")).latents > 0).double().mean()
    assert drawn.item() > 0.84


def test_without_differences_in_reward_nothing_but_noise_moves_the_weights() -> None:
    """A = 0 everywhere and policy = old: the gradient is exactly 0, a fixed point."""
    backbone = TwoModes()
    latents = Key(seed=4).normal((32, 1, 1, 1)).double().sign()
    examples = Advantages(
        latents=latents,
        conditioning=backbone.encode([Prompt(text="either")] * 32),
        advantage=torch.zeros(32, dtype=torch.float64),
    )
    context = LossContext(backbone=backbone, reference=backbone.reference(), old=backbone.reference(), step=0)
    loss = nft(kl_coefficient=0.0).loss(examples, context=context, key=KEY)
    assert gradient(loss.value, backbone)["logit"].abs().item() < 1e-15


def test_flat_groups_can_be_left_out() -> None:
    backbone = gaussian(shape=(1, 2, 2))
    scored = scored_of([0.0, 1.0, 1.0, 1.0, 0.0, 0.0], [0, 0, 1, 1, 2, 2], backbone=backbone)
    assert len(nft().prepare(scored, key=KEY)) == 6
    kept = nft(drop_flat_groups=True).prepare(scored, key=KEY)
    assert kept.advantage.tolist() == [-1.0, 1.0]
    assert torch.equal(kept.latents, scored.rollout.latents[:2])
    flat = scored_of([1.0, 1.0, 0.0, 0.0], [0, 0, 1, 1], backbone=backbone)
    with pytest.raises(UsageError, match="the rewards of all 4 pictures equal those of their siblings"):
        nft(drop_flat_groups=True).prepare(flat, key=KEY)
