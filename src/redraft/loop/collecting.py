"""What one round trains on: prompts, pictures that the present model painted and the reward scored, captioned renders,
or pairs that people chose.

Not the training and not the reward itself. Each part is a stage of the journal, so it can be resumed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import Method, Scorer
from redraft.core.records import Prompt, Recipe
from redraft.core.tensors import (
    Captioned,
    Examples,
    LoggedRollout,
    PromptBatch,
    Rollout,
    Scored,
    Scores,
    Transitions,
)
from redraft.loop.equipment import Equipment
from redraft.loop.journal import Journal, Packed, digest_of
from redraft.loop.judging import judge
from redraft.loop.observer import Observer
from redraft.loop.painting import Painted, paint, paint_logged, repeated
from redraft.loop.pairs import peoples_pairs, require_takes_pairs
from redraft.loop.renders import false_captions, render_latents
from redraft.loop.selection import chosen_by_hand, require_selectable
from redraft.methods.fit import FitState
from redraft.methods.preflight import log_ratio_noise, require_clip_above_noise, require_whole_batches
from redraft.methods.round_prompts import prompts_of_round

POOL = 4
"""Prompts drawn for each that is needed where rounds share none: a draw repeats texts."""


@dataclass(frozen=True, kw_only=True)
class Collected:
    """Examples of a round, the hashes they depend on, how many pictures were painted (None: the method paints them in
    its loss), and their mean reward (None: no reward was asked)."""

    examples: Examples
    digests: dict[str, str]
    painted: int | None = None
    mean_reward: float | None = None


@dataclass(frozen=True, kw_only=True)
class Collector:
    """Makes the examples of a round for one method and one reward."""

    equipment: Equipment
    journal: Journal
    method: Method
    reward: Scorer
    observer: Observer

    def collect(self, number: int, *, state: FitState, key: Key, inputs: dict[str, str]) -> Collected:
        """Examples of round `number` (from 0), painted with the old policy of `state`.

        Raises UsageError for captioned pictures outside the picture world, and what method and reward raise.
        """
        if self.equipment.config.pairs is not None:
            return self._peoples(self.equipment.config.pairs, inputs=inputs)
        prompts = self._prompts(number, key=key)
        names = {"prompts": digest_of([prompt.text for prompt in prompts])}
        inputs = {**inputs, **names}
        if self.method.needs == "prompts":
            batch, digests = self._prompted(number, prompts, key=key, inputs=inputs)
            return Collected(examples=batch, digests=names | digests)
        if self.method.needs == "captioned":
            captioned, digest = self._captioned(number, prompts, key=key, inputs=inputs)
            return Collected(examples=captioned, digests={**names, "collect": digest}, painted=len(captioned))
        if self.method.needs == "logged":
            self._require_whole_batches(len(prompts))
        scored, digests = self._scored(number, prompts, state=state, key=key, inputs=inputs)
        examples, chosen = self._prepared(number, scored, digests=digests, key=key)
        if isinstance(examples, Transitions):
            self._require_clip_above_noise(examples, state=state)
        return Collected(
            examples=examples,
            digests=names | digests | chosen,
            painted=len(scored.prompts),
            mean_reward=float(scored.reward.mean()),
        )

    def _prompts(self, number: int, *, key: Key) -> tuple[Prompt, ...]:
        """Those of this round; with `collect.disjoint` a part of one pool, of which every round has its own."""
        suite, config = self.equipment.suite, self.equipment.config
        count = config.collect.prompts
        if not config.collect.disjoint:
            return suite.training_prompts(key.child("prompts"), count)
        shared = Key(seed=key.seed).child("prompt pool")
        pool = suite.training_prompts(shared, POOL * config.rounds * count)
        return prompts_of_round(pool, number=number, count=count, key=shared)

    def _peoples(self, source: str, *, inputs: dict[str, str]) -> Collected:
        """The same pairs in every round, so they depend on what every round depends on."""
        require_takes_pairs(self.method, name=self.equipment.config.method)
        fixed = {name: value for name, value in inputs.items() if name != "round"}
        pairs, digest = peoples_pairs(
            source, backbone=self.equipment.backbone, journal=self.journal, observer=self.observer, inputs=fixed
        )
        return Collected(examples=pairs, digests={"pairs": digest}, painted=0)

    def _prompted(
        self, number: int, prompts: tuple[Prompt, ...], *, key: Key, inputs: dict[str, str]
    ) -> tuple[PromptBatch, dict[str, str]]:
        """Prompts; with a render of each where the world can give one and the method goes on pre-training."""
        backbone = self.equipment.backbone
        batch = PromptBatch(prompts=prompts, conditioning=backbone.encode(prompts))
        if self.equipment.oracle is None or not getattr(self.method, "wants_pictures", False):
            return batch, {}

        def draw() -> Packed:
            self.observer.stage("collect", f"{len(prompts)} renders to go on pre-training on")
            return Packed(tensors={"latents": render_latents(prompts, backbone=backbone, key=key)}, facts={})

        made, digest = self.journal.stage(f"round-{number}-collect", draw, inputs=inputs)
        device = next(iter(batch.conditioning.positive.values())).device
        return replace(batch, pictures=made.tensors["latents"].to(device)), {"collect": digest}

    def _prepared(
        self, number: int, scored: Scored, *, digests: dict[str, str], key: Key
    ) -> tuple[Examples, dict[str, str]]:
        """The method's examples of scored pictures; of those that a person chose, if the run has a selection."""
        method: Any = self.method
        selection = self.equipment.config.selection
        if selection is None:
            return method.prepare(scored, key=key.child("prepare")), {}
        require_selectable(method, name=self.equipment.config.method)
        pixels = self.journal.recall(f"round-{number}-collect").tensors["pixels"]
        rows, digest = chosen_by_hand(
            method, scored, pixels=pixels, source=selection, number=number, journal=self.journal, digests=digests,
            key=key.child("prepare"),
        )  # fmt: skip
        self.observer.note(f"round {number + 1}: {len(rows)} pictures were chosen by hand")
        return method.weighted(scored, rows=rows), {"select": digest}

    def _require_whole_batches(self, prompts: int) -> None:
        """Before anything is painted: a policy gradient needs groups and batches without a rest."""
        collect, options = self.equipment.config.collect, self.equipment.config.fit
        require_whole_batches(
            prompts * collect.pictures_per_prompt,
            pictures_per_prompt=collect.pictures_per_prompt,
            batch_size=options.batch_size,
            micro_batch=options.micro_batch,
        )

    def _require_clip_above_noise(self, transitions: Transitions, *, state: FitState) -> None:
        """One batch replayed under the weights that painted it: what differs there is rounding."""
        options: Any = getattr(self.method, "config", None)
        clip_range: float | None = getattr(options, "clip_range", None)
        if clip_range is None:
            return
        batch = transitions.take(range(min(len(transitions), self.equipment.config.fit.batch_size)))
        noise = log_ratio_noise(self.equipment.backbone, batch, parameters=state.old)
        require_clip_above_noise(clip_range, noise=noise)

    def _scored(
        self, number: int, prompts: tuple[Prompt, ...], *, state: FitState, key: Key, inputs: dict[str, str]
    ) -> tuple[Scored, dict[str, str]]:
        """Paint groups of pictures with the old policy and score them."""
        equipment = self.equipment
        count = equipment.config.collect.pictures_per_prompt
        every = repeated(prompts, count)
        recipe = self._recipe(number)
        logged = self.method.needs == "logged"

        def collect() -> Packed:
            self.observer.stage("collect", f"{len(every)} pictures of {len(prompts)} prompts")
            painted = (paint_logged if logged else paint)(
                equipment.backbone, every, recipe=recipe, key=key.child("noise"),
                batch=equipment.config.sampling.batch, parameters=state.old, on_batch=self.observer.progress,
            )  # fmt: skip
            return _packed(painted)

        made, made_digest = self.journal.stage(f"round-{number}-collect", collect, inputs=inputs)
        painted = Painted(prompts=every, latents=made.tensors["latents"], pixels=made.tensors["pixels"])
        scores, judged_digest = self._judged(number, painted, inputs={"collect": made_digest})
        reward = scores.values[:, 0]
        self.observer.note(f"round {number + 1}: mean reward of the pictures collected {float(reward.mean()):.3f}")
        conditioning = equipment.backbone.encode(every)
        device = next(iter(conditioning.positive.values())).device
        scored = Scored(
            prompts=every,
            conditioning=conditioning,
            rollout=_rollout(made, recipe=recipe, steps=tuple(made.facts.get("steps", ())), device=device),
            reward=reward.to(device),
            group=torch.arange(len(prompts)).repeat_interleave(count).to(device),
            scores=scores,
            origin=self.journal.recall("round-0-collect").tensors["latents"].to(device) if number else None,
        )
        return scored, {"collect": made_digest, "judge": judged_digest}

    def _judged(self, number: int, painted: Painted, *, inputs: dict[str, str]) -> tuple[Scores, str]:
        """All heads of the reward for every picture painted."""

        def rate() -> Packed:
            self.observer.stage("judge", f"{len(painted.prompts)} pictures by {self.reward.name}")
            scores = judge(self.reward, painted, on_batch=self.observer.progress)
            return Packed(
                tensors={"values": scores.values.float(), "mask": scores.mask},
                facts={"names": scores.names, "fingerprints": scores.fingerprints},
            )

        judged, digest = self.journal.stage(f"round-{number}-judge", rate, inputs=inputs)
        scores = Scores(
            values=judged.tensors["values"],
            mask=judged.tensors["mask"],
            names=tuple(judged.facts["names"]),
            fingerprints=tuple(judged.facts["fingerprints"]),
        )
        return scores, digest

    def _recipe(self, number: int) -> Recipe:
        """How this round's pictures are sampled: methods with a say choose kernel and levels."""
        chooser: Any = getattr(self.method, "collect_recipe", None)
        recipe = self.equipment.collect_recipe
        return recipe if chooser is None else chooser(recipe, round_number=number)

    def _captioned(
        self, number: int, prompts: tuple[Prompt, ...], *, key: Key, inputs: dict[str, str]
    ) -> tuple[Captioned, str]:
        """Renders of the picture world with their true captions and hard false ones."""
        equipment, options = self.equipment, self.equipment.config.collect
        if equipment.oracle is None:
            raise UsageError(
                f"{equipment.config.method} trains on pictures with true captions, and these prompts are not of the "
                "picture world, so there are none: leave --prompts out, or use a method that paints its own pictures"
            )
        every = repeated(prompts, options.pictures_per_prompt)

        def draw() -> Packed:
            self.observer.stage("collect", f"{len(every)} renders with captions")
            return Packed(tensors={"latents": render_latents(every, backbone=equipment.backbone, key=key)}, facts={})

        made, digest = self.journal.stage(f"round-{number}-collect", draw, inputs=inputs)
        false = false_captions(every, count=options.false_captions, key=key)
        conditioning = equipment.backbone.encode(every)
        captioned = Captioned(
            latents=made.tensors["latents"].to(next(iter(conditioning.positive.values())).device),
            conditioning=conditioning,
            negatives=equipment.backbone.encode(false) if false else None,
        )
        return captioned, digest


def _packed(painted: Painted) -> Packed:
    tensors, facts = {"latents": painted.latents, "pixels": painted.pixels}, {}
    if painted.logged is not None:
        logged = painted.logged
        tensors |= {"before": logged.before, "after": logged.after, "log_probabilities": logged.log_probabilities}
        facts = {"steps": logged.steps}
    return Packed(tensors=tensors, facts=facts)


def _rollout(made: Packed, *, recipe: Recipe, steps: tuple[int, ...], device: torch.device) -> Rollout | LoggedRollout:
    tensors = {name: value.to(device) for name, value in made.tensors.items()}
    if not steps:
        return Rollout(latents=tensors["latents"], recipe=recipe)
    return LoggedRollout(
        latents=tensors["latents"], before=tensors["before"], after=tensors["after"],
        log_probabilities=tensors["log_probabilities"], steps=steps, recipe=recipe,
    )  # fmt: skip
