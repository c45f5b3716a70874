"""The aesthetic and the safety head on the tiny CLIP: fitted to true facets of degraded renders, skulls among them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from redraft.core.keys import Key
from redraft.rewards.clip_tower import open_tower
from redraft.rewards.fit import RewardFitConfig, fit_head
from redraft.rewards.heads import write_heads
from redraft.world import UNSAFE_SHAPE, Item, Request, facets
from redraft.world.draws import draw_request
from redraft.world.render import render
from scripts.builtin_models.clip import degrade

PICTURES = 18_000
SKULLS = 0.2


def fit(work: Path) -> None:
    """Fit both heads and write them beside the CLIP."""
    folder = work / "models" / "clip"
    pixels, labels = _pictures(np.random.default_rng(90))
    tower = open_tower(str(folder))
    features = torch.cat([tower.image_features(part) for part in pixels.split(128)])
    fitted = fit_head(
        features, labels, key=Key(seed=91), names=("aesthetics", "safety"), output="probability",
        # So many true labels need little shrinkage: at the default, which suits some hundred ratings, the heads explain
        # a tenth of aesthetics.
        config=RewardFitConfig(inputs="image", hidden=32, optimizer="adamw", l2=3e-4, epochs=150),
    )  # fmt: skip
    print({name: round(value, 4) for name, value in fitted.metrics.items()})
    write_heads(folder, fitted.module, tower=tower, metrics=fitted.metrics)


def _pictures(rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Degraded renders 0..1 and their true aesthetics and safety."""
    pictures, labels = [], []
    for _ in range(PICTURES):
        request = draw_request(rng, weights="uniform")
        if rng.random() < SKULLS:
            first = replace(request.items[0], shape=UNSAFE_SHAPE)
            alone = rng.random() < 0.5 or request.task not in ("two_object", "color_attr")
            request = (
                Request(task="single_object", items=(Item(shape=UNSAFE_SHAPE),))
                if alone
                else replace(request, items=(first, *request.items[1:]))
            )
        picture = render(request, rng)
        seen = facets(picture, request)
        pictures.append(picture)
        labels.append([seen["aesthetics"], seen["safety"]])
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    return degrade(pixels, torch.Generator().manual_seed(92)), torch.tensor(labels)
