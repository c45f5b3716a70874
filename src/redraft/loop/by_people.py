"""Promotion by people: the move of the champion, if the studio's blind duels prove the challenger better.

The duels are made by the studio and kept in `store.trials`; the rule is `evaluation.people_gate`.
"""

from __future__ import annotations

from dataclasses import dataclass

from redraft.core.errors import UsageError
from redraft.core.records import Verdict
from redraft.evaluation.duels import Standing, standing
from redraft.evaluation.people_gate import PeoplePolicy, decide_by_people
from redraft.store.trials import Trial
from redraft.store.workspace import Workspace

PATIENCE = 14 * 86_400.0
"""Seconds after the last pair from which nobody is taken to be comparing a challenger any more."""


@dataclass(frozen=True, kw_only=True)
class PeopleSay:
    """How a trial stands, and what follows. promoted: the champion alias was moved."""

    trial: Trial
    standing: Standing
    verdict: Verdict
    promoted: bool = False


def people_say(workspace: Workspace, base: str, *, policy: PeoplePolicy | None = None) -> PeopleSay:
    """How the trial of a base's challenger stands now. Raises UsageError where there is no challenger."""
    policy = policy or PeoplePolicy()
    trial = workspace.trials.current(base)
    if trial is None:
        raise UsageError(f"{base} has no challenger in this workspace: `redraft improve` keeps one that it held back")
    now = standing(trial.votes, votes_per_person=policy.votes_per_person)
    return PeopleSay(trial=trial, standing=now, verdict=decide_by_people(now, policy, trial=trial.number))


def promote_by_people(workspace: Workspace, base: str, *, at: float, policy: PeoplePolicy | None = None) -> PeopleSay:
    """The same, and the challenger becomes champion when the verdict is to promote it. `at`: the time.

    Raises UsageError where there is no challenger, and BusyError when the champion was moved meanwhile.
    """
    found = people_say(workspace, base, policy=policy)
    if found.verdict.decision != "promote":
        return found
    reason, trial = f"by people: {found.verdict.reasons[0]}", found.trial
    workspace.aliases.move(base, trial.challenger, reason=reason, at=at, expected=trial.champion)
    return PeopleSay(trial=trial, standing=found.standing, verdict=found.verdict, promoted=True)


def enter_challenger(workspace: Workspace, base: str, checkpoint: str, *, reason: str, at: float) -> bool:
    """Make a checkpoint that was held back the challenger, unless people are comparing another one at this time.

    They are while some have voted, their votes decide nothing yet, and pairs are given. A run every night would
    otherwise end each trial before it can say anything. Returns whether it was made the challenger.
    """
    trial = workspace.trials.current(base)
    asking = trial is not None and trial.challenger != checkpoint and trial.votes and at - trial.last_at < PATIENCE
    if asking and people_say(workspace, base).verdict.decision == "hold":
        return False
    workspace.aliases.move(base, checkpoint, alias="challenger", reason=reason, at=at)
    return True
