"""Jobs: one worker each, killed workers, cancelling, order, owners; on both databases with real processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.context import ForkContext
from multiprocessing.process import BaseProcess

import pytest
from places import Place
from studio_rows import person

from redraft.core.errors import BusyError, UnknownNameError
from redraft.store.jobs import Job
from redraft.store.workspace import Workspace


def job(id: str, owner: str = "ann", **values: object) -> Job:
    return replace(Job(id=id, owner=owner, kind="improve", created_at=1.0), **values)  # type: ignore[arg-type]


@pytest.fixture
def people(space: Workspace) -> None:
    person(space, "ann")
    person(space, "bob")


def claim(space: Workspace, *, at: float = 10.0, worker: str = "w") -> Job | None:
    return space.jobs.claim(["improve"], worker=worker, at=at, stale_after=100.0)


@pytest.mark.usefixtures("people")
def test_the_life_of_a_job(space: Workspace) -> None:
    made = job("j", payload={"method": "nft", "steps": [1, 2]}, idempotency_key="k")
    assert space.jobs.enter(made) == (made, True)
    assert space.jobs.enter(replace(made, id="j2")) == (made, False)
    assert space.jobs.claim(["promote"], worker="w", at=2.0) is None
    running = claim(space)
    assert running == replace(
        made, state="running", worker="w", lease=1, attempts=1, started_at=10.0, heartbeat_at=10.0
    )
    assert claim(space) is None
    beaten = space.jobs.heartbeat(running, at=60.0, progress={"done": 3, "of": 9})
    assert (beaten.heartbeat_at, beaten.progress, beaten.cancelling) == (60.0, {"done": 3, "of": 9}, False)
    assert space.jobs.get("j", owner="ann") == beaten
    done = space.jobs.finish(running, at=70.0, result={"verdict": "hold"})
    assert (done.state, done.result, done.finished_at) == ("finished", {"verdict": "hold"}, 70.0)
    with pytest.raises(BusyError, match=r"job j \(improve\) is no longer this worker's.*stop working on it"):
        space.jobs.finish(running, at=71.0, error="late")
    assert space.jobs.get("j", owner="ann") == done


@pytest.mark.usefixtures("people")
def test_a_silent_worker_s_job_is_taken_over_and_it_finds_out(space: Workspace) -> None:
    space.jobs.enter(job("j", most_attempts=2))
    first = claim(space, at=10.0, worker="one")
    assert first is not None
    assert claim(space, at=110.0, worker="two") is None
    second = claim(space, at=110.5, worker="two")
    assert second is not None
    assert (second.worker, second.lease, second.attempts, second.started_at) == ("two", 2, 2, 10.0)
    for call in (
        lambda: space.jobs.heartbeat(first, at=111.0),
        lambda: space.jobs.finish(first, at=111.0),
        lambda: space.jobs.release(first, at=111.0),
    ):
        with pytest.raises(BusyError, match="another worker took it over"):
            call()
    assert claim(space, at=300.0) is None
    buried = space.jobs.get("j", owner="ann")
    assert (buried.state, buried.error) == (
        "failed",
        "every worker that began this job fell silent: look into its log, then enter the job again",
    )


@pytest.mark.usefixtures("people")
def test_cancelling(space: Workspace) -> None:
    space.jobs.enter(job("waiting", created_at=2.0))
    space.jobs.enter(job("running"))
    space.jobs.enter(job("silent", created_at=1.5))
    running, silent = claim(space), claim(space, at=10.0)
    assert running is not None
    assert silent is not None
    assert (running.id, silent.id) == ("running", "silent")
    assert space.jobs.cancel("waiting", owner="ann", at=20.0).state == "cancelled"
    asked = space.jobs.cancel("running", owner="ann", at=20.0)
    assert (asked.state, asked.cancelling) == ("running", True)
    space.jobs.cancel("silent", owner="ann", at=20.0)
    assert space.jobs.heartbeat(running, at=30.0).cancelling
    assert space.jobs.finish(running, at=31.0, cancelled=True).state == "cancelled"
    assert space.jobs.cancel("running", owner="ann", at=40.0).finished_at == 31.0
    assert claim(space, at=200.0) is None
    assert space.jobs.get("silent", owner="ann").state == "cancelled"


@pytest.mark.usefixtures("people")
def test_the_order_in_which_jobs_are_claimed(space: Workspace) -> None:
    space.jobs.enter(job("ann 1", created_at=1.0))
    space.jobs.enter(job("ann 2", created_at=2.0))
    space.jobs.enter(job("ann urgent", created_at=9.0, priority=1))
    space.jobs.enter(job("bob 1", "bob", created_at=5.0))
    space.jobs.enter(job("later", created_at=0.0, not_before=50.0))
    assert [space.jobs.position(id, owner="ann") for id in ("ann urgent", "ann 1", "ann 2")] == [0, 2, 3]
    order = []
    while (claimed := claim(space)) is not None:
        order.append(claimed.id)
    assert order == ["ann urgent", "bob 1", "ann 1", "ann 2"], "bob had nothing running yet"
    assert space.jobs.position("ann 1", owner="ann") is None
    found = claim(space, at=50.0)
    assert found is not None
    assert found.id == "later"
    back = space.jobs.release(found, at=60.0)
    assert (back.state, back.attempts) == ("queued", 0)
    assert claim(space, at=59.0) is None
    again = claim(space, at=60.0)
    assert again is not None
    assert (again.id, again.lease) == ("later", 2)


@pytest.mark.usefixtures("people")
def test_owners_see_and_cancel_their_own(space: Workspace) -> None:
    for number in range(5):
        space.jobs.enter(job(f"ann {number}", created_at=float(number)))
    space.jobs.enter(job("bob 0", "bob"))
    for id in ("bob 0", "absent"):
        for call in (
            lambda id=id: space.jobs.get(id, owner="ann"),
            lambda id=id: space.jobs.cancel(id, owner="ann", at=1.0),
            lambda id=id: space.jobs.position(id, owner="ann"),
        ):
            with pytest.raises(UnknownNameError, match=rf"^job '{id}' is not among the jobs of this person$"):
                call()
    assert space.jobs.get("bob 0", owner="bob").state == "queued"
    newest = space.jobs.list("ann", limit=3)
    assert [item.id for item in newest] == ["ann 4", "ann 3", "ann 2"]
    assert [item.id for item in space.jobs.list("ann", before=(2.0, "ann 2"))] == ["ann 1", "ann 0"]
    assert len(space.jobs.list(None)) == 6


def work(place: Place, name: str, barrier: object, claimed: object) -> None:
    with place.open() as space:
        barrier.wait()  # type: ignore[attr-defined]
        while (found := claim(space, worker=name)) is not None:
            claimed.put(found.id)  # type: ignore[attr-defined]
            space.jobs.finish(found, at=11.0)
        claimed.put("")  # type: ignore[attr-defined]


def test_of_many_workers_each_job_has_one(place: Place, start: Callable[..., BaseProcess], fork: ForkContext) -> None:
    with place.open() as space:
        person(space, "ann")
        for number in range(40):
            space.jobs.enter(job(f"j{number}"))
    barrier, claimed = fork.Barrier(5), fork.Queue()
    processes = [start(work, place, f"w{number}", barrier, claimed) for number in range(5)]
    found: list[str] = []
    while found.count("") < 5:
        found.append(claimed.get(timeout=60))
    for process in processes:
        process.join()
    assert sorted(id for id in found if id) == sorted(f"j{number}" for number in range(40))
    with place.open() as space:
        assert {(item.state, item.lease) for item in space.jobs.list("ann")} == {("finished", 1)}


def race(place: Place, barrier: object, claimed: object) -> None:
    with place.open() as space:
        barrier.wait()  # type: ignore[attr-defined]
        found = claim(space, at=500.0)
        claimed.put(None if found is None else found.lease)  # type: ignore[attr-defined]


@pytest.mark.parametrize("abandoned", [False, True])
def test_one_job_and_six_workers(
    place: Place, start: Callable[..., BaseProcess], fork: ForkContext, abandoned: bool
) -> None:
    with place.open() as space:
        person(space, "ann")
        space.jobs.enter(job("j"))
        if abandoned:
            assert claim(space, at=10.0) is not None
    barrier, claimed = fork.Barrier(6), fork.Queue()
    processes = [start(race, place, barrier, claimed) for _ in range(6)]
    found = [claimed.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(found, key=str) == [2 if abandoned else 1, *[None] * 5]


def hold(place: Place, ready: object) -> None:
    with place.open() as space:
        assert claim(space, worker="doomed") is not None
        ready.set()  # type: ignore[attr-defined]
        time.sleep(600)


def test_a_killed_worker_s_job_is_done_by_another(
    place: Place, start: Callable[..., BaseProcess], fork: ForkContext
) -> None:
    with place.open() as space:
        person(space, "ann")
        space.jobs.enter(job("j"))
    ready = fork.Event()
    process = start(hold, place, ready)
    assert ready.wait(60)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with place.open() as space:
        assert claim(space, at=50.0) is None
        found = claim(space, at=111.0, worker="next")
        assert found is not None
        assert space.jobs.finish(found, at=112.0).worker == "next"


@pytest.mark.usefixtures("people")
def test_what_could_be_claimed_is_counted_and_operators_see_everybodys(space: Workspace) -> None:
    space.jobs.enter(job("j"))
    space.jobs.enter(job("later", not_before=500.0))
    space.jobs.enter(job("other", owner="bob", kind="promote"))
    assert space.jobs.waiting(["improve"], at=10.0, stale_after=100.0) == 1
    assert space.jobs.waiting(["improve", "promote"], at=500.0, stale_after=100.0) == 3
    assert space.jobs.waiting(["dance"], at=10.0) == 0
    assert claim(space, at=10.0) is not None
    # Claimed and beating: not to be had; silent for longer than that: to be had again.
    assert space.jobs.waiting(["improve"], at=110.0, stale_after=100.0) == 0
    assert space.jobs.waiting(["improve"], at=110.5, stale_after=100.0) == 1
    assert space.jobs.existing(["j", "absent", "other"]) == {"j", "other"}
    assert space.jobs.get("other", owner=None).owner == "bob"
    with pytest.raises(UnknownNameError):
        space.jobs.cancel("other", owner="ann", at=11.0)
    assert space.jobs.cancel("other", owner=None, at=11.0).state == "cancelled"
