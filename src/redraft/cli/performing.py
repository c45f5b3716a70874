"""One cycle of a run that has begun, to its end: built from names, worked through, its results kept. Shows nothing.

`redraft improve` and a worker do the same here; they differ in who watches.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redraft.core.records import Prompt
    from redraft.loop.config import RunConfig
    from redraft.loop.cycle import Outcome
    from redraft.loop.observer import Observer
    from redraft.store.runs import Run
    from redraft.store.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Performed:
    """What a cycle gave, its JSON summary, where its page is, and how long it took."""

    outcome: Outcome
    summary: dict[str, Any]
    page: Path
    seconds: float


def perform(
    space: Workspace, run: Run, config: RunConfig, *, observer: Observer, began: float, command: str | None = None
) -> Performed:
    """Work through a run whose training lease is held; it is marked as finished, or as failed when this raises.

    began: of time.monotonic(). command: what the page says to repeat the run by, None: this process's command line.
    """
    from redraft.cli.factory import PluginFactory
    from redraft.cli.results import summarise, write_page, write_pictures
    from redraft.loop.cycle import Cycle
    from redraft.loop.lifecycle import finish_run

    factory = PluginFactory(device=config.device, methods=config.methods, scorers=config.scorers)
    with finish_run(space, run.name, clock=time.time) as finished:
        outcome = Cycle(
            config=config, factory=factory, workspace=space, run=run.name, clock=time.time, observer=observer,
            prompts=prompts_of(config),
        ).work()  # fmt: skip
        seconds = time.monotonic() - began
        summary = summarise(outcome, config=config, seconds=seconds)
        page = write_page(space, outcome, config=config, seconds=seconds, command=command)
        write_pictures(space, outcome)
        finished(json.dumps(summary))
    return Performed(outcome=outcome, summary=summary, page=page, seconds=seconds)


def prompts_of(config: RunConfig) -> tuple[Prompt, ...] | None:
    """The user's own prompts; None for the picture world. Raises UsageError for a file that cannot be read."""
    from redraft.prompts.corpora import read_prompts

    return None if config.prompts is None else read_prompts(Path(config.prompts))
