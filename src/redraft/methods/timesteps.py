"""At which noise levels a denoising loss is taken. Not the sampler's schedule: that is in the recipe."""

from __future__ import annotations

from typing import Literal

import torch

from redraft.core.keys import Key
from redraft.core.records import Prediction

TimestepDistribution = Literal["uniform", "logit_normal"]


def draw_timesteps(
    key: Key, count: int, *, distribution: TimestepDistribution, prediction: Prediction
) -> torch.Tensor:
    """`count` training timesteps, float32 in [0, 1000), for `Backbone.predict` and `TrainableBackbone.noise_level`.

    `logit_normal`: 1000 * sigmoid(z), z ~ N(0, 1) (Esser et al. 2024, section 3.1). Models of the variance-preserving
    kind (epsilon, v) were trained at whole timesteps only, so theirs are rounded down to whole numbers.
    """
    share = key.uniform((count,)) if distribution == "uniform" else torch.sigmoid(key.normal((count,)))
    timesteps = 1000 * share
    return timesteps if prediction == "flow" else timesteps.floor().clamp(max=999)
