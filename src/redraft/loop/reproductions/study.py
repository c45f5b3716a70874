"""A reproduction that is no comparison of training runs: stages, one after another, each resumable by its result.

Not the contents of a study (a file each) and not `plan`, whose arms are runs of `redraft train`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redraft.core.errors import DamagedError, UsageError
from redraft.core.protocols import Factory
from redraft.store.files import write_file

Results = Mapping[str, Mapping[str, Any]]
"""What each stage gave, by its name; JSON."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What a stage works with. folder: for its large files, where those of earlier stages are too."""

    folder: Path
    factory: Factory
    seed: int
    results: Results
    say: Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One piece of work. run: gives its result as JSON; run again after it was killed, it goes on or starts anew."""

    name: str
    title: str
    run: Callable[[Bench], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Study:
    """Stages with a question. page: the Markdown page of all results. figure: its PNG."""

    name: str
    title: str
    question: str
    stages: tuple[Stage, ...]
    page: Callable[[Results], str]
    figure: Callable[[Results], bytes]

    def chosen(self, names: tuple[str, ...]) -> tuple[Stage, ...]:
        """The stages called `names`, in order; all for none. Raises UsageError for an unknown name."""
        known = [stage.name for stage in self.stages]
        wrong = sorted(set(names) - set(known))
        if wrong:
            raise UsageError(f"study {self.name!r} has no stage {wrong[0]!r}: it has {', '.join(known)}")
        return tuple(stage for stage in self.stages if not names or stage.name in names)


def run_study(
    study: Study,
    folder: Path,
    *,
    factory: Factory,
    seed: int,
    names: tuple[str, ...] = (),
    again: bool = False,
    say: Callable[[str], None],
) -> Results:
    """Run the stages that have no result of this seed in FOLDER/NAME/STAGE.json; then write the page if all have one.

    A stage is run again too when an earlier one was. Raises UsageError when a stage lacks an earlier one.
    """
    wanted, place = study.chosen(names), folder / study.name
    results = read_results(study, folder, seed=seed)
    stale = False
    for stage in wanted:
        if stage.name in results and not again and not stale:
            continue
        earlier = study.stages[: study.stages.index(stage)]
        missing = [each.name for each in earlier if each.name not in results]
        if missing:
            raise UsageError(f"stage {stage.name!r} needs {', '.join(missing)}: run those first, or name no stage")
        say(f"stage {stage.name}: {stage.title} ...")
        bench = Bench(folder=place / "work", factory=factory, seed=seed, results=results, say=say)
        began = time.monotonic()
        found = stage.run(bench)
        row = {"stage": stage.name, "seed": seed, "seconds": time.monotonic() - began, "result": found}
        write_file(place / f"{stage.name}.json", (json.dumps(row, indent=1) + "\n").encode())
        results[stage.name] = found | {"seconds": row["seconds"]}
        stale = True
    if all(stage.name in results for stage in study.stages):
        write_file(folder / f"{study.name}.md", study.page(results).encode())
        write_file(folder / f"{study.name}.png", study.figure(results))
    return results


def read_results(study: Study, folder: Path, *, seed: int) -> dict[str, Mapping[str, Any]]:
    """Results of this seed that are there, up to the first stage without one. Raises DamagedError for a broken file."""
    results: dict[str, Mapping[str, Any]] = {}
    for stage in study.stages:
        path = folder / study.name / f"{stage.name}.json"
        if not path.is_file():
            break
        try:
            row = json.loads(path.read_text(encoding="utf-8"))
            if row["seed"] != seed:
                break
            results[stage.name] = row["result"] | {"seconds": row["seconds"]}
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedError(
                f"{path} is no result of a stage ({error}): remove it and run the stage again"
            ) from error
    return results
