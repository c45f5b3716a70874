"""Noisy pictures with true and false captions: what a loss over captions asks the network.

Not a loss. All captions of a picture meet it under one noise at one level, or the noise's variance would hide what the
captions do. As published a whole batch shares them; pictures with levels and noise of their own say more a batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import TrainableBackbone
from redraft.core.tensors import Captioned, Conditioning
from redraft.diffusion.objectives import noisy
from redraft.diffusion.parameterize import training_target
from redraft.methods.noising import TimestepDistribution, draw_timesteps

FalseCaptions = Literal["hard", "in_batch", "empty", "none"]


@dataclass(frozen=True, kw_only=True)
class CaptionedNoise:
    """latents and target B,C,H,W; timesteps B; B true captions and B * M false ones, those of picture 0 first.

    valid B,M is False for a false caption that is the picture's own.
    """

    latents: torch.Tensor
    timesteps: torch.Tensor
    target: torch.Tensor
    true: Conditioning
    false: Conditioning
    valid: torch.Tensor


def noise_captioned(
    examples: Captioned,
    *,
    backbone: TrainableBackbone,
    negatives: FalseCaptions,
    timesteps: TimestepDistribution,
    shared: bool,
    key: Key,
) -> CaptionedNoise:
    """All pictures of `examples` at random levels: one level and one noise for all if `shared`, else each its own.

    `negatives`: their own hard false captions, the captions of the other pictures, the one that guidance leads away
    from, or none. Raises UsageError for hard ones that are missing.
    """
    clean, count = examples.latents, len(examples)
    draws = 1 if shared else count
    drawn = draw_timesteps(key.child("timesteps"), draws, distribution=timesteps, prediction=backbone.prediction)
    times = drawn.to(clean.device, torch.promote_types(clean.dtype, torch.float32)).expand(count)
    noise = key.child("noise").normal((draws, *clean.shape[1:])).to(clean).expand_as(clean)
    alpha, sigma = (level.to(clean) for level in backbone.noise_level(times))
    false, valid = _false_captions(examples, negatives)
    return CaptionedNoise(
        latents=noisy(clean, noise, alpha=alpha, sigma=sigma),
        timesteps=times,
        target=training_target(
            clean, noise, alpha=alpha.view(-1, 1, 1, 1), sigma=sigma.view(-1, 1, 1, 1), kind=backbone.prediction
        ),
        true=examples.conditioning,
        false=false,
        valid=valid.to(clean.device),
    )


def _false_captions(examples: Captioned, negatives: FalseCaptions) -> tuple[Conditioning, torch.Tensor]:
    """False captions B * M and which of them are false, B,M."""
    count, captions = len(examples), examples.conditioning
    if negatives == "none":
        return captions.take([]), torch.ones(count, 0, dtype=torch.bool)
    if negatives == "in_batch":
        others = torch.tensor([[row for row in range(count) if row != own] for own in range(count)], dtype=torch.long)
        return captions.take(others.flatten()), ~_alike(captions).gather(1, others)
    if negatives == "empty":
        empty = Conditioning(positive=captions.negative, negative=captions.negative)
        return empty, torch.ones(count, 1, dtype=torch.bool)
    if examples.negatives is None:
        raise UsageError(
            "negatives='hard' and the pictures have no false captions of their own: collect some "
            "(collect.false_captions above 0), or set negatives to 'in_batch'"
        )
    hard = examples.negatives
    return hard, torch.ones(count, len(hard) // count, dtype=torch.bool)


def _alike(captions: Conditioning) -> torch.Tensor:
    """B,B on the CPU: which captions are the same, to the last bit."""
    alike = torch.ones(len(captions), len(captions), dtype=torch.bool)
    for value in captions.positive.values():
        rows = value.flatten(1)
        alike &= torch.stack([(rows == row).all(dim=1) for row in rows]).cpu()
    return alike
