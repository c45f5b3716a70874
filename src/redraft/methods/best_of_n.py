"""Best of n at inference: paint n pictures of each prompt, keep the one that the scorer likes best.

    1  for j = 0 .. n-1: x_j = sample(noise of candidate j), s_j = r(decode(x_j), c)
    2  return the x_j of greatest s_j                              (of equal ones the first)

Any scorer. For a Gaussian score the expected gain is that of the greatest of n normal draws, times the spread of the
score among pictures of one prompt: 0.56, 1.03, 1.42, 1.77 of it for n = 2, 4, 8, 16. Not the training on the best
(`methods.sft`), and not `methods.select.best_of_n`, which chooses among pictures that are there already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import Field

from redraft.core.config import Config
from redraft.core.keys import Key
from redraft.core.protocols import Backbone, Scorer
from redraft.core.records import Recipe
from redraft.core.tensors import PromptBatch
from redraft.diffusion.sample import sample
from redraft.methods.inference import Enhanced, Judged, judged


class BestOfNConfig(Config):
    """Options of `best_of_n`."""

    count: int = Field(default=4, ge=1, description="n: pictures of each prompt, the plain one among them")


@dataclass(frozen=True, kw_only=True)
class BestOfN:
    """The method. Its first candidate is the plain picture, so the score never falls."""

    Config: ClassVar[type[BestOfNConfig]] = BestOfNConfig

    config: BestOfNConfig
    reward: Scorer

    def enhance(
        self,
        backbone: Backbone,
        prompts: PromptBatch,
        *,
        recipe: Recipe,
        key: Key,
        indices: Sequence[int] | None = None,
    ) -> Enhanced:
        """The best of n pictures for each prompt; `scores` are B,n.

        Picture i depends on key and `indices[i]` alone. Raises what `sample` does, UsageError for a prompt that cannot
        be scored, NumericsError for a score that is not finite.
        """

        def candidate(number: int) -> Judged:
            noise = key.child("candidate", number) if number else key
            latents = sample(backbone, prompts.conditioning, recipe=recipe, key=noise, indices=indices).latents
            return judged(backbone, latents, prompts.prompts, reward=self.reward)

        best = candidate(0)
        scores = [best.score]
        for number in range(1, self.config.count):
            found = candidate(number)
            scores.append(found.score)
            best = best.replaced(found.score > best.score, found)
        table = torch.stack(scores, dim=1)
        calls = torch.full((len(prompts),), self.config.count * recipe.steps)
        return Enhanced(
            latents=best.latents,
            images=best.images,
            scores=table,
            chosen=table.argmax(dim=1),
            network_calls=calls,
            backward_calls=torch.zeros_like(calls),
        )
