"""What a person sees while a cycle runs: stages, progress bars, tables. All of it goes to stderr but for results."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from redraft.core.records import Report, Verdict
    from redraft.evaluation.tripwires import Probe

ERRORS = Console(stderr=True)
"""Progress and messages."""


class Screen:
    """Draws a cycle's progress on stderr. Use as a context manager."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._progress = Progress(
            SpinnerColumn(), TextColumn("[bold]{task.description}"), BarColumn(), MofNCompleteColumn(),
            TextColumn("{task.fields[detail]}"), TimeElapsedColumn(), console=ERRORS, disable=quiet,
        )  # fmt: skip
        self._task: TaskID | None = None
        self._began = time.monotonic()

    def __enter__(self) -> Screen:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def stage(self, name: str, detail: str) -> None:
        """A stage begins: a new bar."""
        self._finish()
        self._task = self._progress.add_task(f"{name:8}", total=None, detail=detail)

    def progress(self, done: int, total: int) -> None:
        """Move the present bar."""
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=total)

    def training(self, step: int, total: int, loss: float) -> None:
        """Move the present bar and show the loss."""
        if self._task is not None:
            self._progress.update(self._task, completed=step, total=total, detail=f"loss {loss:.4f}")

    def probe(self, probe: Probe) -> None:
        """One line for each probe."""
        parts = [f"reward {probe.trained.mean():.3f}"]
        if probe.oracle is not None:
            parts.append(f"oracle {100 * probe.oracle.mean():.1f} %")
        if probe.heldout is not None:
            parts.append(f"held-out {probe.heldout.mean():.3f}")
        self.note(f"probe at step {probe.step}: " + ", ".join(parts))

    def note(self, text: str) -> None:
        """A line above the bars."""
        self._progress.console.print(f"  [dim]{text}[/dim]", highlight=False)

    def _finish(self) -> None:
        if self._task is not None:
            task = self._progress.tasks[self._task]
            total = task.total or max(task.completed, 1)
            self._progress.update(self._task, completed=total, total=total)


def measures_table(report: Report, verdict: Verdict | None) -> Table:
    """Before and after with paired 95 % intervals; green where the whole interval is good, red where it is bad."""
    from redraft.evaluation.table import ROLE_TITLES, table

    title = f"{report.candidate} against {report.incumbent} on {report.scored} of {report.prompts} prompts"
    drawn = Table(title=title, title_justify="left")
    for name in ("what", "before", "after", "change", "95 % interval"):
        drawn.add_column(name, justify="left" if name == "what" else "right")
    colours = {"better": "green", "worse": "red", "unclear": ""}
    role = None
    for row in table(report):
        if row.measure.role != role:
            role = row.measure.role
            drawn.add_section()
            drawn.add_row(f"[bold]{ROLE_TITLES[role]}[/bold]")
        drawn.add_row(row.label, row.before, row.after, row.change, row.interval, style=colours[row.outcome])
    if verdict is not None:
        drawn.caption = f"{verdict.decision.upper()}: {verdict.reasons[0]}"
    return drawn
