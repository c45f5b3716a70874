"""ImageReward v1.0: BLIP reads picture and prompt together, a head gives the score (zai-org/ImageReward, 2304.05977).

The networks are built in `blip_layout`. Nothing is downloaded: the vocabulary of bert-base-uncased lies in a folder.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import BaseModel, Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.protocols import ModelContext
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Scores
from redraft.rewards.blip_layout import BlipParts, blip_from_release
from redraft.rewards.fingerprints import fingerprint_of, hash_tensors
from redraft.rewards.long_texts import FittedRows, LongTexts, averaged, fit_rows, padded
from redraft.rewards.pixels import Preprocessing, check_pictures
from redraft.rewards.released_files import find_weights, read_weights
from redraft.rewards.vocabularies import read_bert_tokenizer

MEAN, DEVIATION = 0.16717362830052426, 1.0333394966054072
"""Published mean and standard deviation of the head's output on the training set: the score is (output - MEAN) / it."""
LONGEST = 35
"""Tokens that the published model reads, start and end included."""
AGREEMENT = 0.05
"""Most that score and score_pixels differ, in units of the score, whose deviation is about 1."""
TEXTS_KEPT = 20_000


class ImageRewardConfig(Config):
    """Options of the scorer `image-reward`."""

    name: str = Field(default="image-reward", min_length=1, description="name of the scorer and of its head")
    weights: str = Field(default="", description="file name in the folder; empty: ImageReward.pt or the only one")
    vocabulary: str = Field(default="", description="folder of bert-base-uncased's tokenizer; empty: the same folder")
    long_texts: LongTexts = Field(default="truncate", description="refuse, truncate (as published) or windows")
    batch: int = Field(default=32, ge=1, description="pictures at once")


class ImageRewardScorer:
    """One head, about normally distributed with deviation 1. Differentiable.

    truncated: texts cut so far.
    """

    Config: ClassVar[type[BaseModel]] = ImageRewardConfig
    differentiable = True

    def __init__(
        self,
        parts: BlipParts,
        tokenizer: Any,
        *,
        name: str = "image-reward",
        long_texts: LongTexts = "truncate",
        batch: int = 32,
    ) -> None:
        """parts: in their final number format. Raises UsageError for a vocabulary that is larger than the model's."""
        if len(tokenizer) > parts.words:
            raise UsageError(
                f"ImageReward has {parts.words} word embeddings for a vocabulary of {len(tokenizer)}: they belong to "
                "two models; take the vocabulary of bert-base-uncased"
            )
        self.parts, self.tokenizer, self.name, self.heads = parts, tokenizer, name, (name,)
        self.long_texts: LongTexts = long_texts
        self.batch, self.truncated = batch, 0
        self.preprocessing = Preprocessing(resize=parts.image_size, crop=parts.image_size)
        self._longest = min(LONGEST, int(parts.text.config.max_position_embeddings))
        self._rows: dict[str, FittedRows] = {}
        networks = [hash_tensors(part.state_dict()) for part in (parts.vision, parts.text)]
        self.fingerprint = fingerprint_of(
            "image-reward", *networks, hash_tensors(parts.head.tensors()), sorted(tokenizer.get_vocab().items()),
            self.preprocessing, self._longest, long_texts, self.dtype,
        )  # fmt: skip

    @classmethod
    def build(cls, config: ImageRewardConfig, context: ModelContext) -> ImageRewardScorer:
        """Open the released checkpoint in `context.folder`.

        Raises UsageError when files are missing or the layout is another one (naming the missing keys); DamagedError
        and NumericsError as `read_weights`.
        """
        folder = Path(context.folder)
        weights = find_weights(context.folder, scorer="image-reward", given=config.weights)
        parts = blip_from_release(read_weights(weights), source=weights.name)
        for network in (parts.vision, parts.text):
            network.to(device=context.device, dtype=getattr(torch, context.dtype))
        tokenizer = read_bert_tokenizer(Path(config.vocabulary) if config.vocabulary else folder)
        return cls(parts, tokenizer, name=config.name, long_texts=config.long_texts, batch=config.batch)

    @property
    def dtype(self) -> torch.dtype:
        """Number format of the networks; the head always computes in float32."""
        return self.parts.vision.dtype  # type: ignore[no-any-return]

    def score(self, images: Images, prompts: Sequence[Prompt]) -> Scores:
        """One head. Raises UsageError for wrong pictures or refused texts, NumericsError for NaN in pictures."""
        check_pictures(images.pixels, prompts, scorer=self.name)
        rows = self._tokens(prompts)
        parts = [images.pixels.new_zeros(0)]
        with torch.no_grad():
            for start in range(0, len(prompts), self.batch):
                part = slice(start, start + self.batch)
                parts.append(self._value(self.preprocessing.reference(images.pixels[part]), rows[part]).to(parts[0]))
        values = torch.cat(parts).float()[:, None]
        mask = torch.ones_like(values, dtype=torch.bool)
        return Scores(values=values, names=self.heads, fingerprints=(self.fingerprint,), mask=mask).require_finite()

    def score_pixels(self, pixels: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        """The score, B, differentiable in pixels B,3,H,W in 0..1; errors as `score`."""
        check_pictures(pixels, prompts, scorer=self.name)
        return self._value(self.preprocessing.differentiable(pixels), self._tokens(prompts))

    def _value(self, inputs: torch.Tensor, rows: Sequence[FittedRows]) -> torch.Tensor:
        """Scores B of preprocessed pictures B,3,crop,crop, each with the rows of its text."""
        device = self.parts.vision.device
        states = self.parts.vision(pixel_values=inputs.to(device, self.dtype)).last_hidden_state
        picture = [index for index, fitted in enumerate(rows) for _ in fitted.rows]
        flat = [row for fitted in rows for row in fitted.rows]
        identifiers, mask = padded(flat, padding=int(self.tokenizer.pad_token_id))
        if len(flat) > len(rows):
            states = states[torch.tensor(picture, device=device)]
        output = self.parts.text(
            input_ids=identifiers.to(device),
            attention_mask=mask.to(device),
            encoder_hidden_states=states,
            encoder_attention_mask=torch.ones(states.shape[:2], dtype=torch.long, device=device),
        )
        first = output.last_hidden_state[:, 0]
        raw = self.parts.head(first if first.dtype == torch.float64 else first.float())
        return (averaged(raw, picture, count=len(rows)) - MEAN) / DEVIATION

    def _tokens(self, prompts: Sequence[Prompt]) -> list[FittedRows]:
        """The rows of each prompt; each distinct text is read, and if need be reported, once."""
        new = {prompt.text: None for prompt in prompts if prompt.text not in self._rows}
        if len(self._rows) + len(new) > TEXTS_KEPT:
            self._rows = {}
            new = {prompt.text: None for prompt in prompts}
        for text, fitted in zip(new, self._fitted(list(new)), strict=True):
            self._rows[text] = fitted
        return [self._rows[prompt.text] for prompt in prompts]

    def _fitted(self, texts: list[str]) -> list[FittedRows]:
        if not texts:
            return []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tokenizer's own warning about length: ours says what is done
            rows = self.tokenizer(texts, truncation=False, verbose=False)["input_ids"]
        fitted = fit_rows(rows, texts, longest=self._longest, policy=self.long_texts, reader="ImageReward")
        self.truncated += fitted.cut
        own: list[list[tuple[int, ...]]] = [[] for _ in texts]
        for row, text in zip(fitted.rows, fitted.text, strict=True):
            own[text].append(row)
        return [FittedRows(rows=tuple(rows), text=(0,) * len(rows)) for rows in own]
