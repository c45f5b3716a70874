"""Renders of the picture world as training data: pictures that their prompts describe exactly, with false captions.

Only where every prompt is of the world; whether that is so the callers ask.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from redraft.core.keys import Key
from redraft.core.protocols import Backbone
from redraft.core.records import Prompt
from redraft.core.tensors import Images


def render_latents(prompts: Sequence[Prompt], *, backbone: Backbone, key: Key) -> torch.Tensor:
    """Latents B,C,H,W of one render of each prompt."""
    from redraft.world import parse
    from redraft.world.render import render

    rng = np.random.default_rng(key.child("renders").entropy)
    pictures = np.stack([render(parse(prompt.text), rng) for prompt in prompts])
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    return backbone.encode_images(Images(pixels=pixels.float() / 255))


def false_captions(prompts: Sequence[Prompt], *, count: int, key: Key) -> list[Prompt]:
    """`count` prompts for each, those of the first one first, that differ from it in one thing and so are wrong."""
    from redraft.world import parse, text_of
    from redraft.world.negatives import hard_negatives

    rng = np.random.default_rng(key.child("false captions").entropy)
    return [
        Prompt(text=text_of(request))
        for prompt in prompts
        for request in hard_negatives(parse(prompt.text), rng, count=count)
    ]
