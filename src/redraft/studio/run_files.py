"""What a run left in its folder, read for the page: curves as they grow, the grid of pictures, the report. No torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redraft.core.errors import DamagedError, UsageError
from redraft.store.workspace import Workspace

MOST_POINTS = 500
"""Of one curve; of longer ones every so manyth point is shown, the last one always."""
_CURVES, _EXAMINED, _REPORT = "curves.jsonl", "examined.json", "report.html"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One value of one curve."""

    name: str
    step: int
    value: float


class CurveTail:
    """Reads the points of a run as they are written, from where it read last."""

    def __init__(self, workspace: Workspace, run: str) -> None:
        self._path = _path(workspace, run, _CURVES)
        self._offset = 0

    def read(self) -> list[Point]:
        """The points that came since the last call; half-written lines wait for the next one."""
        if self._path is None or not self._path.is_file():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return list(_points(whole))


def curves_of(points: Sequence[Point]) -> dict[str, list[tuple[int, float]]]:
    """Curves by name in the order in which they began, steps rising. A step that was done again counts once, the last.

    Of a curve with more than MOST_POINTS points every so manyth is kept.
    """
    found: dict[str, dict[int, float]] = {}
    for point in points:
        found.setdefault(point.name, {})[point.step] = point.value
    return {name: _thinned(sorted(values.items())) for name, values in found.items()}


def grid_prompts(workspace: Workspace, run: str) -> list[str]:
    """The prompts of a run's picture grid, in order; empty when it has none."""
    path = _path(workspace, run, _EXAMINED)
    if path is None or not path.is_file():
        return []
    try:
        return [str(text) for text in json.loads(path.read_bytes())["grid"]]
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{path} is damaged ({error}): the run can be started again") from error


def grid_picture(workspace: Workspace, run: str, *, place: int, side: str) -> bytes | None:
    """The PNG of one side ("before", "after") of one place of the grid; None when there is none."""
    path = _path(workspace, run, f"grid/{place}-{side}.png")
    return path.read_bytes() if path is not None and path.is_file() else None


def report_page(workspace: Workspace, run: str) -> bytes | None:
    """The HTML report of a run; None while there is none."""
    path = _path(workspace, run, _REPORT)
    return path.read_bytes() if path is not None and path.is_file() else None


def has_report(workspace: Workspace, run: str) -> bool:
    """Whether a run has its report."""
    path = _path(workspace, run, _REPORT)
    return path is not None and path.is_file()


def _path(workspace: Workspace, run: str, name: str) -> Path | None:
    """Where a file of a run lies; None for what can be no run's name."""
    try:
        return workspace.stage_files.path(run, name)
    except UsageError:
        return None


def _points(data: bytes) -> Iterator[Point]:
    for line in data.splitlines():
        try:
            values: dict[str, Any] = json.loads(line)
            yield Point(name=str(values["name"]), step=int(values["step"]), value=float(values["value"]))
        except (ValueError, KeyError, TypeError):
            # What a killed process left of a line; the resumed run said it again.
            continue


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    every = -(-len(points) // MOST_POINTS)
    kept = points[::every] if every > 1 else points
    if kept and kept[-1] != points[-1]:
        kept[-1] = points[-1]
    return kept
