"""`redraft evaluate --suite`: models on a benchmark, resumable, with a leaderboard page. Also its self-tests."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import typer

from redraft.cli.contestants import Contestant, Sampling, contestants, open_painter
from redraft.cli.options import print_json
from redraft.core import plugins
from redraft.core.errors import RedraftError, UsageError

if TYPE_CHECKING:
    from redraft.core.keys import Key
    from redraft.core.records import Prompt
    from redraft.evaluation.benchmarks.benchmark import Benchmark, Check
    from redraft.evaluation.benchmarks.leaderboard import Entry, Leaderboard

PAGE, TABLE = "leaderboard.html", "leaderboard.json"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the command line asks of a suite: its name, options, data folder, and the user's own prompts.

    scorers: the options of the TOML's [scorers.NAME]. device: where they compute.
    """

    suite: str
    options: Mapping[str, Any]
    data: str
    prompts: tuple[Prompt, ...]
    seed: int
    scorers: Mapping[str, Mapping[str, Any]]
    device: str


def rank_models(
    names: Sequence[str],
    wanted: Wanted,
    *,
    base: str,
    workspace: Path,
    output: Path,
    sampling: Sampling,
    command: str,
    as_json: bool,
) -> None:
    """Self-test, run every model, write OUTPUT/SUITE/leaderboard.html and .json, and print the table.

    Raises RedraftError when the self-test fails: no number is printed then.
    """
    from redraft.cli.screen import Screen
    from redraft.core.keys import Key
    from redraft.evaluation.benchmarks.leaderboard import rank, to_json
    from redraft.evaluation.benchmarks.ranking_page import render
    from redraft.store.files import write_file

    began, key = time.monotonic(), Key(seed=wanted.seed)
    chosen = contestants(names, base=base, workspace=workspace)
    folder = output / wanted.suite
    with Screen(quiet=as_json) as screen:
        screen.stage("open", f"{wanted.suite} and its judge")
        benchmark = open_benchmark(wanted, key=key)
        require_heard(wanted, benchmark)
        checks = benchmark.self_test()
        screen.progress(1, 1)
        require_passed(wanted.suite, checks)
        entries: list[Entry] = []
        for contestant in chosen:
            screen.stage("judge", contestant.name)
            entries.append(_entry(contestant, benchmark, folder, sampling=sampling, workspace=workspace, key=key,
                                  on_picture=screen.progress))  # fmt: skip
        screen.stage("rank", f"{len(entries)} models")
        board = rank(benchmark, entries, key=key, checks=checks)
        screen.progress(1, 1)
    result = {**to_json(board), "page": str(folder / PAGE), "seconds": time.monotonic() - began}
    write_file(folder / PAGE, render(board, entries, command=command).encode())
    write_file(folder / TABLE, json.dumps(result, indent=1).encode())
    if as_json:
        print_json(result)
    else:
        _print(board, page=folder / PAGE)


def self_tests(suites: Sequence[str], wanted: Wanted, *, as_json: bool) -> None:
    """Run the self-test of each suite. Raises RedraftError when one fails; a suite whose data is not here is named."""
    from redraft.core.keys import Key

    results: dict[str, Any] = {}
    for name in suites:
        asked = replace(wanted, suite=name)
        try:
            checks = open_benchmark(asked, key=Key(seed=wanted.seed)).self_test()
        except UsageError as error:
            results[name] = {"state": "not here", "why": str(error), "checks": []}
            continue
        passed = all(check.passed for check in checks)
        results[name] = {"state": "passed" if passed else "failed", "why": "", "checks": [vars(c) for c in checks]}
    if as_json:
        print_json(results)
    else:
        _print_checks(results)
    failed = [name for name, result in results.items() if result["state"] == "failed"]
    if failed:
        raise RedraftError(
            f"the self-test of {', '.join(failed)} failed: its numbers mean nothing; mend the judge first"
        )
    if len(suites) == 1 and results[suites[0]]["state"] == "not here":
        raise UsageError(results[suites[0]]["why"])


def open_benchmark(wanted: Wanted, *, key: Key) -> Benchmark:
    """The suite plug-in with its options. Raises UnknownNameError, ConfigError, or what its `build` raises."""
    from redraft.cli.factory import PluginFactory
    from redraft.core.config import build
    from redraft.evaluation.suites import SuiteContext

    chosen = plugins.load("suite", wanted.suite)
    config = build(chosen.Config, wanted.options, source=f"--set of {wanted.suite}")
    factory = PluginFactory(device=wanted.device, scorers=wanted.scorers)
    context = SuiteContext(
        prompts=wanted.prompts, folder=wanted.data, scorer=factory.scorer, key=key.child("suite", wanted.suite)
    )
    benchmark: Benchmark = chosen.build(config, context)
    return benchmark


def require_heard(wanted: Wanted, benchmark: Benchmark) -> None:
    """Raise UsageError for prompts given to a suite that has its own: other ones would be judged in silence."""
    given = {prompt.text for prompt in wanted.prompts}
    if given and not {prompt.text for prompt in benchmark.prompts} <= given:
        raise UsageError(
            f"--prompts with the suite {wanted.suite!r}: it has prompts of its own and would not hear yours; leave "
            "--prompts out, or give --suite prompts with a --judge"
        )


def require_passed(suite: str, checks: Sequence[Check]) -> None:
    """Raise RedraftError naming the first check that failed."""
    failed = next((check for check in checks if not check.passed), None)
    if failed is not None:
        raise RedraftError(
            f"the self-test of {suite} failed: {failed.name}: expected {failed.expected}, found {failed.found}; no "
            "number is given, for it would mean nothing. Check the judge's files"
        )


@contextlib.contextmanager
def locked(path: Path) -> Iterator[BinaryIO]:
    """A file open for reading and appending, by this process alone. Raises BusyError when another one has it."""
    from redraft.store.files import lock, make_folder, translate_os_errors

    make_folder(path.parent)
    with contextlib.ExitStack() as stack:
        with translate_os_errors(path, needed=0):
            file = stack.enter_context(open(path, "a+b"))
        lock(file, path)
        yield file


def _entry(
    contestant: Contestant, benchmark: Benchmark, folder: Path, *, sampling: Sampling, workspace: Path, key: Key,
    on_picture: Any,
) -> Entry:  # fmt: skip
    """Run one model, or go on with its journal."""
    from redraft.evaluation.benchmarks.journal import Journal
    from redraft.evaluation.benchmarks.leaderboard import Entry
    from redraft.evaluation.benchmarks.runner import header_of, run

    paint, made = open_painter(contestant, benchmark, sampling=sampling, workspace=workspace, key=key)
    header = header_of(benchmark, model=contestant.name, made=made)
    path = folder / f"{re.sub('[^A-Za-z0-9._-]+', '-', contestant.name).strip('.-') or 'model'}.jsonl"
    with locked(path) as file:
        journal = Journal(file, header=header, name=str(path))
        judged = run(benchmark, paint=paint, journal=journal, model=contestant.name, on_picture=on_picture)
        examples = tuple(line for _, line in sorted(journal.pictures.items()) if line.thumbnail)
    return Entry(judged=judged, header=header, examples=examples)


def _print(board: Leaderboard, *, page: Path) -> None:
    typer.echo(f"{board.title}: {len(board.prompts)} prompts, {board.images_per_prompt} a prompt")
    for place in board.places:
        ranks = f"{place.best_rank}" if place.best_rank == place.worst_rank else f"{place.best_rank}-{place.worst_rank}"
        typer.echo(f"{ranks:>5}  {place.entry.model}   {place.coverage.line}")
        for row in place.rows:
            factor, unit = (100, " %") if row.unit == "share" else (1, "")
            values = [factor * value for value in (row.interval.value, row.interval.low, row.interval.high)]
            typer.echo(
                f"         {row.name:24} {values[0]:8.4g}{unit}   ({values[1]:.4g} to {values[2]:.4g}, "
                f"n = {row.interval.count})"
            )
            beside = [
                *(f"{name} {value:.4g}" for name, value in row.details.items()),
                *([row.note] if row.note else []),
            ]
            if beside:
                typer.echo(f"{'':34}{'; '.join(beside)}")
    typer.echo(f"page: {page}")


def _print_checks(results: Mapping[str, Any]) -> None:
    for name, result in results.items():
        typer.echo(f"{name}: {result['state']}" + (f" ({result['why']})" if result["why"] else ""))
        for check in result["checks"]:
            sign = "ok  " if check["passed"] else "FAIL"
            typer.echo(f"  {sign} {check['name']}: expected {check['expected']}, found {check['found']}")
