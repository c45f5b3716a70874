"""A worker and its jobs: killed and taken over, cancelled, stopped, turned away; real cycles of a tiny model."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_cycles import SMALL, config_for

from redraft.cli.factory import PluginFactory
from redraft.core.errors import ConfigError, UnknownNameError, UsageError
from redraft.core.orders import MOVES, TRAININGS, PromoteOrder, RollbackOrder, TrainingOrder, read_order
from redraft.core.records import Lineage
from redraft.loop.amounts import scaled
from redraft.loop.config import RunConfig
from redraft.loop.cycle import Cycle
from redraft.loop.holding import HeldJob, Interruption
from redraft.loop.job_progress import JobProgress
from redraft.loop.lifecycle import finish_run
from redraft.loop.recording import CURVES, Recorded
from redraft.loop.worker import BUSY_SECONDS, Worker
from redraft.store.jobs import Job
from redraft.store.runs import Run
from redraft.store.workspace import Workspace
from tests.cli.processes import finish, start, wait_for_marks

ORDER = {"method": "nft", "reward": {"clip": 1.0}}


class SmallTrainer:
    """Orders become the small configuration. `before` is called at a training step, which then goes on; with
    `until_stopped` only once the heartbeat has noticed that it must not."""

    def __init__(
        self, model: Path, *, before: Callable[[], None] = lambda: None, at_step: int = 0, until_stopped: bool = False
    ) -> None:
        self.model, self.before, self.at_step, self.until_stopped = model, before, at_step, until_stopped
        self.worked = 0

    def resolve(self, kind: str, order: TrainingOrder) -> RunConfig:
        return config_for(self.model, method=order.method, reward=dict(order.reward), tripwires={"most_drift": 100.0})

    def work(self, workspace: Workspace, run: Run, config: RunConfig, observer: Recorded) -> Mapping[str, Any]:
        self.worked += 1
        factory = PluginFactory(methods=config.methods, scorers=config.scorers)
        ticks = itertools.count(1.0)
        trainer = self

        class Meddling:
            """Does something at a training step, as another process would."""

            def __getattr__(self, name: str) -> Any:
                return getattr(observer, name)

            def training(self, step: int, total: int, loss: float) -> None:
                if step == trainer.at_step:
                    trainer.before()
                    if trainer.until_stopped:
                        wait_for(lambda: is_stopped(observer))
                observer.training(step, total, loss)

        with finish_run(workspace, run.name, clock=lambda: next(ticks)) as finished:
            outcome = Cycle(
                config=config, factory=factory, workspace=workspace, run=run.name, clock=lambda: next(ticks),
                observer=Meddling(),  # type: ignore[arg-type]
            ).work()  # fmt: skip
            summary = {"verdict": outcome.verdict.decision, "checkpoint": outcome.checkpoint.id, "metrics": {"x": 1}}
            finished(json.dumps(summary))
        return summary


def is_stopped(observer: Recorded) -> bool:
    try:
        observer.check()
    except Interruption:
        return True
    return False


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "workspace") as opened:
        opened.people.create("ann", name="ann", at=1.0)
        yield opened


def enter(space: Workspace, kind: str = "improve", payload: Mapping[str, Any] = ORDER, **values: Any) -> Job:
    made = Job(
        id=f"{kind}-00000000000{values.pop('number', 1)}", owner="ann", kind=kind, payload=payload, created_at=1.0
    )
    return space.jobs.enter(replace(made, **values))[0]


def worker(space: Workspace, trainer: Any, **values: Any) -> Worker:
    options = {"name": "test", "clock": time.time, "beat": 0.02, "stale": 60.0, **values}
    return Worker(workspace=space, trainer=trainer, **options)


def test_an_order_is_carried_out_and_followed(model: Path, space: Workspace) -> None:
    job = enter(space)
    seen: list[Mapping[str, Any]] = []

    def look() -> None:
        def words() -> str:
            return str(space.jobs.get(job.id, owner="ann").progress.get("words", ""))

        wait_for(lambda: words().startswith("step 2 of 4"))  # a heartbeat tells
        seen.append(space.jobs.get(job.id, owner="ann").progress)

    done = worker(space, SmallTrainer(model, before=look, at_step=3)).work(TRAININGS)
    assert done is not None
    assert (done.state, done.error, done.attempts) == ("finished", "", 1)
    run = space.runs.get(job.id)
    assert (run.kind, run.status) == ("improve", "finished")
    assert done.result == {
        "verdict": json.loads(run.result)["verdict"],
        "checkpoint": json.loads(run.result)["checkpoint"],
    }
    assert space.checkpoints.get(done.result["checkpoint"]).lineage.run == job.id
    # Seen from outside while it worked: the words of the second training step, half a run done.
    assert seen[0]["run"] == job.id
    assert seen[0]["stage"] == "train"
    assert seen[0]["words"].startswith("step 2 of 4")
    assert 0.3 < seen[0]["share"] < 0.85
    points = [json.loads(line) for line in space.stage_files.load(job.id, CURVES).splitlines() if line]
    assert [point["step"] for point in points if point["name"] == "loss"] == [1, 2, 3, 4]
    # Probes at the start and every second step.
    assert [point["step"] for point in points if point["name"] == "reward"] == [0, 2, 4]
    assert {point["name"] for point in points} == {"loss", "reward", "oracle", "held-out", "diversity"}
    assert worker(space, SmallTrainer(model)).work(TRAININGS) is None
    assert space.lease.holder() is None


def test_cancelled_between_two_steps_it_stops_and_can_be_resumed_by_hand(model: Path, space: Workspace) -> None:
    job = enter(space)

    def cancel() -> None:
        space.jobs.cancel(job.id, owner="ann", at=2.0)
        wait_for(lambda: space.jobs.get(job.id, owner=None).progress != {})

    trainer = SmallTrainer(model, before=cancel, at_step=3, until_stopped=True)
    done = worker(space, trainer).work(TRAININGS)
    assert done is not None
    assert (done.state, done.result) == ("cancelled", {})
    run = space.runs.get(job.id)
    assert run.status == "failed"
    assert json.loads(run.result)["error"] == f"cancelled; `redraft runs resume {job.id}` goes on with it"
    losses = [line for line in space.stage_files.load(job.id, CURVES).splitlines() if b"loss" in line]
    assert len(losses) == 2, "the third step was not kept"
    assert space.lease.holder() is None
    # A job that waits is cancelled at once and never begun.
    waiting = enter(space, number=2)
    assert space.jobs.cancel(waiting.id, owner="ann", at=3.0).state == "cancelled"
    assert worker(space, trainer).work(TRAININGS) is None
    assert trainer.worked == 1


def test_a_worker_that_is_stopped_gives_its_job_back_and_another_goes_on(model: Path, space: Workspace) -> None:
    job, stopping = enter(space), threading.Event()
    first = worker(space, SmallTrainer(model, before=stopping.set, at_step=3), stopping=stopping).work(TRAININGS)
    assert first is not None
    assert (first.state, first.attempts, first.worker) == ("queued", 0, "")
    assert space.runs.get(job.id).status == "running"
    done = worker(space, SmallTrainer(model)).work(TRAININGS)
    assert done is not None
    assert (done.state, done.attempts) == ("finished", 1)
    started = [entry.stage for entry in space.ledger.entries(job.id) if entry.status == "started"]
    # Only the training was begun again; nothing was painted twice.
    assert [stage for stage in started if started.count(stage) > 1] == ["round-0-train", "round-0-train"]


def test_a_job_that_was_taken_over_is_left_alone(model: Path, space: Workspace) -> None:
    job = enter(space)
    taken: list[Job] = []

    def take() -> None:
        found = space.jobs.claim(TRAININGS, worker="another", at=time.time() + 1000, stale_after=60.0)
        assert found is not None
        taken.append(found)

    done = worker(space, SmallTrainer(model, before=take, at_step=3, until_stopped=True)).work(TRAININGS)
    assert done is not None
    assert (done.state, done.worker, done.lease) == ("running", "another", 2)
    # The other worker works on the run: its status is not touched.
    assert space.runs.get(job.id).status == "running"
    assert taken[0].id == job.id


def test_who_is_erased_orders_nothing_any_more(model: Path, space: Workspace) -> None:
    job = enter(space)

    def erase() -> None:
        space.erasure.person("ann", receipt="r", at=2.0)

    done = worker(space, SmallTrainer(model, before=erase, at_step=3, until_stopped=True)).work(TRAININGS)
    assert done is not None
    assert done.id == job.id
    assert space.jobs.list(None) == ()
    assert space.lease.holder() is None
    losses = [line for line in space.stage_files.load(job.id, CURVES).splitlines() if b"loss" in line]
    assert len(losses) == 2


def test_one_training_at_a_time_the_job_waits_and_says_for_whom(space: Workspace, model: Path) -> None:
    job, trainer = enter(space), SmallTrainer(model)
    holder = space.lease.acquire(run="improve-0007", at=time.time())
    now = time.time()
    waiting = worker(space, trainer, clock=lambda: now).work(TRAININGS)
    assert waiting is not None
    assert (waiting.state, waiting.attempts, waiting.not_before) == ("queued", 0, now + BUSY_SECONDS)
    assert waiting.progress["stage"] == "waiting"
    assert waiting.progress["words"].startswith("run 'improve-0007' is training in this workspace")
    assert trainer.worked == 0
    assert space.jobs.waiting(TRAININGS, at=now) == 0
    assert space.jobs.waiting(TRAININGS, at=now + BUSY_SECONDS) == 1
    # A promotion does not wait for it.
    assert space.jobs.waiting(MOVES, at=now) == 0
    space.lease.release(holder)
    assert space.jobs.cancel(job.id, owner="ann", at=now).state == "cancelled"


def test_a_run_that_ended_before_its_job_did_is_not_run_again(space: Workspace, model: Path) -> None:
    job, trainer = enter(space), SmallTrainer(model)
    space.runs.create(job.id, kind="improve", config="{}", at=1.0)
    # NaN in what the run measured must not reach the job's row, which no database takes.
    space.runs.set_status(job.id, "finished", at=2.0, result='{"verdict": "hold", "metrics": {"x": {"low": NaN}}}')
    done = worker(space, trainer).work(TRAININGS)
    assert done is not None
    assert (done.state, done.result, trainer.worked) == ("finished", {"verdict": "hold"}, 0)


@pytest.mark.parametrize(
    ("kind", "payload", "words"),
    [
        ("improve", {"method": "nft", "methid": 1}, "the key 'methid' is unknown: did you mean 'method'"),
        ("improve", {"rounds": 0}, "rounds = 0: "),
        ("improve", {"method": "../etc"}, "method = '../etc'"),
        ("improve", {"pairs": "/etc/pairs"}, "pairs = '/etc/pairs'"),
        ("promote", {"base": "builtin:sd"}, "checkpoint"),
        ("dance", {}, "kind of order 'dance' is unknown"),
    ],
)
def test_what_is_no_order_fails_with_the_reason(
    space: Workspace, model: Path, kind: str, payload: dict[str, Any], words: str
) -> None:
    enter(space, kind, payload)
    trainer = SmallTrainer(model)
    done = worker(space, trainer).work([kind])
    assert done is not None
    assert done.state == "failed"
    assert words in done.error
    assert trainer.worked == 0
    with pytest.raises((ConfigError, UnknownNameError)):
        read_order(kind, payload)


def test_what_a_run_cannot_be_fails_the_job_and_leaves_no_run(space: Workspace) -> None:
    class Strict(SmallTrainer):
        def resolve(self, kind: str, order: TrainingOrder) -> RunConfig:
            raise UsageError("the method takes no pairs: leave them out")

    job = enter(space)
    done = worker(space, Strict(Path())).work(TRAININGS)
    assert done is not None
    assert (done.state, done.error) == ("failed", "the method takes no pairs: leave them out")
    with pytest.raises(UnknownNameError):
        space.runs.get(job.id)


def test_a_failing_run_fails_its_job_and_gives_the_lease_back(space: Workspace, model: Path) -> None:
    class Broken(SmallTrainer):
        def work(self, workspace: Workspace, run: Run, config: RunConfig, observer: Recorded) -> Mapping[str, Any]:
            with finish_run(workspace, run.name, clock=lambda: 5.0):
                raise ZeroDivisionError("by zero")

    job = enter(space)
    done = worker(space, Broken(model)).work(TRAININGS)
    assert done is not None
    assert (done.state, done.error) == ("failed", "ZeroDivisionError: by zero; the worker's log has more")
    assert space.runs.get(job.id).status == "failed"
    assert space.lease.holder() is None


def test_promote_and_roll_back_are_orders_too(space: Workspace, lineage: Lineage) -> None:
    first = space.checkpoints.put(b"one", kind="lora", lineage=lineage, at=1.0)
    other = space.checkpoints.put(b"two", kind="lora", lineage=replace(lineage, base="builtin:sd3"), at=1.0)
    order = PromoteOrder(base="builtin:sd", checkpoint=first.id, reason="I like it")
    enter(space, "promote", order.model_dump())
    done = worker(space, None).work(MOVES)
    assert done is not None
    assert done.result == {"base": "builtin:sd", "checkpoint": first.id, "reason": "I like it"}
    live = space.aliases.current("builtin:sd")
    assert live is not None
    assert (live.checkpoint, live.reason) == (first.id, "I like it")
    enter(space, "rollback", RollbackOrder(base="builtin:sd").model_dump())
    done = worker(space, None).work(MOVES)
    assert done is not None
    assert (done.state, done.result["checkpoint"], done.result["reason"]) == (
        "finished",
        "",
        "rolled back in the studio",
    )
    enter(space, "promote", {**order.model_dump(), "checkpoint": other.id}, number=2)
    refused = worker(space, None).work(MOVES)
    assert refused is not None
    assert refused.state == "failed"
    assert "was trained from 'builtin:sd3'" in refused.error


@pytest.fixture
def lineage() -> Lineage:
    return Lineage(
        parent="", base="builtin:sd", method="nft", config="{}", data_hash="d" * 64, reward_fingerprints=("oracle:1",),
        code_version="0.1.0", seed=7, run="improve-0001",
    )  # fmt: skip


def test_heartbeats_tell_a_cancelled_job_a_lost_one_and_a_stopping_worker(space: Workspace) -> None:
    def held(job: Job, stopping: threading.Event) -> HeldJob:
        return HeldJob(space.jobs, job, clock=time.time, every=0.01, stopping=stopping, progress=lambda: {"share": 0.5})

    enter(space)
    claimed = space.jobs.claim(TRAININGS, worker="w", at=time.time())
    assert claimed is not None
    with held(claimed, threading.Event()) as holding:
        wait_for(lambda: space.jobs.get(claimed.id, owner=None).progress == {"share": 0.5})
        holding.check()
        space.jobs.cancel(claimed.id, owner=None, at=1.0)
        wait_for(lambda: why(holding) == "cancelled")
    stopping = threading.Event()
    with held(claimed, stopping) as holding:
        stopping.set()
        assert why(holding) in ("stopping", "cancelled")
    space.jobs.finish(claimed, at=2.0, cancelled=True)
    with held(claimed, threading.Event()) as holding:
        wait_for(lambda: why(holding) == "taken over")


def test_heartbeats_that_end_for_any_other_reason_end_the_work(space: Workspace) -> None:
    enter(space)
    claimed = space.jobs.claim(TRAININGS, worker="w", at=time.time())
    assert claimed is not None
    progress = iter([{"share": 0.5}])
    holding = HeldJob(
        space.jobs, claimed, clock=time.time, every=0.01, stopping=threading.Event(), progress=lambda: next(progress)
    )
    with holding:
        wait_for(lambda: holding._failure is not None)
        with pytest.raises(StopIteration):
            holding.check()


def why(holding: HeldJob) -> str:
    try:
        holding.check()
    except Interruption as interruption:
        return interruption.why
    return ""


def wait_for(condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
    last = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < last, "it did not happen in time"
        time.sleep(0.01)


def test_progress_rises_to_the_end_and_never_falls() -> None:
    progress = JobProgress("r", rounds=2, finished=0)
    shares: list[float] = []

    def say(name: str, *arguments: Any) -> None:
        getattr(progress, name)(*arguments)
        shares.append(progress.now["share"])

    for _ in range(2):
        say("stage", "collect", "8 pictures")
        say("progress", 4, 8)
        say("stage", "judge", "8 pictures")
        say("stage", "train", "2 steps")
        say("training", 1, 2, 0.5)
        say("training", 2, 2, 0.25)
    assert progress.now == {"run": "r", "stage": "train", "share": 0.85, "words": "step 2 of 2, loss 0.2500"}
    say("stage", "examine", "incumbent")
    say("progress", 1, 1)
    say("stage", "compare", "12 prompts")
    assert shares == sorted(shares)
    # Two rounds share 85 %: half of the first collection is 0.2 of one of them.
    assert shares[1] == pytest.approx(0.85 * 0.2 / 2)
    assert progress.now["stage"] == "decide"
    resumed = JobProgress("r", rounds=2, finished=1)
    resumed.stage("collect", "8 pictures")
    assert resumed.now["share"] == pytest.approx(0.425)


def test_amounts_scale_rounds_or_the_steps_of_a_single_one() -> None:
    many, one = RunConfig(rounds=5), RunConfig(rounds=1)
    assert (scaled(many, "short").rounds, scaled(many, "").rounds, scaled(many, "long").rounds) == (2, 5, 10)
    assert scaled(many, "short").fit == many.fit
    assert scaled(one, "short").fit.steps == round(one.fit.steps * 0.4)
    assert (scaled(one, "long").rounds, scaled(one, "long").fit.steps) == (1, 2 * one.fit.steps)


@pytest.mark.slow
def test_a_worker_killed_twice_and_the_ones_after_it_make_the_same_weights(model: Path, tmp_path: Path) -> None:
    config = tmp_path / "small.json"
    config.write_text(json.dumps({**SMALL, "rounds": 2, "tripwires": {"most_drift": 100.0}}))
    ids = []
    for name, kills in (("undisturbed", 0), ("killed", 2)):
        folder = tmp_path / name
        with Workspace.open(folder) as space:
            space.people.create("ann", name="ann", at=1.0)
            job = enter(space, payload={**ORDER, "model": str(model)})
        command = ["worker", "--once", "-w", folder, "-c", config, "--stale", 1, "--json"]
        for _ in range(kills):
            process = start(command, tmp_path / name / "log")
            wait_for_marks(process, folder, job.id, more=3)
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            assert finish(process) == -signal.SIGKILL
            # Its heartbeats must be missing for the second that --stale says.
            time.sleep(1.3)
        assert finish(start(command, tmp_path / name / "last")) == 0
        answer = json.loads((tmp_path / name / "last.out").read_text())
        assert answer == {"job": {"id": job.id, "state": "finished", "error": ""}}
        with Workspace.open(folder) as space:
            done = space.jobs.get(job.id, owner="ann")
            assert (done.attempts, done.lease) == (kills + 1, kills + 1)
            (run,), (checkpoint,) = space.runs.list(), space.checkpoints.list()
            assert (run.name, run.status) == (job.id, "finished")
            assert done.result["checkpoint"] == checkpoint.id
            assert "report.html" in space.stage_files.names(job.id)
            grid = json.loads(space.stage_files.load(job.id, "examined.json"))
            assert len(grid["grid"]) == 15
            assert {f"grid/14-{side}.png" for side in ("before", "after")} <= set(space.stage_files.names(job.id))
            ids.append(checkpoint.id)
    # The id hashes weights and lineage, the digest of the training with its probes and losses included.
    assert ids[0] == ids[1]
