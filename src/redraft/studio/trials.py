"""Asking people, blind, whether the challenger paints better than the champion: from coin to pair. No statistics.

Of the requests of consenting people a share is drawn. Champion and challenger paint the same words once more, from the
same noise that nobody has seen, and the person is given the two pictures together once both are there: neither the
picture they know, nor the time it took, nor the side tells which is which. These pictures are shown nowhere else.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import replace

from redraft.core.errors import RedraftError
from redraft.feedback.asks import Decision, Moment
from redraft.feedback.duel_asks import decide_duel
from redraft.feedback.local_time import local_day, local_minute
from redraft.store.asks import AskDecisionEntry, AskState
from redraft.store.duels import Duel
from redraft.store.requests import TRIAL, Request
from redraft.store.trials import trial_name
from redraft.studio.asking import memory_of, session_name, wishes_of
from redraft.studio.context import Studio
from redraft.studio.duelling import DUEL_SECONDS
from redraft.studio.engine.making import Making
from redraft.studio.engine.messages import Group
from redraft.studio.errors import Refused
from redraft.studio.identity.people import Person
from redraft.studio.leftovers import maker
from redraft.studio.telemetry import log

_PAIR = 2
_COIN_DIGITS = 13  # hexadecimal: 52 bits, exact as a float below 1


async def offer_trial(studio: Studio, person: Person, request: Request) -> None:
    """Decide whether a request that was just taken on is compared, and have the pair painted.

    A failure is logged and stops no picture.
    """
    engine = studio.engine
    if engine is None or not may_ask(studio, person, request) or request.checkpoint != engine.live:
        return
    try:
        engine.check_room(person.id, _PAIR)
        drawn = await asyncio.to_thread(draw_trial, studio, person, request)
    except (Refused, RedraftError) as error:
        log("trial_not_drawn", level=logging.WARNING, error=type(error).__name__)
        return
    for each in drawn:
        group = Group(checkpoint=each.checkpoint, steps=each.steps, guidance=each.guidance, critique=False)
        making = Making(request=each, person=person, group=group, ask="never", session="", previews=False)
        try:
            engine.take_on(making)
        except Refused:
            ended = studio.workspace.requests.set_state
            await asyncio.to_thread(ended, each.id, "failed", owner=person.id, at=studio.now())


def draw_trial(studio: Studio, person: Person, request: Request) -> tuple[Request, ...]:
    """The two requests of a trial, champion first, entered; none when there is no challenger or the coin says no.

    The decision is stored whenever a coin was thrown. Raises RedraftError.
    """
    challenger = studio.workspace.aliases.current(request.base, "challenger")
    if challenger is None or challenger.checkpoint in ("", request.checkpoint):
        return ()
    if studio.workspace.trials.knows(person.id, challenger.checkpoint, at=studio.now()):
        return ()
    id = studio.new_id()
    if not _decided(studio, person, request, id=id).asked:
        return ()
    ids, seed = (studio.new_id(), studio.new_id()), secrets.randbelow(2**31)
    pair = tuple(
        replace(
            request, id=ids[place], checkpoint=(request.checkpoint, challenger.checkpoint)[place], count=1,
            source=TRIAL, again_of=None, idempotency_key=None, created_at=studio.now(),
            parameters={"seed": seed, "trial": id, "place": place, "other": ids[1 - place], "maker": maker()},
        )
        for place in range(_PAIR)
    )  # fmt: skip
    for each in pair:
        studio.workspace.requests.enter(each)
    return pair


def lay_pair(studio: Studio, request: Request) -> Duel | None:
    """Give the pair to its person when both pictures are there: called as each of its two requests ends.

    None while the other is not there, and when one of them may not be shown or both are the same.
    """
    workspace, now = studio.workspace, studio.now()
    other = workspace.requests.get(str(request.parameters["other"]), owner=request.owner)
    if other.state != "finished":
        return None
    pair = (request, other) if request.parameters["place"] == 0 else (other, request)
    pictures = [workspace.gallery.of_request(each.id, owner=each.owner) for each in pair]
    if not all(len(found) == 1 and found[0].safety == "ok" and not found[0].unsafe for found in pictures):
        return None
    first, second = (found[0] for found in pictures)
    if first.picture == second.picture:
        return None
    id = str(request.parameters["trial"])
    duel = Duel(
        id=id, user=request.owner, experiment=trial_name(first.checkpoint, second.checkpoint),
        prompt_hash=request.prompt_hash, prompt=request.prompt, first=first.id, second=second.id,
        first_checkpoint=first.checkpoint, second_checkpoint=second.checkpoint, swapped=bool(secrets.randbits(1)),
        probability=workspace.asks.get(id, user=request.owner).probability, issued_at=now,
        expires_at=now + DUEL_SECONDS,
    )  # fmt: skip
    workspace.duels.issue(duel)
    return duel


def may_ask(studio: Studio, person: Person, request: Request) -> bool:
    """What is known without the database: the share, consent, and that the request is one of everyday use."""
    wanted = request.parameters.get("ask") == "auto" and not request.parameters.get("critique")
    return studio.settings.trials.share > 0 and wanted and person.account.consent.improve


def _decided(studio: Studio, person: Person, request: Request, *, id: str) -> Decision:
    """Throw the coin of a request and keep the decision, if one was thrown, with the budget that it leaves."""
    now, account, policy = studio.now(), person.account, studio.settings.asks
    found: list[Decision] = []

    def rule(state: AskState | None, _known: object) -> tuple[AskState, list[AskDecisionEntry]]:
        name = session_name(state, session=person.credential, now=now)
        day, minute = local_day(now, account.asking.timezone), local_minute(now, account.asking.timezone)
        memory, made = decide_duel(
            policy, wishes_of(account), memory=memory_of(state), share=studio.settings.trials.share,
            moment=Moment(confidence=None, day=day, minute=minute, session=name), coin=_coin(studio, request),
        )  # fmt: skip
        found.append(made)
        kept = AskState(**vars(memory), changed_at=now)
        return kept, [] if made.excluded else [_entry(studio, person, made, id=id, at=now, session=name, day=day)]

    studio.workspace.asks.decide(person.id, rule)
    return found[0]


def _entry(
    studio: Studio, person: Person, made: Decision, *, id: str, at: float, session: str, day: str
) -> AskDecisionEntry:
    return AskDecisionEntry(
        id=id, user=person.id, kind="duel", subject=id, form="duel", confidence=0.0, weakest="",
        threshold=made.threshold, rate=made.rates.rate, exploration=made.rates.exploration,
        budget_left=made.budget_left, probability=made.probability, coin=made.coin,
        outcome="shown" if made.asked else "suppressed", policy=f"trial-1/{studio.settings.trials.share:g}",
        session=session, day=day, created_at=at, shown_at=at if made.asked else None,
    )  # fmt: skip


def _coin(studio: Studio, request: Request) -> float:
    digits = studio.keys.blind("trial", f"{request.owner}\0{request.id}")[:_COIN_DIGITS]
    return int(digits, 16) / float(16**_COIN_DIGITS)
