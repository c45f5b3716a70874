"""Whole cycles in seconds: a tiny random pipeline, few pictures, the real scorers. Not a fixture file."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redraft.cli.factory import PluginFactory
from redraft.cli.options import merged
from redraft.core.protocols import Factory
from redraft.core.records import Prompt
from redraft.loop.config import RunConfig
from redraft.loop.cycle import Cycle, Outcome
from redraft.loop.lifecycle import begin_run, finish_run, held_lease, next_run
from redraft.loop.observer import Silent
from redraft.store.workspace import Workspace

SMALL: dict[str, Any] = {
    "rounds": 1,
    "sampling": {"steps": 2, "guidance_scale": 1.0},
    "collect": {"prompts": 4, "pictures_per_prompt": 4},
    "ratings": {"prompts": 24, "pictures_per_prompt": 2, "raters": 1, "fit": {"epochs": 2, "tune_layers": 1}},
    "adapter": {"rank": 2, "alpha": 2.0},
    "fit": {"steps": 4, "batch_size": 4, "learning_rate": 1e-3, "ema_decay": 0.5, "save_every": 2},
    "examine": {
        "prompts": 12, "tail_prompts": 3, "diversity_prompts": 3, "diversity_pictures": 2, "reference_pictures": 16,
    },
    "probes": {"every": 2, "prompts": 6, "pictures_per_prompt": 2},
}  # fmt: skip


def config_for(model: Path, **changes: Any) -> RunConfig:
    """The small configuration with some tables changed."""
    return RunConfig.model_validate(merged(SMALL, {"model": str(model)}, changes))


def improve(
    folder: Path,
    config: RunConfig | None,
    *,
    factory: Factory | None = None,
    observer: Any = None,
    prompts: Sequence[Prompt] | None = None,
) -> Outcome:
    """A run (config None: the unfinished one) with lease, status and a clock that counts, as the roof does it."""
    ticks = itertools.count(1.0)

    def clock() -> float:
        return next(ticks)

    with Workspace.open(folder) as space:
        name = next_run(space, resume=config is None, kind="improve", run=None)
        with held_lease(space, name, clock=clock):
            entry, resolved = begin_run(space, name, config=config, kind="improve", clock=clock)
            with finish_run(space, name, clock=clock) as finished:
                outcome = Cycle(
                    config=resolved,
                    factory=factory or PluginFactory(methods=resolved.methods, scorers=resolved.scorers),
                    workspace=space,
                    run=entry.name,
                    clock=clock,
                    observer=observer or Silent(),
                    prompts=prompts,
                ).work()
                finished("{}")
    return outcome
