"""Real parts for tests of benchmarks: the oracle, and a painter that renders the picture world, right or wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch

from redraft.core.keys import Key
from redraft.core.records import Prompt
from redraft.evaluation.benchmarks.benchmark import Benchmark, Judged
from redraft.evaluation.benchmarks.journal import Journal
from redraft.evaluation.benchmarks.runner import Order, header_of, run
from redraft.evaluation.benchmarks.world import WorldBenchmark
from redraft.evaluation.suites import SuiteContext
from redraft.rewards.oracle import OracleScorer
from redraft.world import parse, render


class RenderPainter:
    """Renders what is asked for; of every ten pictures the first `wrong` are empty. Counts what it painted."""

    def __init__(self, *, wrong: int = 0, missing: frozenset[int] = frozenset()) -> None:
        self.wrong, self.missing = wrong, missing
        self.painted: list[int] = []

    def __call__(self, wanted: Sequence[Order]) -> list[torch.Tensor | None]:
        return [None if order.number in self.missing else self.picture(order) for order in wanted]

    def picture(self, order: Order) -> torch.Tensor:
        self.painted.append(order.number)
        if order.number % 10 < self.wrong:
            return torch.ones(3, 64, 64)
        picture = render(parse(order.prompt.text), np.random.default_rng(order.number))
        return torch.from_numpy(picture).permute(2, 0, 1).float() / 255


def world(*, prompts: int = 36, tail: int = 0, images_per_prompt: int = 1) -> WorldBenchmark:
    config = WorldBenchmark.Config(prompts=prompts, tail=tail, images_per_prompt=images_per_prompt)
    oracle = OracleScorer()
    return WorldBenchmark.build(config, SuiteContext(scorer=lambda _: oracle, key=Key(seed=0)))  # type: ignore[arg-type]


def journal_of(file: BinaryIO, benchmark: Benchmark, *, model: str = "m") -> Journal:
    return Journal(file, header=header_of(benchmark, model=model, made={"seed": 0}), name="m.jsonl")


def judged_by(benchmark: Benchmark, painter: RenderPainter, path: Path, *, model: str = "m") -> Judged:
    with open(path, "a+b") as file:
        return run(benchmark, paint=painter, journal=journal_of(file, benchmark, model=model), model=model, batch=8)


def judged_with(values: np.ndarray, *, model: str = "m", names: tuple[str, ...] = ("score",)) -> Judged:
    """One picture a prompt with these values (N or N,K); NaN where not judged."""
    table = values[:, None] if values.ndim == 1 else values
    prompts = tuple(Prompt(text=f"prompt {number}") for number in range(len(table)))
    return Judged(
        model=model,
        prompts=prompts,
        images_per_prompt=1,
        group=np.arange(len(table)),
        names=names,
        fingerprints=("f",) * len(names),
        values=table,
        mask=np.isfinite(table),
    )
