"""What the best of all models could explain: of single answers, and of true facets that a pixel may change.

R2 against answers is bounded by people's bias, slips and rounding; R2 against the truth only by how settled that truth
is. Both bounds are measured, for a bar above a bound could not be reached by anybody. It fits and draws nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from redraft.core.keys import Key
from redraft.core.records import FACETS
from redraft.loop.reproductions.facets_people import ask_sliders, draw_crowd
from redraft.loop.reproductions.facets_pictures import TruePictures
from redraft.rewards.facets_config import HIGHEST
from redraft.world import facets, parse

SHAKEN = 2.0
"""Deviation of the noise, of 255, under which a facet that is settled stays what it is."""


def against_answers(
    predicted: torch.Tensor, seen: TruePictures, *, people: int, key: Key
) -> dict[str, dict[str, float]]:
    """Of one answer about each picture by people not heard before: R2 of predictions N,6, and of the truth itself."""
    crowd = draw_crowd(people, key=key.child("crowd"))
    answers = ask_sliders(
        seen.facets.numpy(), [prompt.text for prompt in seen.prompts], crowd=crowd, key=key.child("answers"),
        names=[(f"{row}",) for row in range(len(seen))],
    )  # fmt: skip
    found = {}
    for column, name in enumerate(FACETS):
        rows = [row for row, answer in enumerate(answers) if name in answer.sliders]
        given = np.array([answers[row].sliders[name] / HIGHEST for row in rows])
        told = {"model": predicted[rows, column], "truth": seen.facets[rows, column]}
        found[name] = {what: _r2(value.double().numpy(), given) for what, value in told.items()} | {
            "answers": float(len(rows))
        }
    return found


def settled(seen: TruePictures, *, key: Key) -> dict[str, float]:
    """R2 of true facets by those of the same pictures with hardly visible noise of deviation SHAKEN."""
    noise = key.normal(tuple(seen.pixels.shape)) * SHAKEN
    shaken = (seen.pixels.float() + noise).round().clamp(0, 255).to(torch.uint8)
    again = _facets(shaken, [prompt.text for prompt in seen.prompts])
    return {name: _r2(again[:, column], seen.facets[:, column].double().numpy()) for column, name in enumerate(FACETS)}


def _facets(pixels: torch.Tensor, texts: Sequence[str]) -> np.ndarray:
    pictures = pixels.permute(0, 2, 3, 1).numpy()
    rows = [facets(picture, parse(text)) for picture, text in zip(pictures, texts, strict=True)]
    return np.array([[row[name] for name in FACETS] for row in rows])


def _r2(predicted: np.ndarray, value: np.ndarray) -> float:
    spread = float(value.var())
    return 1 - float(((predicted - value) ** 2).mean()) / spread if spread > 0 else float("nan")
