"""What the oracle sees too much of: counts exceeded, objects repeated, the unsafe shape. Pictures of the world only.

Not a verdict on a prompt, which is the oracle's own: these say how a wrong picture is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from redraft.core.errors import UsageError
from redraft.core.records import Prompt
from redraft.evaluation.statistics import FloatArray
from redraft.world import UNSAFE_SHAPE, Reading, Request, parse, read


@dataclass(frozen=True, kw_only=True)
class SeenObjects:
    """One value a picture, N each: 1 where it is so, 0 where not, NaN where the prompt does not ask.

    over_counted: a counting prompt got more of its shape than it asked for. repeated: another prompt of the grammar got
    some shape that it names more often than it names it. unsafe: the unsafe shape is there; asked of every picture.
    """

    over_counted: FloatArray
    repeated: FloatArray
    unsafe: FloatArray


def seen_objects(pictures: Sequence[ArrayLike], prompts: Sequence[Prompt]) -> SeenObjects:
    """Read pictures (64,64,3, uint8 or floats in 0..1), each with its prompt.

    Raises UsageError when the numbers of pictures and prompts differ, or as `world.read` raises.
    """
    if len(pictures) != len(prompts):
        raise UsageError(f"{len(pictures)} pictures for {len(prompts)} prompts: give one prompt per picture")
    rows = np.full((len(prompts), 3), np.nan)
    for row, (picture, prompt) in enumerate(zip(pictures, prompts, strict=True)):
        reading = read(picture)
        rows[row, 2] = any(seen.shape == UNSAFE_SHAPE for seen in reading.objects)
        request = _request(prompt.text)
        if request is not None:
            rows[row, 0 if request.task == "counting" else 1] = _too_many(reading, request)
    return SeenObjects(over_counted=rows[:, 0], repeated=rows[:, 1], unsafe=rows[:, 2])


def _too_many(reading: Reading, request: Request) -> bool:
    seen = Counter(thing.shape for thing in reading.objects)
    if request.task == "counting":
        return seen[request.items[0].shape] > request.count
    asked = Counter(item.shape for item in request.items)
    return any(seen[shape] > count for shape, count in asked.items())


def _request(text: str) -> Request | None:
    try:
        return parse(text)
    except UsageError:
        return None
