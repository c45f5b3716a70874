"""What tells a smooth clip from a jumpy one: how far frames lie apart that follow each other, and that do not.

Distances are taken in a CLIP's pooled features, in the space of texts patch by patch, and in its maps. A clip that
moves steadily has short steps for the way it goes; shuffling its frames keeps the way and lengthens the steps.
"""

from __future__ import annotations

from itertools import combinations

import torch

from redraft.core.errors import UsageError
from redraft.rewards.facets_features import PictureFeatures

LEAST_FRAMES = 3
CLIP_WIDTH = 12
"""Numbers `clip_features` gives: four for each of three spaces."""
_FLOOR = 1e-6


def clip_features(frames: PictureFeatures, *, count: int) -> torch.Tensor:
    """B,CLIP_WIDTH of B clips of `count` frames each; `frames` holds B * count rows, those of the first clip first.

    For each space: logarithms of the mean step, of the mean distance of any two frames, of their ratio, and of the
    longest step over the mean one. Keeps the gradient. Raises UsageError for fewer than LEAST_FRAMES frames.
    """
    if count < LEAST_FRAMES:
        raise UsageError(
            f"a clip of {count} frames: with fewer than {LEAST_FRAMES} nothing tells a smooth one from a shuffled one"
        )
    dimension = frames.pooled.shape[1]
    spaces = (frames.pooled, frames.maps[:, -dimension:], frames.maps[:, :-dimension])
    vectors = [space.float().flatten(1) for space in spaces]
    return torch.cat([_told(each.reshape(-1, count, each.shape[1])) for each in vectors], dim=1)


def _told(frames: torch.Tensor) -> torch.Tensor:
    """B,4 of vectors B,T,D."""
    steps = _length(frames[:, 1:] - frames[:, :-1])
    apart = torch.stack([
        _length(frames[:, first] - frames[:, second]) for first, second in combinations(range(frames.shape[1]), 2)
    ], dim=1)  # fmt: skip
    step, pair, longest = steps.mean(1), apart.mean(1), steps.amax(1)
    return torch.stack([step.log(), pair.log(), step.log() - pair.log(), longest.log() - step.log()], dim=1)


def _length(vectors: torch.Tensor) -> torch.Tensor:
    """Lengths, kept above 0 so that two equal frames have a logarithm and a gradient."""
    return (vectors.square().mean(-1) + _FLOOR).sqrt()
