"""An observer between a cycle and another observer: keeps the curves of a run, and asks whether it may go on.

The curves are lines of JSON in the run's folder, `{"name": "loss", "step": 12, "value": 0.3}`, for whoever looks while
the run works. They are not part of it: a resumed run says some steps again, and the later line counts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import IO

from redraft.evaluation.tripwires import Probe
from redraft.loop.observer import Observer
from redraft.store.files import make_folder, translate_os_errors
from redraft.store.workspace import Workspace

CURVES = "curves.jsonl"
"""The file of a run, by the name that `StageFiles` knows it by."""

_PROBED = {"trained": "reward", "oracle": "oracle", "heldout": "held-out", "diversity": "diversity"}
"""Array of a probe -> name of its curve."""


class Recorded:
    """Tells `inner` everything. `check` is called before and may raise: what it raises ends the cycle there."""

    def __init__(self, inner: Observer, *, workspace: Workspace, run: str, check: Callable[[], None]) -> None:
        self._inner, self.check = inner, check
        self._workspace, self._run = workspace, run
        self._path = workspace.stage_files.path(run, CURVES)
        self._file: IO[str] | None = None
        self._round = 0

    def stage(self, name: str, detail: str) -> None:
        """A stage begins; a training is that of the first round that has not finished."""
        self.check()
        if name == "train":
            self._round = finished_rounds(self._workspace, self._run)
        self._inner.stage(name, detail)

    def progress(self, done: int, total: int) -> None:
        """The stage in progress has done so much."""
        self.check()
        self._inner.progress(done, total)

    def training(self, step: int, total: int, loss: float) -> None:
        """A training step is done: one point of the loss, by steps of all rounds."""
        self.check()
        self._keep("loss", self._round * total + step, loss)
        self._inner.training(step, total, loss)

    def probe(self, probe: Probe) -> None:
        """A probe was taken: one point of each curve that it measured."""
        self.check()
        for array, name in _PROBED.items():
            values = getattr(probe, array)
            if values is not None:
                self._keep(name, probe.step, float(values.mean()))
        self._inner.probe(probe)

    def note(self, text: str) -> None:
        """Something worth a line."""
        self._inner.note(text)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Recorded:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _keep(self, name: str, step: int, value: float) -> None:
        if not math.isfinite(value):
            return
        line = json.dumps({"name": name, "step": step, "value": value}, separators=(",", ":"))
        with translate_os_errors(self._path, needed=len(line) + 1):
            if self._file is None:
                make_folder(self._path.parent)
                self._file = self._path.open("a", encoding="utf-8", buffering=1)
                # A process that was killed may have left half a line.
                self._file.write("\n")
            self._file.write(line + "\n")


def finished_rounds(workspace: Workspace, run: str) -> int:
    """How many rounds of a run have finished training, by its ledger."""
    entries = workspace.ledger.entries(run)
    return len({entry.stage for entry in entries if entry.status == "finished" and entry.stage.endswith("-train")})
