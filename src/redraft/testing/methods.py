"""Does a method keep the contract of `core.protocols.Method`? Not whether it makes a model better."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import get_args

import torch

from redraft.core.keys import Key
from redraft.core.protocols import LossContext, Method, Needs, TrainableBackbone
from redraft.core.records import Kernel, Prompt, Recipe
from redraft.core.tensors import Captioned, Examples, LoggedRollout, Loss, PromptBatch, Rollout, Scored
from redraft.diffusion.sample import sample, sample_logged
from redraft.testing.rules import PROMPTS, Rules, reaches

PARTS_OF_A_METHOD = ("needs", "prepare", "loss")

_STEPS = 4
_PICTURES_OF_A_PROMPT = 4


def check_method(
    method: Method, backbone: TrainableBackbone, *, prompts: Sequence[Prompt] = PROMPTS, seed: int = 0
) -> None:
    """Check a method by one loss on a backbone with weights to train, with random rewards where it needs any.

    Build the method with a recipe of that backbone, and with a scorer for its pictures if it wants one.
    Raises ConformanceError.
    """
    rules = Rules(method)
    needs = get_args(Needs)
    if rules.has(method, PARTS_OF_A_METHOD) and rules.hold(
        method.needs in needs, f"needs is {method.needs!r}: it must be one of {', '.join(needs)}"
    ):
        key = Key(seed=seed, path=("conformance",))
        examples = rules.attempt("prepare", lambda: _examples(rules, method, backbone, prompts, key=key))
        if examples is not None:
            rules.attempt("loss", lambda: _check_loss(rules, method, backbone, examples, key=key.child("loss")))
    rules.finish()


def _examples(
    rules: Rules, method: Method, backbone: TrainableBackbone, prompts: Sequence[Prompt], *, key: Key
) -> Examples | None:
    if method.needs == "prompts":
        return PromptBatch(prompts=tuple(prompts), conditioning=backbone.encode(prompts))
    if method.needs == "captioned":
        return _captioned(backbone, prompts, key=key)
    scored = _scored(backbone, prompts, logged=method.needs == "logged", key=key)
    examples = method.prepare(scored, key=key.child("prepare"))
    again = method.prepare(scored, key=key.child("prepare"))
    kinds = get_args(Examples)
    if not rules.hold(isinstance(examples, kinds), f"prepare gave {type(examples).__name__}, no kind of Examples"):
        return None
    rules.hold(len(examples) > 0 and len(examples) == len(again), "prepare gave nothing, or another number for one key")
    return examples


def _scored(backbone: TrainableBackbone, prompts: Sequence[Prompt], *, logged: bool, key: Key) -> Scored:
    conditioning = backbone.encode(prompts).repeat(_PICTURES_OF_A_PROMPT)
    kernel = Kernel(name="coefficients_preserving", strength=0.7) if logged else Kernel()
    recipe = Recipe(levels=backbone.levels(_STEPS), kernel=kernel)
    paint: Callable[..., Rollout | LoggedRollout] = sample_logged if logged else sample
    rollout = paint(backbone, conditioning, recipe=recipe, key=key.child("paint"))
    count = len(conditioning)
    return Scored(
        prompts=tuple(prompt for prompt in prompts for _ in range(_PICTURES_OF_A_PROMPT)),
        conditioning=conditioning,
        rollout=rollout,
        reward=key.child("reward").uniform((count,)),
        group=torch.arange(len(prompts)).repeat_interleave(_PICTURES_OF_A_PROMPT),
    )


def _captioned(backbone: TrainableBackbone, prompts: Sequence[Prompt], *, key: Key) -> Captioned:
    """One picture of noise a prompt, with the texts of the two next prompts as false captions."""
    conditioning = backbone.encode(prompts)
    false = [prompts[(row + step) % len(prompts)] for row in range(len(prompts)) for step in (1, 2)]
    latents = key.child("pictures").normal((len(prompts), *backbone.latent_shape))
    device = next(iter(conditioning.positive.values())).device
    return Captioned(latents=latents.to(device), conditioning=conditioning, negatives=backbone.encode(false))


def _check_loss(rules: Rules, method: Method, backbone: TrainableBackbone, examples: Examples, *, key: Key) -> None:
    weights = backbone.trainable()
    before = {name: value.detach().clone() for name, value in weights.items()}
    gradients = {name: value.grad for name, value in weights.items()}
    context = LossContext(backbone=backbone, reference=backbone.reference(), old=before, step=0)
    loss = method.loss(examples, context=context, key=key)
    if not rules.hold(
        isinstance(loss, Loss) and loss.value.ndim == 0 and math.isfinite(loss.value.item()),
        f"loss gave {loss!r}: it must give a Loss with one finite number",
    ):
        return
    wrong = [name for name, value in loss.parts.items() if not (isinstance(value, float) and math.isfinite(value))]
    rules.hold(not wrong, f"the parts {', '.join(wrong)} of the loss are not finite floats")
    if rules.hold(loss.value.requires_grad, "the loss has no graph: nothing would be trained"):
        rules.hold(
            reaches(loss.value, weights.values()), "the gradient of the loss in the weights is zero or not finite"
        )
    again = method.loss(examples, context=context, key=key).value.item()
    rules.hold(again == loss.value.item(), f"the loss is {loss.value.item()} and then {again} for one key")
    rules.hold(
        all(torch.equal(value.detach(), before[name]) for name, value in weights.items()),
        "the loss changes weights: only the training loop may",
    )
    rules.hold(
        all(value.grad is gradients[name] for name, value in weights.items()),
        "the loss calls backward(): only the training loop may",
    )
