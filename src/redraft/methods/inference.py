"""What the methods at inference have in common: their result, scoring of latents, steps with a gradient.

Not a method, and nothing here changes a weight: better pictures are looked for with the weights as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from redraft.core.errors import NumericsError, UsageError
from redraft.core.keys import Key
from redraft.core.protocols import Backbone, Scorer
from redraft.core.records import Prompt, Recipe
from redraft.core.tensors import Conditioning, Images, PromptBatch
from redraft.diffusion.kernels import Step
from redraft.diffusion.sample import step_noise


@dataclass(frozen=True, kw_only=True)
class Enhanced:
    """Pictures of B prompts, the best that a method found for each.

    latents B,C,H,W and images: what was chosen. scores B,N: of every picture that was made, in the order in which they
    were made, NaN where a prompt needed fewer; column 0 is the plain picture, which `diffusion.sample` gives for the
    same key. chosen B: columns. network_calls B: times that the denoiser was asked for this picture, those of the plain
    picture and those repeated by checkpointing included (a call with guidance counts once). backward_calls B: times
    that a gradient went back through it.
    """

    latents: torch.Tensor
    images: Images
    scores: torch.Tensor
    chosen: torch.Tensor
    network_calls: torch.Tensor
    backward_calls: torch.Tensor

    @property
    def before(self) -> torch.Tensor:
        """Scores of the plain pictures, B."""
        return self.scores[:, 0]

    @property
    def after(self) -> torch.Tensor:
        """Scores of the chosen pictures, B."""
        return self.scores.gather(1, self.chosen[:, None])[:, 0]


class Enhancer(Protocol):
    """What the methods at inference can do: paint prompts better than plain sampling does."""

    def enhance(
        self,
        backbone: Backbone,
        prompts: PromptBatch,
        *,
        recipe: Recipe,
        key: Key,
        indices: Sequence[int] | None = None,
    ) -> Enhanced:
        """Picture i depends on key and `indices[i]` (its row if None) alone, whatever the batch."""
        ...


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Latents B,C,H,W with their pictures and a score B each."""

    latents: torch.Tensor
    images: Images
    score: torch.Tensor

    def replaced(self, better: torch.Tensor, other: Judged) -> Judged:
        """The rows of `other` where `better` (B) is True, our own elsewhere."""
        rows = better.reshape(-1, 1, 1, 1)
        return Judged(
            latents=torch.where(rows, other.latents, self.latents),
            images=Images(pixels=torch.where(rows, other.images.pixels, self.images.pixels)),
            score=torch.where(better, other.score, self.score),
        )

    def take(self, rows: torch.Tensor) -> Judged:
        """The rows with these numbers."""
        return Judged(
            latents=self.latents[rows], images=Images(pixels=self.images.pixels[rows]), score=self.score[rows]
        )

    def with_rows(self, rows: torch.Tensor, other: Judged) -> Judged:
        """A copy with the rows of these numbers exchanged for those of `other`, in its order."""
        return Judged(
            latents=self.latents.index_copy(0, rows, other.latents),
            images=Images(pixels=self.images.pixels.index_copy(0, rows, other.images.pixels)),
            score=self.score.index_copy(0, rows, other.score),
        )


@torch.no_grad()
def judged(backbone: Backbone, latents: torch.Tensor, prompts: Sequence[Prompt], *, reward: Scorer) -> Judged:
    """Decode latents and score the pictures by the reward's first head, on the latents' device.

    Raises UsageError, naming the prompt, where the scorer has no score; NumericsError for one that is not finite.
    """
    images = backbone.decode(latents)
    scores = reward.score(images, prompts).require_finite()
    missing = (~scores.mask[:, 0]).nonzero().flatten()
    if len(missing):
        raise UsageError(
            f"scorer {reward.name!r} cannot score the prompt {prompts[int(missing[0])].text[:80]!r}: pictures without "
            "a score cannot be compared; leave the prompt out, or choose another scorer (such as 'clip')"
        )
    return Judged(latents=latents, images=images, score=scores.values[:, 0].to(latents.device))


def require_gradient(reward: Scorer, *, method: str) -> None:
    """Raise UsageError unless the reward is differentiable."""
    if not reward.differentiable:
        raise UsageError(
            f"{method} follows the gradient of a scorer, but {reward.name!r} gives none: choose a scorer with pixel "
            "gradients (such as 'clip' or 'heads'), or a method for any scorer (best_of_n, self_critique)"
        )


def picture_numbers(conditioning: Conditioning, indices: Sequence[int] | None) -> Sequence[int]:
    """The number of each picture under its key: `indices`, or 0..B-1 for None."""
    return range(len(conditioning)) if indices is None else indices


def device_of(conditioning: Conditioning) -> torch.device:
    """Where the pictures are painted: where their encoded prompts are."""
    return next(iter(conditioning.positive.values())).device


def dtype_of(recipe: Recipe) -> torch.dtype:
    """Latents are kept in float32, in float64 for a float64 recipe, as `diffusion.sample` does."""
    return torch.float64 if recipe.dtype == "float64" else torch.float32


def reached(law: Step, key: Key, index: int, *, indices: Sequence[int]) -> torch.Tensor:
    """The state B,C,H,W that step `index` leads to, with the noise that `diffusion.sample` draws for this key."""
    if law.std == 0:
        return law.mean
    noise = step_noise(key, index, indices=indices, shape=law.mean.shape[1:])
    return law.mean + law.std * noise.to(law.mean.device, law.mean.dtype)


def slope_of(score: torch.Tensor, inputs: torch.Tensor, *, reward: Scorer) -> torch.Tensor:
    """The gradient of each picture's score B in its own row of `inputs` B,C,H,W.

    Raises NumericsError, naming the picture, for one that is not finite.
    """
    (slope,) = torch.autograd.grad(score.sum(), inputs)
    bad = (~torch.isfinite(slope).flatten(1).all(dim=1)).nonzero().flatten()
    if len(bad):
        raise NumericsError(
            f"the gradient of scorer {reward.name!r} is not finite for picture {int(bad[0])}: nothing can follow it; "
            "check the scorer on that picture, or use a method without gradients (best_of_n)"
        )
    return slope


def clipped(values: torch.Tensor, *, norm: float) -> torch.Tensor:
    """Each picture's row of B,C,H,W shortened to a Euclidean norm of at most `norm`."""
    return values * (norm / lengths(values).clamp(min=norm))


def lengths(values: torch.Tensor) -> torch.Tensor:
    """The Euclidean norm of each picture's row of B,C,H,W, as B,1,1,1."""
    return values.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()
