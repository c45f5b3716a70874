"""Deciding whether a person is asked about a picture, and the ask that they see. The rule itself is `feedback.asks`.

A decision, its probability and the state that it leaves are one transaction. The coin is a keyed hash of person and
picture: nobody can guess it, throwing it again gives the same, and a decision made offline can be worked out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import BaseModel

from redraft.feedback.asks import (
    AskPolicy,
    Decision,
    Exclusion,
    Memory,
    Moment,
    Wishes,
    begun,
    budget_of,
    counted,
    decide,
    excluded,
)
from redraft.feedback.local_time import local_day, local_minute
from redraft.store.asks import AskDecisionEntry, AskState
from redraft.store.gallery import Painting
from redraft.store.people import Account
from redraft.store.requests import Request
from redraft.studio.context import Studio
from redraft.studio.identity.people import Person
from redraft.studio.identity.tokens import AskToken, sign_ask
from redraft.studio.likeness import AskedLately
from redraft.studio.picture_view import THUMBNAIL, picture_url
from redraft.studio.times import iso

ASK_SECONDS = 86_400.0
"""How long an ask waits."""
TOKEN_SECONDS = 7 * 86_400.0
"""How long its token is believed: who was offline may answer late."""
_SESSION_SECONDS = 1800.0
_ALIKE_SECONDS = 14 * 86_400.0
_COIN_DIGITS = 13  # hexadecimal: 52 bits, exact as a float below 1


class AskedPicture(BaseModel):
    """A picture without what was predicted of it, which must not sway the answer."""

    id: str
    request_id: str
    prompt: str | None
    negative_prompt: str | None
    width: int
    height: int
    url: str
    thumbnail_url: str
    blurred: bool
    safety_reason: str
    created_at: str


class AskView(BaseModel):
    """An ask: the token goes back with the answer and serves once."""

    id: str
    token: str
    form: str
    picture: AskedPicture
    expires_at: str


class BudgetView(BaseModel):
    """How often a person may still be asked today. paused: why nobody is asked just now, "" when they may be."""

    daily: int
    asked_today: int
    left: int
    per_session: int
    paused: Exclusion


def decide_asks(
    studio: Studio,
    person: Person,
    pictures: Sequence[tuple[Painting, float | None]],
    *,
    request: Request,
    session: str = "",
) -> list[AskView | None]:
    """Decide about pictures of one request that were just painted for the person, one after the other, in one commit.

    pictures: each with its confidence before a second pass, None where there was none. session: names the login; half
    an hour without pictures begins another session. None in the answer: the person is not asked about that one.
    """
    now, account = studio.now(), person.account
    lately = AskedLately(studio, [painting for painting, _ in pictures], owner=person.id, since=now - _ALIKE_SECONDS)

    def rule(state: AskState | None, _known: object) -> tuple[AskState, list[AskDecisionEntry]]:
        name, memory, entries = session_name(state, session=session, now=now), memory_of(state), []
        for painting, first in pictures:
            moment = moment_of(account, painting, at=now, session=name, likeness=lately.likeness(painting))
            coin = coin_of(studio, person.id, painting.id)
            memory, made = decide(studio.settings.asks, wishes_of(account), memory=memory, moment=moment, coin=coin)
            entry = entry_of(studio, person, painting, made, id=studio.new_id(), at=now, session=name, day=moment.day)
            entries.append(replace(entry, first_confidence=first))
            if made.asked:
                lately.add(painting)
        kept = memory or begun(studio.settings.asks, wishes_of(account))
        return AskState(**vars(kept), changed_at=now), entries

    made = studio.workspace.asks.decide(person.id, rule)
    return [
        ask_view(studio, entry, painting, request) if entry.outcome == "shown" else None
        for entry, (painting, _) in zip(made, pictures, strict=True)
    ]


def wishes_of(account: Account) -> Wishes:
    """How the person wants to be asked, in the words of the rule."""
    asking = account.asking
    return Wishes(
        less=asking.less, opted_out=asking.opted_out, quiet_from=asking.quiet_from, quiet_until=asking.quiet_until
    )


def memory_of(state: AskState | None) -> Memory | None:
    """The store's state in the words of the rule."""
    if state is None:
        return None
    values = vars(state)
    return Memory(**{name: values[name] for name in values if name != "changed_at"})


def is_reviewer(account: Account) -> bool:
    """Whether the person may be shown what leans unsafe: adult, trained, and consenting; all three."""
    return account.adult and account.trained_reviewer and account.consent.unsafe


def moment_of(account: Account, painting: Painting, *, at: float, session: str, likeness: float | None) -> Moment:
    """A painting before its owner, in the words of the rule."""
    return Moment(
        confidence=painting.confidence,
        day=local_day(at, account.asking.timezone),
        minute=local_minute(at, account.asking.timezone),
        session=session,
        likeness=likeness,
        withheld=painting.safety in ("withheld", "quarantined"),
        unsafe=painting.unsafe or painting.safety == "blurred",
        reviewer=is_reviewer(account),
    )


def session_name(state: AskState | None, *, session: str, now: float) -> str:
    """The session that asks are counted in: the one before while it goes on, else a new name (at most 64 long)."""
    mark = session[:32]
    if state is not None and state.session.startswith(f"{mark}/") and now - state.changed_at < _SESSION_SECONDS:
        return state.session
    return f"{mark}/{int(now)}"


def coin_of(studio: Studio, user: str, picture: str) -> float:
    """The uniform draw in [0, 1) for a person and a picture."""
    digits = studio.keys.blind("coin", f"{user}\0{picture}")[:_COIN_DIGITS]
    return int(digits, 16) / float(16**_COIN_DIGITS)


def entry_of(
    studio: Studio, person: Person, painting: Painting, made: Decision, *, id: str, at: float, session: str, day: str
) -> AskDecisionEntry:
    """A decision as it is stored."""
    policy: AskPolicy = studio.settings.asks
    return AskDecisionEntry(
        id=id,
        user=person.id,
        kind="picture",
        subject=painting.id,
        form=studio.settings.preset.ask_form,
        confidence=0.0 if painting.confidence is None else painting.confidence,
        weakest=painting.weakest,
        threshold=made.threshold,
        rate=made.rates.rate,
        exploration=made.rates.exploration,
        budget_left=made.budget_left,
        probability=made.probability,
        coin=made.coin,
        excluded=made.excluded,
        outcome="shown" if made.asked else "excluded" if made.excluded else "suppressed",
        policy=policy.version,
        session=session,
        day=day,
        created_at=at,
        shown_at=at if made.asked else None,
    )


def ask_view(studio: Studio, entry: AskDecisionEntry, painting: Painting, request: Request) -> AskView:
    """The ask of a decision; making it again gives a token of the same id, which serves once altogether."""
    return AskView(
        id=entry.id,
        token=ask_token(studio, entry),
        form=entry.form,
        picture=asked_picture(studio, painting, request),
        expires_at=iso(entry.created_at + ASK_SECONDS),
    )


def ask_token(studio: Studio, entry: AskDecisionEntry) -> str:
    """The token that an answer to this decision brings back."""
    token = AskToken(
        id=f"ask-{entry.id}",
        user=entry.user,
        kind=entry.kind,
        subject=entry.subject,
        form=entry.form,
        policy=entry.policy,
        ask=entry.id,
        expires_at=entry.created_at + TOKEN_SECONDS,
    )
    return sign_ask(studio.keys, token)


def asked_picture(studio: Studio, painting: Painting, request: Request, *, revealed: bool = False) -> AskedPicture:
    """What somebody sees of a painting that they are to judge. revealed: as it is, for reviewers."""
    return AskedPicture(
        id=painting.id,
        request_id=painting.request,
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        width=request.width,
        height=request.height,
        url=picture_url(studio, painting.id, revealed=revealed),
        thumbnail_url=picture_url(studio, painting.id, form="webp", width=THUMBNAIL, revealed=revealed),
        blurred=painting.blurred and not revealed,
        safety_reason=painting.safety_reason,
        created_at=iso(painting.created_at),
    )


def budget_view(studio: Studio, account: Account) -> BudgetView:
    """How often the person may still be asked today, and why not just now."""
    policy, wishes, now = studio.settings.asks, wishes_of(account), studio.now()
    state = studio.workspace.asks.state(account.id)
    memory = memory_of(state) or begun(policy, wishes)
    day = local_day(now, account.asking.timezone)
    memory = counted(memory, day=day, session=session_name(state, session=_mark(memory), now=now))
    moment = Moment(confidence=0.5, day=day, minute=local_minute(now, account.asking.timezone))
    budget = budget_of(policy, wishes)
    return BudgetView(
        daily=budget,
        asked_today=memory.asked_today,
        left=max(0, budget - memory.asked_today),
        per_session=policy.session_cap,
        paused=excluded(policy, wishes, memory=memory, moment=moment),
    )


def _mark(memory: Memory) -> str:
    return memory.session.partition("/")[0]
