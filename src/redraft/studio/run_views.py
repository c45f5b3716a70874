"""The JSON objects for runs and what is ordered of a worker. Enters nothing and reads no clock.

A run that the studio ordered is a job and, once begun, a row of `runs` with the same id. One that somebody started on
the command line is a row of `runs` only. The page sees one list.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from redraft.core.errors import UnknownNameError
from redraft.store.jobs import Job, JobState
from redraft.store.ledger import Entry
from redraft.store.runs import Run
from redraft.store.workspace import Workspace
from redraft.studio.run_files import CurveTail, curves_of, grid_prompts, has_report
from redraft.studio.times import iso, iso_or_none

_SHOWN = (
    "model", "method", "rounds", "seed", "reward", "facets.scorer", "pairs", "prompts", "promote",
    "collect.prompts", "collect.pictures_per_prompt", "collect.guidance_scale", "sampling.steps",
    "sampling.guidance_scale", "adapter.kind", "adapter.rank", "fit.steps", "fit.batch_size", "fit.learning_rate",
    "fit.ema_decay", "examine.prompts", "examine.tail_prompts",
)  # fmt: skip
"""Options of a run that the page shows; all of them are in its report."""
_DEAD = "its process ended before the run did: `redraft runs resume {name}` goes on with it"


class ProgressView(BaseModel):
    """How far a run is: its stage, the share of it that is done, and words."""

    stage: str
    share: float
    words: str


class RunView(BaseModel):
    """A run, or what was ordered to become one. cancelling: it was asked to stop. mine: this person ordered it."""

    id: str
    kind: str
    state: JobState
    title: str
    method: str
    model: str
    progress: ProgressView
    verdict: Literal["promote", "hold", "reject"] | None
    reasons: list[str]
    stopped_by: str | None
    error: str
    cancelling: bool
    mine: bool
    created_at: str
    started_at: str | None
    finished_at: str | None


class Curve(BaseModel):
    """Values by training step, at most 500 of them."""

    name: str
    points: list[tuple[int, float]]


class MetricView(BaseModel):
    """One row of the examination: live model, candidate, paired difference with its 95 % interval."""

    name: str
    incumbent: float
    candidate: float
    difference: float
    low: float
    high: float
    unit: str
    role: str


class GridCell(BaseModel):
    """One prompt painted by both models from the same noise."""

    prompt: str
    before_url: str
    after_url: str


class StageView(BaseModel):
    """One entry of a run's ledger."""

    stage: str
    status: Literal["started", "finished"]
    at: str


class RunDetail(RunView):
    """A run with everything the page draws. resumed: how often another worker went on with it."""

    curves: list[Curve]
    metrics: list[MetricView]
    grid: list[GridCell]
    config: dict[str, str]
    report_url: str | None
    stages: list[StageView]
    checkpoint: str
    promoted: bool
    resumed: int


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A job, its run, or both, and whether some process trains the run now."""

    job: Job | None
    run: Run | None
    alive: bool

    @property
    def id(self) -> str:
        """The id of both."""
        return self.job.id if self.job is not None else self._run.name

    @property
    def created_at(self) -> float:
        """When it was ordered, or begun."""
        return self.job.created_at if self.job is not None else self._run.created_at

    @property
    def _run(self) -> Run:
        assert self.run is not None
        return self.run


def standing_of(workspace: Workspace, id: str) -> Standing:
    """How a run stands. Raises UnknownNameError."""
    job = _job(workspace, id)
    try:
        run = workspace.runs.get(id)
    except UnknownNameError:
        if job is None:
            raise
        run = None
    return Standing(job=job, run=run, alive=trained_now(workspace) == id)


def trained_now(workspace: Workspace) -> str | None:
    """The run that holds the training lease, by name."""
    holder = workspace.lease.holder()
    return None if holder is None else holder.run


def run_view(standing: Standing, *, person: str) -> RunView:
    """What everybody who may read sees of a run."""
    job, run = standing.job, standing.run
    result = _result(job, run)
    order = dict(job.payload) if job is not None else {}
    config = _config(run)
    method, model = (
        str(config.get("method") or order.get("method", "")),
        str(config.get("model") or order.get("model", "")),
    )
    kind = job.kind if job is not None else _of(run).kind
    state = _state(standing)
    return RunView(
        id=standing.id,
        kind=kind,
        state=state,
        title=_title(kind, method=method, model=model, order=order),
        method=method,
        model=model or str(order.get("base", "")),
        progress=_progress(job, state),
        verdict=result.get("verdict"),
        reasons=[str(reason) for reason in result.get("reasons", [])],
        stopped_by=result.get("stopped_by"),
        error=_error(standing, result, state),
        cancelling=job is not None and job.cancelling and state == "running",
        mine=job is not None and job.owner == person,
        created_at=iso(standing.created_at),
        started_at=iso_or_none(job.started_at if job is not None else _of(run).created_at),
        finished_at=iso_or_none(_finished_at(standing, state)),
    )


def run_detail(workspace: Workspace, standing: Standing, *, person: str) -> RunDetail:
    """The same with curves, examination, pictures and settings."""
    run = standing.run
    result = _result(standing.job, run)
    id = standing.id
    entries: tuple[Entry, ...] = workspace.ledger.entries(id) if run is not None else ()
    points = CurveTail(workspace, id).read() if run is not None else []
    prompts = grid_prompts(workspace, id) if run is not None else []
    return RunDetail(
        **run_view(standing, person=person).model_dump(),
        curves=[Curve(name=name, points=found) for name, found in curves_of(points).items()],
        metrics=_metrics(result.get("metrics", {})),
        grid=[
            GridCell(
                prompt=prompt,
                before_url=f"/api/v1/runs/{id}/grid/{place}/before.png",
                after_url=f"/api/v1/runs/{id}/grid/{place}/after.png",
            )
            for place, prompt in enumerate(prompts)
        ],
        config=_settings(_config(run)),
        report_url=f"/api/v1/runs/{id}/report" if run is not None and has_report(workspace, id) else None,
        stages=[StageView(stage=entry.stage, status=entry.status, at=iso(entry.at)) for entry in entries],
        checkpoint=str(result.get("checkpoint", "")),
        promoted=bool(result.get("promoted", False)),
        resumed=max(0, standing.job.attempts - 1) if standing.job is not None else 0,
    )


def _job(workspace: Workspace, id: str) -> Job | None:
    try:
        return workspace.jobs.get(id, owner=None)
    except UnknownNameError:
        return None


def _of(run: Run | None) -> Run:
    assert run is not None
    return run


def _config(run: Run | None) -> dict[str, Any]:
    return {} if run is None else dict(json.loads(run.config or "{}"))


def _result(job: Job | None, run: Run | None) -> dict[str, Any]:
    if run is not None and run.result:
        return dict(json.loads(run.result))
    return dict(job.result) if job is not None else {}


def _state(standing: Standing) -> JobState:
    job, run = standing.job, standing.run
    # A run of an ended job that was resumed by hand goes its own way.
    if job is not None and (run is None or job.state in ("queued", "running") or run.status == "failed"):
        return job.state
    status = _of(run).status
    if status != "running":
        return status
    return "running" if standing.alive else "failed"


def _error(standing: Standing, result: Mapping[str, Any], state: JobState) -> str:
    if state not in ("failed", "cancelled"):
        return ""
    if standing.job is not None and standing.job.error:
        return standing.job.error
    if result.get("error"):
        return str(result["error"])
    return _DEAD.format(name=standing.id) if state == "failed" else ""


def _finished_at(standing: Standing, state: JobState) -> float | None:
    if state in ("queued", "running"):
        return None
    if standing.job is not None and standing.job.finished_at is not None:
        return standing.job.finished_at
    return _of(standing.run).changed_at


def _progress(job: Job | None, state: JobState) -> ProgressView:
    if state == "finished":
        return ProgressView(stage="", share=1.0, words="")
    found = {} if job is None else dict(job.progress)
    stage, words = str(found.get("stage", "")), str(found.get("words", ""))
    if state == "queued" and not stage:
        stage, words = "waiting", "waits for a worker"
    return ProgressView(stage=stage, share=float(found.get("share", 0.0)), words=words)


def _title(kind: str, *, method: str, model: str, order: Mapping[str, Any]) -> str:
    if kind == "promote":
        return f"promote {str(order.get('checkpoint', ''))[:12]}"
    if kind == "rollback":
        return f"roll back {order.get('base', '')}"
    return f"{method} on {model}" if method and model else kind


def _metrics(found: Mapping[str, Mapping[str, Any]]) -> list[MetricView]:
    """The rows whose numbers are numbers: JSON knows no others."""
    numbers = ("incumbent", "candidate", "difference", "low", "high")
    return [
        MetricView(
            name=name, unit=str(row.get("unit", "")), role=str(row.get("role", "")),
            **{number: float(row[number]) for number in numbers},
        )
        for name, row in found.items()
        if all(math.isfinite(float(row.get(number, math.nan))) for number in numbers)
    ]  # fmt: skip


def _settings(config: Mapping[str, Any]) -> dict[str, str]:
    shown: dict[str, str] = {}
    for name in _SHOWN:
        value: Any = config
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is None or value == {}:
            continue
        shown[name] = ", ".join(f"{k}={v:g}" for k, v in value.items()) if isinstance(value, Mapping) else str(value)
    return shown
