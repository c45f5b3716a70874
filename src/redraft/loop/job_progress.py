"""How far a run is, in numbers and words, from what its cycle tells an observer. Sends nothing."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redraft.evaluation.tripwires import Probe

_NAMES: Mapping[str, str] = {
    "open": "prepare", "standards": "prepare", "rate": "prepare", "fit": "prepare", "pairs": "prepare",
    "compare": "decide",
}  # fmt: skip
"""Names of stages that go by a common one for people who watch from afar."""
_BEGINS: Mapping[str, float] = {"collect": 0.0, "judge": 0.4, "prepare": 0.4, "train": 0.45}
_ENDS: Mapping[str, float] = {"collect": 0.4, "judge": 0.45, "prepare": 0.45, "train": 1.0}
"""The share of a round at which each of its stages begins and ends: roughly, trainings differ."""
_ROUNDS = 0.85
"""The share of a run that its rounds take; the rest is its examination."""


class JobProgress:
    """An observer that remembers where a run is. Threads may read `now` while the run goes on."""

    def __init__(self, run: str, *, rounds: int, finished: int) -> None:
        self._lock = threading.Lock()
        self._rounds, self._done = max(1, rounds), finished
        self._stage, self._trained = "", False
        self._now: dict[str, Any] = {"run": run, "stage": "", "share": 0.0, "words": ""}

    @property
    def now(self) -> dict[str, Any]:
        """{"run", "stage", "share": 0..1, "words"}."""
        with self._lock:
            return dict(self._now)

    def stage(self, name: str, detail: str) -> None:
        """A stage begins. The one after a training belongs to the next round, or to the examination."""
        if self._trained:
            self._done, self._trained = self._done + 1, False
        self._stage = name
        self._say(0.0, detail)

    def progress(self, done: int, total: int) -> None:
        """The stage in progress has done so much."""
        self._say(done / max(1, total), f"{done} of {total}")

    def training(self, step: int, total: int, loss: float) -> None:
        """A training step is done."""
        self._trained = step >= total
        self._say(step / max(1, total), f"step {step} of {total}, loss {loss:.4f}")

    def probe(self, probe: Probe) -> None:
        """Nothing: the curves say it."""

    def note(self, text: str) -> None:
        """The words of the moment."""
        self._say(None, text)

    def _say(self, within: float | None, words: str) -> None:
        with self._lock:
            share = self._now["share"] if within is None else self._share(within)
            # A stage that is done again after a crash does not take the bar back.
            share = max(share, self._now["share"])
            self._now |= {"stage": _NAMES.get(self._stage, self._stage), "share": round(share, 4), "words": words}

    def _share(self, within: float) -> float:
        if self._done >= self._rounds or self._stage in ("examine", "compare"):
            return _ROUNDS + (1 - _ROUNDS) * (0.5 * within if self._stage == "examine" else 0.9)
        begin, end = _BEGINS.get(self._stage, 0.0), _ENDS.get(self._stage, 0.0)
        return _ROUNDS * (self._done + begin + (end - begin) * within) / self._rounds
