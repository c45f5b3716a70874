"""What a preference fit works on: layers, answers that go together, tokens of texts, moved pictures. No loss."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as functional

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.rewards.clip_tower import ClipTower
from redraft.rewards.long_texts import fit_rows, padded
from redraft.rewards.preference_data import PreferenceData


def batches(data: PreferenceData, *, size: int, key: Key) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(pairs, points) of each step: prompts in random order, all answers of one together, cut into equal steps."""
    order = torch.empty(len(data.prompts), dtype=torch.long)
    order[key.child("order").permutation(len(data.prompts))] = torch.arange(len(data.prompts))
    place = torch.cat([order[data.pair_prompt], order[data.entry_prompt[data.points]]])
    rows = place.argsort(stable=True)
    count = len(data.pairs)
    return [(part[part < count], part[part >= count] - count) for part in torch.split(rows, size)]


def tokens_of(tower: ClipTower, data: PreferenceData) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask of the prompts, both N x L; too long texts are cut, with a warning."""
    texts = [prompt.text for prompt in data.prompts]
    rows = tower.tokenizer(texts, truncation=False, verbose=False)["input_ids"]
    positions = int(tower.model.config.text_config.max_position_embeddings)
    longest = min(int(tower.tokenizer.model_max_length), positions)
    fitted = fit_rows(rows, texts, longest=longest, policy="truncate", reader="this CLIP")
    return padded(fitted.rows, padding=int(tower.tokenizer.pad_token_id))


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """Pictures against texts. cosine: U,V. picture, prompt: B, the row and column of each entry. scale: the score's."""

    cosine: torch.Tensor
    picture: torch.Tensor
    prompt: torch.Tensor
    scale: torch.Tensor

    @property
    def scores(self) -> torch.Tensor:
        """B: scale times cosine of each entry."""
        return self.scale * self.cosine[self.picture, self.prompt]


def contrast_loss(encoded: Encoded, share: torch.Tensor, *, scale: float) -> torch.Tensor:
    """CLIP's own loss, pictures against texts, of entries weighted by their `share` B of won comparisons; a scalar.

    scale: the CLIP's own, from before the fit. What people chose shows its prompt rather than another one.
    """
    chance = (scale * encoded.cosine).log_softmax(-1)[encoded.picture, encoded.prompt]
    weight = share.to(chance)
    return -(weight * chance).sum() / weight.sum().clamp(min=1e-6)


def is_sided(prompt: Prompt, words: Collection[str]) -> bool:
    """Whether a prompt has one of these words, so that a mirrored picture might no longer show what it says."""
    return bool({*words} & {*re.findall(r"\w+", prompt.text.lower())})


def augmented(inputs: torch.Tensor, *, jitter: float, shift: float, mirrored: torch.Tensor, key: Key) -> torch.Tensor:
    """Each picture a little brighter or darker, noisier, moved; those that may be `mirrored` are, by a coin each."""
    if bool(mirrored.any()):
        turned = mirrored & (key.child("mirror").uniform((len(inputs),)) < 0.5)
        inputs = torch.where(turned.to(inputs.device)[:, None, None, None], inputs.flip(-1), inputs)
    if jitter:
        gain = 1 + jitter * (2 * key.child("gain").uniform((len(inputs), 3, 1, 1)) - 1)
        strength = jitter * key.child("strength").uniform((len(inputs), 1, 1, 1))
        inputs = inputs * gain.to(inputs) + (strength * key.child("noise").normal(inputs.shape)).to(inputs)
    most = round(shift * inputs.shape[-1])
    if not most:
        return inputs
    side = inputs.shape[-1]
    wide = functional.pad(inputs, (most,) * 4, mode="replicate")
    corners = key.child("corner").integers(0, 2 * most + 1, shape=(len(inputs), 2)).tolist()
    return torch.stack(
        [row[:, top : top + side, left : left + side] for row, (top, left) in zip(wide, corners, strict=True)]
    )


def trainable_layers(model: Any, *, image: int, text: int) -> dict[str, torch.nn.Parameter]:
    """The last layers of both towers, made trainable, with the norms and projections behind them, and the scale.

    All layers of a tower bring what stands before them too, the embedding of patches or words; 0 layers leave norm and
    projection, -1 nothing. Raises UsageError when a tower has fewer layers.
    """
    starts: list[str] = []
    for tower, what, count in (("vision", "image", image), ("text", "text", text)):
        total = int(getattr(model.config, f"{tower}_config").num_hidden_layers)
        if count > total:
            raise UsageError(f"{what}_layers = {count}: this CLIP has {total} such layers; ask for -1 to {total}")
        if count == total:
            starts += [f"{tower}_model."]
        elif count >= 0:
            starts += [f"{tower}_model.encoder.layers.{index}." for index in range(total - count, total)]
            starts += [f"{tower}_model.post_layernorm.", f"{tower}_model.final_layer_norm."]
        starts += ["visual_projection." if tower == "vision" else "text_projection."] if count >= 0 else []
    if not starts:
        return {}
    chosen = (*starts, "logit_scale")
    return {name: value.requires_grad_(True) for name, value in model.named_parameters() if name.startswith(chosen)}
