"""What is measured: which models, how much of each, the reward and the prompts. Measures nothing."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from redraft.core import plugins
from redraft.core.protocols import MethodContext, ModelContext
from redraft.core.records import Prompt, Recipe
from redraft.methods.draft import DraftConfig
from redraft.models.builtin import NAMES, PREFIX
from redraft.rewards.clip_similarity import ClipSimilarityConfig, ClipSimilarityScorer
from redraft.world.draws import draw_prompts

MODELS = tuple(PREFIX + name for name in NAMES)


@dataclass(frozen=True, kw_only=True)
class Amount:
    """How much is measured. `repeats` rollouts or training steps after a warm-up; the rest are pictures and steps."""

    repeats: int
    rollout_batch: int
    draft_batch: int
    memory_batch: int
    memory_steps: tuple[int, ...]
    trl_batch: int
    trl_steps: int
    scorer_batch: int
    scorer_layers: int
    import_rows: int
    answers: int
    senders: int
    kills: int
    feedback_rows: tuple[int, ...]
    gallery_pages: int
    served_pictures: int
    served_rounds: int


FULL = Amount(
    repeats=7,
    rollout_batch=64,
    draft_batch=16,
    memory_batch=64,
    memory_steps=(10, 20, 50),
    trl_batch=4,
    trl_steps=20,
    scorer_batch=8,
    scorer_layers=12,
    import_rows=1_000_000,
    answers=20_000,
    senders=64,
    kills=50,
    feedback_rows=(10_000, 5_000_000),
    gallery_pages=1_000,
    served_pictures=512,
    served_rounds=5,
)
QUICK = Amount(
    repeats=1,
    rollout_batch=4,
    draft_batch=2,
    memory_batch=4,
    memory_steps=(2, 4),
    trl_batch=2,
    trl_steps=4,
    scorer_batch=2,
    scorer_layers=1,
    import_rows=2_000,
    answers=200,
    senders=8,
    kills=2,
    feedback_rows=(100, 1_000),
    gallery_pages=10,
    served_pictures=8,
    served_rounds=1,
)


def prompts(count: int) -> tuple[Prompt, ...]:
    """The same `count` prompts of the picture world in every run."""
    return draw_prompts(np.random.default_rng(0), count)


def clip_reward() -> ClipSimilarityScorer:
    """The reward of the DRaFT benchmarks: similarity by the packaged tiny CLIP, which gives gradients."""
    folder = Path(str(files("redraft"))) / "builtin" / "clip"
    return ClipSimilarityScorer.build(ClipSimilarityConfig(), ModelContext(folder=str(folder)))


def draft(config: DraftConfig, *, recipe: Recipe, reward: Any) -> Any:
    """The method `draft` (a Method), built as its plug-in is; `reward` is a differentiable Scorer."""
    return plugins.load("method", "draft").build(config, MethodContext(recipe=recipe, reward=reward))
