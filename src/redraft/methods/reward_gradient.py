"""What the methods that follow a reward's gradient share: pictures and rewards with a graph, distance to the reference.

Not a method and not a sampler: which steps of the sampler keep a graph is what tells the methods apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.utils.checkpoint import checkpoint

from redraft.core.errors import UsageError
from redraft.core.protocols import Backbone, Scorer
from redraft.core.records import Prompt, Recipe
from redraft.core.tensors import Conditioning, Parameters
from redraft.diffusion.sample import Differentiable, denoise
from redraft.methods.advantages import require_finite_reward


def require_differentiable(reward: Scorer | None, *, method: str) -> Scorer:
    """The reward. Raises UsageError when there is none, or it gives no gradient."""
    if reward is None or not reward.differentiable:
        name = "none is given" if reward is None else f"{reward.name!r} gives no gradient"
        raise UsageError(
            f"{method} needs a differentiable reward, but {name}: choose a scorer with pixel gradients (such as 'clip' "
            "or 'heads'), or a method for any reward (such as 'nft')"
        )
    return reward


def recomputed(
    function: Callable[[torch.Tensor], torch.Tensor], value: torch.Tensor, *, checkpointing: bool
) -> torch.Tensor:
    """function(value); with checkpointing its activations are not kept but computed again in the backward pass."""
    if not checkpointing:
        return function(value)
    result: torch.Tensor = checkpoint(function, value, use_reentrant=False)
    return result


def pictures_of(latents: torch.Tensor, *, backbone: Backbone, checkpointing: bool) -> torch.Tensor:
    """Pixels B,3,H,W in 0..1 of clean latents B,C,H,W, with a graph."""
    return recomputed(lambda clean: backbone.decode(clean).pixels, latents, checkpointing=checkpointing)


def reward_of(pixels: torch.Tensor, prompts: Sequence[Prompt], *, reward: Scorer, checkpointing: bool) -> torch.Tensor:
    """The reward of each picture, B, with a graph. Raises NumericsError, naming the picture, for one not finite."""
    values = recomputed(lambda shown: reward.score_pixels(shown, prompts), pixels, checkpointing=checkpointing)
    require_finite_reward(values.detach())
    return values


@dataclass(frozen=True, kw_only=True)
class DifferentiatedStep:
    """A network call with a graph: what went in and came out, B,C,H,W, and its index in the recipe."""

    latents: torch.Tensor
    prediction: torch.Tensor
    conditioning: Conditioning
    index: int

    def squared_drift(
        self, backbone: Backbone, *, recipe: Recipe, reference: Parameters, checkpointing: bool
    ) -> torch.Tensor:
        """Mean over C,H,W of the squared distance to the reference's prediction at the same latents, B (DRaFT+)."""

        def ask(latents: torch.Tensor) -> torch.Tensor:
            return denoise(
                backbone, latents, self.conditioning, recipe=recipe, index=self.index, parameters=reference
            ).prediction

        # Beyond the first differentiated step the latents depend on the weights. Then the reference's answer does as
        # well, and leaving that out would pull the weights towards latents that the network answers flatly.
        with torch.set_grad_enabled(self.latents.requires_grad):
            expected = recomputed(ask, self.latents, checkpointing=checkpointing)
        return (self.prediction - expected).square().flatten(1).mean(dim=1)


def steps_of(painted: Differentiable, conditioning: Conditioning, *, recipe: Recipe) -> list[DifferentiatedStep]:
    """The differentiated steps of a trajectory: the last ones of the recipe."""
    first = recipe.steps - len(painted.predictions)
    return [
        DifferentiatedStep(latents=step.latents, prediction=step.prediction, conditioning=conditioning, index=index)
        for index, step in enumerate(painted.predictions, start=first)
    ]


def mean_drift(
    steps: Sequence[DifferentiatedStep],
    backbone: Backbone,
    *,
    recipe: Recipe,
    reference: Parameters,
    checkpointing: bool,
) -> torch.Tensor:
    """Mean over all steps and pictures of `squared_drift`: the KL term of DRaFT+."""
    drifts = [
        step.squared_drift(backbone, recipe=recipe, reference=reference, checkpointing=checkpointing) for step in steps
    ]
    return torch.cat(drifts).mean()
