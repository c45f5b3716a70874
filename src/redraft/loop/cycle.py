"""One cycle of improvement, from prompts to a verdict, as resumable stages. Orchestration only.

    1  rate       (methods that need gradients, without a reward given) ratings of the model's own pictures, a reward
    2  rounds     collect -> judge -> prepare -> train, with probes and tripwires
    3  examine    candidate and incumbent paint the same held-out prompts from the same noise
    4  decide     report, verdict
    5  promote    the checkpoint enters the store; the champion alias moves when the gate says so

Killed anywhere and resumed, the weights are the same bit for bit on the CPU: every stage is a function of its inputs
and of named keys, and training goes on from its last saved state.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redraft import __version__
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import Factory, MethodContext, Scorer
from redraft.core.records import Checkpoint, Lineage, Prompt, Report, Verdict
from redraft.core.tensors import Images, Parameters
from redraft.evaluation import gate
from redraft.evaluation.compare import compare
from redraft.evaluation.examined import Examined
from redraft.loop.best_round import RoundWatch
from redraft.loop.by_people import enter_challenger
from redraft.loop.config import RATINGS, RunConfig
from redraft.loop.equipment import Equipment, equip, render_references
from redraft.loop.examination import Paper, mark, paint_paper, reference_features, set_paper
from redraft.loop.independence import require_independent_watch
from redraft.loop.journal import Clock, Journal, Packed, digest_of
from redraft.loop.observer import Observer
from redraft.loop.painting import Painted
from redraft.loop.probing import Prober
from redraft.loop.rating import blended_reward, facet_reward, fitted_reward
from redraft.loop.rounds import Rounds, Trained, painting_with
from redraft.methods.fit import begin
from redraft.models.checkpoints import decode, encode
from redraft.store.workspace import Workspace

PAIRS = "pairs"
"""What Outcome.reward says when people's choices were trained on, and no reward."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a cycle gave."""

    run: str
    report: Report
    verdict: Verdict
    checkpoint: Checkpoint
    promoted: bool
    stopped_by: str | None
    reason: str
    paper: Paper
    before: Painted
    after: Painted
    incumbent: Examined
    candidate: Examined
    rounds: tuple[Trained, ...]
    reward: str


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """One run in a workspace whose training lease is held. `prompts`: the user's own, or None for the picture world."""

    config: RunConfig
    factory: Factory
    workspace: Workspace
    run: str
    clock: Clock
    observer: Observer
    prompts: Sequence[Prompt] | None = None

    def work(self) -> Outcome:
        """Do all stages that are not done yet, and return the outcome."""
        config, key = self.config, Key(seed=self.config.seed)
        self.observer.stage("open", config.model)
        equipment = equip(config, self.factory, prompts=self.prompts)
        journal = Journal(workspace=self.workspace, run=self.run, seed=config.seed, clock=self.clock)
        inputs = {"config": digest_of(config.model_dump(mode="json"))}
        incumbent_id = self._incumbent_id(equipment, journal, inputs=inputs)
        incumbent = self._incumbent(equipment, incumbent_id, key=key)
        inputs["incumbent"] = incumbent_id
        reward = self._reward(equipment, journal, incumbent, inputs=inputs, key=key)
        rounds = self._improve(equipment, journal, reward, incumbent, inputs=inputs, key=key)
        return self._examine(equipment, journal, reward, incumbent, rounds, incumbent_id=incumbent_id, key=key)

    def _incumbent_id(self, equipment: Equipment, journal: Journal, *, inputs: dict[str, str]) -> str:
        """The champion when the run began, "" for the base: a run killed after promoting must not start from itself."""

        def look() -> Packed:
            live = self.workspace.aliases.current(equipment.backbone.base)
            return Packed(tensors={}, facts={"checkpoint": "" if live is None else live.checkpoint})

        packed, _ = journal.stage("incumbent", look, inputs=inputs)
        return str(packed.facts["checkpoint"])

    def _incumbent(self, equipment: Equipment, incumbent_id: str, *, key: Key) -> Parameters:
        """The incumbent's weights, or the base's, loaded into a backbone that is ready to train."""
        backbone, adapter = equipment.backbone, self.config.adapter
        if incumbent_id:
            backbone.load_weights(decode(self.workspace.checkpoints.read(incumbent_id)))
        elif adapter.kind == "lora":
            backbone.train_lora(
                rank=adapter.rank, alpha=adapter.alpha, seed_key=key.child("adapter"), targets=adapter.targets
            )
        elif adapter.kind == "tokens":
            backbone.train_soft_tokens(
                count=adapter.tokens, buckets=adapter.token_buckets, seed_key=key.child("adapter"),
                targets=adapter.targets,
            )  # fmt: skip
        else:
            backbone.train_full()
        # Fresh soft tokens change the pictures, so the incumbent is the reference, which is the base exactly.
        weights = backbone.trainable() if incumbent_id else backbone.reference()
        return {name: value.detach().clone() for name, value in weights.items()}

    def _reward(
        self, equipment: Equipment, journal: Journal, incumbent: Parameters, *, inputs: dict[str, str], key: Key
    ) -> Scorer:
        parts: dict[str, Any] = {
            "equipment": equipment, "journal": journal, "incumbent": incumbent, "inputs": inputs,
            "key": key.child("reward"), "observer": self.observer,
        }  # fmt: skip
        if self.config.facets is not None:
            return facet_reward(self.config.facets, self.factory, **parts)
        if RATINGS in self.config.reward:
            return fitted_reward(self.factory, **parts)
        if self.config.reward:
            return blended_reward(self.config.reward, self.factory, **parts)
        if self.factory.method_needs(self.config.method) == "prompts":
            return fitted_reward(self.factory, **parts)
        if self.config.pairs is not None:
            return equipment.oracle or equipment.heldout  # to watch by: pairs need no reward
        if equipment.oracle is None:
            raise UsageError(
                "no reward was given, and the oracle cannot read these prompts (they are not of the picture world): "
                "name one, for example --reward clip"
            )
        return equipment.oracle

    def _trains_on_reward(self) -> bool:
        """With pairs of people there is a reward to watch by only."""
        return self.config.pairs is None

    def _improve(
        self,
        equipment: Equipment,
        journal: Journal,
        reward: Scorer,
        incumbent: Parameters,
        *,
        inputs: dict[str, str],
        key: Key,
    ) -> tuple[Trained, ...]:
        context = MethodContext(recipe=equipment.recipe, reward=reward, noise_level=equipment.backbone.noise_level)
        method = self.factory.method(self.config.method, context=context)
        rounds = Rounds(
            equipment=equipment,
            journal=journal,
            method=method,
            reward=reward,
            observer=self.observer,
            key=key,
        )
        if self._trains_on_reward() and self.config.probes.every:
            require_independent_watch(equipment.heldout, reward)
        prober = Prober(equipment=equipment, reward=reward, key=key.child("prober"), on_probe=self.observer.probe)
        returns_best = bool(getattr(method, "returns_best_round", False) and self.config.probes.every)
        watch = RoundWatch(prober=prober, rules=self.config.collapse, active=returns_best)
        # The old policy paints and is the incumbent; training starts from the weights that the backbone has.
        state = painting_with(begin(equipment.backbone), incumbent)
        trained: list[Trained] = []
        inputs = {**inputs, "reward": reward.fingerprint}
        for number in range(self.config.rounds):
            if number == 0 and not _finished(journal, "round-0-train"):
                prober.begin(incumbent)
            done = rounds.run(number, state=state, prober=prober, inputs=inputs)
            trained.append(done)
            state, inputs = done.state, {**inputs, "round": done.digest}
            if done.stopped_by is not None or done.reason:
                self.observer.note(done.reason)
                break
            if (collapsed := watch.after(done)) is not None:
                self.observer.note(collapsed)
                break
        chosen = watch.chosen(tuple(trained), incumbent=incumbent)
        if chosen[-1] is not trained[-1]:
            self.observer.note(chosen[-1].reason)
        return chosen

    def _examine(
        self,
        equipment: Equipment,
        journal: Journal,
        reward: Scorer,
        incumbent: Parameters,
        rounds: tuple[Trained, ...],
        *,
        incumbent_id: str,
        key: Key,
    ) -> Outcome:
        last, exam_key = rounds[-1], key.child("examination")
        paper = set_paper(equipment, key=exam_key)
        before = self._painted(equipment, journal, paper, "incumbent", incumbent, incumbent_id, key=exam_key)
        after = self._painted(equipment, journal, paper, "candidate", last.parameters, last.digest, key=exam_key)
        self.observer.stage("judge", f"{2 * len(paper.group)} pictures by all examiners")
        trained = reward if self._trains_on_reward() else None
        first = mark(equipment, paper, before, model=incumbent_id[:12] or equipment.backbone.base, reward=trained)
        second = mark(equipment, paper, after, model="candidate", reward=trained)
        self.observer.stage("compare", f"{len(paper.prompts)} prompts, paired")
        reference = self._references(equipment, paper, key=exam_key)
        report = compare(first, second, key=exam_key, suite=equipment.suite.name, reference_features=reference)
        verdict = gate.decide(report, self.config.gate, night=self._night())
        if last.stopped_by is not None:
            verdict = Verdict(decision=verdict.decision, reasons=(last.reason, *verdict.reasons))
        checkpoint, promoted = self._promote(equipment, reward, last, verdict, incumbent_id=incumbent_id)
        return Outcome(
            run=self.run, report=report, verdict=verdict, checkpoint=checkpoint, promoted=promoted,
            stopped_by=last.stopped_by, reason=last.reason, paper=paper, before=before, after=after, incumbent=first,
            candidate=second, rounds=rounds, reward=PAIRS if trained is None else reward.name,
        )  # fmt: skip

    def _painted(
        self,
        equipment: Equipment,
        journal: Journal,
        paper: Paper,
        name: str,
        parameters: Parameters,
        digest: str,
        *,
        key: Key,
    ) -> Painted:
        def make() -> Packed:
            self.observer.stage("examine", f"{name}: {len(paper.group)} pictures of {len(paper.prompts)} prompts")
            painted = paint_paper(equipment, paper, parameters=parameters, key=key, on_batch=self.observer.progress)
            return Packed(tensors={"latents": painted.latents, "pixels": painted.pixels}, facts={})

        inputs = {"weights": digest, "prompts": digest_of([prompt.text for prompt in paper.prompts])}
        packed, _ = journal.stage(f"examine-{name}", make, inputs=inputs)
        every = tuple(paper.prompts[index] for index in paper.group)
        return Painted(prompts=every, latents=packed.tensors["latents"], pixels=packed.tensors["pixels"])

    def _references(self, equipment: Equipment, paper: Paper, *, key: Key):  # type: ignore[no-untyped-def]
        if equipment.oracle is None:
            return None
        count = self.config.examine.reference_pictures
        images: Images = render_references(paper.prompts, count=count, key=key)
        return reference_features(equipment.features, images)

    def _night(self) -> int:
        """How many candidates this workspace has examined, this one included."""
        finished = [run for run in self.workspace.runs.list() if run.status == "finished" and run.name != self.run]
        return len(finished) + 1

    def _promote(
        self, equipment: Equipment, reward: Scorer, last: Trained, verdict: Verdict, *, incumbent_id: str
    ) -> tuple[Checkpoint, bool]:
        base = equipment.backbone.base
        weights = equipment.backbone.weights(last.parameters)
        lineage = Lineage(
            parent=incumbent_id,
            base=base,
            method=self.config.method,
            config=json.dumps(self.config.model_dump(mode="json"), sort_keys=True),
            data_hash=last.digest,
            reward_fingerprints=(reward.fingerprint,) if self._trains_on_reward() else (),
            code_version=__version__,
            seed=self.config.seed,
            run=self.run,
        )
        put = self.workspace.checkpoints.put(encode(weights), kind=weights.kind, lineage=lineage, at=self.clock())
        if verdict.decision != "promote" or not self.config.promote:
            if not enter_challenger(self.workspace, base, put.id, reason=verdict.reasons[0], at=self.clock()):
                self.observer.note(
                    f"people are comparing another challenger, which stays; `redraft models try {put.id[:12]}` moves it"
                )
            return put, False
        self.workspace.aliases.move(base, put.id, reason=verdict.reasons[0], at=self.clock(), expected=incumbent_id)
        return put, True


def _finished(journal: Journal, stage: str) -> bool:
    return journal.workspace.ledger.last_finished(journal.run, stage=stage) is not None
