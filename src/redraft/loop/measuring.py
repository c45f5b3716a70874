"""Measuring a contestant against the base for a reproduction: same prompts, same noise, every number with an interval.

Nothing is trained or promoted. More is measured than in the examination of a run: parts of the suite, shares of wins,
what the oracle sees too much, prompts that were trained on, ambiguous prompts, the time of a picture, every round.
"""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import Factory, Scorer
from redraft.core.records import Measure, Prompt
from redraft.evaluation.compare import compare
from redraft.evaluation.examined import Examined
from redraft.evaluation.further_rows import differences, part_rows, seen_rows, win_rows
from redraft.evaluation.pair import Pair
from redraft.evaluation.seen_objects import SeenObjects, seen_objects
from redraft.evaluation.statistics import RESAMPLES
from redraft.loop.config import RunConfig
from redraft.loop.contestants import Contestant, Painter, Painters, journal_of, kept, seconds_of_pictures
from redraft.loop.curves import trained_rounds, training_curve
from redraft.loop.equipment import Equipment, equip, render_references
from redraft.loop.examination import Paper, enlarged, mark, reference_features, set_paper
from redraft.loop.painting import Painted
from redraft.world import GENEVAL_TASKS, TAIL_TASKS

TRAINING_PROMPTS = 128
"""Most prompts of a training set that are painted to measure the reward on them."""
REPEATS = 5
"""Times that the time of a picture is taken."""
Note = Callable[[str], None]
"""Told what is being done."""


class MeasureConfig(Config):
    """What is measured. `run`: model, seed, sampling, examination, scorers, and a reward (measured if a single one)."""

    run: RunConfig
    contestant: Contestant
    rounds: bool = Field(default=False, description="the weights after every round as well")
    curve: bool = Field(default=False, description="what the run's probes measured while it trained")
    training: bool = Field(default=False, description="the reward on prompts that were trained on")
    pictures: dict[str, int] = Field(
        default_factory=dict, description="pictures of every prompt of a task, by its name, where the usual are too few"
    )
    ambiguous: tuple[str, ...] = Field(default=(), description="prompts whose share of unsafe pictures is measured")
    ambiguous_pictures: int = Field(default=4, ge=1, description="of each of them")
    timed: int = Field(default=0, ge=0, description="pictures to take the time of a picture by; 0: it is not taken")
    shown: int = Field(default=0, ge=0, description="pictures to keep, of the same prompts for all")


def measure(config: MeasureConfig, factory: Factory, *, folder: Path, note: Note) -> dict[str, Any]:
    """Measure one contestant. `folder` keeps the pictures of the base between calls.

    Returns a JSON-able object: `metrics` by name as `redraft train` gives them, `prompts` (the task of each, and by
    metric what it gained on each, None for nothing measured), `facts` (numbers without interval), and what the
    configuration asks for: `rounds` (number, metrics), `curve` (see `curves`), `picture`, `base_picture` (PNG
    in base64, pictures side by side).

    Raises UsageError for runs and weights that are not there or do not fit, and for rounds of more than one part.
    """
    measuring = Measuring(config=config, factory=factory, folder=folder, note=note)
    painter = measuring.painters.painter(config.contestant)
    painted = measuring.paint(painter)
    judged = measuring.judged(painted)
    result: dict[str, Any] = {
        "metrics": measuring.metrics(painter, judged), "prompts": measuring.prompts(judged),
        "facts": measuring.facts(painter), "rounds": [], "curve": [],
    }  # fmt: skip
    if config.shown:
        result |= {"picture": measuring.strip(painted), "base_picture": measuring.strip(measuring.base)}
    if config.curve:
        with journal_of(measuring.only_part) as journal:
            result["curve"] = training_curve(journal, config.run, factory, key=measuring.key)
    if config.rounds:
        result["rounds"] = list(measuring.rounds())
    return result


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What all examiners say of a contestant's pictures of the paper beside the base's, and what the oracle sees."""

    pair: Pair
    seen: SeenObjects


@dataclass(frozen=True)
class Measuring:
    """The examination's paper and the base's pictures, once, and the rows of whoever is held against them."""

    config: MeasureConfig
    factory: Factory
    folder: Path
    note: Note

    @property
    def key(self) -> Key:
        """Of prompts, noise and resampling: that of the examination of a run with this seed."""
        return Key(seed=self.config.run.seed).child("examination")

    @cached_property
    def equipment(self) -> Equipment:
        """Without the reward among its names, so that all scorers of the report are asked."""
        return equip(self.config.run.model_copy(update={"reward": {}}), self.factory, prompts=None)

    @cached_property
    def reward(self) -> Scorer | None:
        """The reward, if it is a single scorer."""
        names = list(self.config.run.reward)
        return self.factory.scorer(names[0]) if len(names) == 1 else None

    @cached_property
    def paper(self) -> Paper:
        """The held-out prompts."""
        return enlarged(set_paper(self.equipment, key=self.key), self.config.pictures)

    @property
    def painters(self) -> Painters:
        """Makes painters with the examination's noise."""
        run = self.config.run
        return Painters(
            model=run.model, factory=self.factory, key=self.key.child("noise"), batch=run.sampling.batch,
            steps=run.sampling.steps, guidance_scale=run.sampling.guidance_scale, reward=self.reward,
        )  # fmt: skip

    @cached_property
    def base_painter(self) -> Painter:
        """The base by its own recipe."""
        return self.painters.painter(Contestant())

    @cached_property
    def base(self) -> Painted:
        """The base's pictures of the paper."""
        return kept(self.base_painter, _every(self.paper), folder=self.folder)

    @cached_property
    def base_marks(self) -> Examined:
        """What all examiners say of the base."""
        return self._marks(self.base)

    @cached_property
    def base_seen(self) -> SeenObjects:
        """What the oracle sees too much of in the base's pictures."""
        return _seen(self.base)

    @cached_property
    def references(self) -> NDArray[np.float32]:
        """Features of renders of the paper's prompts, for the Frechet distance."""
        count = self.equipment.config.examine.reference_pictures
        pictures = render_references(self.paper.prompts, count=count, key=self.key)
        return reference_features(self.equipment.features, pictures)

    @property
    def only_part(self) -> Any:
        """The part whose rounds and curve are wanted. Raises UsageError when there is not exactly one."""
        parts = self.config.contestant.parts
        if len(parts) != 1:
            raise UsageError(f"rounds and curve of a contestant with {len(parts)} parts: they belong to one run")
        return parts[0]

    def paint(self, painter: Painter) -> Painted:
        """The contestant's pictures of the paper."""
        prompts = _every(self.paper)
        self.note(f"painting {len(prompts)} pictures")
        return painter.paint(prompts)

    def rounds(self) -> Iterator[dict[str, Any]]:
        """Number, metrics and, if wanted, pictures of the weights after every finished round."""
        part = self.only_part
        with journal_of(part) as journal:
            count = trained_rounds(journal)
        for number in range(1, count + 1):
            self.note(f"round {number} of {count}")
            parts = (part.model_copy(update={"round": number}),)
            painter = self.painters.painter(self.config.contestant.model_copy(update={"parts": parts}))
            painted = self.paint(painter)
            row = {"round": number, "metrics": self._metrics_of_paper(self.judged(painted))}
            yield row | ({"picture": self.strip(painted)} if self.config.shown else {})

    def judged(self, painted: Painted) -> Judged:
        """A contestant's pictures of the paper, held against the base's."""
        self.note("judging")
        pair = Pair(
            incumbent=self.base_marks, candidate=self._marks(painted), key=self.key.child("further"),
            resamples=RESAMPLES,
        )  # fmt: skip
        return Judged(pair=pair, seen=_seen(painted))

    def metrics(self, painter: Painter, judged: Judged) -> dict[str, Any]:
        """All rows by name."""
        return self._metrics_of_paper(judged) | {row.name: _json(row) for row in self._other_prompts(painter)}

    def prompts(self, judged: Judged) -> dict[str, Any]:
        """Task and, by metric, gain over the base of every prompt of the paper: contestants are compared by these."""
        found = differences(judged.pair, self.base_seen, judged.seen)
        return {
            "tasks": list(judged.pair.tasks),
            "gained": {
                name: [None if np.isnan(value) else float(f"{value:.6g}") for value in values]
                for name, values in found.items()
            },
        }

    def facts(self, painter: Painter) -> dict[str, float]:
        """Trained numbers, network calls of a picture, seconds of a picture and their ratio to the base's."""
        facts: dict[str, float] = dict(painter.costs)
        if painter.weights is not None:
            facts["parameters"] = sum(value.numel() for value in painter.weights.parameters.values())
        if self.config.timed:
            prompts = _every(self.paper)[: self.config.timed]
            mine, base = seconds_of_pictures(
                (painter, self.base_painter), prompts, repeats=REPEATS, stopwatch=time.perf_counter
            )
            ratios = sorted(first / second for first, second in zip(mine, base, strict=True))
            facts |= {"seconds_a_picture": median(mine), "time_ratio": median(ratios)}
            facts |= {"time_ratio_low": ratios[0], "time_ratio_high": ratios[-1]}
        return facts

    def strip(self, painted: Painted) -> str:
        """Pictures of prompts spread evenly over the paper, side by side, as PNG in base64."""
        from PIL import Image

        count = min(self.config.shown, len(self.paper.prompts))
        chosen = [number * len(self.paper.prompts) // count for number in range(count)]
        row = np.concatenate([painted.pixels[index].permute(1, 2, 0).numpy() for index in chosen], axis=1)
        buffer = io.BytesIO()
        Image.fromarray(row).save(buffer, format="PNG")
        return base64.b64encode(buffer.getvalue()).decode()

    def _marks(self, painted: Painted) -> Examined:
        return mark(self.equipment, self.paper, painted, model="", reward=self.reward)

    # --- rows ---------------------------------------------------------------------------------------------------

    def _metrics_of_paper(self, judged: Judged) -> dict[str, Any]:
        pair = judged.pair
        report = compare(
            pair.incumbent, pair.candidate, key=self.key, suite="world", reference_features=self.references
        )
        rows = [*report.measures, *part_rows(pair, name="tasks", tasks=GENEVAL_TASKS)]
        rows += [*part_rows(pair, name="tail", tasks=TAIL_TASKS), *win_rows(pair)]
        rows += seen_rows(pair, self.base_seen, judged.seen)
        return {row.name: _json(row) for row in rows}

    def _other_prompts(self, painter: Painter) -> Iterator[Measure]:
        """Rows of prompts beside the paper: those that were trained on, and ambiguous ones."""
        config, run = self.config, self.config.run
        if config.training and self.reward is not None:
            # The prompts of the first round, as the collector of the run draws them.
            drawn = Key(seed=run.seed).child("round", 0).child("prompts")
            prompts = self.equipment.suite.training_prompts(drawn, run.collect.prompts)
            distinct = tuple(dict.fromkeys(prompts))[:TRAINING_PROMPTS]
            yield from self._rows_of(Paper(prompts=distinct, group=tuple(range(len(distinct)))), painter, "training")
        if config.ambiguous:
            distinct = tuple(Prompt(text=text) for text in dict.fromkeys(config.ambiguous))
            group = tuple(index for index in range(len(distinct)) for _ in range(config.ambiguous_pictures))
            yield from self._rows_of(Paper(prompts=distinct, group=group), painter, "ambiguous")

    def _rows_of(self, paper: Paper, painter: Painter, name: str) -> Iterator[Measure]:
        """`NAME/reward`, `NAME/unsafe`: the reward and the share of unsafe pictures on another paper."""
        self.note(f"painting {len(paper.group)} pictures of {name} prompts")
        before = kept(self.base_painter, _every(paper), folder=self.folder)
        after = painter.paint(_every(paper))
        bare = replace(self.equipment, oracle=None, unseen=())
        first, second = (mark(bare, paper, each, model=name, reward=self.reward) for each in (before, after))
        pair = Pair(incumbent=first, candidate=second, key=self.key.child(name), resamples=RESAMPLES)
        yield from (replace(row, name=f"{name}/reward") for row in part_rows(pair, name=name, tasks=set(pair.tasks)))
        seen = seen_rows(pair, _seen(before), _seen(after))
        yield from (replace(row, name=f"{name}/unsafe") for row in seen if row.name == "seen/unsafe")


def _every(paper: Paper) -> tuple[Prompt, ...]:
    return tuple(paper.prompts[index] for index in paper.group)


def _seen(painted: Painted) -> SeenObjects:
    return seen_objects([picture.permute(1, 2, 0).numpy() for picture in painted.pixels], painted.prompts)


def _json(row: Measure) -> dict[str, Any]:
    return {
        "incumbent": row.incumbent, "candidate": row.candidate, "difference": row.difference, "low": row.low,
        "high": row.high, "unit": row.unit, "role": row.role, "good": row.good, "count": row.count,
    }  # fmt: skip
