"""Self-critique at inference: a second pass for pictures that the model's own confidence is not sure of.

    1  x = sample(c);  s = confidence(decode(x), c)
    2  where s < threshold: c' = rewrite(c, the terms that failed), more guidance if asked
    3          for j = 1 .. attempts: x_j = sample(c', other noise);  s_j = confidence(decode(x_j), c)
    4  return the picture of greatest s; the first pass unless another is better

Any judgement and any rewriting: the caller hands both in. Confidence is the least of its terms (each "higher is
better", on one scale), as in the rule for asking people; a term that is missing counts as 0. Line 3 always judges by
the prompt that was asked for, never by the rewritten one: a picture of another text is no better picture of this one.
Nothing learns here, and whether to ask a person afterwards is decided elsewhere, by the s that is returned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from pydantic import Field, model_validator

from redraft.core.config import Config
from redraft.core.keys import Key
from redraft.core.protocols import Backbone
from redraft.core.records import Prompt, Recipe
from redraft.core.tensors import Conditioning, Images, PromptBatch, Scores
from redraft.diffusion.sample import sample
from redraft.methods.inference import Enhanced, Judged, picture_numbers

Judgement = Callable[[Images, Sequence[Prompt]], Scores]
"""The terms of the confidence in each picture, one head a term."""
Rewrite = Callable[[Prompt, tuple[str, ...]], Prompt]
"""A changed prompt, given the one that was asked for and the names of the terms below the threshold, worst first."""


class SelfCritiqueConfig(Config):
    """Options of `self_critique`."""

    threshold: float = Field(default=0.5, description="confidence below which there is a second pass; in its units")
    attempts: int = Field(default=3, ge=1, description="pictures of a second pass")
    rewrite: bool = Field(default=True, description="change the prompt of the second pass by the terms that failed")
    new_noise: bool = Field(default=True, description="other noise in the second pass")
    guidance_factor: float = Field(
        default=1.5, ge=0, description="guidance of the second pass: what exceeds 1 is multiplied by this"
    )

    @model_validator(mode="after")
    def _passes_differ(self) -> SelfCritiqueConfig:
        if not self.new_noise and self.attempts > 1:
            raise ValueError(
                f"attempts={self.attempts} with new_noise=False: they would all be the same picture; set attempts to 1"
            )
        if not self.new_noise and not self.rewrite and self.guidance_factor == 1:
            raise ValueError(
                "rewrite=False, new_noise=False and guidance_factor=1: the second pass would repeat the first; allow "
                "one of them"
            )
        return self


@dataclass(frozen=True, kw_only=True)
class SelfCritique:
    """The method."""

    Config: ClassVar[type[SelfCritiqueConfig]] = SelfCritiqueConfig

    config: SelfCritiqueConfig
    judge: Judgement
    rewrite: Rewrite

    def enhance(
        self,
        backbone: Backbone,
        prompts: PromptBatch,
        *,
        recipe: Recipe,
        key: Key,
        indices: Sequence[int] | None = None,
    ) -> Enhanced:
        """Lines 1 to 4; `scores` are the confidences B,1 + attempts, NaN where no second pass was needed.

        Raises what `sample`, the judgement and the rewriting do, NumericsError for a term that is not finite.
        """
        numbers = picture_numbers(prompts.conditioning, indices)
        latents = sample(backbone, prompts.conditioning, recipe=recipe, key=key, indices=numbers).latents
        first, terms = self._look(backbone, latents, prompts.prompts)  # line 1
        best, attempts = first, self.config.attempts
        table = torch.full((len(prompts), 1 + attempts), torch.nan).to(first.score)
        table[:, 0] = first.score
        weak = (first.score < self.config.threshold).nonzero().flatten()
        if len(weak):
            asked = prompts.take(weak.tolist())
            failed = [self._failed(terms, int(row)) for row in weak]
            second = self._second(backbone, asked, failed=failed, recipe=recipe)
            best, tried = self._best_of_second(
                backbone, asked, first.take(weak), second=second, key=key, indices=[numbers[int(row)] for row in weak]
            )
            best = first.with_rows(weak, best)
            table[weak, 1:] = tried
        calls = torch.full((len(prompts),), recipe.steps)
        calls[weak.cpu()] += attempts * recipe.steps
        return Enhanced(
            latents=best.latents,
            images=best.images,
            scores=table,
            chosen=table.nan_to_num(nan=-torch.inf).argmax(dim=1),
            network_calls=calls,
            backward_calls=torch.zeros_like(calls),
        )

    def _look(self, backbone: Backbone, latents: torch.Tensor, prompts: Sequence[Prompt]) -> tuple[Judged, Scores]:
        """Pictures with their confidence, and its terms."""
        with torch.no_grad():
            images = backbone.decode(latents)
            terms = self.judge(images, prompts).require_finite()
        least = torch.where(terms.mask, terms.values, 0.0).min(dim=1).values
        return Judged(latents=latents, images=images, score=least.to(latents.device)), terms

    def _failed(self, terms: Scores, row: int) -> tuple[str, ...]:
        """The terms of a picture that are missing or below the threshold, worst first."""
        values = torch.where(terms.mask, terms.values, 0.0)[row].tolist()
        below = [
            (value, name) for value, name in zip(values, terms.names, strict=True) if value < self.config.threshold
        ]
        return tuple(name for _, name in sorted(below, key=lambda term: term[0]))

    def _second(
        self, backbone: Backbone, asked: PromptBatch, *, failed: Sequence[tuple[str, ...]], recipe: Recipe
    ) -> tuple[Conditioning, Recipe]:
        """Line 2: what the second pass paints, and how."""
        conditioning = asked.conditioning
        if self.config.rewrite:
            changed = [self.rewrite(prompt, names) for prompt, names in zip(asked.prompts, failed, strict=True)]
            conditioning = backbone.encode(changed)
        scale = 1 + (recipe.guidance_scale - 1) * self.config.guidance_factor
        return conditioning, replace(recipe, guidance_scale=scale)

    def _best_of_second(
        self,
        backbone: Backbone,
        asked: PromptBatch,
        first: Judged,
        *,
        second: tuple[Conditioning, Recipe],
        key: Key,
        indices: Sequence[int],
    ) -> tuple[Judged, torch.Tensor]:
        """Lines 3 and 4 for the pictures that need it, and the confidences of all attempts."""
        conditioning, recipe = second
        best, scores = first, []
        for attempt in range(1, self.config.attempts + 1):
            noise = key.child("second pass", attempt) if self.config.new_noise else key
            latents = sample(backbone, conditioning, recipe=recipe, key=noise, indices=indices).latents
            found, _ = self._look(backbone, latents, asked.prompts)
            scores.append(found.score)
            best = best.replaced(found.score > best.score, found)
        return best, torch.stack(scores, dim=1)
