"""Self-training on the best of the model's own pictures: weighted denoising (best-of-n, RAFT, arXiv 2304.06767).

    1  paint several pictures a prompt; choose and weight them by reward                      (`prepare`, select.py)
    2  t ~ timesteps, e ~ N(0, I), x_t = alpha_t x0 + sigma_t e
    3  L = mean over pictures of weight * mean((prediction_theta(x_t, t, c) - target)^2)
    4  L += reference_coefficient * mean((prediction_theta - prediction_reference)^2)

Differs from the paper:
- RAFT ranks texts and trains a language model; here the likelihood is replaced by the denoising loss of the diffusion
  model (epsilon, v or flow), without a weight by noise level.
- Besides best-of-n: pictures above a threshold, or all of them weighted by softmax(reward / temperature).
- Line 4 and prompt dropout are additions. With probability `prompt_dropout` a picture is trained under the negative
  text, so that guidance keeps its meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import LossContext, MethodContext, Needs
from redraft.core.tensors import Conditioning, Examples, Loss, Scored, Weights
from redraft.diffusion.parameterize import training_target
from redraft.methods.noising import TimestepDistribution, add_noise
from redraft.methods.select import best_of_n, keep_correct, reward_weighted


class SftConfig(Config):
    """Options of `sft`."""

    choose: Literal["best_of_n", "correct", "softmax"] = "best_of_n"
    keep: int = Field(default=1, ge=1, description="pictures kept of each prompt (best_of_n, correct)")
    threshold: float | None = Field(default=None, description="only pictures with reward above it (best_of_n, correct)")
    temperature: float = Field(default=1.0, gt=0, description="of the softmax weights")
    reference_coefficient: float = Field(default=0.0, ge=0, description="strength of the pull to the reference")
    prompt_dropout: float = Field(default=0.0, ge=0, lt=1, description="share of pictures under the negative text")
    timesteps: TimestepDistribution = "uniform"

    @model_validator(mode="after")
    def _correct_has_a_threshold(self) -> SftConfig:
        if self.choose == "correct" and self.threshold is None:
            raise ValueError("choose='correct' without a threshold: say above which reward a picture is correct")
        return self


@dataclass(frozen=True, kw_only=True)
class Sft:
    """The method."""

    Config: ClassVar[type[SftConfig]] = SftConfig
    needs: ClassVar[Needs] = "scored"

    config: SftConfig

    @classmethod
    def build(cls, config: SftConfig, context: MethodContext) -> Sft:
        """The recipe and the scorer are not needed: rewards come with the scored pictures."""
        del context
        return cls(config=config)

    def prepare(self, scored: Scored, *, key: Key) -> Weights:
        """Line 1. Raises UsageError when no picture is above the threshold, NumericsError for a bad reward."""
        if self.config.choose == "softmax":
            return reward_weighted(scored, temperature=self.config.temperature)
        if self.config.choose == "correct":
            assert self.config.threshold is not None  # the configuration's own rule
            return keep_correct(scored, threshold=self.config.threshold, at_most=self.config.keep, key=key)
        return best_of_n(scored, keep=self.config.keep, threshold=self.config.threshold)

    def loss(self, examples: Examples, *, context: LossContext, key: Key) -> Loss:
        """Lines 2 to 4. Weights are used as they are: `prepare` gives them mean 1 over all examples.

        Raises UsageError for examples that are not Weights, or a negative weight.
        """
        if not isinstance(examples, Weights):
            raise UsageError(f"sft was given {type(examples).__name__}: it trains on Weights, as `prepare` makes them")
        weight = examples.weight.to(examples.latents)
        if bool((weight < 0).any()):
            raise UsageError(
                f"a training weight is {weight.min().item():.4g}: must be 0 or more; to push away from pictures use "
                "'nft'"
            )
        backbone, clean = context.backbone, examples.latents
        conditioning = drop_prompts(
            examples.conditioning, probability=self.config.prompt_dropout, key=key.child("dropout")
        )
        noised = add_noise(clean, backbone=backbone, distribution=self.config.timesteps, key=key)  # line 2
        target = training_target(clean, noised.noise, alpha=noised.alpha, sigma=noised.sigma, kind=backbone.prediction)
        prediction = noised.prediction(backbone, conditioning)
        error = (prediction - target).square().flatten(1).mean(dim=1)
        loss = (weight * error).mean()  # line 3
        parts = {"denoising": error.detach().mean().item()}
        if self.config.reference_coefficient:
            with torch.no_grad():
                expected = noised.prediction(backbone, conditioning, parameters=context.reference)
            drift = (prediction - expected).square().mean()
            loss = loss + self.config.reference_coefficient * drift  # line 4
            parts["kl"] = drift.item()
        return Loss(value=loss, parts=parts)


def drop_prompts(conditioning: Conditioning, *, probability: float, key: Key) -> Conditioning:
    """The same rows, each with this probability under its negative text. Raises UsageError if there is none to use."""
    if probability == 0:
        return conditioning
    if not conditioning.negative:
        raise UsageError(
            f"prompt_dropout={probability} with a conditioning that has no negative half: encode the prompts with "
            "their negative text, or set prompt_dropout to 0"
        )
    dropped = key.uniform((len(conditioning),)) < probability

    def chosen(name: str, value: torch.Tensor) -> torch.Tensor:
        mask = dropped.to(value.device).view(-1, *(1 for _ in value.shape[1:]))
        return torch.where(mask, conditioning.negative[name], value)

    return Conditioning(
        positive={name: chosen(name, value) for name, value in conditioning.positive.items()},
        negative=conditioning.negative,
    )
