"""Best of n: the expected greatest of n normal draws in closed form, and what the record promises."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from exact_parts import LatentReward, gaussian, prompts_of, recipe_of
from inference_parts import KINDS, check_batches_change_nothing, check_record, two_modes

from redraft.core import config as configuration
from redraft.core.errors import ConfigError, NumericsError, UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.diffusion.sample import sample
from redraft.methods.best_of_n import BestOfN, BestOfNConfig

LINEAR = LatentReward(lambda latents: latents)


def best_of(count: int, *, reward=LINEAR) -> BestOfN:
    return BestOfN(config=BestOfNConfig(count=count), reward=reward)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("count", "expected"), [(2, 1 / math.sqrt(math.pi)), (3, 1.5 / math.sqrt(math.pi)), (4, 1.02938)]
)
def test_a_gaussian_score_gains_the_expected_maximum(kind: str, count: int, expected: float) -> None:
    """E max of n standard normals times the spread of the sampler's pictures; 3,000 prompts."""
    backbone = gaussian(prediction=kind)
    prompts = prompts_of(3_000, backbone)
    made = best_of(count).enhance(backbone, prompts, recipe=recipe_of(backbone, 8), key=Key(seed=1))
    assert made.scores.shape == (3_000, count)
    # The sampler is linear in its noise: its own mean and spread, exact, from two pictures' worth of noise.
    spread, mean = made.scores.std().item(), made.scores.mean().item()
    # The greatest of n has a spread below 0.83; standard error of a mean of 3,000: 0.015. Four of them.
    assert (made.after.mean().item() - mean) / spread == pytest.approx(expected, abs=0.06)
    assert torch.equal(made.after, made.scores.max(dim=1).values)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_candidate_is_the_plain_picture_and_one_candidate_is_plain_sampling(kind: str) -> None:
    backbone, prompts = two_modes(kind)
    recipe, key = recipe_of(backbone, 5, guidance_scale=2.0), Key(seed=2)
    plain = sample(backbone, prompts.conditioning, recipe=recipe, key=key).latents
    one = best_of(1).enhance(backbone, prompts, recipe=recipe, key=key)
    assert torch.equal(one.latents, plain)
    assert torch.equal(one.before, one.after)
    four = best_of(4).enhance(backbone, prompts, recipe=recipe, key=key)
    assert torch.equal(four.before, one.before)
    assert bool((four.after >= four.before).all())
    # More candidates only add to those that were there.
    assert torch.equal(best_of(2).enhance(backbone, prompts, recipe=recipe, key=key).scores, four.scores[:, :2])
    check_record(four, lambda images, texts: LINEAR.score(images, texts).values[:, 0], prompts, backbone)


def test_the_calls_are_those_that_were_made() -> None:
    backbone, prompts = two_modes("flow")
    made = best_of(3).enhance(backbone, prompts, recipe=recipe_of(backbone, 5), key=Key(seed=2))
    assert backbone.asked == int(made.network_calls.sum()) == 3 * 3 * 5
    assert backbone.asked_with_graph == int(made.backward_calls.sum()) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_batches_change_nothing(kind: str) -> None:
    check_batches_change_nothing(best_of(4), kind=kind)


def test_of_equal_scores_the_first_is_kept() -> None:
    backbone, prompts = two_modes("v")
    flat = LatentReward(lambda latents: 0 * latents)
    made = best_of(3, reward=flat).enhance(backbone, prompts, recipe=recipe_of(backbone, 4), key=Key(seed=2))
    assert made.chosen.tolist() == [0, 0, 0]
    plain = sample(backbone, prompts.conditioning, recipe=recipe_of(backbone, 4), key=Key(seed=2)).latents
    assert torch.equal(made.latents, plain)


class Choosy(LatentReward):
    """Has no score for the prompt "right"."""

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        scores = super().score(images, prompts)
        known = torch.tensor([[prompt.text != "right"] for prompt in prompts])
        values = torch.where(known, scores.values, torch.nan)
        return Scores(values=values, names=scores.names, fingerprints=scores.fingerprints, mask=known)


def test_messages() -> None:
    backbone, prompts = two_modes("epsilon")
    recipe = recipe_of(backbone, 3)
    with pytest.raises(ConfigError, match=r"count = 0: Input should be greater than or equal to 1"):
        configuration.build(BestOfNConfig, {"count": 0}, source="--set")
    with pytest.raises(ConfigError, match=r"the key 'cuont' is unknown: did you mean 'count'"):
        configuration.build(BestOfNConfig, {"cuont": 2}, source="--set")
    with pytest.raises(UsageError, match=r"scorer 'latent' cannot score the prompt 'right': .* leave the prompt out"):
        best_of(2, reward=Choosy(lambda latents: latents)).enhance(backbone, prompts, recipe=recipe, key=Key(seed=0))
    broken = LatentReward(lambda latents: latents / 0)
    with pytest.raises(NumericsError, match=r"scorer 'latent' gave (-?inf|nan) for picture 0"):
        best_of(2, reward=broken).enhance(backbone, prompts, recipe=recipe, key=Key(seed=0))
