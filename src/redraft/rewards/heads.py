"""Heads on CLIP image features as a scorer: `aesthetic`, and `safety`, the probability that a picture is safe.

Confidence needs "unsafe", which is 1 - safety: a scorer's heads are all "higher is better". No fitting here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.errors import UsageError, unknown_name
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards.clip_tower import ClipTower, open_tower
from redraft.rewards.feature_heads import FeatureHeads, head_inputs, input_width, load_feature_heads
from redraft.rewards.fingerprints import fingerprint_of, hash_tensors
from redraft.rewards.head_files import HeadCard, Inputs, read_head_files, write_head_files
from redraft.rewards.pixels import check_pictures
from redraft.rewards.scorer_folders import named_folder

WEIGHTS = "heads.safetensors"
CARD = "heads.json"
SAFETY = "safety"


class HeadsConfig(Config):
    """Options of the scorer `heads`."""

    name: str = Field(default="heads", min_length=1, description="name of the scorer")
    main: str | None = Field(default=None, description="head put first: the reward; None: the first of the file")
    batch: int = Field(default=64, ge=1, description="pictures at once")


class HeadsScorer:
    """Heads of one FeatureHeads on a CLIP. Differentiable in its first head.

    score uses the reference preprocessing; score_pixels the differentiable one, whose input differs by at most
    pixels.PIXEL_BOUND.
    """

    Config: ClassVar[type[BaseModel]] = HeadsConfig
    differentiable = True

    def __init__(
        self, tower: ClipTower, module: FeatureHeads, *, name: str, inputs: Inputs = "image", main: str | None = None
    ) -> None:
        if module.width != input_width(tower.dimension, inputs=inputs):
            raise UsageError(
                f"heads that read {module.width} numbers on a CLIP that gives {tower.dimension} ({inputs}): use the "
                "CLIP that they were fitted with"
            )
        names = module.names
        if main is not None and main not in names:
            raise unknown_name("head", main, names)
        self._order = [names.index(main)] if main is not None else []
        self._order += [index for index in range(len(names)) if index not in self._order]
        self.tower, self.module, self.inputs, self.name = tower, module.to(tower.device), inputs, name
        self.heads = tuple(names[index] for index in self._order)
        kinds = [(entry.name, entry.output) for entry in module.entries]
        self.fingerprint = fingerprint_of("heads", tower.fingerprint, hash_tensors(module.state_dict()), kinds, inputs)

    @classmethod
    def build(cls, config: HeadsConfig, context: ModelContext) -> HeadsScorer:
        """Open the CLIPModel folder `context.folder` and the heads beside it; errors of both readers.

        Raises UsageError when the heads were fitted on another CLIP.
        """
        folder = named_folder(context.folder, scorer=config.name, holds="the CLIPModel and its heads")
        tower = open_tower(folder, device=context.device, dtype=context.dtype, batch=config.batch)
        module, _ = read_heads(folder, tower=tower)
        return cls(tower, module, name=config.name, main=config.main)

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """All heads. Raises UsageError for wrong pictures, NumericsError for NaN in them."""
        check_pictures(images.pixels, prompts, scorer=self.name)
        with torch.no_grad():
            features = self.tower.image_features(images.pixels)
            values = self.module.predict(self._inputs(features, prompts))[:, self._order].float()
        return Scores(
            values=values,
            names=self.heads,
            fingerprints=(self.fingerprint,) * len(self.heads),
            mask=torch.ones_like(values, dtype=torch.bool),
        ).require_finite()

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        """The first head, B, differentiable in pixels B,3,H,W in 0..1; errors as `score`."""
        check_pictures(pixels, prompts, scorer=self.name)
        features = self.tower.image_features_differentiable(pixels)
        return self.module.predict(self._inputs(features, prompts))[:, self._order[0]]

    def unsafe_probability(self, images: Images) -> torch.Tensor:
        """B: 1 - safety, the unsafe probability of the confidence rule. Raises UsageError without such a head."""
        if SAFETY not in self.heads or self.inputs != "image":
            raise UsageError(
                f"scorer {self.name!r} has the heads {', '.join(self.heads)}: without 'safety' nothing is unsafe"
            )
        nobody = [Prompt(text="")] * len(images)
        return 1 - self.score(images, nobody).head(SAFETY)

    def image_features(self, images: Images) -> torch.Tensor:
        """B,D float32 of length 1, of the CLIP beneath."""
        check_pictures(images.pixels, [Prompt(text="")] * len(images), scorer=self.name)
        return self.tower.image_features(images.pixels)

    def _inputs(self, image: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        text = None if self.inputs == "image" or not prompts else self.tower.text_features(prompts)
        return head_inputs(image, text, inputs=self.inputs)


def write_heads(
    folder: Path,
    module: FeatureHeads,
    *,
    tower: ClipTower,
    metrics: Mapping[str, float],
    data_hash: str = "",
    seed: int = 0,
) -> None:
    """Write heads.safetensors and heads.json into a CLIP folder; errors as `write_head_files` raises them."""
    card = HeadCard(
        clip=tower.identity,
        heads=module.entries,
        hidden=module.hidden,
        metrics=dict(metrics),
        data_hash=data_hash,
        seed=seed,
    )
    write_head_files(module.state_dict(), card, weights_path=folder / WEIGHTS, card_path=folder / CARD)


def read_heads(folder: Path, *, tower: ClipTower) -> tuple[FeatureHeads, HeadCard]:
    """The heads of a CLIP folder and their card. Raises as `read_head_files`; UsageError for heads of another CLIP."""
    tensors, card = read_head_files(weights_path=folder / WEIGHTS, card_path=folder / CARD)
    require_parent(card, tower=tower, source=CARD)
    if card.inputs != "image" or card.tune_layers:
        raise UsageError(
            f"{CARD} describes heads on {card.inputs} with tuned layers {card.tune_layers}: open its folder as a "
            "fitted reward"
        )
    width = input_width(tower.dimension, inputs=card.inputs)
    return load_feature_heads(tensors, card.heads, width=width, hidden=card.hidden, source=WEIGHTS), card


def require_parent(card: HeadCard, *, tower: ClipTower, source: str) -> None:
    """Raise UsageError unless the heads of `card` were fitted on the features of this CLIP."""
    if card.clip != tower.identity:
        raise UsageError(
            f"{source} was fitted on the CLIP {card.clip}, this one is {tower.identity}: heads read the features of "
            "their own CLIP only; give that folder (as `clip` in the table of a fitted reward), or fit the heads again"
        )
