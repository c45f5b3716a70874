"""Painting with a method at inference: from its name to the method, batch by batch. Not the methods themselves.

What self-critique is told here: confidence is the least head of the reward, and a term that failed becomes words
(`prompts.rewriting`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from redraft.core.config import Config, build
from redraft.core.errors import unknown_name
from redraft.core.keys import Key
from redraft.core.protocols import Scorer
from redraft.core.records import Prompt, Recipe
from redraft.core.tensors import PromptBatch
from redraft.loop.painting import OnBatch, Painted
from redraft.methods.best_of_n import BestOfN, BestOfNConfig
from redraft.methods.inference import Enhanced, Enhancer
from redraft.methods.noise_search import NoiseSearch, NoiseSearchConfig
from redraft.methods.reward_guidance import RewardGuidance, RewardGuidanceConfig
from redraft.methods.self_critique import SelfCritique, SelfCritiqueConfig
from redraft.prompts.rewriting import rewritten

if TYPE_CHECKING:
    from redraft.models.backbone import PipelineBackbone

CONFIGS: Mapping[str, type[Config]] = {
    "best_of_n": BestOfNConfig,
    "noise_search": NoiseSearchConfig,
    "reward_guidance": RewardGuidanceConfig,
    "self_critique": SelfCritiqueConfig,
}
"""The methods by name, with their options."""
# A graph of every step is kept, or of one step and the decoder: far fewer pictures at once than without.
_BATCH_WITH_GRADIENT = 16


@dataclass(frozen=True, kw_only=True)
class EnhancedPictures:
    """Pictures with, row by row, their scores before and after and what they cost (see `methods.inference.Enhanced`).

    plain_calls: network calls of a plain picture.
    """

    painted: Painted
    before: torch.Tensor
    after: torch.Tensor
    network_calls: torch.Tensor
    backward_calls: torch.Tensor
    plain_calls: int


def require_known(name: str) -> None:
    """Raise UnknownNameError, with the nearest names, unless there is a method of this name."""
    if name not in CONFIGS:
        raise unknown_name("enhancement", name, CONFIGS)


def enhancer(name: str, *, reward: Scorer, options: Mapping[str, Any], source: str) -> Enhancer:
    """The method `name` with its options. Raises UnknownNameError, ConfigError naming `source`, and UsageError for a
    reward without gradient where one is followed.
    """
    require_known(name)
    config: Any = build(CONFIGS[name], options, source=source)
    if name == "best_of_n":
        return BestOfN(config=config, reward=reward)
    if name == "noise_search":
        return NoiseSearch(config=config, reward=reward)
    if name == "reward_guidance":
        return RewardGuidance(config=config, reward=reward)
    return SelfCritique(config=config, judge=reward.score, rewrite=rewritten)


def paint_enhanced(
    backbone: PipelineBackbone,
    prompts: Sequence[Prompt],
    *,
    method: Enhancer,
    recipe: Recipe,
    key: Key,
    batch: int,
    on_batch: OnBatch | None = None,
) -> EnhancedPictures:
    """One picture for each prompt, as `painting.paint`, made better by the method. Raises what the method does.

    Methods without gradients paint with merged weights, so their plain pictures are those of `paint`.
    """
    gradient = isinstance(method, NoiseSearch | RewardGuidance)
    size = min(batch, _BATCH_WITH_GRADIENT) if gradient else batch
    conditioning = backbone.encode(prompts)
    parts = []
    with nullcontext() if gradient else backbone.merged():
        for start in range(0, len(prompts), size):
            rows = list(range(start, min(start + size, len(prompts))))
            some = PromptBatch(prompts=tuple(prompts[start : start + size]), conditioning=conditioning.take(rows))
            parts.append(method.enhance(backbone, some, recipe=recipe, key=key, indices=rows))
            if on_batch is not None:
                on_batch(rows[-1] + 1, len(prompts))
    return _joined(parts, prompts, recipe=recipe)


def _joined(parts: Sequence[Enhanced], prompts: Sequence[Prompt], *, recipe: Recipe) -> EnhancedPictures:
    pixels = torch.cat([(part.images.pixels * 255).round().to(torch.uint8).cpu() for part in parts])
    return EnhancedPictures(
        painted=Painted(
            prompts=tuple(prompts), latents=torch.cat([part.latents.cpu() for part in parts]), pixels=pixels
        ),
        before=torch.cat([part.before.cpu() for part in parts]),
        after=torch.cat([part.after.cpu() for part in parts]),
        network_calls=torch.cat([part.network_calls.cpu() for part in parts]),
        backward_calls=torch.cat([part.backward_calls.cpu() for part in parts]),
        plain_calls=recipe.steps,
    )
