"""The pictures that a finished run was examined by, in pairs of one prompt and one noise: what a blind study shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redraft.core.errors import UnknownNameError, UsageError
from redraft.core.keys import Key
from redraft.loop.journal import Journal
from redraft.store.workspace import Workspace

EXAMINED = "examined.json"
"""The file of a run that holds the prompts of its examination, {"prompts": [...]}."""


@dataclass(frozen=True, kw_only=True)
class ExaminedPair:
    """One prompt of the examination: the incumbent's picture and the candidate's, H,W,3 uint8."""

    prompt: str
    incumbent: NDArray[np.uint8]
    candidate: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class ExaminedRun:
    """The pairs that were drawn, and what the two models are called: parent and checkpoint, by their first digits."""

    pairs: tuple[ExaminedPair, ...]
    incumbent: str
    candidate: str


def examined_pairs(workspace: Workspace, run: str, *, count: int, seed: int) -> ExaminedRun:
    """`count` pairs of a run's examination, drawn uniformly from its prompts, or all when there are fewer.

    Pairs of equal pictures are left out: there is nothing to choose.
    Raises UnknownNameError for a run that is not there, UsageError for one that has not finished, DamagedError.
    """
    entry = workspace.runs.get(run)
    if entry.status != "finished" or EXAMINED not in workspace.stage_files.names(run):
        raise UsageError(f"run {run!r} has no examination to draw pairs from: it must have finished, with this version")
    prompts: Sequence[str] = json.loads(workspace.stage_files.load(run, EXAMINED))["prompts"]
    journal = Journal(workspace=workspace, run=run, seed=0, clock=lambda: 0.0)
    before, after = (journal.recall(f"examine-{side}").tensors["pixels"] for side in ("incumbent", "candidate"))
    pairs: list[ExaminedPair] = []
    for row in Key(seed=seed, path=("study", run)).permutation(len(prompts)).tolist():
        first, second = (_picture(pixels[row]) for pixels in (before, after))
        if len(pairs) < count and not np.array_equal(first, second):
            pairs.append(ExaminedPair(prompt=prompts[row], incumbent=first, candidate=second))
    result = json.loads(entry.result)
    return ExaminedRun(
        pairs=tuple(pairs),
        incumbent=_parent(workspace, result["checkpoint"]),
        candidate=str(result["checkpoint"])[:12],
    )


def _picture(pixels: Any) -> NDArray[np.uint8]:
    """3,H,W as H,W,3."""
    return np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())


def _parent(workspace: Workspace, checkpoint: str) -> str:
    try:
        lineage = workspace.checkpoints.get(checkpoint).lineage
    except UnknownNameError:
        return "incumbent"
    return lineage.parent[:12] or lineage.base
