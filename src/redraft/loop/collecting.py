"""What one round trains on, made by the present model: prompts, scored pictures, logged pictures, or captioned renders.

Not the training and not the reward itself. Each part is a stage of the journal, so it can be resumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import Method, Scorer
from redraft.core.records import Prompt, Recipe
from redraft.core.tensors import (
    Captioned,
    Examples,
    Images,
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
from redraft.methods.fit import FitState
from redraft.methods.preflight import log_ratio_noise, require_clip_above_noise, require_whole_batches


@dataclass(frozen=True, kw_only=True)
class Collected:
    """Examples of a round, the hashes they depend on, how many pictures were painted, and their mean reward (None: no
    reward was asked)."""

    examples: Examples
    digests: dict[str, str]
    painted: int = 0
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
        prompts = self.equipment.suite.training_prompts(key.child("prompts"), self.equipment.config.collect.prompts)
        names = {"prompts": digest_of([prompt.text for prompt in prompts])}
        inputs = {**inputs, **names}
        if self.method.needs == "prompts":
            examples: Examples = PromptBatch(prompts=prompts, conditioning=self.equipment.backbone.encode(prompts))
            return Collected(examples=examples, digests=names)
        if self.method.needs == "captioned":
            captioned, digest = self._captioned(number, prompts, key=key, inputs=inputs)
            return Collected(examples=captioned, digests={**names, "collect": digest}, painted=len(captioned))
        if self.method.needs == "logged":
            self._require_whole_batches(len(prompts))
        scored, digests = self._scored(number, prompts, state=state, key=key, inputs=inputs)
        examples = self.method.prepare(scored, key=key.child("prepare"))
        if isinstance(examples, Transitions):
            self._require_clip_above_noise(examples, state=state)
        return Collected(
            examples=examples,
            digests=names | digests,
            painted=len(scored.prompts),
            mean_reward=float(scored.reward.mean()),
        )

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
        from redraft.world import parse, text_of
        from redraft.world.negatives import hard_negatives
        from redraft.world.render import render

        every = repeated(prompts, options.pictures_per_prompt)
        rng = np.random.default_rng(key.child("renders").entropy)

        def draw() -> Packed:
            self.observer.stage("collect", f"{len(every)} renders with captions")
            pictures = np.stack([render(parse(prompt.text), rng) for prompt in every])
            pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2)
            latents = equipment.backbone.encode_images(Images(pixels=pixels.float() / 255))
            return Packed(tensors={"latents": latents}, facts={})

        made, digest = self.journal.stage(f"round-{number}-collect", draw, inputs=inputs)
        false_rng = np.random.default_rng(key.child("false captions").entropy)
        false = [
            Prompt(text=text_of(request))
            for prompt in every
            for request in hard_negatives(parse(prompt.text), false_rng, count=options.false_captions)
        ]
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
