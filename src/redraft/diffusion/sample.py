"""Sampling: from noise to clean latents, with or without a log of the transitions, and differentiably.

Not a scheduler and not a loop over batches: one call is one batch, and what a picture gets depends on its key and
index alone, so that the split into batches changes nothing. Latents stay in float32 (float64 for a float64 recipe);
only the network runs in the recipe's dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch.utils.checkpoint import checkpoint

from redraft.core.errors import ConfigError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import Backbone
from redraft.core.records import NoiseLevel, Recipe
from redraft.core.tensors import Conditioning, LoggedRollout, Parameters, Rollout
from redraft.diffusion.guidance import guided_prediction
from redraft.diffusion.kernels import Step, log_probability
from redraft.diffusion.kernels import step as kernel_step
from redraft.diffusion.parameterize import split_prediction

ParametersAt = Callable[[int], Parameters | None]
"""Weights for the step with this index (0 is the noisiest); None means the backbone's own. For the LoRA start step."""
OnStep = Callable[[int, torch.Tensor], None]
"""Told after each step: its index and the latents B,C,H,W it led to."""


class PredictedStep(NamedTuple):
    """A differentiated step: latents B,C,H,W that went in (in the graph), their level, the guided prediction."""

    latents: torch.Tensor
    level: NoiseLevel
    prediction: torch.Tensor


@dataclass(frozen=True, kw_only=True)
class Differentiable:
    """Clean latents B,C,H,W with a graph through the last steps, and what the network answered in those steps."""

    latents: torch.Tensor
    predictions: tuple[PredictedStep, ...]


@dataclass(frozen=True, kw_only=True)
class Denoised:
    """One network call at one level of a recipe: the guided prediction and the law of the next state."""

    prediction: torch.Tensor
    step: Step


def initial_noise(key: Key, *, indices: Sequence[int], shape: Sequence[int]) -> torch.Tensor:
    """The noise that pictures `indices` start from: B,*shape, standard normal, float32 on the CPU."""
    return key.child("initial").normal_each(indices, shape)


def step_noise(key: Key, index: int, *, indices: Sequence[int], shape: Sequence[int]) -> torch.Tensor:
    """The noise that a stochastic step with this index draws for pictures `indices`: as `initial_noise`."""
    return key.child("step", index).normal_each(indices, shape)


def denoise(
    backbone: Backbone,
    latents: torch.Tensor,
    conditioning: Conditioning,
    *,
    recipe: Recipe,
    index: int,
    parameters: Parameters | None = None,
) -> Denoised:
    """Take latents B,C,H,W at `recipe.levels[index]` to the law of the state at the next level.

    For the last index the mean is x0_hat. Every sampler and `replay` go through here.
    """
    level, next_level = recipe.levels[index], recipe.levels[index + 1]
    prediction = guided_prediction(
        backbone,
        latents.to(getattr(torch, recipe.dtype)),
        timestep=level.timestep,
        conditioning=conditioning,
        scale=recipe.guidance_scale,
        parameters=parameters,
    ).to(latents.dtype)
    x0_hat, noise_hat = split_prediction(
        prediction, latents, alpha=level.alpha, sigma=level.sigma, kind=backbone.prediction
    )
    return Denoised(
        prediction=prediction,
        step=kernel_step(
            latents, x0_hat, noise_hat, level=level, next_level=next_level, kernel=recipe.kernel_at(index)
        ),
    )


def sample(
    backbone: Backbone,
    conditioning: Conditioning,
    *,
    recipe: Recipe,
    key: Key,
    indices: Sequence[int] | None = None,
    parameters: Parameters | None = None,
    parameters_at: ParametersAt | None = None,
    on_step: OnStep | None = None,
) -> Rollout:
    """Clean latents for each row of the conditioning, without gradient.

    indices: the number of each picture under `key` (range(B) if None). parameters: weights for all steps;
    parameters_at: weights by step (not both). Raises ConfigError when the recipe's levels do not fit the model,
    UsageError for a wrong number of indices or both kinds of parameters.
    """
    weights = _weights(parameters, parameters_at)
    draw = _Draw(backbone, conditioning, recipe=recipe, key=key, indices=indices)
    # no_grad, not inference_mode: a tensor that a network caches during a rollout must serve its next training step.
    with torch.no_grad():
        latents = draw.start()
        for index in range(recipe.steps):
            law = denoise(backbone, latents, conditioning, recipe=recipe, index=index, parameters=weights(index)).step
            latents = draw.next(law, index)
            if on_step is not None:
                on_step(index, latents)
    return Rollout(latents=latents, recipe=recipe)


def sample_logged(
    backbone: Backbone,
    conditioning: Conditioning,
    *,
    recipe: Recipe,
    key: Key,
    indices: Sequence[int] | None = None,
    parameters: Parameters | None = None,
    parameters_at: ParametersAt | None = None,
    on_step: OnStep | None = None,
) -> LoggedRollout:
    """`sample`, and every transition that drew noise with its log-probability; the step to sigma 0 is none of them.

    The latents are those that `sample` gives. Raises what `sample` does, and UsageError for a recipe without any
    transition: a deterministic kernel, or one step only.
    """
    if not recipe.kernel.stochastic or recipe.steps < 2:
        raise UsageError(
            f"a logged rollout with kernel {recipe.kernel.name!r} in {recipe.steps} steps: there is no transition with "
            "a density; use a stochastic kernel (ddim_eta, coefficients_preserving, few_step, flow_sde) and 2 steps or "
            "more"
        )
    weights = _weights(parameters, parameters_at)
    draw = _Draw(backbone, conditioning, recipe=recipe, key=key, indices=indices)
    before, after, logged, steps = [], [], [], []
    with torch.no_grad():
        latents = draw.start()
        for index in range(recipe.steps):
            law = denoise(backbone, latents, conditioning, recipe=recipe, index=index, parameters=weights(index)).step
            reached = draw.next(law, index)
            if law.std > 0:
                before.append(latents)
                after.append(reached)
                logged.append(log_probability(reached, mean=law.mean, std=law.std))
                steps.append(index)
            latents = reached
            if on_step is not None:
                on_step(index, latents)
    return LoggedRollout(
        latents=latents,
        before=torch.stack(before),
        after=torch.stack(after),
        log_probabilities=torch.stack(logged),
        steps=tuple(steps),
        recipe=recipe,
    )


def replay(
    backbone: Backbone,
    rollout: LoggedRollout,
    conditioning: Conditioning,
    *,
    parameters: Parameters | None = None,
    parameters_at: ParametersAt | None = None,
) -> torch.Tensor:
    """Log-probabilities T,B of a rollout's transitions under the present weights; differentiable in them.

    With unchanged weights, batch and device they equal the logged ones bit for bit, hence a ratio of exactly 1. To
    bound memory, replay a rollout with some of its T only (before, after, log_probabilities, steps), not some of B.
    Raises UsageError for both kinds of parameters.
    """
    weights = _weights(parameters, parameters_at)
    replayed = []
    for transition, index in enumerate(rollout.steps):
        law = denoise(
            backbone,
            rollout.before[transition],
            conditioning,
            recipe=rollout.recipe,
            index=index,
            parameters=weights(index),
        ).step
        replayed.append(log_probability(rollout.after[transition], mean=law.mean, std=law.std))
    return torch.stack(replayed)


def sample_differentiable(
    backbone: Backbone,
    conditioning: Conditioning,
    *,
    recipe: Recipe,
    key: Key,
    last: int,
    checkpointing: bool,
    indices: Sequence[int] | None = None,
) -> Differentiable:
    """Clean latents with a graph through the last `last` steps: DRaFT-K (2309.17400); last = recipe.steps is DRaFT.

    Values are those of `sample`. Earlier steps keep no graph, so memory does not grow with the number of steps.
    checkpointing: keep the latents of each differentiated step only, and run its network again in the backward pass.
    Raises what `sample` does, and UsageError unless last is within 1..recipe.steps.
    """
    if not 1 <= last <= recipe.steps:
        raise UsageError(f"last={last}: must be within 1..{recipe.steps}, the steps of the recipe; choose K in there")
    draw = _Draw(backbone, conditioning, recipe=recipe, key=key, indices=indices)
    first = recipe.steps - last
    with torch.no_grad():
        latents = draw.start()
        for index in range(first):
            latents = draw.next(denoise(backbone, latents, conditioning, recipe=recipe, index=index).step, index)

    def run(latents: torch.Tensor, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        done = denoise(backbone, latents, conditioning, recipe=recipe, index=index)
        return draw.next(done.step, index), done.prediction

    predictions = []
    for index in range(first, recipe.steps):
        reached, prediction = (
            checkpoint(run, latents, index, use_reentrant=False) if checkpointing else run(latents, index)
        )
        predictions.append(PredictedStep(latents, recipe.levels[index], prediction))
        latents = reached
    return Differentiable(latents=latents, predictions=tuple(predictions))


class _Draw:
    """The noise of one batch: each picture's own draws, by key, index and step."""

    def __init__(
        self,
        backbone: Backbone,
        conditioning: Conditioning,
        *,
        recipe: Recipe,
        key: Key,
        indices: Sequence[int] | None,
    ) -> None:
        require_fit(backbone, recipe)
        self._indices = range(len(conditioning)) if indices is None else indices
        if len(self._indices) != len(conditioning):
            raise UsageError(
                f"{len(self._indices)} indices for {len(conditioning)} encoded prompts: each picture needs its own "
                "index; give one for each row of the conditioning"
            )
        self._key, self._shape = key, backbone.latent_shape
        self._dtype = torch.float64 if recipe.dtype == "float64" else torch.float32
        self._device = next(iter(conditioning.positive.values())).device

    def start(self) -> torch.Tensor:
        return initial_noise(self._key, indices=self._indices, shape=self._shape).to(self._device, self._dtype)

    def next(self, law: Step, index: int) -> torch.Tensor:
        if law.std == 0:
            return law.mean
        noise = step_noise(self._key, index, indices=self._indices, shape=self._shape)
        return law.mean + law.std * noise.to(law.mean.device, law.mean.dtype)


def _weights(parameters: Parameters | None, parameters_at: ParametersAt | None) -> ParametersAt:
    if parameters is not None and parameters_at is not None:
        raise UsageError("both parameters and parameters_at were given: use one, for all steps or by step")
    return (lambda _: parameters) if parameters_at is None else parameters_at


def require_fit(backbone: Backbone, recipe: Recipe) -> None:
    """Raise ConfigError when the recipe's levels are not those of the model's kind: flow, or variance-preserving."""
    flow = backbone.prediction == "flow"
    for level in recipe.levels:
        total = level.alpha + level.sigma if flow else level.alpha**2 + level.sigma**2
        if abs(total - 1) > 1e-6:
            raise ConfigError(
                f"a noise level with alpha {level.alpha:g} and sigma {level.sigma:g} for a model that predicts "
                f"{backbone.prediction}: flow models need alpha + sigma = 1, epsilon and v models alpha^2 + sigma^2 = "
                "1; build the recipe from the model's own levels"
            )
