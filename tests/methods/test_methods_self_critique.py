"""Self-critique: who gets a second pass, what it is painted from, and by which prompt it is judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from exact_parts import gaussian, prompts_of, recipe_of
from inference_parts import KINDS, check_batches_change_nothing, check_record, two_modes

from redraft.core import config as configuration
from redraft.core.errors import ConfigError, NumericsError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.diffusion.sample import sample
from redraft.methods.self_critique import SelfCritique, SelfCritiqueConfig

KEY = Key(seed=12)


def judgement(images: Images, prompts: Sequence[Prompt]) -> Scores:
    """Two terms in 0..1: the mean pixel, which the prompt "right" wants bright and others dark, and evenness."""
    mean = images.pixels[:, 0].flatten(1).mean(dim=1)
    wants_bright = torch.tensor([prompt.text == "right" for prompt in prompts])
    fits = torch.where(wants_bright, mean, 1 - mean)
    even = 1 - images.pixels[:, 0].flatten(1).std(dim=1)
    values = torch.stack([fits, even], dim=1)
    return Scores(values=values, names=("fit", "even"), fingerprints=("a", "b"), mask=torch.ones_like(values).bool())


def confidence(images: Images, prompts: Sequence[Prompt]) -> torch.Tensor:
    return judgement(images, prompts).values.min(dim=1).values


def unchanged(prompt: Prompt, failed: Sequence[str]) -> Prompt:
    return prompt


def critique(*, judge=judgement, rewrite=unchanged, **options) -> SelfCritique:
    return SelfCritique(config=SelfCritiqueConfig(**options), judge=judge, rewrite=rewrite)


@pytest.mark.parametrize("kind", KINDS)
def test_only_pictures_below_the_threshold_get_a_second_pass(kind: str) -> None:
    backbone, prompts = two_modes(kind)
    recipe = recipe_of(backbone, 5, guidance_scale=1.5)
    plain = sample(backbone, prompts.conditioning, recipe=recipe, key=KEY).latents
    first = confidence(backbone.decode(plain), prompts.prompts)
    threshold = first.sort().values[:2].mean().item()
    asked_before = backbone.asked
    made = critique(threshold=threshold, attempts=4).enhance(backbone, prompts, recipe=recipe, key=KEY)
    weak = first < threshold
    assert weak.tolist().count(True) == 1
    assert torch.equal(made.before, first)
    assert torch.equal(made.latents[~weak], plain[~weak])
    assert bool(made.scores[~weak, 1:].isnan().all())
    assert not bool(made.scores[weak].isnan().any())
    assert torch.equal(made.after[weak], made.scores[weak].max(dim=1).values)
    assert bool((made.after >= made.before).all())
    assert made.network_calls.tolist() == [25 if below else 5 for below in weak.tolist()]
    # Guidance asks for both halves in one call.
    assert backbone.asked - asked_before == 2 * int(made.network_calls.sum())
    assert made.backward_calls.tolist() == [0, 0, 0]
    check_record(made, confidence, prompts, backbone)


@pytest.mark.parametrize("kind", KINDS)
def test_attempts_of_a_uniform_confidence_gain_what_order_statistics_say(kind: str) -> None:
    """Confidence Phi((x - m) / s) is uniform; below 1/2 there are 3 more draws: E s = 3/8 + E of the second pass.

    Above 1/2 (half of the pictures): mean 3/4. Below: max of one uniform on [0, 1/2] and three on [0, 1]. With
    M the greatest of the three, P(M > 1/2) = 7/8 and E[M; M > 1/2] = 3/4 (1 - 1/16) = 45/64; otherwise all four
    are uniform on [0, 1/2], mean of the greatest 4/5 / 2. Together 45/64 + 1/8 * 2/5 = 0.753125.
    """
    backbone = gaussian(prediction=kind)
    prompts, recipe = prompts_of(4_000, backbone), recipe_of(backbone, 6)
    spread = sample(backbone, prompts.conditioning, recipe=recipe, key=Key(seed=99)).latents
    mean, deviation = spread.mean(), spread.std()

    def uniform(images: Images, prompts: Sequence[Prompt]) -> Scores:
        values = torch.special.ndtr((torch.logit(images.pixels[:, 0, 0]) - mean) / deviation)
        return Scores(values=values, names=("u",), fingerprints=("u",), mask=torch.ones_like(values).bool())

    made = critique(judge=uniform, threshold=0.5, attempts=3).enhance(backbone, prompts, recipe=recipe, key=KEY)
    below = made.before < 0.5
    # Standard errors: 0.008 of the share; 0.15 / sqrt(2,000) = 0.0034 and 0.0032 of the means. Four of them, and a
    # little for mean and deviation, which are estimated.
    assert below.double().mean().item() == pytest.approx(0.5, abs=0.04)
    assert made.after[~below].mean().item() == pytest.approx(0.75, abs=0.02)
    assert made.after[below].mean().item() == pytest.approx(0.753125, abs=0.025)
    assert made.network_calls.double().mean().item() == pytest.approx(6 * (1 + 3 * below.double().mean().item()))


def test_the_second_pass_is_painted_from_the_rewritten_prompt_and_judged_by_the_asked_one() -> None:
    backbone, prompts = two_modes("flow")
    seen: list[tuple[str, tuple[str, ...]]] = []

    def to_right(prompt: Prompt, failed: Sequence[str]) -> Prompt:
        seen.append((prompt.text, tuple(failed)))
        return replace(prompt, text="right")

    recipe = recipe_of(backbone, 5, guidance_scale=1.5)
    method = critique(rewrite=to_right, threshold=2.0, attempts=1, guidance_factor=2.0)
    made = method.enhance(backbone, prompts, recipe=recipe, key=KEY)
    # Every term is below 2; the worst is named first.
    plain = sample(backbone, prompts.conditioning, recipe=recipe, key=KEY).latents
    terms = judgement(backbone.decode(plain), prompts.prompts)
    order = [("fit", "even") if row[0] < row[1] else ("even", "fit") for row in terms.values.tolist()]
    assert seen == list(zip(("left", "right", "middle"), order, strict=True))
    changed = backbone.encode([Prompt(text="right")] * 3)
    # What exceeds a guidance of 1 is doubled: 1.5 becomes 2.
    second = replace(recipe, guidance_scale=2.0)
    latents = sample(backbone, changed, recipe=second, key=KEY.child("second pass", 1)).latents
    by_asked = confidence(backbone.decode(latents), prompts.prompts)
    torch.testing.assert_close(made.scores[:, 1], by_asked, rtol=1e-12, atol=0)
    by_rewritten = confidence(backbone.decode(latents), [Prompt(text="right")] * 3)
    assert not torch.allclose(by_asked, by_rewritten)


def test_what_may_change_between_the_passes() -> None:
    backbone, prompts = two_modes("v")
    recipe = recipe_of(backbone, 5, guidance_scale=1.5)

    def refuse(prompt: Prompt, failed: Sequence[str]) -> Prompt:
        raise AssertionError("rewrite=False must not rewrite")

    # Only guidance: the same noise and prompt with more of it.
    method = SelfCritique(
        config=SelfCritiqueConfig(threshold=2.0, attempts=1, new_noise=False, rewrite=False, guidance_factor=3.0),
        judge=judgement,
        rewrite=refuse,
    )
    made = method.enhance(backbone, prompts, recipe=recipe, key=KEY)
    latents = sample(backbone, prompts.conditioning, recipe=replace(recipe, guidance_scale=2.5), key=KEY).latents
    torch.testing.assert_close(made.scores[:, 1], confidence(backbone.decode(latents), prompts.prompts))
    # No guidance stays none, whatever the factor: the model may have no negative half.
    plain = critique(threshold=2.0, attempts=1).enhance(backbone, prompts, recipe=recipe_of(backbone, 5), key=KEY)
    latents = sample(
        backbone, prompts.conditioning, recipe=recipe_of(backbone, 5), key=KEY.child("second pass", 1)
    ).latents
    torch.testing.assert_close(plain.scores[:, 1], confidence(backbone.decode(latents), prompts.prompts))


def test_a_missing_term_is_no_confidence_and_a_term_that_is_not_finite_stops() -> None:
    backbone, prompts = two_modes("epsilon")
    recipe = recipe_of(backbone, 4)

    def half_blind(images: Images, prompts: Sequence[Prompt]) -> Scores:
        scores = judgement(images, prompts)
        mask = scores.mask.clone()
        mask[0, 1] = False
        return replace(scores, values=torch.where(mask, scores.values, torch.nan), mask=mask)

    made = critique(judge=half_blind, threshold=1e-6, attempts=2).enhance(backbone, prompts, recipe=recipe, key=KEY)
    assert made.before[0] == 0
    assert made.network_calls.tolist() == [12, 4, 4]
    # Nothing that is tried has this term, so nothing is better than the first picture.
    assert made.chosen.tolist() == [0, 0, 0]

    def broken(images: Images, prompts: Sequence[Prompt]) -> Scores:
        scores = judgement(images, prompts)
        return replace(scores, values=scores.values * math.inf)

    with pytest.raises(NumericsError, match=r"scorer 'fit' gave inf for picture 0"):
        critique(judge=broken).enhance(backbone, prompts, recipe=recipe, key=KEY)


@pytest.mark.parametrize("kind", KINDS)
def test_batches_change_nothing(kind: str) -> None:
    check_batches_change_nothing(critique(threshold=0.6, attempts=2), kind=kind)


def test_messages() -> None:
    for values, message in [
        ({"new_noise": False}, r"attempts=3 with new_noise=False: they would all be the same picture; set attempts"),
        (
            {"new_noise": False, "attempts": 1, "rewrite": False, "guidance_factor": 1.0},
            r"the second pass would repeat the first; allow one of them",
        ),
        ({"treshold": 1}, r"the key 'treshold' is unknown: did you mean 'threshold'"),
    ]:
        with pytest.raises(ConfigError, match=message):
            configuration.build(SelfCritiqueConfig, values, source="--set")
