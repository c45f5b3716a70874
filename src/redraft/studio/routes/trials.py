"""How the blind duels of the challenger with the champion stand. Makes no pair and moves no pointer."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from redraft.store.trials import Trial
from redraft.studio.context import Studio, StudioDep
from redraft.studio.identity.people import Person, require
from redraft.studio.requesting import PATIENCE, engine_of

router = APIRouter(tags=["models"])
Operator = Annotated[Person, Depends(require("run"))]


class TrialView(BaseModel):
    """What people said in blind duels of the challenger with the champion; see docs/improve.md.

    champion, challenger: checkpoints, "" for the base. pairs: that were given. people: whose votes count. low, high:
    the confidence sequence of win_rate. evidence: that the challenger is better, against: that it is worse.
    """

    champion: str
    challenger: str
    trial: int
    pairs: int
    answers: int
    left_out: int
    people: int
    win_rate: float
    low: float
    high: float
    evidence: float
    against: float
    decision: Literal["promote", "hold", "reject"]
    reasons: list[str]


class TrialAnswer(BaseModel):
    """The trial, or null where there is no challenger."""

    trial: TrialView | None


@router.get("/api/v1/models/duels")
async def get_duels(studio: StudioDep, _who: Operator) -> TrialAnswer:
    """How the trial of the challenger stands. For operators: who votes shall not know how others did."""
    facts = await engine_of(studio).facts(patience=PATIENCE)
    return await asyncio.to_thread(_standing, studio, facts.base)


def _standing(studio: Studio, base: str) -> TrialAnswer:
    trial = studio.workspace.trials.current(base)
    return TrialAnswer(trial=None if trial is None else trial_view(trial))


def trial_view(trial: Trial) -> TrialView:
    """A trial in the words of the API, by the rules of `redraft models duels`."""
    from redraft.evaluation.duels import standing
    from redraft.evaluation.people_gate import decide_by_people

    now = standing(trial.votes)
    verdict = decide_by_people(now, trial=trial.number)
    return TrialView(
        champion=trial.champion, challenger=trial.challenger, trial=trial.number, pairs=trial.pairs,
        answers=len(trial.votes), left_out=trial.left_out, **vars(now), decision=verdict.decision,
        reasons=list(verdict.reasons),
    )  # fmt: skip
