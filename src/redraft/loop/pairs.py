"""People's choices as the Pairs of a method: opened, fitted to the model's size, encoded once for a whole run.

Which choices there are is read in `choices`; what a pair means is the method's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import interpolate

from redraft.core.errors import UsageError
from redraft.core.protocols import Backbone
from redraft.core.records import Prompt
from redraft.core.tensors import Images, Pairs
from redraft.loop.choices import ANSWERS, Choices, read_choices
from redraft.loop.journal import Journal, Packed
from redraft.loop.observer import Observer

if TYPE_CHECKING:
    from redraft.loop.painting import OnBatch

AT_ONCE = 32
"""Pictures encoded at once."""


def require_takes_pairs(method: Any, *, name: str) -> None:
    """Raise UsageError naming the method `name` unless it trains on pairs that it did not make itself."""
    if not getattr(method, "takes_pairs", False):
        raise UsageError(
            f"--pairs with {name}: it does not train on finished pairs of pictures; use dpo, or leave --pairs out"
        )


def peoples_pairs(
    source: str, *, backbone: Any, journal: Journal, observer: Observer, inputs: dict[str, str]
) -> tuple[Pairs, str]:
    """The pairs of a run and their hash: read and encoded by its first round, recalled by the others.

    Raises UsageError as `read_choices` does.
    """

    def make() -> Packed:
        choices = read_choices(source, workspace=journal.workspace)
        if source == ANSWERS:
            journal.workspace.answers.note_training(journal.run, choices.people)
        observer.stage("pairs", f"{len(choices)} choices, {choices.ties} ties left out")
        preferred, rejected = encoded(choices, backbone=backbone, on_batch=observer.progress)
        return Packed(
            tensors={
                "preferred": preferred, "rejected": rejected, "probability": choices.probability,
                "weight": choices.weight,
            },
            facts={"prompts": [prompt.text for prompt in choices.prompts]},
        )  # fmt: skip

    made, digest = journal.stage("pairs", make, inputs=inputs)
    conditioning = backbone.encode([Prompt(text=text) for text in made.facts["prompts"]])
    device = next(iter(conditioning.positive.values())).device
    values = {name: value.to(device) for name, value in made.tensors.items()}
    return Pairs(conditioning=conditioning, **values), digest


def encoded(choices: Choices, *, backbone: Any, on_batch: OnBatch | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents P,C,H,W of the preferred and of the rejected pictures. Each distinct picture is opened once."""
    names = list(dict.fromkeys((*choices.preferred, *choices.rejected)))
    parts = []
    for start in range(0, len(names), AT_ONCE):
        some = names[start : start + AT_ONCE]
        pixels = torch.stack([fitted(choices.read(name), edge=backbone.size) for name in some])
        parts.append(_latents(backbone, pixels))
        if on_batch is not None:
            on_batch(start + len(some), len(names))
    latents, row = torch.cat(parts), {name: index for index, name in enumerate(names)}
    return _rows(latents, row, choices.preferred), _rows(latents, row, choices.rejected)


def fitted(pixels: torch.Tensor, *, edge: int) -> torch.Tensor:
    """A picture 3,H,W as 3,edge,edge: the shorter side resized (bicubic, antialiased), the middle cut out."""
    height, width = pixels.shape[1:]
    scale = edge / min(height, width)
    size = max(edge, round(height * scale)), max(edge, round(width * scale))
    if size != (height, width):
        pixels = interpolate(pixels[None], size, mode="bicubic", antialias=True, align_corners=False)[0].clamp(0, 1)
    top, left = (size[0] - edge) // 2, (size[1] - edge) // 2
    return pixels[:, top : top + edge, left : left + edge]


def _latents(backbone: Backbone, pixels: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return backbone.encode_images(Images(pixels=pixels)).cpu()


def _rows(latents: torch.Tensor, row: dict[str, int], names: Sequence[str]) -> torch.Tensor:
    return latents[[row[name] for name in names]]
