"""Durable answers at speed: answers that arrive while one commit is on its way share the next. No rules.

A commit on a disk takes as long for one answer as for hundreds. One thread takes in what has gathered; each sender's
future is done when its answer is on the disk, never before. Senders who just got theirs send the next within a moment;
the next commit waits that moment for them, or it would hold the first one alone and let all others wait for it.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError

from redraft.core.errors import BusyError, DamagedError, StorageError
from redraft.store.answer_records import Answer, Outcome
from redraft.store.answers import Answers
from redraft.store.points import Amount

GATHERING_SECONDS = 0.003
"""At most so long a commit waits for those who were answered by the last one; a lone sender waits for nobody."""


@dataclass(frozen=True)
class _Waiting:
    answer: Answer
    future: Future[Outcome]


class AnswerWriter:
    """Batches concurrent answers into one transaction each. Threads share it; each process has its own.

    most: answers in one transaction. room: answers that may wait; more are refused with BusyError, so that a slow disk
    is felt by who sends, and memory stays bounded. amount: points of the n-th review of a day, as for `ingest`.
    """

    def __init__(self, answers: Answers, *, amount: Amount | None = None, most: int = 256, room: int = 10_000) -> None:
        self._answers = answers
        self._amount = amount
        self._most = most
        self._room = room
        self._waiting: deque[_Waiting] = deque()
        self._expected = 1
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="redraft-answers", daemon=True)
        self._thread.start()

    def submit(self, answer: Answer) -> Future[Outcome]:
        """Hand an answer over; the future has its outcome when it is durable, or the error that kept it out.

        Raises BusyError when too many wait, StorageError when the writer was closed.
        """
        future: Future[Outcome] = Future()
        with self._changed:
            if self._closed or not self._thread.is_alive():
                raise StorageError("answers are no longer taken in, the service is stopping: send this one again later")
            if len(self._waiting) >= self._room:
                raise BusyError(
                    f"{len(self._waiting):,} answers wait to be written, as many as may: send this one again soon"
                )
            self._waiting.append(_Waiting(answer, future))
            if len(self._waiting) in (1, self._expected):
                self._changed.notify()
        return future

    def close(self) -> None:
        """Take in what waits, then stop. Answers submitted later are refused."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def __enter__(self) -> AnswerWriter:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                self._changed.wait_for(
                    lambda: len(self._waiting) >= self._expected or self._closed, timeout=GATHERING_SECONDS
                )
                batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            if not batch:
                return
            # A sender that gave up before its batch began is not written.
            self._write([item for item in batch if item.future.set_running_or_notify_cancel()])

    def _write(self, batch: list[_Waiting]) -> None:
        try:
            outcomes = self._answers.ingest([item.answer for item in batch], amount=self._amount)
        except BaseException as error:
            if len(batch) > 1 and _blames_one(error):
                for item in batch:
                    self._write([item])
                return
            for item in batch:
                item.future.set_exception(error)
        else:
            with self._changed:
                # All who send now: those who get their answer here, and those who came meanwhile.
                self._expected = min(self._most, len(batch) + len(self._waiting))
            for item, outcome in zip(batch, outcomes, strict=True):
                item.future.set_result(outcome)


def _blames_one(error: BaseException) -> bool:
    """Whether one answer may be at fault, which must not keep out the others: not the disk, not a held database."""
    return isinstance(error.__cause__, IntegrityError) or not isinstance(error, BusyError | StorageError | DamagedError)
