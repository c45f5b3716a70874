"""One round of improvement: collect, judge, prepare, train. Each part is a stage of the journal, so it can be resumed.

No method and no reward is known here by name; the rounds exchange a FitState.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from redraft.core.keys import Key
from redraft.core.protocols import Method, Scorer
from redraft.core.tensors import Parameters, Weights
from redraft.evaluation.tripwires import Probe, Trip
from redraft.loop.collecting import Collected, Collector
from redraft.loop.equipment import Equipment
from redraft.loop.journal import Journal, Packed
from redraft.loop.observer import Observer
from redraft.loop.probing import Prober
from redraft.methods.fit import FitResult, FitState, StepLog, Stop, fit, next_round

LOG = ("step", "loss", "gradient_norm", "learning_rate")


@dataclass(frozen=True, kw_only=True)
class Trained:
    """After a round: the state to go on from, the weights to use, and why training stopped, if it did.

    samples: pictures painted to train on, those that a reward gradient went through included. mean_weight: of the
    examples, 1 for those without weights.
    """

    state: FitState
    parameters: Parameters
    stopped_by: str | None
    reason: str
    digest: str
    history: tuple[Probe, ...]
    log: tuple[dict[str, float], ...]
    mean_reward: float | None
    samples: int
    mean_weight: float = 1.0


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
        collector = Collector(
            equipment=self.equipment, journal=self.journal, method=self.method, reward=self.reward,
            observer=self.observer,
        )  # fmt: skip
        made = collector.collect(number, state=state, key=key, inputs=inputs)
        return self._trained(number, made, state=state, key=key, prober=prober, inputs=inputs | made.digests)

    def _stop_of_the_method(self, log: list[dict[str, float]], *, step: int) -> Stop | None:
        """Some methods know from their own numbers when they run away."""
        rule: Any = getattr(self.method, "stop_reason", None)
        reason: str | None = None if rule is None else rule(log)
        return None if reason is None else Stop(reason=reason, best_step=step)

    def _trained(
        self,
        number: int,
        made: Collected,
        *,
        state: FitState,
        key: Key,
        prober: Prober,
        inputs: dict[str, str],
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
                return prober.on_step(entry) or self._stop_of_the_method(log, step=entry.step)

            def save(present: FitState) -> None:
                tensors, text = present.to_tensors()
                facts = {"inputs": inputs, "state": text, "probes": prober.to_json(), "log": log}
                self.journal.save_state(f"{name}-state", Packed(tensors=tensors, facts=facts))

            result = fit(
                self.method, self.equipment.backbone, made.examples, config=config, key=key.child("fit"), state=start,
                on_step=on_step, save=save,
            )  # fmt: skip
            return _packed(result, prober, log)

        packed, digest = self.journal.stage(name, train, inputs=inputs)
        prober.restore(packed.facts["probes"])
        tensors = {k: v for k, v in packed.tensors.items() if not k.startswith("chosen/")}
        chosen = {k.removeprefix("chosen/"): v for k, v in packed.tensors.items() if k.startswith("chosen/")}
        trained = FitState.from_tensors(tensors, packed.facts["state"])
        return Trained(
            state=next_round(trained, config=config),
            parameters=chosen,
            stopped_by=packed.facts["stopped_by"],
            reason=packed.facts["reason"],
            digest=digest,
            history=tuple(prober.history),
            log=tuple(packed.facts["log"]),
            mean_reward=made.mean_reward,
            samples=len(packed.facts["log"]) * config.batch_size if made.painted is None else made.painted,
            mean_weight=float(made.examples.weight.mean()) if isinstance(made.examples, Weights) else 1.0,
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


def painting_with(state: FitState, parameters: Parameters) -> FitState:
    """A fresh state whose old policy, and best weights so far, are the incumbent's."""
    old, kept = ({name: value.detach().clone() for name, value in parameters.items()} for _ in range(2))
    return replace(state, old=old, kept=kept)


def state_digest(state: FitState) -> str:
    """Hash of a state's weights: what a round starts from."""
    import hashlib

    digest = hashlib.sha256()
    for name in sorted(state.policy):
        digest.update(name.encode() + state.policy[name].detach().cpu().contiguous().numpy().tobytes())
        digest.update(state.old[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
