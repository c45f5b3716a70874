"""What blind duels decide about a challenger: promote, hold or reject, with reasons. A pure function, as `gate`.

`gate` looks at measurements of one night; this looks at votes that come in over weeks, and may look at any time.
"""

from __future__ import annotations

from pydantic import Field

from redraft.core.config import Config
from redraft.core.records import Verdict
from redraft.evaluation.duels import Standing
from redraft.evaluation.gate import level


class PeoplePolicy(Config):
    """What people's votes must show. least_people: 50, so that nobody has more than a fiftieth of the weight.

    votes_per_person: that make the one observation of a person; fixed before the first vote of a trial.
    """

    false_promotion: float = Field(default=0.05, gt=0, lt=1, description="chance of a false promotion in all trials")
    least_people: int = Field(default=50, ge=1, description="people with a complete observation, below which it waits")
    votes_per_person: int = Field(default=1, ge=1, description="votes of a person that make one observation")


def decide_by_people(standing: Standing, policy: PeoplePolicy | None = None, *, trial: int = 1) -> Verdict:
    """Promote, hold or reject a challenger by the standing of its duels with the champion.

    Promote when the evidence against "wins at most half" has reached 1 / alpha_k, where alpha_k is what trial k may
    spend of the chance of a false promotion (all trials together stay below it, whenever and however often one looks:
    Ville's inequality and the union bound), the whole confidence sequence lies above one half, and enough people were
    asked. Reject when the evidence against "wins at least half" has reached 1 / alpha_k.

    Args:
        standing: of the trial's votes in their order, by `duels.standing`.
        policy: the rules; None: the defaults.
        trial: which trial of this workspace it is, counted from 1.

    Raises:
        UsageError: when trial is below 1.
    """
    policy = policy or PeoplePolicy()
    needed = 1 / level(trial, total=policy.false_promotion)
    what = (
        f"{standing.people} people prefer the challenger in {100 * standing.win_rate:.1f} % of duels (between "
        f"{100 * standing.low:.1f} and {100 * standing.high:.1f} % at all times together); evidence "
        f"{standing.evidence:.3g} of the {needed:.3g} that trial {trial} needs"
    )
    if standing.against >= needed:
        return Verdict(decision="reject", reasons=(f"worse: {what}, and {standing.against:.3g} that it is worse",))
    if standing.people < policy.least_people:
        few = f"only {standing.people} people have voted, {policy.least_people} are needed: wait for more; {what}"
        return Verdict(decision="hold", reasons=(few,))
    if standing.evidence >= needed and standing.low > 0.5:
        return Verdict(decision="promote", reasons=(f"better: {what}",))
    return Verdict(decision="hold", reasons=(f"not proven better: {what}",))
