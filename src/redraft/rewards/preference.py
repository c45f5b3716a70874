"""A preference model as a scorer: a CLIPModel tuned to choices, with a card. The tuning itself is in `preference_fit`.

The folder is a usual CLIPModel folder: transformers opens it, and any tool that takes a CLIP.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.errors import StorageError, UsageError
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards.clip_tower import ClipTower, open_tower
from redraft.rewards.fingerprints import fingerprint_of
from redraft.rewards.head_files import write_whole
from redraft.rewards.pixels import Preprocessing, check_pictures
from redraft.rewards.preference_card import CARD, WEIGHTS, PreferenceCard, hash_file, read_card
from redraft.rewards.preference_losses import log_probabilities
from redraft.rewards.scorer_folders import named_folder


class PreferenceConfig(Config):
    """Options of the scorer `preference`."""

    name: str = Field(default="preference", min_length=1, description="name of the scorer and of its head")
    batch: int = Field(default=64, ge=1, description="pictures at once")


class PreferenceScorer:
    """exp(logit_scale) * cosine: differences of two scores of one prompt are log-odds that people choose the first.

    Scores of unlike prompts do not compare. Differentiable as `clip` is.
    """

    Config: ClassVar[type[BaseModel]] = PreferenceConfig
    differentiable = True

    def __init__(self, tower: ClipTower, *, card: PreferenceCard, name: str = "preference") -> None:
        self.tower, self.card, self.name = tower, card, name
        self.heads = (name,)
        self.fingerprint = fingerprint_of("preference", tower.fingerprint)

    @classmethod
    def build(cls, config: PreferenceConfig, context: ModelContext) -> PreferenceScorer:
        """Open the folder `context.folder`; errors as `open_tower` and `read_card` raise them."""
        folder = named_folder(context.folder, scorer=config.name, holds="the preference model", is_a_name=True)
        card = read_card(folder)
        tower = open_tower(folder, device=context.device, dtype=context.dtype, batch=config.batch)
        return cls(tower, card=card, name=config.name)

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """One head named as the scorer. Raises UsageError for wrong pictures, NumericsError for NaN in them."""
        check_pictures(images.pixels, prompts, scorer=self.name)
        features = self.tower.image_features(images.pixels)
        values = self.tower.scale * (features * self.tower.text_features(prompts)).sum(-1, keepdim=True)
        mask = torch.ones_like(values, dtype=torch.bool)
        return Scores(values=values, names=self.heads, fingerprints=(self.fingerprint,), mask=mask).require_finite()

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        """The score, B, differentiable in pixels B,3,H,W in 0..1; errors as `score`."""
        check_pictures(pixels, prompts, scorer=self.name)
        features = self.tower.image_features_differentiable(pixels)
        return self.tower.scale * (features * self.tower.text_features(prompts).to(features.dtype)).sum(-1)

    def image_features(self, images: Images) -> torch.Tensor:
        """B,D float32 of length 1, of the tuned CLIP."""
        check_pictures(images.pixels, [Prompt(text="")] * len(images), scorer=self.name)
        return self.tower.image_features(images.pixels)

    def probabilities(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """B,3: P(first better), P(second better), P(tie) of scores B of two pictures of one prompt each."""
        return log_probabilities(first - second, ties=self.card.ties, tie=self.card.tie).exp()

    def save(self, folder: Path) -> None:
        """Write a CLIPModel folder with card.json, whole or not at all.

        Raises UsageError when `folder` exists and is not empty, StorageError when the disk refuses.
        """
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{str(folder)!r} exists: nothing was written; name a new folder")
        part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
        try:
            part.mkdir(parents=True)
            self._write(part)
            if folder.exists():
                folder.rmdir()
            part.replace(folder)
        except OSError as error:
            raise StorageError(
                f"the preference model could not be written to {str(folder)!r} ({error.strerror or error}): make room "
                "or choose another folder"
            ) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _write(self, folder: Path) -> None:
        from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
        from transformers.utils import logging

        bar = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        try:
            self.tower.model.save_pretrained(folder)
        finally:
            if bar:
                logging.enable_progress_bar()
        self.tower.tokenizer.save_pretrained(folder)
        settings = self.tower.preprocessing
        if not isinstance(settings, Preprocessing):
            raise UsageError(
                f"a CLIP fed by {type(settings).__name__} cannot be saved as a usual CLIPModel folder: tune one with "
                "CLIP's own preprocessing"
            )
        CLIPImageProcessorPil(
            size={"shortest_edge": settings.resize},
            crop_size={"height": settings.crop, "width": settings.crop},
            image_mean=list(settings.mean),
            image_std=list(settings.std),
        ).save_pretrained(folder)
        shutil.copymode(folder / "config.json", folder / WEIGHTS)  # safetensors lets nobody else read it
        self.card = self.card.model_copy(update={"sha256": hash_file(folder / WEIGHTS)})
        write_whole(folder / CARD, (self.card.model_dump_json(indent=2) + "\n").encode())
