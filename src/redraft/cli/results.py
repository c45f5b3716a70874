"""What a finished cycle leaves: the JSON summary, the HTML page, the table on the screen. Decides nothing."""

from __future__ import annotations

import json
import platform
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redraft.evaluation.report import CurvePoint, GridCell, RunFacts, render, to_json
from redraft.store.files import write_file

if TYPE_CHECKING:
    from rich.console import Console

    from redraft.evaluation.tripwires import Probe
    from redraft.loop.config import RunConfig
    from redraft.loop.cycle import Outcome
    from redraft.store.workspace import Workspace

CELLS = 24
"""Prompts in the page's picture grid."""


def summarise(outcome: Outcome, *, config: RunConfig, seconds: float) -> dict[str, Any]:
    """The JSON object of a cycle."""
    return to_json(outcome.report, outcome.verdict, _facts(outcome, config=config, seconds=seconds)) | {
        "promoted": outcome.promoted,
        "reward": outcome.reward,
        "samples": sum(done.samples for done in outcome.rounds),
    }


def write_page(
    workspace: Workspace, outcome: Outcome, *, config: RunConfig, seconds: float, command: str | None = None
) -> Path:
    """Write the HTML page into the run's folder and return its path. command: None: the one of this process."""
    page = render(
        outcome.report,
        verdict=outcome.verdict,
        grid=_grid(outcome),
        curve=[_point(probe) for probe in outcome.rounds[-1].history],
        facts=_facts(outcome, config=config, seconds=seconds, command=command),
    )
    path = workspace.folder / "runs" / outcome.run / "report.html"
    write_file(path, page.encode())
    return path


def show(outcome: Outcome, *, seconds: float, page: Path, console: Console) -> None:
    """Print table, verdict and where things are."""
    from redraft.cli.screen import measures_table

    console.print(measures_table(outcome.report, None))
    colour = {"promote": "green", "hold": "yellow", "reject": "red"}[outcome.verdict.decision]
    console.print(f"[bold {colour}]{outcome.verdict.decision.upper()}[/]")
    for reason in outcome.verdict.reasons:
        console.print(f"  · {reason}", highlight=False)
    if outcome.promoted:
        console.print(f"champion is now {outcome.checkpoint.id[:12]} (undo: redraft models rollback)")
    console.print(f"run {outcome.run} took {seconds:.0f} s; report: {page}", soft_wrap=True)


def write_pictures(workspace: Workspace, outcome: Outcome) -> None:
    """Keep what the studio shows of a run: the page's grid as pictures, and the prompts of the examination."""
    cells = _grid(outcome)
    for place, cell in enumerate(cells):
        for side, pixels in (("before", cell.before), ("after", cell.after)):
            workspace.stage_files.save(outcome.run, f"grid/{place}-{side}.png", png_of(pixels))
    texts = {
        "grid": [cell.prompt for cell in cells], "prompts": [prompt.text for prompt in outcome.paper.prompts]
    }  # fmt: skip
    # Last: whoever finds this file finds the pictures.
    workspace.stage_files.save(outcome.run, "examined.json", json.dumps(texts).encode())


def png_of(pixels: Any) -> bytes:
    """The PNG of a picture H,W,3 uint8, with nothing but its pixels."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def _facts(outcome: Outcome, *, config: RunConfig, seconds: float, command: str | None = None) -> RunFacts:
    import torch

    return RunFacts(
        run=outcome.run,
        method=config.method,
        model=config.model,
        checkpoint=outcome.checkpoint.id,
        seed=config.seed,
        seconds=seconds,
        hardware=f"{platform.machine()}, {torch.get_num_threads()} CPU threads"
        if config.device == "cpu"
        else torch.cuda.get_device_name(),
        command=shlex.join(["redraft", *sys.argv[1:]]) if command is None else command,
        config=json.dumps(config.model_dump(mode="json"), indent=2),
        stopped_by=outcome.stopped_by,
        rounds=tuple(_round(number, done) for number, done in enumerate(outcome.rounds, 1)),
        details={"reward": outcome.reward, "torch": torch.__version__, "promoted": str(outcome.promoted).lower()},
    )


def _round(number: int, done: Any) -> dict[str, str | int | float]:
    losses = [entry["loss"] for entry in done.log]
    return {
        "round": number,
        "mean reward collected": "not collected" if done.mean_reward is None else round(done.mean_reward, 3),
        "steps": len(losses),
        "loss, first tenth": round(_mean(losses[: max(1, len(losses) // 10)]), 4),
        "loss, last tenth": round(_mean(losses[-max(1, len(losses) // 10) :]), 4),
        "ended": done.stopped_by or "planned",
    }


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def _point(probe: Probe) -> CurvePoint:
    values = {"trained reward": float(probe.trained.mean())}
    for name, label in (("oracle", "oracle accuracy"), ("heldout", "held-out scorer"), ("diversity", "diversity")):
        array = getattr(probe, name)
        if array is not None:
            values[label] = float(array.mean())
    return CurvePoint(step=probe.step, values=values)


def _grid(outcome: Outcome) -> list[GridCell]:
    """Prompts spread evenly over the examination, so that nobody picks the good ones."""
    count = len(outcome.paper.prompts)
    chosen = [number * count // CELLS for number in range(min(CELLS, count))]
    return [
        GridCell(
            prompt=outcome.paper.prompts[row].text,
            before=outcome.before.pixels[row].permute(1, 2, 0).numpy(),
            after=outcome.after.pixels[row].permute(1, 2, 0).numpy(),
            before_correct=_verdict(outcome.incumbent, row),
            after_correct=_verdict(outcome.candidate, row),
        )
        for row in chosen
    ]


def _verdict(examined: Any, row: int) -> bool | None:
    return None if examined.verdicts is None else bool(examined.verdicts[row])
