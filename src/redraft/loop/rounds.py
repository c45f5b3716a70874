"""One round of improvement: collect, judge, prepare, train. Each part is a stage of the journal, so it can be resumed.

No method and no reward is known here by name; the rounds exchange a FitState.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from redraft.core.keys import Key
from redraft.core.protocols import Method, Scorer
from redraft.core.records import Prompt
from redraft.core.tensors import Examples, Parameters, PromptBatch, Rollout, Scored
from redraft.evaluation.tripwires import Probe, Trip
from redraft.loop.equipment import Equipment
from redraft.loop.journal import Journal, Packed, digest_of
from redraft.loop.judging import judge
from redraft.loop.observer import Observer
from redraft.loop.painting import Painted, paint, repeated
from redraft.loop.probing import Prober
from redraft.methods.fit import FitResult, FitState, StepLog, fit, next_round

LOG = ("step", "loss", "gradient_norm", "learning_rate")


@dataclass(frozen=True, kw_only=True)
class Trained:
    """After a round: the state to go on from, the weights to use, and why training stopped, if it did."""

    state: FitState
    parameters: Parameters
    stopped_by: str | None
    reason: str
    digest: str
    history: tuple[Probe, ...]
    log: tuple[dict[str, float], ...]
    mean_reward: float | None


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """Runs rounds with one method and one reward."""

    equipment: Equipment
    journal: Journal
    method: Method
    reward: Scorer
    observer: Observer
    key: Key

    def run(self, number: int, *, state: FitState, prober: Prober, inputs: dict[str, str]) -> Trained:
        """Round `number` (from 0): from a state to a trained one."""
        key = self.key.child("round", number)
        prompts = self._prompts(key)
        inputs = {**inputs, "prompts": digest_of([prompt.text for prompt in prompts])}
        mean_reward = None
        if self.method.needs == "prompts":
            examples: Examples = PromptBatch(prompts=prompts, conditioning=self.equipment.backbone.encode(prompts))
        else:
            scored, digests = self._collected(number, prompts, state=state, key=key, inputs=inputs)
            examples = self.method.prepare(scored, key=key.child("prepare"))
            inputs |= digests
            mean_reward = float(scored.reward.mean())
        return self._trained(
            number, examples, state=state, key=key, prober=prober, inputs=inputs, mean_reward=mean_reward
        )

    def _prompts(self, key: Key) -> tuple[Prompt, ...]:
        return self.equipment.suite.training_prompts(key.child("prompts"), self.equipment.config.collect.prompts)

    def _collected(
        self, number: int, prompts: tuple[Prompt, ...], *, state: FitState, key: Key, inputs: dict[str, str]
    ) -> tuple[Scored, dict[str, str]]:
        """Paint groups of pictures with the old policy and score them."""
        equipment = self.equipment
        count = equipment.config.collect.pictures_per_prompt
        every = repeated(prompts, count)

        def collect() -> Packed:
            self.observer.stage("collect", f"{len(every)} pictures of {len(prompts)} prompts")
            painted = paint(
                equipment.backbone, every, recipe=equipment.collect_recipe, key=key.child("noise"),
                batch=equipment.config.sampling.batch, parameters=state.old, on_batch=self.observer.progress,
            )  # fmt: skip
            return Packed(tensors={"latents": painted.latents, "pixels": painted.pixels}, facts={})

        made, made_digest = self.journal.stage(f"round-{number}-collect", collect, inputs=inputs)
        painted = Painted(prompts=every, latents=made.tensors["latents"], pixels=made.tensors["pixels"])

        def rate() -> Packed:
            self.observer.stage("judge", f"{len(every)} pictures by {self.reward.name}")
            scores = judge(self.reward, painted, on_batch=self.observer.progress)
            return Packed(tensors={"reward": scores.values[:, 0].float()}, facts={"fingerprints": scores.fingerprints})

        judged, judged_digest = self.journal.stage(f"round-{number}-judge", rate, inputs={"collect": made_digest})
        reward = judged.tensors["reward"]
        self.observer.note(f"round {number + 1}: mean reward of the pictures collected {float(reward.mean()):.3f}")
        group = torch.arange(len(prompts)).repeat_interleave(count)
        conditioning = equipment.backbone.encode(every)
        device = next(iter(conditioning.positive.values())).device
        scored = Scored(
            prompts=every,
            conditioning=conditioning,
            rollout=Rollout(latents=painted.latents.to(device), recipe=equipment.collect_recipe),
            reward=reward.to(device),
            group=group.to(device),
        )
        return scored, {"collect": made_digest, "judge": judged_digest}

    def _trained(
        self,
        number: int,
        examples: Examples,
        *,
        state: FitState,
        key: Key,
        prober: Prober,
        inputs: dict[str, str],
        mean_reward: float | None,
    ) -> Trained:
        name, config = f"round-{number}-train", self.equipment.config.fit
        inputs = {**inputs, "policy": state_digest(state)}

        def train() -> Packed:
            self.observer.stage("train", f"{config.steps} steps of {self.equipment.config.method}")
            log: list[dict[str, float]] = []
            start = state
            saved = self.journal.load_state(f"{name}-state")
            if saved is not None and saved.facts["inputs"] == inputs:
                start = FitState.from_tensors(saved.tensors, saved.facts["state"])
                prober.restore(saved.facts["probes"])
                log = list(saved.facts["log"])

            def on_step(entry: StepLog):  # type: ignore[no-untyped-def]
                log.append({field: float(getattr(entry, field)) for field in LOG} | dict(entry.parts))
                self.observer.training(entry.step - state.step, config.steps, entry.loss)
                return prober.on_step(entry)

            def save(present: FitState) -> None:
                tensors, text = present.to_tensors()
                facts = {"inputs": inputs, "state": text, "probes": prober.to_json(), "log": log}
                self.journal.save_state(f"{name}-state", Packed(tensors=tensors, facts=facts))

            result = fit(
                self.method, self.equipment.backbone, examples, config=config, key=key.child("fit"), state=start,
                on_step=on_step, save=save,
            )  # fmt: skip
            return _packed(result, prober, log)

        packed, digest = self.journal.stage(name, train, inputs=inputs)
        prober.restore(packed.facts["probes"])
        tensors = {k: v for k, v in packed.tensors.items() if not k.startswith("chosen/")}
        chosen = {k.removeprefix("chosen/"): v for k, v in packed.tensors.items() if k.startswith("chosen/")}
        trained = FitState.from_tensors(tensors, packed.facts["state"])
        return Trained(
            state=next_round(trained, old_policy=config.old_policy),
            parameters=chosen,
            stopped_by=packed.facts["stopped_by"],
            reason=packed.facts["reason"],
            digest=digest,
            history=tuple(prober.history),
            log=tuple(packed.facts["log"]),
            mean_reward=mean_reward,
        )


def _packed(result: FitResult, prober: Prober, log: list[dict[str, float]]) -> Packed:
    tensors, text = result.state.to_tensors()
    tensors |= {f"chosen/{name}": value.clone() for name, value in result.parameters.items()}
    trip: Trip | None = prober.trip
    facts = {
        "state": text,
        "probes": prober.to_json(),
        "log": log,
        "stopped_by": None if trip is None else trip.wire,
        "reason": "" if result.stop is None else result.stop.reason,
    }
    return Packed(tensors=tensors, facts=facts)


def starting_from(state: FitState, parameters: Parameters) -> FitState:
    """A fresh state at given weights (an incumbent's)."""
    copies = [{name: value.detach().clone() for name, value in parameters.items()} for _ in range(4)]
    return replace(state, policy=copies[0], averaged=copies[1], old=copies[2], kept=copies[3])


def state_digest(state: FitState) -> str:
    """Hash of a state's weights: what a round starts from."""
    import hashlib

    digest = hashlib.sha256()
    for name in sorted(state.policy):
        digest.update(name.encode() + state.policy[name].detach().cpu().contiguous().numpy().tobytes())
        digest.update(state.old[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
