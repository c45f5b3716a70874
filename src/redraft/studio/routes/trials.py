"""The trial of a challenger: how its blind duels with the champion stand, beginning one, ending it. Makes no pair.

The champion is moved elsewhere (`routes.promotions`); the challenger is served to nobody who did not ask for it, so its
pointer moves here and at once.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from redraft.core.errors import UnknownNameError, UsageError
from redraft.store.trials import Trial
from redraft.studio.context import Studio, StudioDep
from redraft.studio.errors import Refused
from redraft.studio.identity.people import Person, require
from redraft.studio.requesting import served_base
from redraft.studio.routes.account_views import Body

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


class Candidate(Body):
    """The checkpoint that people shall compare with the champion, by id or four or more of its first digits.

    checkpoint: null ends the trial: nobody compares anything any more.
    """

    checkpoint: Annotated[str, Field(min_length=4, max_length=64)] | None
    reason: Annotated[str, Field(max_length=500)] = ""


@router.get("/api/v1/models/duels")
async def get_duels(studio: StudioDep, _who: Operator) -> TrialAnswer:
    """How the trial of the challenger stands. For operators: who votes shall not know how others did."""
    return await asyncio.to_thread(_standing, studio, await served_base(studio))


@router.put("/api/v1/models/challenger")
async def put_challenger(studio: StudioDep, who: Operator, wish: Candidate) -> TrialAnswer:
    """Have people compare a checkpoint with the champion, in a trial of its own; or end the trial that runs."""
    return await asyncio.to_thread(_try, studio, who, await served_base(studio), wish)


def _try(studio: Studio, who: Person, base: str, wish: Candidate) -> TrialAnswer:
    checkpoint = ""
    if wish.checkpoint is not None:
        try:
            checkpoint = studio.workspace.checkpoints.get(wish.checkpoint).id
        except UnknownNameError as error:
            raise Refused(404, "not_found", str(error), param="checkpoint") from error
    reason = wish.reason or ("tried in the studio" if checkpoint else "the trial was ended in the studio")
    try:
        studio.workspace.aliases.move(base, checkpoint, alias="challenger", reason=reason, at=studio.now())
    except UsageError as error:
        raise Refused(400, "invalid_value", str(error), param="checkpoint") from error
    studio.audit("challenger", actor=who.id, subject=checkpoint)
    return _standing(studio, base)


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
