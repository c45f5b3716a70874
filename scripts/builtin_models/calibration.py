"""The calibration that ships beside a built-in model: where scores lie among those of 512 of its own pictures."""

from __future__ import annotations

import numpy as np

from redraft.core.keys import Key
from redraft.loop.painting import paint
from redraft.models.load import open_backbone
from redraft.studio.engine.judge import Judge
from redraft.studio.engine.settings import EngineSettings
from redraft.world import draw_prompts
from scripts.builtin_models.ship import TARGET

PICTURES = 512
BATCH = 64


def calibrate(family: str) -> None:
    """Paint prompts as people ask them (Zipf's law) by the default recipe, and write `calibration.safetensors`."""
    backbone = open_backbone(f"builtin:{family}")
    judge = Judge(EngineSettings(), place=TARGET / family / "calibration.safetensors", shipped=None)
    prompts = draw_prompts(np.random.default_rng(93), PICTURES, weights="zipf")
    painted = paint(backbone, prompts, recipe=backbone.default_recipe(), key=Key(seed=94), batch=BATCH)
    for start in range(0, PICTURES, BATCH):
        judge.judge(painted.images(start, start + BATCH), prompts[start : start + BATCH])
    print(f"{family}: calibrated by {PICTURES} pictures: {judge.calibrated}")
