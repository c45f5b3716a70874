"""Several rounds of training on a model's own pictures: when to stop, and which round to return. The rules are the
method's (`methods.collapse`); the numbers are those of the probes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from redraft.core.tensors import Parameters
from redraft.evaluation.tripwires import Probe
from redraft.loop.probing import Prober
from redraft.loop.rounds import Trained
from redraft.methods.collapse import CollapseRules, RoundRecord, best_round, collapse


@dataclass
class RoundWatch:
    """Judges rounds by the held-out scorer of the probes. Round 0 is the model before training.

    Only for methods that say so (`returns_best_round`) and with probes; for others `after` is silent and `chosen`
    returns the last round.
    """

    prober: Prober
    rules: CollapseRules
    active: bool
    history: list[RoundRecord] = field(default_factory=list)

    def after(self, done: Trained) -> str | None:
        """Note a round; why to stop, if it should be the last one."""
        if not self.active:
            return None
        if not self.history:
            self.history.append(_record(0, self.prober.history[0], mean_weight=1.0))
        self.prober.at_the_end_of_a_round(done.state.step, done.parameters)
        self.history.append(_record(len(self.history), self.prober.history[-1], mean_weight=done.mean_weight))
        return collapse(self.history, rules=self.rules)

    def chosen(self, rounds: tuple[Trained, ...], *, incumbent: Parameters) -> tuple[Trained, ...]:
        """The rounds, the last of them with the weights of the best one: it may be the model before training.

        A round that a tripwire ended keeps the weights that the wire chose.
        """
        if len(self.history) <= len(rounds):
            return rounds
        best, last = best_round(self.history), rounds[-1]
        if best.number == len(rounds):
            return rounds
        parameters = incumbent if best.number == 0 else rounds[best.number - 1].parameters
        reason = (
            f"of {len(rounds)} rounds number {best.number} is returned (0 is the model before training): the held-out "
            f"scorer gave it {best.held_out:.4g}, and the last {self.history[-1].held_out:.4g}"
        )
        digest = f"{last.digest}-round-{best.number}"
        return (*rounds[:-1], replace(last, parameters=parameters, digest=digest, reason=reason))


def _record(number: int, probe: Probe, *, mean_weight: float) -> RoundRecord:
    assert probe.heldout is not None  # every probe of the loop has one
    spread = 0.0 if probe.diversity is None else float(probe.diversity.mean())
    return RoundRecord(number=number, held_out=float(probe.heldout.mean()), mean_weight=mean_weight, spread=spread)
