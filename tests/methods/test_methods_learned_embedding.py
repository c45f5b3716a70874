"""Learned embeddings: the optimum in closed form, gradients through both forms, and that nothing else changes."""

from __future__ import annotations

import pytest
import torch
from exact_parts import LatentReward, gaussian, prompts_of, recipe_of

from redraft.core import config as configuration
from redraft.core.errors import ConfigError, NumericsError, UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.core.tensors import Conditioning, PromptBatch
from redraft.diffusion.exact import ExactBackbone, Mixture
from redraft.diffusion.sample import sample
from redraft.methods.learned_embedding import LearnedEmbedding, LearnedEmbeddingConfig, learn_embedding

KEY = Key(seed=21)
TO_2 = LatentReward(lambda latents: -((latents - 2) ** 2) / 2)


def learned(backbone, prompts, *, scale: float = 1.0, steps: int = 4, reward=TO_2, **options) -> LearnedEmbedding:
    return learn_embedding(
        backbone, prompts, recipe=recipe_of(backbone, steps, guidance_scale=scale), reward=reward, key=KEY,
        config=LearnedEmbeddingConfig(**options),
    )  # fmt: skip


def mean_of(backbone, conditioning: Conditioning, *, scale: float, steps: int = 4) -> float:
    """Mean of the pictures, over many elements."""
    recipe = recipe_of(backbone, steps, guidance_scale=scale)
    return sample(backbone, conditioning, recipe=recipe, key=Key(seed=77)).latents.mean().item()


@pytest.mark.parametrize("kind", ["epsilon", "flow"])
@pytest.mark.parametrize(("learn", "scale"), [("positive", 1.0), ("negative", 2.0), ("both", 2.0)])
def test_a_shared_change_moves_the_mean_of_the_pictures_to_the_optimum(kind: str, learn: str, scale: float) -> None:
    """The embedding of the exact backbone is the mean that a prompt adds, so a quadratic reward ends at mean 2."""
    backbone = gaussian(shape=(1, 24, 24), prediction=kind)
    prompts = prompts_of(2, backbone)
    before = mean_of(backbone, prompts.conditioning, scale=scale)
    assert before < 1.3
    made = learned(backbone, prompts, scale=scale, learn=learn, rounds=60, last=4, learning_rate=0.05)
    # Spread 1/2 over 1,152 elements: standard error 0.015, in learning and in looking.
    assert mean_of(backbone, made.apply(prompts.conditioning), scale=scale) == pytest.approx(2.0, abs=0.08)
    assert sum(made.scores[-10:]) > sum(made.scores[:10])
    assert made.network_calls == 60 * 2 * 8


class Sequences(ExactBackbone):
    """The exact backbone with embeddings B,L,D and B,D: the mean is a fixed sum of their elements."""

    def encode(self, prompts) -> Conditioning:
        inner = super().encode(prompts)
        numbers = torch.arange(1.0, 13.0, dtype=torch.float64).reshape(3, 4) / 12

        def half(mean: torch.Tensor) -> dict[str, torch.Tensor]:
            return {
                "states": mean[:, :, None] + numbers,
                "pooled": mean + numbers[0],
                "tokens": torch.ones(len(mean), 3).long(),
            }

        return Conditioning(positive=half(inner.positive["mean"]), negative=half(inner.negative["mean"]))

    def predict(self, latents, timesteps, *, text, parameters=None):
        mean = text["states"].mean(dim=(1, 2)) + text["pooled"].mean(dim=1)
        return super().predict(latents, timesteps, text={"mean": mean[:, None]}, parameters=parameters)


def sequences(kind: str = "epsilon") -> tuple[Sequences, PromptBatch]:
    backbone = Sequences(Mixture(), prediction=kind, latent_shape=(1, 8, 8), prompt_means={"left": -0.4, "right": 0.4})
    prompts = tuple(Prompt(text=text) for text in ("left", "right", "middle"))
    return backbone, PromptBatch(prompts=prompts, conditioning=backbone.encode(prompts))


@pytest.mark.parametrize("kind", ["v", "flow"])
def test_a_network_learns_a_negative_embedding_for_each_prompt(kind: str) -> None:
    """Each prompt has another mean, and every picture should have mean 2: one shared change cannot do that."""
    backbone, prompts = sequences(kind)
    start = learned(backbone, prompts, scale=2.0, form="by_prompt", rounds=1, hidden=8, learning_rate=1e-12)
    for name, value in start.apply(prompts.conditioning).negative.items():
        torch.testing.assert_close(value, prompts.conditioning.negative[name], rtol=0, atol=1e-9)
    options = {"rounds": 60, "last": 4, "learning_rate": 0.03, "hidden": 8, "checkpointing": False}
    shared = learned(backbone, prompts, scale=2.0, **options)
    network = learned(backbone, prompts, scale=2.0, form="by_prompt", **options)
    assert sum(network.scores[-10:]) > sum(shared.scores[-10:]) > sum(shared.scores[:10])
    after = network.apply(prompts.conditioning)
    assert after.positive == dict(prompts.conditioning.positive)
    changes = after.negative["states"] - prompts.conditioning.negative["states"]
    assert not torch.allclose(changes[0], changes[1])


def test_one_round_follows_the_gradient_of_the_mean_reward() -> None:
    """Adam's first move is the learning rate times the sign of the slope, element by element."""
    backbone, prompts = sequences()
    made = learned(backbone, prompts, learn="positive", rounds=1, last=4, learning_rate=0.125)
    # The pictures' mean is far below 2 for all prompts, and each element raises it.
    assert set(made.weights) == {"positive.states", "positive.pooled"}
    torch.testing.assert_close(made.weights["positive.states"], torch.full((1, 3, 4), 0.125).double())


def test_learning_is_deterministic_and_changes_no_weight_of_the_model() -> None:
    backbone, prompts = sequences()
    before = {name: value.detach().clone() for name, value in backbone.trainable().items()}
    random_state = torch.get_rng_state()
    options = {"scale": 2.0, "form": "by_prompt", "rounds": 3, "batch": 2}
    one, two = learned(backbone, prompts, **options), learned(backbone, prompts, **options)
    assert one.scores == two.scores
    assert all(torch.equal(value, two.weights[name]) for name, value in one.weights.items())
    assert all(torch.equal(value, before[name]) for name, value in backbone.trainable().items())
    assert all(value.grad is None for value in backbone.trainable().values())
    assert torch.equal(torch.get_rng_state(), random_state)
    plain = learned(backbone, prompts, checkpointing=False, **options)
    assert plain.scores == one.scores
    assert (plain.network_calls, one.network_calls) == (3 * 2 * 4, 3 * 2 * 5)


def test_messages() -> None:
    backbone, prompts = sequences()
    with pytest.raises(UsageError, match=r"learn='negative' with guidance_scale=1: the negative half is never asked"):
        learned(backbone, prompts)
    with pytest.raises(
        UsageError, match=r"learned_embedding follows the gradient of a scorer, but 'latent' gives none"
    ):
        learned(backbone, prompts, scale=2.0, reward=LatentReward(torch.sin, differentiable=False))
    with pytest.raises(UsageError, match=r"last=9: must be within 1..4"):
        learned(backbone, prompts, scale=2.0, last=9)
    with pytest.raises(NumericsError, match=r"the reward of picture 0"):
        learned(backbone, prompts, scale=2.0, reward=LatentReward(lambda latents: latents / 0))
    with pytest.raises(ConfigError, match=r"form='by_prompt' with learn='both': it is defined for the negative half"):
        configuration.build(LearnedEmbeddingConfig, {"form": "by_prompt", "learn": "both"}, source="x")
    other = prompts_of(2, gaussian()).conditioning
    for form in ("shared", "by_prompt"):
        made = learned(backbone, prompts, scale=2.0, form=form, rounds=1)
        with pytest.raises(UsageError, match=r"it fits the model that it was learned on only; learn it again"):
            made.apply(other)
