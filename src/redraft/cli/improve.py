"""`redraft improve` and `redraft train`: one cycle of the loop, with progress, a table, a page and a verdict."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from redraft.cli import options
from redraft.cli.options import DEFAULT_WORKSPACE, parse_rewards, print_json, read_config, run_config
from redraft.core.errors import UsageError

if TYPE_CHECKING:
    from redraft.loop.config import RunConfig

Method = Annotated[str | None, typer.Option("--method", help="nft, sft, draft, or a preset such as draft-1, draft-lv.")]
Reward = Annotated[list[str] | None, typer.Option("--reward", help="NAME[=WEIGHT]; repeatable. A folder works too.")]
TrainSteps = Annotated[int | None, typer.Option("--train-steps", help="Optimizer steps of each round.")]
Rounds = Annotated[int | None, typer.Option("--rounds", help="Rounds of collect, judge and train.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the latest unfinished run (or --run NAME).")]
RunName = Annotated[str | None, typer.Option("--run", help="With --resume: which run.")]
PrintConfig = Annotated[bool, typer.Option("--print-config", help="Print the whole resolved configuration and stop.")]
Pairs = Annotated[
    str | None,
    typer.Option("--pairs", help="dpo: what people chose; a JSONL file, a folder of picture pairs, or 'answers'."),
]
Selection = Annotated[
    Path | None, typer.Option("--selection", help="rsi: file with the pictures that you keep of each round.")
]
Facets = Annotated[
    str | None, typer.Option("--facets", help="Reward by this scorer's six facets, safety as a constraint: oracle.")
]
NoPromote = Annotated[bool, typer.Option("--no-promote", help="Never move the champion, whatever the verdict.")]


def improve(
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    model: options.Model = None,
    method: Method = None,
    reward: Reward = None,
    facets: Facets = None,
    pairs: Pairs = None,
    selection: Selection = None,
    prompts: options.Prompts = None,
    seed: options.Seed = None,
    steps: options.Steps = None,
    train_steps: TrainSteps = None,
    rounds: Rounds = None,
    config: options.Config = None,
    resume: Resume = False,
    run: RunName = None,
    no_promote: NoPromote = False,
    print_config: PrintConfig = False,
    as_json: options.Json = False,
) -> None:
    """Post-train the model on a reward, examine it against the incumbent, and promote it if it is proven better.

    Example: redraft improve --model builtin:sd3 --method nft
    """
    given = _given(
        model=model, method=method, seed=seed, reward=reward, rounds=rounds, prompts=prompts, steps=steps,
        train_steps=train_steps, facets=facets, pairs=pairs, selection=selection,
    ) | {"promote": False if no_promote else None}  # fmt: skip
    _command(given, "improve", workspace=workspace, config=config, resume=resume or run is not None, run=run,
             print_config=print_config, as_json=as_json)  # fmt: skip


def train(
    method: Annotated[str | None, typer.Argument(help="nft, sft, draft, or a preset such as draft-lv.")] = None,
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    model: options.Model = None,
    reward: Reward = None,
    facets: Facets = None,
    pairs: Pairs = None,
    selection: Selection = None,
    prompts: options.Prompts = None,
    seed: options.Seed = None,
    steps: options.Steps = None,
    train_steps: TrainSteps = None,
    rounds: Rounds = None,
    config: options.Config = None,
    resume: Resume = False,
    run: RunName = None,
    print_config: PrintConfig = False,
    as_json: options.Json = False,
) -> None:
    """Post-train with one method and examine the result, without ever moving the champion.

    Example: redraft train draft-lv --reward clip --train-steps 40
    """
    resume = resume or run is not None
    if method is None and not resume:
        raise UsageError("no method was given: `redraft train METHOD`, such as dpo or draft-lv, or --resume")
    if method is not None and resume:
        raise UsageError(
            f"method {method!r} with --resume: a run goes on with the method that it began with; leave it out"
        )
    given = _given(
        model=model, method=method, seed=seed, reward=reward, rounds=rounds, prompts=prompts, steps=steps,
        train_steps=train_steps, facets=facets, pairs=pairs, selection=selection,
    ) | {"promote": False}  # fmt: skip
    _command(given, "train", workspace=workspace, config=config, resume=resume, run=run, print_config=print_config,
             as_json=as_json)  # fmt: skip


def _given(
    *,
    model: str | None,
    method: str | None,
    seed: int | None,
    reward: list[str] | None,
    rounds: int | None,
    prompts: Path | None,
    steps: int | None,
    train_steps: int | None,
    facets: str | None,
    pairs: str | None,
    selection: Path | None,
) -> dict[str, Any]:
    """What the command line says, as the tables of a configuration; None where it says nothing."""
    return {
        "model": model, "method": method, "seed": seed, "reward": parse_rewards(reward), "rounds": rounds,
        "prompts": None if prompts is None else str(prompts), "sampling": {"steps": steps},
        "fit": {"steps": train_steps}, "facets": None if facets is None else {"scorer": facets}, "pairs": pairs,
        # A run is resumed from another folder, perhaps, and looks for the file again in every round.
        "selection": None if selection is None else str(selection.absolute()),
    }  # fmt: skip


def _command(
    given: Mapping[str, Any],
    kind: str,
    *,
    workspace: Path,
    config: Path | None,
    resume: bool,
    run: str | None,
    print_config: bool,
    as_json: bool,
) -> None:
    began = time.monotonic()
    resolved = None if resume else run_config(
        read_config(config), given=given, source="the command line" if config is None else str(config)
    )  # fmt: skip
    if print_config and resolved is not None:
        print_json(resolved.model_dump(mode="json"))
        return
    summary = run_cycle(resolved, kind=kind, workspace=workspace, run=run, as_json=as_json, began=began)
    if as_json:
        print_json(summary)


def run_cycle(
    config: RunConfig | None, *, kind: str, workspace: Path, run: str | None, as_json: bool, began: float
) -> dict[str, Any]:
    """Run (or, with config None, resume) a cycle in a workspace; draws progress and returns the JSON summary."""
    from redraft.cli.performing import perform
    from redraft.cli.results import show
    from redraft.cli.screen import ERRORS, Screen
    from redraft.loop.choices import ANSWERS, read_choices
    from redraft.loop.lifecycle import begin_run, held_lease, next_run
    from redraft.loop.recording import Recorded
    from redraft.store.workspace import Workspace

    if config is not None:
        check_config(config)
    with Workspace.open(workspace) as space:
        if config is not None and config.pairs == ANSWERS:
            read_choices(ANSWERS, workspace=space)
        name = next_run(space, resume=config is None, kind=kind, run=run)
        with held_lease(space, name, clock=time.time) as still_ours:
            entry, resolved = begin_run(space, name, config=config, kind=kind, clock=time.time)
            with (
                Screen(quiet=as_json) as screen,
                Recorded(screen, workspace=space, run=entry.name, check=still_ours) as observer,
            ):
                done = perform(space, entry, resolved, observer=observer, began=began)
        if not as_json:
            show(done.outcome, seconds=done.seconds, page=done.page, console=ERRORS)
    return {**done.summary, "report": str(done.page)}


def check_config(config: RunConfig) -> None:
    """Raise UsageError for what cannot be, before a run is made that `--resume` would find: a method, prompts, pairs or
    a selection that the method does not take."""
    from redraft.cli.factory import PluginFactory
    from redraft.cli.performing import prompts_of
    from redraft.loop.choices import ANSWERS, read_choices
    from redraft.loop.pairs import require_takes_pairs
    from redraft.loop.selection import require_selectable

    plugin = PluginFactory().method_plugin(config.method)
    prompts_of(config)
    if config.selection is not None:
        require_selectable(plugin, name=config.method)
    if config.pairs is not None:
        require_takes_pairs(plugin, name=config.method)
        if config.pairs != ANSWERS:
            read_choices(config.pairs, workspace=None)
