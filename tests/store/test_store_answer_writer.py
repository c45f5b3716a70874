"""The writer that shares commits: killed writers lose nothing that was acknowledged, one bad answer harms no other."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.context import ForkContext
from multiprocessing.process import BaseProcess

import pytest
from places import Place
from studio_rows import answer, person, uuid7

from redraft.core.errors import BusyError, StorageError
from redraft.store import answer_writer
from redraft.store.answer_records import Answer, Outcome
from redraft.store.answer_writer import AnswerWriter
from redraft.store.answers import Answers
from redraft.store.points import Amount
from redraft.store.workspace import Workspace


def ten(n: int) -> float:
    return 10.0 / n


def test_answers_of_many_threads_are_all_kept_and_share_commits(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [person(space, f"person {number}") for number in range(8)]
    sizes: list[int] = []
    ingest = Answers.ingest

    def counting(self: Answers, answers: object, **options: object) -> object:
        sizes.append(len(answers))  # type: ignore[arg-type]
        return ingest(self, answers, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Answers, "ingest", counting)
    statuses: list[str] = []

    def send(user: str) -> None:
        futures = [writer.submit(answer(f"{user}/{number}", user, f"p{number}")) for number in range(25)]
        statuses.extend(future.result(timeout=60).status for future in futures)

    with AnswerWriter(space.answers, amount=ten, most=64) as writer:
        threads = [threading.Thread(target=send, args=(user,)) for user in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert statuses == ["stored"] * 200
    assert sum(sizes) == 200
    assert max(sizes) <= 64
    assert len(sizes) < 100, "commits were not shared"
    for user in people:
        assert len(space.answers.of_person(user, limit=100)) == 25
        assert len(space.points.entries(user, limit=100)) == 25


def wait_for(condition: Callable[[], bool]) -> None:
    last = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < last
        time.sleep(0.001)


def test_a_commit_waits_for_the_senders_of_the_last_one(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four senders, each of whom waits for every answer: no commit holds one alone, though one comes back first."""
    monkeypatch.setattr(answer_writer, "GATHERING_SECONDS", 60.0)
    for number in range(4):
        person(space, f"person {number}")
    sizes: list[int] = []
    others = threading.Event()
    ingest = Answers.ingest

    def held(self: Answers, answers: list[Answer], *, amount: Amount | None = None) -> tuple[Outcome, ...]:
        assert others.wait(60)
        sizes.append(len(answers))
        return ingest(self, answers, amount=amount)

    def send(number: int, count: int) -> None:
        for place in range(count):
            assert writer.submit(answer(f"{number}/{place}", f"person {number}", f"p{place}")).result(60).first

    monkeypatch.setattr(Answers, "ingest", held)
    with AnswerWriter(space.answers) as writer:
        first = writer.submit(answer("first", "person 0", "q"))
        wait_for(first.running)
        threads = [threading.Thread(target=send, args=(number, 5)) for number in (1, 2, 3)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(writer._waiting) == 3)
        others.set()
        first.result(60)
        send(0, 5)
        for thread in threads:
            thread.join()
    assert sizes == [1, 4, 4, 4, 4, 4]


def test_a_lone_sender_waits_for_nobody(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_writer, "GATHERING_SECONDS", 60.0)
    person(space, "ann")
    with AnswerWriter(space.answers) as writer:
        for number in range(5):
            assert writer.submit(answer(number, "ann", f"p{number}")).result(timeout=30).status == "stored"


def test_one_answer_that_cannot_be_kept_harms_no_other(space: Workspace) -> None:
    person(space, "ann")
    # What no column of either database holds, and no check before finds out.
    poison = answer("poison", "ann", "q", payload={"set": {1, 2}})
    with AnswerWriter(space.answers) as writer:
        futures = [writer.submit(item) for item in (answer("a", "ann", "p"), poison, answer("b", "ann", "r"))]
        outcomes = [future.exception(timeout=60) or future.result().status for future in futures]
    assert outcomes[0] == outcomes[2] == "stored"
    assert isinstance(outcomes[1], Exception)
    assert [item.id for item in space.answers.of_person("ann")] == [uuid7("b"), uuid7("a")]


def test_too_many_waiting_and_a_closed_writer(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    person(space, "ann")
    held, going = threading.Event(), threading.Event()
    ingest = Answers.ingest

    def slowly(self: Answers, answers: object, **options: object) -> object:
        going.set()
        assert held.wait(60)
        return ingest(self, answers, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Answers, "ingest", slowly)
    writer = AnswerWriter(space.answers, room=2)
    futures = [writer.submit(answer(0, "ann", "p0"))]
    assert going.wait(60)
    futures += [writer.submit(answer(number, "ann", f"p{number}")) for number in (1, 2)]
    with pytest.raises(BusyError, match="2 answers wait to be written, as many as may: send this one again soon"):
        writer.submit(answer(3, "ann", "p3"))
    assert futures[2].cancel(), "a sender may give up while its answer waits"
    held.set()
    writer.close()
    assert [future.result().status for future in futures[:2]] == ["stored", "stored"]
    assert len(space.answers.of_person("ann")) == 2
    with pytest.raises(StorageError, match="no longer taken in, the service is stopping: send this one again later"):
        writer.submit(answer(4, "ann", "p4"))


def test_every_sender_hears_of_a_database_that_fails(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Answers, answers: object, **options: object) -> object:
        raise StorageError("the disk is full")

    with monkeypatch.context() as broken, AnswerWriter(space.answers) as writer:
        broken.setattr(Answers, "ingest", full)
        futures = [writer.submit(answer(number, "ann", "p")) for number in range(3)]
        assert [str(future.exception(timeout=60)) for future in futures] == ["the disk is full"] * 3
        broken.undo()
        person(space, "ann")
        assert writer.submit(answer(1, "ann", "p")).result(timeout=60).status == "stored", "it goes on afterwards"


def write_until_killed(place: Place, name: str, acknowledged: int) -> None:
    """Four threads that rate; the id of each answer goes into the pipe after it was acknowledged, never before."""
    with place.open() as space, AnswerWriter(space.answers, amount=ten) as writer:

        def send(thread: int) -> None:
            for number in range(100_000):
                made = answer(f"{name}/{thread}/{number}", f"person {thread}", f"{name}/{number}")
                writer.submit(made).result()
                os.write(acknowledged, f"{thread}/{number}\n".encode())

        threads = [threading.Thread(target=send, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def test_a_killed_writer_loses_no_acknowledged_answer(
    place: Place, start: Callable[..., BaseProcess], fork: ForkContext
) -> None:
    """SIGKILL at another moment each time; then everything is sent again, as clients do."""
    with place.open() as space:
        for thread in range(4):
            person(space, f"person {thread}")
    sent: set[tuple[str, int, int]] = set()
    for kill in range(4):
        reading, writing = os.pipe()
        process = start(write_until_killed, place, f"kill {kill}", writing)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            seen = [pipe.readline() for _ in range(5 + 17 * kill)]
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            seen += pipe.readlines()
        assert all(line.endswith("\n") for line in seen)
        for line in seen:
            thread, number = line.split("/")
            sent.add((f"kill {kill}", int(thread), int(number)))
    with place.open() as space:
        kept = {item.id for thread in range(4) for item in space.answers.of_person(f"person {thread}", limit=10_000)}
        acknowledged = {uuid7(f"{name}/{thread}/{number}") for name, thread, number in sent}
        assert len(acknowledged) >= 5 + 22 + 39 + 56
        assert acknowledged <= kept
        again = [answer(f"{n}/{t}/{number}", f"person {t}", f"{n}/{number}") for n, t, number in sorted(sent)]
        assert {outcome.status for outcome in space.answers.ingest(again, amount=ten)} == {"known"}
        for thread in range(4):
            answers = space.answers.of_person(f"person {thread}", limit=10_000)
            points = space.points.entries(f"person {thread}", limit=10_000)
            assert len({item.id for item in answers}) == len(answers)
            assert sorted(item.award for item in points) == sorted(item.id for item in answers)


def take_in_shuffled(place: Place, seed: int, barrier: object, said: object) -> None:
    """Take in the same sixty answers of three people as all others, in an order of its own, twelve at once."""
    made = [answer(number, f"person {number % 3}", f"p{number}") for number in range(60)]
    random.Random(seed).shuffle(made)
    with place.open() as space:
        barrier.wait()  # type: ignore[attr-defined]
        for begin in range(0, 60, 12):
            for outcome in space.answers.ingest(made[begin : begin + 12], amount=ten):
                said.put((outcome.id, outcome.status))  # type: ignore[attr-defined]


def test_processes_that_take_in_the_same_answers_at_once(
    place: Place, start: Callable[..., BaseProcess], fork: ForkContext
) -> None:
    with place.open() as space:
        for number in range(3):
            person(space, f"person {number}")
    barrier, said = fork.Barrier(4), fork.Queue()
    processes = [start(take_in_shuffled, place, seed, barrier, said) for seed in range(4)]
    outcomes = [said.get(timeout=60) for _ in range(240)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert {status for _, status in outcomes} == {"stored", "known"}
    assert sorted(id for id, status in outcomes if status == "stored") == sorted(uuid7(n) for n in range(60))
    with place.open() as space:
        for name in ("person 0", "person 1", "person 2"):
            kept = space.answers.of_person(name, limit=100)
            assert len(kept) == len({item.id for item in kept}) == 20
            entries = space.points.entries(name, limit=100)
            assert sorted(entry.place for entry in entries) == list(range(1, 21)), "each place of a day is given once"
            assert {entry.award for entry in entries} == {item.id for item in kept}
