"""What a cycle tells the one who watches it. The command line draws it; tests and services may stay silent."""

from __future__ import annotations

from typing import Protocol

from redraft.evaluation.tripwires import Probe


class Observer(Protocol):
    """Hears of stages, progress, training steps and probes."""

    def stage(self, name: str, detail: str) -> None:
        """A stage begins."""
        ...

    def progress(self, done: int, total: int) -> None:
        """The stage in progress has done so much."""
        ...

    def training(self, step: int, total: int, loss: float) -> None:
        """A training step is done."""
        ...

    def probe(self, probe: Probe) -> None:
        """A probe was taken."""
        ...

    def note(self, text: str) -> None:
        """Something worth a line."""
        ...


class Silent:
    """An observer that says nothing."""

    def stage(self, name: str, detail: str) -> None:
        """Nothing."""

    def progress(self, done: int, total: int) -> None:
        """Nothing."""

    def training(self, step: int, total: int, loss: float) -> None:
        """Nothing."""

    def probe(self, probe: Probe) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""
