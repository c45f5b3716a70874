"""EXPERIMENTAL: prompt and negative embeddings learned by the gradient of a reward (DRaFT's appendix, 2309.17400).

    1  e = the encoded prompts;  e+ = e.positive + a,  e- = e.negative + b     a, b: one for all prompts ("shared")
       or  e- = e.negative + MLP(e.positive + attention(e.positive))           one for each ("by_prompt")
    2  x0 = sample(e+, e-) with a graph through the last K steps
    3  a, b or the MLP's weights <- Adam(grad of mean r(decode(x0), c))

The paper tried the negative embedding as a function of the prompt, an MLP over self-attention on the text embedding,
and saw no improvement; ours is here to check that, and nothing in the project uses it by default. No weight of the
model changes. Not textual inversion: nothing is learned from pictures.

Differs from the paper: the sum with the plain embedding and a last layer of zeros, so that learning begins at the model
as it is; the shared form, which is the simplest thing that could work; sizes of the network are ours. The paper's
variant after DDPG is not here: its text does not say enough to build it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field, model_validator

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import Backbone, Scorer
from redraft.core.records import Recipe
from redraft.core.tensors import Conditioning, PromptBatch
from redraft.diffusion.sample import sample_differentiable
from redraft.methods.advantages import require_finite_reward
from redraft.methods.ascent import Ascent
from redraft.methods.inference import require_gradient

Weights = Mapping[str, torch.Tensor]


class LearnedEmbeddingConfig(Config):
    """Options of `learned_embedding`."""

    learn: Literal["positive", "negative", "both"] = Field(default="negative", description="which half of the prompt")
    form: Literal["shared", "by_prompt"] = Field(default="shared", description="one change for all, or a network")
    hidden: int = Field(default=64, ge=1, description="width of the network's hidden layer")
    rounds: int = Field(default=50, ge=1, description="steps of learning")
    batch: int = Field(default=8, ge=1, description="prompts of a step")
    last: int = Field(default=1, ge=1, description="K, the differentiated steps of the sampler")
    learning_rate: float = Field(default=1e-2, gt=0, description="of Adam")
    checkpointing: bool = Field(default=True, description="run networks again in the backward pass to save memory")

    @model_validator(mode="after")
    def _network_is_for_the_negative(self) -> LearnedEmbeddingConfig:
        if self.form == "by_prompt" and self.learn != "negative":
            raise ValueError(f"form='by_prompt' with learn={self.learn!r}: it is defined for the negative half only")
        return self


@dataclass(frozen=True, kw_only=True)
class LearnedEmbedding:
    """What was learned. `apply` it to encoded prompts before sampling.

    scores: mean reward of each round's pictures, before that round's step. network_calls: calls for one picture each.
    """

    config: LearnedEmbeddingConfig
    weights: Weights
    scores: tuple[float, ...]
    network_calls: int

    def apply(self, conditioning: Conditioning) -> Conditioning:
        """Line 1. Raises UsageError for a conditioning of another model."""
        return _changed(conditioning, self.weights, form=self.config.form)


def learn_embedding(
    backbone: Backbone,
    prompts: PromptBatch,
    *,
    recipe: Recipe,
    reward: Scorer,
    key: Key,
    config: LearnedEmbeddingConfig,
) -> LearnedEmbedding:
    """Lines 1 to 3 on a set of prompts.

    Raises UsageError for a reward without gradient, for a negative half that the recipe's guidance of 1 never asks,
    and when K exceeds the recipe's steps; NumericsError for a reward that is not finite.
    """
    require_gradient(reward, method="learned_embedding")
    if config.learn != "positive" and recipe.guidance_scale == 1:
        raise UsageError(
            f"learn={config.learn!r} with guidance_scale=1: the negative half is never asked; raise the guidance, or "
            "learn the positive half"
        )
    weights = _initial_weights(prompts.conditioning, config=config, key=key.child("weights"))
    ascents = {name: Ascent(learning_rate=config.learning_rate) for name in weights}
    scores, calls = [], 0
    for number in range(config.rounds):
        round_key = key.child("round", number)
        rows = sorted(round_key.child("rows").permutation(len(prompts))[: config.batch].tolist())
        chosen = prompts.take(rows)
        with torch.enable_grad():
            leaves = {name: value.detach().requires_grad_() for name, value in weights.items()}
            painted = sample_differentiable(
                backbone,
                _changed(chosen.conditioning, leaves, form=config.form),
                recipe=recipe,
                key=round_key,
                last=config.last,
                checkpointing=config.checkpointing,
            )  # line 2
            score = reward.score_pixels(backbone.decode(painted.latents).pixels, chosen.prompts)
            require_finite_reward(score.detach())
            slopes = torch.autograd.grad(score.mean(), list(leaves.values()))
        weights = {
            name: weights[name] + ascents[name].move(slope) for name, slope in zip(weights, slopes, strict=True)
        }  # line 3
        scores.append(score.detach().mean().item())
        calls += len(rows) * (recipe.steps + (config.last if config.checkpointing else 0))
    return LearnedEmbedding(config=config, weights=weights, scores=tuple(scores), network_calls=calls)


def _initial_weights(
    conditioning: Conditioning, *, config: LearnedEmbeddingConfig, key: Key
) -> dict[str, torch.Tensor]:
    """Zeros for "shared"; for "by_prompt" a network whose last layer is zero."""
    halves = ("positive", "negative") if config.learn == "both" else (config.learn,)
    weights: dict[str, torch.Tensor] = {}
    for name, value in _embeddings(conditioning.positive).items():
        if config.form == "shared":
            weights |= {f"{half}.{name}": torch.zeros_like(value[:1]) for half in halves}
            continue
        width = value.shape[-1]
        layers = ("query", "key", "inner") if value.ndim == 3 else ("inner",)
        for layer in layers:
            drawn = key.child(name, layer).normal((width, config.hidden)) / math.sqrt(width)
            weights[f"{layer}.{name}"] = drawn.to(value)
        weights[f"outer.{name}"] = torch.zeros(config.hidden, width).to(value)
    return weights


def _changed(conditioning: Conditioning, weights: Weights, *, form: str) -> Conditioning:
    positive, negative = dict(conditioning.positive), dict(conditioning.negative)
    found = _embeddings(positive)
    _require_same_model(found, weights, form=form)
    for name, value in found.items():
        if form == "by_prompt":
            negative[name] = negative[name] + _network(value, weights, name=name)
            continue
        for half, values in (("positive", positive), ("negative", negative)):
            change = weights.get(f"{half}.{name}")
            if change is not None:
                values[name] = values[name] + change
    return Conditioning(positive=positive, negative=negative)


def _require_same_model(found: Mapping[str, torch.Tensor], weights: Weights, *, form: str) -> None:
    """Names and widths of embeddings are those of the model that was learned on."""
    known = {
        weight.split(".", 1)[1]: tuple(value.shape[:1] if form == "by_prompt" else value.shape[1:])
        for weight, value in weights.items()
        if form == "shared" or weight.startswith("inner.")
    }
    given = {name: tuple(value.shape[-1:] if form == "by_prompt" else value.shape[1:]) for name, value in found.items()}
    if known != given:
        raise UsageError(
            f"an embedding learned for prompts encoded as {known}, applied to {given}: it fits the model that it was "
            "learned on only; learn it again for this one"
        )


def _network(value: torch.Tensor, weights: Weights, *, name: str) -> torch.Tensor:
    """MLP(self-attention) of an embedding B,L,D; without attention for one vector a prompt, B,D."""
    if value.ndim == 3:
        query, keys = value @ weights[f"query.{name}"], value @ weights[f"key.{name}"]
        share = torch.softmax(query @ keys.transpose(1, 2) / math.sqrt(query.shape[-1]), dim=-1)
        value = value + share @ value
    hidden = torch.nn.functional.gelu(value @ weights[f"inner.{name}"])
    return hidden @ weights[f"outer.{name}"]


def _embeddings(half: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of numbers, B,D or B,L,D; masks and token numbers are left alone."""
    return {name: value for name, value in half.items() if value.is_floating_point() and value.ndim in (2, 3)}
