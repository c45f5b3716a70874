"""Running the arms of a reproduction and writing its page: what is there is not run again. No command line here.

An arm is done by child processes (a `Launch`): `redraft train`, then, where the reproduction measures more,
`redraft.cli.measuring`. Each leaves its half of the arm's row as soon as it ends, so a killed reproduction goes on
where it was, and an arm that was killed while it trained begins anew in an empty workspace.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redraft.cli import options
from redraft.cli.options import run_config
from redraft.core.errors import RedraftError, UsageError
from redraft.models.builtin import weights_that_ship

if TYPE_CHECKING:
    from redraft.loop.reproductions.plan import Arm, Reproduction, Row, Variation


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a child left: its JSON object, how long it took, and its peak memory in bytes."""

    answer: dict[str, Any]
    seconds: float
    peak_memory: int


SHOWN = 6
"""Pictures of each model in a grid."""
_OWN_EXAMINATION = {"prompts": 12, "tail_prompts": 0, "diversity_prompts": 0, "reference_pictures": 16}
"""The examination of a run that is measured afterwards: as small as can be."""
_AMBIGUOUS = 128  # most ambiguous prompts that are measured, at scale 1

Launch = Callable[[Sequence[str]], Ended]
"""Runs a Python module, given first, with arguments. Raises RedraftError when it fails."""


@dataclass(frozen=True, kw_only=True)
class Reproducing:
    """One reproduction in one folder. common: values below those of the reproduction and its arms."""

    plan: Reproduction
    folder: Path
    common: Mapping[str, Any]
    scale: float
    preset: str | None
    again: bool
    launch: Launch
    say: Callable[[str], None]

    @property
    def name(self) -> str:
        """Name of page, figures and rows: that of the reproduction, and of the preset unless it is the default."""
        chosen, _ = self.plan.preset(self.preset)
        return self.plan.name if chosen == next(iter(self.plan.settings)) else f"{self.plan.name}-{chosen}"

    @property
    def work(self) -> Path:
        """Where children work; may be deleted when all is done."""
        return self.folder / self.name / "work"

    def run(self, arms: tuple[str, ...]) -> None:
        """Run the arms that are missing. Raises RedraftError for one that fails; those that are done stay done."""
        from redraft.store.files import write_file

        for name, texts in self.plan.prompts.items():
            path = self._prompts(name)
            content = "".join(f"{text}\n" for text in texts()).encode()
            if not path.is_file() or path.read_bytes() != content:
                write_file(path, content)
        for arm in self.plan.chosen(arms):
            self._arm(arm)

    def row_path(self, arm: str) -> Path:
        """Where the row of an arm is kept."""
        return self.folder / self.name / f"{arm}.json"

    def config(self, arm: Arm | Variation) -> dict[str, Any]:
        """The resolved configuration of an arm. Raises ConfigError for values that cannot be."""
        from redraft.loop.reproductions.plan import Arm
        from redraft.loop.reproductions.scaling import scaled

        _, settings = self.plan.preset(self.preset)
        values = options.merged(self.common, settings, arm.config)
        base = (arm.model if isinstance(arm, Arm) else None) or self.plan.model
        if base and not values.get("model"):
            values["model"] = base
        if isinstance(arm, Arm):
            values["method"] = arm.method
        if values.get("prompts") in self.plan.prompts:
            values["prompts"] = str(self._prompts(values["prompts"]))
        if self.plan.measures is not None and isinstance(arm, Arm):
            values["examine"] = {**values.get("examine", {}), **_OWN_EXAMINATION}
        source = f"arm {arm.name!r}"
        resolved = run_config(values, given={}, source=source).model_dump(mode="json")
        return run_config(scaled(resolved, self.scale), given={}, source=source).model_dump(mode="json")

    def _prompts(self, name: str) -> Path:
        return self.folder / self.name / f"{name}.txt"

    def _arm(self, arm: Arm | Variation) -> None:
        from redraft.loop.reproductions.plan import Arm

        row = {} if self.again else _read(self.row_path(arm.name))
        if isinstance(arm, Arm):
            config = self.config(arm)
            if row.get("config") != self._portable(config):
                self.say(f"arm {arm.name}: training ...")
                row = self._trained(arm, config)
                _write(self.row_path(arm.name), row)
        if self.plan.measures is not None:
            asked = self._measurement(arm, row)
            if row.get("asked") != self._portable(asked):
                self._require_weights(arm)
                self.say(f"arm {arm.name}: measuring ...")
                _write(self.row_path(arm.name), {**row, "arm": arm.name, **self._measured(arm, asked)})

    def _trained(self, arm: Arm, config: dict[str, Any]) -> dict[str, Any]:
        workspace = self.work / arm.name
        _empty(workspace)
        given = self.work / f"{arm.name}.config.json"
        _write(given, config)
        ended = self.launch(
            ["redraft.cli.main", "train", arm.method, "--config", str(given), "--workspace", str(workspace), "--json"]
        )
        # Rows are for the repository, where the report is not; they must not tell of somebody's disk either.
        summary = {name: value for name, value in ended.answer.items() if name != "report"}
        return {
            "arm": arm.name, "config": self._portable(config), "seconds": ended.seconds,
            "peak_memory": ended.peak_memory, "hardware": _hardware(), "weights": weights_that_ship(),
            "summary": summary,
        }  # fmt: skip

    def _measured(self, arm: Arm | Variation, asked: dict[str, Any]) -> dict[str, Any]:
        from redraft.loop.reproductions.plan import Arm

        given = self.work / f"{arm.name}.measure.json"
        _write(given, asked)
        ended = self.launch(["redraft.cli.measuring", str(given), str(self.work / "pictures")])
        found = {"asked": self._portable(asked), "measured": ended.answer, "hardware": _hardware()}
        # An arm is as old as its training.
        return found if isinstance(arm, Arm) else {**found, "weights": weights_that_ship()}

    def _portable(self, value: Any) -> Any:
        """The same with paths as they are below the folder: a row holds wherever the folder lies."""
        if isinstance(value, dict):
            return {name: self._portable(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self._portable(part) for part in value]
        return value.removeprefix(f"{self.folder}{os.sep}") if isinstance(value, str) else value

    def _measurement(self, arm: Arm | Variation, row: Mapping[str, Any]) -> dict[str, Any]:
        """What is to be measured of an arm: a MeasureConfig as JSON."""
        from redraft.loop.reproductions.plan import Arm
        from redraft.loop.reproductions.scaling import scaled

        measures = self.plan.measures
        assert measures is not None  # asked by those only that measure
        own = isinstance(arm, Arm)
        run = self.config(arm)
        sizes = {**measures.examine, **({} if own else arm.config.get("examine", {}))}
        run["examine"] = scaled({"examine": {**run["examine"], **sizes}}, self.scale)["examine"]
        pictures = {task: max(1, round(count * self.scale)) for task, count in measures.pictures.items()}
        ambiguous = self.plan.prompts[measures.ambiguous]() if measures.ambiguous else ()
        return {
            "run": run, "contestant": self._contestant(arm, row), "rounds": measures.rounds and own,
            "curve": measures.curve and own, "training": measures.training and own, "timed": measures.timed,
            "shown": SHOWN if arm.name in measures.shown else 0,
            "ambiguous": _held_out(ambiguous, count=max(6, round(_AMBIGUOUS * self.scale))),
            **({"pictures": pictures} if pictures else {}),  # so that rows without stay what they are
        }  # fmt: skip

    def _contestant(self, arm: Arm | Variation, row: Mapping[str, Any]) -> dict[str, Any]:
        from redraft.loop.reproductions.plan import Arm

        if isinstance(arm, Arm):
            return {"parts": [self._part(arm.name, row, scale=1.0)]}
        parts = [self._part(name, _read(self.row_path(name)), scale=scale) for name, scale in arm.scales.items()]
        return {
            "parts": parts, "share": arm.share, "side": arm.side, "guidance_scale": arm.guidance_scale,
            "enhance": arm.enhance, "options": dict(arm.options),
        }  # fmt: skip

    def _part(self, name: str, row: Mapping[str, Any], *, scale: float) -> dict[str, Any]:
        summary = row.get("summary", {})
        return {
            "workspace": str(self.work / name), "run": summary.get("run"), "checkpoint": summary.get("checkpoint"),
            "scale": scale,
        }  # fmt: skip

    def _require_weights(self, arm: Arm | Variation) -> None:
        from redraft.loop.reproductions.plan import Arm

        for name in (arm.name,) if isinstance(arm, Arm) else arm.scales:
            row, workspace = _read(self.row_path(name)), self.work / name
            if "summary" not in row or not (workspace / "redraft.db").is_file():
                wanted = ",".join(dict.fromkeys((name, arm.name)))
                raise UsageError(
                    f"arm {arm.name!r} paints with the weights of arm {name!r}, which are not in {workspace}: run "
                    f"that arm {'again ' if 'summary' in row else ''}first: --arms {wanted}"
                    f"{' --again' if 'summary' in row else ''}"
                )

    def write(self, command: str) -> dict[str, Row]:
        """Write page and figures from all rows that are there. Raises UsageError when there is none."""
        from redraft.loop.reproductions.charts import gains
        from redraft.loop.reproductions.page import markdown, shown_in
        from redraft.store.files import write_file

        rows, hardware = self._rows()
        if not rows:
            raise UsageError(f"no arm of {self.plan.name!r} has a result in {self.folder / self.name}: run one")
        drawn = {chart.name: chart.draw(rows) for chart in self.plan.charts}
        for name, figure in drawn.items():
            path = self.folder / f"{self.name}-{name}.png"
            if figure is None:
                path.unlink(missing_ok=True)
            else:
                write_file(path, figure)
        write_file(self.folder / f"{self.name}.png", gains(self.plan, rows))
        page = markdown(
            self.plan, rows, command=command, hardware=", ".join(hardware), file=self.name,
            charts=[name for name, figure in drawn.items() if figure is not None],
        )  # fmt: skip
        write_file(self.folder / f"{self.name}.md", page.encode())
        other = self.folder / (self.plan.shown_in or "")
        # With another preset or size the rows are no answer to what that page is about.
        if self.name == self.plan.name and other.is_file():
            write_file(other, shown_in(other.read_text(), self.plan, rows).encode())
        return rows

    def _rows(self) -> tuple[dict[str, Row], list[str]]:
        from redraft.loop.reproductions.plan import Row

        rows: dict[str, Row] = {}
        hardware: set[str] = set()
        now = weights_that_ship()
        for arm in self.plan.arms:
            found = _read(self.row_path(arm.name))
            if found and (self.plan.measures is None or "measured" in found):
                hardware.add(found["hardware"])
                rows[arm.name] = Row(
                    arm=arm, summary=found.get("summary", {}), seconds=found.get("seconds", 0.0),
                    peak_memory=found.get("peak_memory", 0), measured=found.get("measured", {}),
                    outdated=_outdated(found.get("weights", {}), now),
                )  # fmt: skip
        return rows, sorted(hardware)


def run_child(arguments: Sequence[str]) -> Ended:
    """Run a module in a process of its own, so that its peak memory is its own; progress goes to our stderr."""
    began = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-m", *arguments], stdout=subprocess.PIPE, text=True, preexec_fn=_end_with_parent()
    )
    assert child.stdout is not None  # asked for above
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RedraftError(
            f"{' '.join(arguments)} ended with exit code {child.returncode}, its message is above: mend the cause and "
            "run the same command again; the arms that are done stay done"
        )
    return Ended(answer=json.loads(output), seconds=time.monotonic() - began, peak_memory=usage.ru_maxrss * 1024)


def _end_with_parent() -> Callable[[], None] | None:
    """What a child does first, so that it does not train on alone when we are killed; nothing but on Linux."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes
    import signal

    system, death_signal = ctypes.CDLL(None), 1  # PR_SET_PDEATHSIG of prctl(2)
    return lambda: system.prctl(death_signal, signal.SIGTERM)


def _empty(workspace: Path) -> None:
    """Remove what an earlier attempt left. Raises BusyError when its process is still at work."""
    from redraft.store.workspace import Workspace

    if (workspace / "redraft.db").is_file():
        with Workspace.open(workspace) as space:
            now = time.time()
            space.lease.release(space.lease.acquire(run="", at=now))
    shutil.rmtree(workspace, ignore_errors=True)


def _held_out(texts: Sequence[str], *, count: int) -> list[str]:
    """Of prompts that arms are trained on, those that a run holds out."""
    if not texts:
        return []
    from redraft.core.keys import Key
    from redraft.core.records import Prompt
    from redraft.evaluation.suites import PromptsSuite, PromptsSuiteConfig

    suite = PromptsSuite(PromptsSuiteConfig(prompts=count), [Prompt(text=text) for text in texts])
    return [prompt.text for prompt in suite.prompts(Key(seed=0))]


def _outdated(then: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Networks whose weights have changed. Rows from before weights were recorded are older than this `clip`."""
    return tuple(name for name in now if then.get(name) != now[name]) if then else ("clip",)


def _hardware() -> str:
    import platform

    return f"{os.cpu_count()} CPU cores ({platform.machine()})"


def _read(path: Path) -> dict[str, Any]:
    """The row in a file, {} when there is none."""
    if not path.is_file():
        return {}
    row: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return row


def _write(path: Path, value: Mapping[str, Any]) -> None:
    from redraft.store.files import write_file

    write_file(path, json.dumps(value, indent=1).encode())
