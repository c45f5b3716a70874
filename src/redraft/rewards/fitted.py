"""A reward fitted to ratings, as a scorer that can be saved and opened again. The fitting itself is in `fit`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.errors import DamagedError, UsageError
from redraft.core.protocols import ModelContext
from redraft.rewards.clip_tower import ClipTower, open_tower
from redraft.rewards.feature_heads import FeatureHeads, input_width, load_feature_heads
from redraft.rewards.head_files import HeadCard, read_head_files, write_head_files
from redraft.rewards.heads import HeadsScorer, require_parent
from redraft.rewards.scorer_folders import builtin_clip, found_place, named_folder

WEIGHTS = "head.safetensors"
CARD = "card.json"
_HEADS, _CLIP = "heads.", "clip."


class FittedRewardConfig(Config):
    """Options of the scorer `fitted`."""

    clip: str = Field(default="", description="folder of the CLIPModel; empty: the one of the card")
    name: str = Field(default="fitted", min_length=1, description="name of the scorer")
    main: str | None = Field(default=None, description="head put first: the reward; None: the first of the file")
    batch: int = Field(default=64, ge=1, description="pictures at once")


class FittedRewardScorer(HeadsScorer):
    """Heads fitted to ratings, on a CLIP some of whose last image layers may have been trained with them.

    Differentiable in its first head. `card` tells its parent CLIP, metrics on held-out ratings and data hash.
    """

    Config: ClassVar[type[BaseModel]] = FittedRewardConfig

    def __init__(
        self,
        parent: ClipTower,
        module: FeatureHeads,
        *,
        card: HeadCard,
        tuned: Mapping[str, torch.Tensor],
        name: str = "fitted",
        main: str | None = None,
    ) -> None:
        """parent: the CLIP as it was before fitting. tuned: new values of some of its weights; empty for none."""
        require_parent(card, tower=parent, source=CARD)
        super().__init__(parent.replaced(tuned) if tuned else parent, module, name=name, inputs=card.inputs, main=main)
        self.card, self._tuned = card, dict(tuned)

    @classmethod
    def build(cls, config: FittedRewardConfig, context: ModelContext) -> FittedRewardScorer:  # type: ignore[override]
        """Open the folder `context.folder` on its CLIP; errors as `open_fitted` and `open_tower` raise them."""
        folder = named_folder(context.folder, scorer=config.name, holds="the fitted reward", is_a_name=True)
        _, card = _read(folder)
        place = config.clip or found_place(card.clip_folder, folder=folder) or builtin_clip()
        parent = open_tower(place, device=context.device, dtype=context.dtype, batch=config.batch)
        return open_fitted(folder, parent, name=config.name, main=config.main)

    def save(self, folder: Path) -> None:
        """Write head.safetensors and card.json, each whole or not at all. Raises StorageError."""
        tensors = {_HEADS + name: value for name, value in self.module.state_dict().items()}
        tensors |= {_CLIP + name: value for name, value in self._tuned.items()}
        self.card = write_head_files(tensors, self.card, weights_path=folder / WEIGHTS, card_path=folder / CARD)


def open_fitted(
    folder: Path, parent: ClipTower, *, name: str = "fitted", main: str | None = None
) -> FittedRewardScorer:
    """Open what `save` wrote.

    Raises UsageError when files are missing or the reward was fitted on another CLIP than `parent`, DamagedError when
    files cannot be read or do not belong together, NumericsError for NaN or infinity.
    """
    tensors, card = _read(folder)
    require_parent(card, tower=parent, source=CARD)
    heads = {key.removeprefix(_HEADS): value for key, value in tensors.items() if key.startswith(_HEADS)}
    tuned = {key.removeprefix(_CLIP): value for key, value in tensors.items() if key.startswith(_CLIP)}
    if len(heads) + len(tuned) != len(tensors) or bool(tuned) != bool(card.tune_layers):
        raise DamagedError(
            f"{WEIGHTS} holds other weights than its card tells: the files are of two fits; fit it again"
        )
    width = input_width(parent.dimension, inputs=card.inputs)
    module = load_feature_heads(heads, card.heads, width=width, hidden=card.hidden, source=WEIGHTS)
    return FittedRewardScorer(parent, module, card=card, tuned=tuned, name=name, main=main)


def _read(folder: Path) -> tuple[dict[str, torch.Tensor], HeadCard]:
    if not folder.is_dir():
        raise UsageError(
            f"fitted reward {str(folder)!r} is no folder: give one with {CARD} and {WEIGHTS}, or fit a reward"
        )
    return read_head_files(weights_path=folder / WEIGHTS, card_path=folder / CARD)
