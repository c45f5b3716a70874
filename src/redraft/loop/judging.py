"""Scoring of painted pictures in batches. Not a scorer: it calls those that it is given."""

from __future__ import annotations

import numpy as np
import torch

from redraft.core.protocols import Scorer
from redraft.core.tensors import Images, Scores
from redraft.loop.equipment import FeatureExtractor
from redraft.loop.painting import OnBatch, Painted

BATCH = 128


def judge(scorer: Scorer, painted: Painted, *, on_batch: OnBatch | None = None) -> Scores:
    """Scores of all pictures. Raises NumericsError, naming scorer and picture, when a score is not finite."""
    parts = []
    for start in range(0, len(painted.prompts), BATCH):
        stop = min(start + BATCH, len(painted.prompts))
        parts.append(scorer.score(painted.images(start, stop), painted.prompts[start:stop]).require_finite())
        if on_batch is not None:
            on_batch(stop, len(painted.prompts))
    first = parts[0]
    return Scores(
        values=torch.cat([part.values for part in parts]),
        mask=torch.cat([part.mask for part in parts]),
        names=first.names,
        fingerprints=first.fingerprints,
    )


def features_of(extractor: FeatureExtractor, images: Images) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Features N,D of pictures, batch by batch."""
    with torch.no_grad():
        parts = [extractor.image_features(Images(pixels=part)) for part in torch.split(images.pixels, BATCH)]
    return torch.cat(parts).float().cpu().numpy()
