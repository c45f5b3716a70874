"""One model on its held-out prompts (`redraft evaluate`), and two of them paired (`redraft compare`). Trains nothing.

Benchmarks and their page are in `ranking`.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from redraft.cli import adapting, options
from redraft.cli.options import DEFAULT_WORKSPACE, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redraft.cli.adapting import AdapterUse
    from redraft.core.keys import Key
    from redraft.evaluation.examined import Examined
    from redraft.evaluation.statistics import Interval
    from redraft.loop.equipment import Equipment
    from redraft.loop.examination import Paper

Which = Annotated[str, typer.Argument(help="champion, challenger, previous, base, or a checkpoint id.")]
Examination = Annotated[int | None, typer.Option("--exam-prompts", help="Held-out prompts of the examination.")]


def compare(
    incumbent: Which,
    candidate: Which,
    workspace: options.Workspace = DEFAULT_WORKSPACE,
    model: options.Model = None,
    prompts: options.Prompts = None,
    exam_prompts: Examination = None,
    steps: options.Steps = None,
    guidance: options.Guidance = None,
    seed: options.Seed = None,
    lora_scale: adapting.Scale = 1.0,
    mix: adapting.Mix = None,
    lora_start: adapting.Start = None,
    lora_stop: adapting.Stop = None,
    as_json: options.Json = False,
) -> None:
    """Compare two models on the same prompts and the same noise, and say what the gate would decide.

    --lora-scale, --mix, --lora-start and --lora-stop are for the candidate. Example: redraft compare base champion
    """
    from redraft.cli.screen import ERRORS, measures_table
    from redraft.core.keys import Key
    from redraft.evaluation import gate
    from redraft.evaluation.compare import compare as compare_examined
    from redraft.evaluation.report import RunFacts, to_json
    from redraft.loop.equipment import render_references
    from redraft.loop.examination import reference_features

    began = time.monotonic()
    use = adapting.adapter_use(scale=lora_scale, mix=mix or [], start=lora_start, stop=lora_stop)
    given = {"model": model, "seed": seed, "sampling": {"steps": steps, "guidance_scale": guidance}}
    equipment, paper = _open(prompts, exam_prompts, file={}, given=given)
    key = Key(seed=equipment.config.seed).child("examination")
    first, _ = _examined(equipment, paper, incumbent, workspace=workspace, quiet=as_json)
    second, name = _examined(equipment, paper, candidate, workspace=workspace, quiet=as_json, use=use)
    reference = None
    if equipment.oracle is not None:
        images = render_references(paper.prompts, count=equipment.config.examine.reference_pictures, key=key)
        reference = reference_features(equipment.features, images)
    report = compare_examined(first, second, key=key, suite=equipment.suite.name, reference_features=reference)
    verdict = gate.decide(report)
    seconds = time.monotonic() - began
    if as_json:
        facts = RunFacts(
            run="", method="compare", model=equipment.config.model, checkpoint=name, seed=equipment.config.seed,
            seconds=seconds, hardware="", command="",
        )  # fmt: skip
        print_json(to_json(report, verdict, facts))
        return
    ERRORS.print(measures_table(report, verdict))
    for reason in verdict.reasons:
        typer.echo(f"  · {reason}")


def examine(
    checkpoint: str,
    workspace: Path,
    prompts: Path | None,
    exam_prompts: int | None,
    *,
    file: Mapping[str, Any],
    given: Mapping[str, Any],
    quiet: bool,
) -> None:
    """One model on its held-out prompts: text, or one JSON object with `quiet`.

    file: tables of a run's TOML. given: those of the command line, which win.
    """
    from redraft.core.keys import Key

    began = time.monotonic()
    equipment, paper = _open(prompts, exam_prompts, file=file, given=given)
    examined, name = _examined(equipment, paper, checkpoint, workspace=workspace, quiet=quiet)
    rows = _levels(examined, key=Key(seed=equipment.config.seed).child("levels"))
    result = {
        "model": equipment.config.model, "checkpoint": name, "suite": equipment.suite.name,
        "prompts": len(paper.prompts), "seconds": time.monotonic() - began, "metrics": rows,
    }  # fmt: skip
    if quiet:
        print_json(result)
        return
    typer.echo(f"{name}: {len(paper.prompts)} prompts, {len(paper.group)} pictures, {result['seconds']:.0f} s")
    for metric, row in rows.items():
        factor, unit = (100, " %") if row["unit"] == "share" else (1, "")
        typer.echo(
            f"  {metric:24} {factor * row['value']:8.4g}{unit}   "
            f"({factor * row['low']:.4g} to {factor * row['high']:.4g}, n = {row['count']})"
        )


def _open(
    prompts: Path | None, exam_prompts: int | None, *, file: Mapping[str, Any], given: Mapping[str, Any]
) -> tuple[Equipment, Paper]:
    from redraft.cli.factory import PluginFactory
    from redraft.core.keys import Key
    from redraft.loop.equipment import equip
    from redraft.loop.examination import set_paper
    from redraft.prompts.corpora import read_prompts

    asked = {**given, "examine": {"prompts": exam_prompts}}
    config = options.run_config(file, given=asked, source="the configuration" if file else "the command line")
    texts = None if prompts is None else read_prompts(prompts)
    equipment = equip(config, PluginFactory(device=config.device, scorers=config.scorers), prompts=texts)
    return equipment, set_paper(equipment, key=Key(seed=config.seed).child("examination"))


def _examined(
    equipment: Equipment,
    paper: Paper,
    checkpoint: str,
    *,
    workspace: Path,
    quiet: bool,
    use: AdapterUse | None = None,
) -> tuple[Examined, str]:
    """Paint and mark one model's pictures, its trained weights used as `use` says."""
    from redraft.cli.generate import open_model
    from redraft.cli.screen import Screen
    from redraft.core.keys import Key
    from redraft.loop.examination import mark, paint_paper
    from redraft.store.workspace import Workspace

    with Workspace.open(workspace) as space:
        backbone, name = open_model(
            space, equipment.config.model, checkpoint=checkpoint, device=equipment.config.device, use=use
        )
    with Screen(quiet=quiet) as screen:
        screen.stage("examine", name)
        key = Key(seed=equipment.config.seed).child("examination")
        from dataclasses import replace

        painted = paint_paper(
            replace(equipment, backbone=backbone),
            paper,
            parameters=None,
            key=key,
            on_batch=screen.progress,
            adapted=None if use is None else use.steps,
        )
        screen.stage("judge", f"{len(paper.group)} pictures by all examiners")
        return mark(equipment, paper, painted, model=name, reward=None), name


def _levels(examined: Examined, *, key: Key) -> dict[str, dict[str, float | str | int]]:
    """Every score of one model with its own interval: over prompts, tasks counting alike for the oracle's total."""
    import numpy as np

    from redraft.evaluation.statistics import paired_interval, within_bounds
    from redraft.world import TAIL_TASKS

    rows: dict[str, dict[str, float | str | int]] = {}
    if examined.verdicts is not None:
        per_prompt = examined.per_prompt(examined.verdicts, mask=examined.judged)
        tasks = np.asarray(examined.tasks)
        core = np.isfinite(per_prompt) & ~np.isin(tasks, TAIL_TASKS)
        strata = [str(task) for task in tasks[core]]
        whole = paired_interval(per_prompt[core], key=key.child("oracle"), strata=strata)
        rows["oracle"] = _numbers(within_bounds(whole, per_prompt[core], strata=strata), "share")
        for task in dict.fromkeys(examined.tasks):
            values = per_prompt[(tasks == task) & np.isfinite(per_prompt)]
            if len(values) > 1:  # an interval needs two
                rows[f"oracle/{task}"] = _row(values, "share")
    for head in examined.heads:
        values = examined.per_prompt(head.values, mask=head.mask)
        rows[head.name] = _row(values[np.isfinite(values)], head.unit)
    return rows


def _row(values: Any, unit: str) -> dict[str, float | str | int]:
    from redraft.evaluation.statistics import mean_interval, within_bounds

    interval = mean_interval(values)
    return _numbers(within_bounds(interval, values) if unit == "share" else interval, unit)


def _numbers(interval: Interval, unit: str) -> dict[str, float | str | int]:
    return {"value": interval.value, "low": interval.low, "high": interval.high, "count": interval.count, "unit": unit}
