"""Pictures that noise has spoiled, for a preference fit: each must be foreseen to lose against itself as it was.

People compare pictures that a model painted, and nothing in their choices says that noise is worse than a first blob. A
reward meets such pictures as soon as it is optimised. Ranking a picture above its own spoiled copy needs no further
answers (as quality is learned in RankIQA, arXiv 1707.08347). No fit: `preference_fit`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as functional

from redraft.core.keys import Key

SPOILED_AT_ONCE = 32
"""Pictures of a step that are spoiled too."""
LEAST = 0.5
"""Share of noise in a spoiled picture, at least."""
_GRAINS = 4


def spoiled(inputs: torch.Tensor, *, key: Key) -> torch.Tensor:
    """Preprocessed pictures B,3,H,W, each mixed with 50 to 100 % of normal noise of a grain of 1, 2, 4 or 8 pixels."""
    count, _, height, width = inputs.shape
    share = LEAST + (1 - LEAST) * key.child("share").uniform((count, 1, 1, 1)).to(inputs)
    grain = key.child("grain").integers(0, _GRAINS, shape=(count,))
    noise = torch.zeros_like(inputs)
    for power in range(_GRAINS):
        rows = (grain == power).nonzero().flatten()
        if not len(rows):
            continue
        size = (max(1, height >> power), max(1, width >> power))
        coarse = key.child("noise", power).normal((len(rows), 3, *size)).to(inputs)
        noise[rows.to(inputs.device)] = (
            functional.interpolate(coarse, size=(height, width), mode="bicubic") if power else coarse
        )
    return (1 - share) * inputs + share * noise


def spoiled_loss(scores: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    """-log sigmoid(s - s'), a mean: under Bradley-Terry each picture B must beat its spoiled copy."""
    return functional.softplus(below - scores).mean()
