"""The last part of CLIP's training: its concepts, read out of a tower that learns no more.

While the tower learns, the heads on its state follow it and never settle. Here they begin anew and take many passes
over states that are computed once. Only the file of concepts is written; the CLIP stays as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from redraft.rewards.clip_tower import open_tower
from redraft.rewards.concepts import write_concepts
from scripts.builtin_models.clip import build
from scripts.builtin_models.clip_layout import DEEP, WEAR, Taught, all_scenes, drawn, go_on
from scripts.builtin_models.recognised import recognised
from scripts.builtin_models.whole import WholeHeads, WholeTargets, concepts_of, whole_loss, whole_targets

BATCHES, PASSES = 2600, 12
"""Draws of 64 pictures; passes over their states."""
_FIRST = 1_000_000  # draws from here on are none of the tower's own, though of the same scenes
_ROWS, _RATE, _DECAY, _WARMUP = 256, 2e-3, 0.02, 100


@dataclass(frozen=True, kw_only=True)
class Seen:
    """States N,W of pictures and what their heads must tell."""

    states: torch.Tensor
    targets: WholeTargets


def fit(work: Path, *, batches: int) -> None:
    """Write the concepts of `work`/models/clip, which the stage `clip-layout` left."""
    taught = Taught(build(held_out=False, depth=DEEP))
    go_on(taught, work / "clip-layout" / "taught.safetensors")
    heads = settled(look(taught.eval(), work / "clip-layout", batches=batches), passes=PASSES)
    folder = work / "models" / "clip"
    weights = {name: value.detach().half() for name, value in heads.state_dict().items()}
    write_concepts(concepts_of(weights), folder=folder, clip=open_tower(folder).identity)


@torch.no_grad()
def look(taught: Taught, folder: Path, *, batches: int) -> Seen:
    """What the tower makes of fresh draws of the scenes."""
    scenes, states, targets = all_scenes(folder), [], []
    for number in range(batches):
        seen = drawn(scenes, _FIRST + number).seen
        states.append(taught.pictures(seen.pixels)[2])
        targets.append(whole_targets(recognised(seen.pixels), wear=seen.wear * WEAR))
        if (number + 1) % 100 == 0:
            print(f"readouts: looked at {number + 1} of {batches} batches", flush=True)
    return Seen(states=torch.cat(states), targets=WholeTargets(**{
        name: torch.cat([getattr(part, name) for part in targets]) for name in WholeTargets.__dataclass_fields__
    }))  # fmt: skip


def settled(seen: Seen, *, passes: int) -> WholeHeads:
    """Heads trained from a fresh start."""
    torch.manual_seed(8)
    heads, generator = WholeHeads(seen.states.shape[1]), torch.Generator().manual_seed(8)
    optimizer = torch.optim.AdamW(heads.parameters(), lr=_RATE, weight_decay=_DECAY)
    steps, step = passes * math.ceil(len(seen.states) / _ROWS), 0
    for number in range(passes):
        total = 0.0
        for rows in torch.randperm(len(seen.states), generator=generator).split(_ROWS):
            rate = _RATE * min(1.0, (step + 1) / _WARMUP) * (1 + math.cos(math.pi * step / steps)) / 2
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad()
            loss = whole_loss(heads, seen.states[rows], seen.targets.take(rows))
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            step, total = step + 1, total + loss.item() * len(rows)
        print(f"readouts: pass {number + 1} of {passes}, loss {total / len(seen.states):.5f}", flush=True)
    return heads.eval()
