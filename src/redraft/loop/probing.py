"""Probes while training: small held-out examinations that feed the tripwires. The rules are in `evaluation.tripwires`.

Probes are part of the run's saved state, so that a resumed run compares with the same first probe.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from redraft.core.keys import Key
from redraft.core.protocols import Scorer
from redraft.core.records import Prompt
from redraft.core.tensors import Parameters
from redraft.diffusion.guidance import guided_prediction
from redraft.evaluation.metrics import diversity, near_identical_share, saturation
from redraft.evaluation.suites import evenly_by_task
from redraft.evaluation.tripwires import Probe, Trip, best_step, check
from redraft.loop.equipment import Equipment
from redraft.loop.judging import features_of, judge
from redraft.loop.painting import Painted, paint, repeated
from redraft.methods.fit import Keep, StepLog, Stop

ARRAYS = ("trained", "heldout", "oracle", "diversity")
NEAR = 0.1
"""Pictures of a prompt closer than this share of the first probe's mean diversity count as near-identical."""


@dataclass
class Prober:
    """Takes probes at set steps and asks the tripwires. `history` is all it remembers."""

    equipment: Equipment
    reward: Scorer
    key: Key
    history: list[Probe] = field(default_factory=list)
    trip: Trip | None = None
    on_probe: Callable[[Probe], None] | None = None

    def begin(self, parameters: Parameters) -> None:
        """Take the first probe, of the model before training, unless a resumed run brought it along."""
        if self.equipment.config.probes.every and not self.history:
            self._take(0, parameters)

    def on_step(self, log: StepLog) -> Keep | Stop | None:
        """The training loop's callback: probe every so many steps; stop when a wire is touched."""
        every = self.equipment.config.probes.every
        if not every or log.step % every:
            return None
        self._take(log.step, log.averaged)
        self.trip = check(tuple(self.history), self.equipment.config.tripwires)
        if self.trip is not None:
            return Stop(reason=self.trip.message, best_step=self.trip.best_step)
        return Keep() if best_step(tuple(self.history)) == log.step else None

    def at_the_end_of_a_round(self, step: int, parameters: Parameters) -> None:
        """Take a probe of the round's weights unless the last one was of them; for judging rounds, not for wires."""
        if self.history[-1].step != step:
            self._take(step, parameters)

    def to_json(self) -> str:
        """The history as text, exact to the last bit."""
        rows = []
        for probe in self.history:
            row: dict[str, Any] = asdict(probe)
            rows.append({k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in row.items()})
        return json.dumps(rows)

    def restore(self, text: str) -> None:
        """Take over the history that `to_json` wrote."""
        rows: list[dict[str, Any]] = json.loads(text)
        for row in rows:
            row |= {name: None if row[name] is None else np.asarray(row[name]) for name in ARRAYS}
        self.history = [Probe(**row) for row in rows]

    def _take(self, step: int, parameters: Parameters) -> None:
        painted, count = self._paint(parameters)
        group = np.repeat(np.arange(count), len(painted.prompts) // count)
        features = features_of(self.equipment.features, painted.images(0, len(painted.prompts)))
        several = len(group) > count
        spread = diversity(features, group, count=count) if several else None
        first = self.history[0].diversity if self.history else spread
        reach = None if first is None else NEAR * float(first.mean())
        colour = np.concatenate([saturation(part.float().numpy() / 255) for part in torch.split(painted.pixels, 256)])
        oracle = self.equipment.oracle
        probe = Probe(
            step=step,
            trained=_per_prompt(self.reward, painted, count),
            heldout=_per_prompt(self.equipment.heldout, painted, count),
            oracle=None if oracle is None else _per_prompt(oracle, painted, count),
            diversity=spread,
            drift=self._drift(painted, parameters),
            saturation=float(colour[:, 0].mean()),
            clipped=float(colour[:, 1].mean()),
            near_identical=None
            if reach is None
            else near_identical_share(features, group, count=count, threshold=reach),
        )
        self.history.append(probe)
        if self.on_probe is not None:
            self.on_probe(probe)

    def _paint(self, parameters: Parameters) -> tuple[Painted, int]:
        options, key = self.equipment.config.probes, self.key.child("probe")
        prompts: tuple[Prompt, ...] = self.equipment.watched.prompts(key)
        chosen = tuple(prompts[index] for index in evenly_by_task(prompts, options.prompts))
        painted = paint(
            self.equipment.backbone,
            repeated(chosen, options.pictures_per_prompt),
            recipe=self.equipment.recipe,
            key=key.child("noise"),
            batch=self.equipment.config.sampling.batch,
            parameters=parameters,
        )
        return painted, len(chosen)

    @torch.no_grad()
    def _drift(self, painted: Painted, parameters: Parameters) -> float:
        """Mean squared difference of predictions from the reference, on one batch at random noise levels."""
        backbone = self.equipment.backbone
        rows = list(range(0, len(painted.prompts), max(1, len(painted.prompts) // 32)))
        clean = painted.latents[rows].to(next(iter(backbone.reference().values())).device)
        timesteps = (self.key.child("drift", "timesteps").uniform((len(rows),)) * 980 + 10).round().to(clean.device)
        alpha, sigma = (level.to(clean).view(-1, 1, 1, 1) for level in backbone.noise_level(timesteps))
        noised = alpha * clean + sigma * self.key.child("drift", "noise").normal(clean.shape).to(clean)
        conditioning = backbone.encode([painted.prompts[row] for row in rows])
        now, before = (
            guided_prediction(
                backbone, noised, timestep=timesteps, conditioning=conditioning, scale=1.0, parameters=weights
            )
            for weights in (parameters, backbone.reference())
        )
        return float((now - before).square().mean())


def _per_prompt(scorer: Scorer, painted: Painted, count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Mean of a scorer's first head over the pictures of each prompt."""
    values = judge(scorer, painted).values[:, 0].double().cpu().numpy()
    return np.asarray(values.reshape(count, -1).mean(axis=1))
