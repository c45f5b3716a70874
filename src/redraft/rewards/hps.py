"""Human Preference Score v1, v2 and v2.1: the cosine of a CLIP fine-tuned on people's choices. Reads released files.

v1: tgxs002/align_sd (arXiv 2303.14420), on OpenAI's ViT-L/14. v2, v2.1: tgxs002/HPSv2 (2306.09341), on open_clip's
ViT-H/14 with a preprocessing of its own. Scores of different versions do not compare, nor do those of different
prompts.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import torch
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.protocols import ModelContext
from redraft.rewards.clip_similarity import ClipSimilarityScorer
from redraft.rewards.clip_tower import ClipTower
from redraft.rewards.fingerprints import fingerprint_of, hash_tensors
from redraft.rewards.long_texts import LongTexts
from redraft.rewards.open_clip_layout import LAION_H14, OPENAI_L14, Family, clip_from_open_clip
from redraft.rewards.padded_pixels import PaddedPreprocessing
from redraft.rewards.pixels import PicturePreprocessing, Preprocessing
from redraft.rewards.released_files import RELEASED, find_weights, read_weights
from redraft.rewards.vocabularies import read_clip_tokenizer

Version = Literal["v1", "v2", "v2.1"]
FAMILIES: dict[Version, Family] = {"v1": OPENAI_L14, "v2": LAION_H14, "v2.1": LAION_H14}


class HpsConfig(Config):
    """Options of the scorer `hps`."""

    name: str = Field(default="hps", min_length=1, description="name of the scorer and of its head")
    version: Version | None = Field(default=None, description="v1, v2 or v2.1; None: from the released file's name")
    weights: str = Field(default="", description="file name in the folder; empty: the released or only one")
    vocabulary: str = Field(default="", description="folder of CLIP's tokenizer; empty: the same folder")
    long_texts: LongTexts = Field(default="truncate", description="refuse, truncate (as published) or windows")
    antialias: bool = Field(default=True, description="of the resizing in v2 and v2.1: torchvision since 0.17")
    batch: int = Field(default=32, ge=1, description="pictures at once")


class HpsScorer(ClipSimilarityScorer):
    """The cosine, about 0.2..0.35 for v2 (published tables multiply it by 100). Differentiable."""

    Config: ClassVar[type[BaseModel]] = HpsConfig

    def __init__(self, tower: ClipTower, *, version: Version, name: str = "hps") -> None:
        super().__init__(tower, name=name)
        self.version = version
        self.fingerprint = fingerprint_of("hps", version, tower.fingerprint)

    @classmethod
    def build(cls, config: HpsConfig, context: ModelContext) -> HpsScorer:  # type: ignore[override]
        """Open the released checkpoint in `context.folder`.

        Raises UsageError when files are missing, the version cannot be told, the layout is another one (naming the
        missing keys) or the vocabulary is of another model; DamagedError and NumericsError as `read_weights`.
        """
        folder = Path(context.folder)
        weights = find_weights(context.folder, scorer="hps", given=config.weights)
        version = config.version or _version_of(weights)
        model = clip_from_open_clip(read_weights(weights), family=FAMILIES[version], source=weights.name)
        tokenizer = read_clip_tokenizer(Path(config.vocabulary) if config.vocabulary else folder)
        words = int(model.config.text_config.vocab_size)
        if len(tokenizer) != words:
            raise UsageError(
                f"{weights.name} has {words} token embeddings, the vocabulary {len(tokenizer)} tokens: they belong to "
                "two models; take the vocabulary of OpenAI's CLIP"
            )
        size = int(model.config.vision_config.image_size)
        preprocessing: PicturePreprocessing = PaddedPreprocessing(size=size, antialias=config.antialias)
        if version == "v1":
            preprocessing = Preprocessing(resize=size, crop=size)
        # Before the change of format, which would round both.
        identity, scale = hash_tensors(model.state_dict(), rounded=True), float(model.logit_scale.exp())
        tower = ClipTower(
            model.to(device=context.device, dtype=getattr(torch, context.dtype)),
            tokenizer,
            preprocessing=preprocessing,
            batch=config.batch,
            identity=identity,
            scale=scale,
            long_texts=config.long_texts,
        )
        return cls(tower, version=version, name=config.name)


def _version_of(weights: Path) -> Version:
    known: dict[str, Version] = {"v1": "v1", "v2": "v2", "v2.1": "v2.1"}
    version = known.get(RELEASED.get(weights.name, ("", ""))[1])
    if version is None:
        raise UsageError(
            f"{weights.name!r} is not the name of a released HPS file, so its version cannot be told: set version to "
            "'v1', 'v2' or 'v2.1' in [scorers.hps]"
        )
    return version
