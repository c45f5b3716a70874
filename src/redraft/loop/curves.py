"""The curve of a finished run: what its probes measured, by steps, pictures painted, and seconds of training.

Read from the run's journal and ledger; nothing is painted. Seconds are those of the stages until the probe (reward
fitting, collecting, judging, training with its probes), within a round's training in proportion to its steps.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from redraft.core.keys import Key
from redraft.core.protocols import Factory
from redraft.evaluation.statistics import paired_interval
from redraft.evaluation.tripwires import Probe
from redraft.loop.config import RunConfig
from redraft.loop.journal import Journal, Packed
from redraft.loop.probing import ARRAYS
from redraft.store.ledger import Entry

MEASURED = {"reward": "trained", "heldout": "heldout", "oracle": "oracle", "diversity": "diversity"}
"""Name in a curve -> array of the probe."""


@dataclass(frozen=True, kw_only=True)
class RoundSpan:
    """One round's training: its first step and number of steps, seconds before it, of it, and pictures painted."""

    first: int
    steps: int
    before: float
    seconds: float
    painted: int

    def seconds_at(self, step: int) -> float:
        """Seconds of training until `step`."""
        return self.before + self.seconds * (step - self.first) / max(1, self.steps)


def trained_rounds(journal: Journal) -> int:
    """How many rounds of the run have finished training."""
    number = 0
    while journal.workspace.ledger.last_finished(journal.run, stage=f"round-{number}-train") is not None:
        number += 1
    return number


def training_curve(journal: Journal, config: RunConfig, factory: Factory, *, key: Key) -> list[dict[str, Any]]:
    """One JSON-able point for each probe, the first at step 0; [] for a run without probes.

    A point has step, round (from 1), samples, seconds, and `effects`: for each name of MEASURED that was probed the
    first probe's value, this one's, and their paired difference with its 95 % interval.
    """
    rounds = trained_rounds(journal)
    if not rounds:
        return []
    probes = _probes(journal.recall(f"round-{rounds - 1}-train"))
    spans = _spans(journal, rounds)
    paints = factory.method_needs(config.method) == "prompts"
    return [
        _point(probe, probes[0], spans, config=config, paints=paints, key=key.child("curve", probe.step))
        for probe in probes
    ]


def _probes(packed: Packed) -> list[Probe]:
    rows: list[dict[str, Any]] = json.loads(packed.facts["probes"])
    return [
        Probe(**{**row, **{name: None if row[name] is None else np.asarray(row[name]) for name in ARRAYS}})
        for row in rows
    ]


def _spans(journal: Journal, rounds: int) -> tuple[RoundSpan, ...]:
    entries = journal.workspace.ledger.entries(journal.run)
    spans: list[RoundSpan] = []
    elapsed, painted, first = 0.0, 0, 0
    for stage, seconds in _durations(entries):
        if stage.endswith("-collect"):
            painted += len(journal.recall(stage).tensors["latents"])
        if stage.endswith("-train") and len(spans) < rounds:
            steps = len(journal.recall(stage).facts["log"])
            spans.append(RoundSpan(first=first, steps=steps, before=elapsed, seconds=seconds, painted=painted))
            first += steps
        elapsed += seconds
    return tuple(spans)


def _durations(entries: Sequence[Entry]) -> list[tuple[str, float]]:
    """Seconds of each finished stage before the examination, in order; of a stage begun twice, the last attempt's."""
    began: dict[str, float] = {}
    found: list[tuple[str, float]] = []
    for entry in entries:
        if entry.status == "started":
            began[entry.stage] = entry.at
        elif not entry.stage.startswith("examine"):
            found.append((entry.stage, entry.at - began[entry.stage]))
    return found


def _point(
    probe: Probe, first: Probe, spans: Sequence[RoundSpan], *, config: RunConfig, paints: bool, key: Key
) -> dict[str, Any]:
    number = next((n for n, span in enumerate(spans) if probe.step <= span.first + span.steps), len(spans) - 1)
    span, begun = spans[number], probe.step > 0
    each = int(config.methods.get("draft", {}).get("pictures_per_prompt", 1))
    return {
        "step": probe.step,
        "round": number + 1 if begun else 0,
        "samples": (probe.step * config.fit.batch_size * each if paints else span.painted) if begun else 0,
        "seconds": span.seconds_at(probe.step) if begun else 0.0,
        "effects": {
            name: _effect(getattr(first, array), getattr(probe, array), key=key.child(name))
            for name, array in MEASURED.items()
            if getattr(first, array) is not None and getattr(probe, array) is not None
        },
    }


def _effect(before: Any, after: Any, *, key: Key) -> dict[str, float]:
    interval = paired_interval(after - before, key=key)
    return {
        "incumbent": float(before.mean()), "candidate": float(after.mean()), "difference": interval.value,
        "low": interval.low, "high": interval.high,
    }  # fmt: skip
