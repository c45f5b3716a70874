"""Asks that a device decides by itself while it has no network, and what it hands in afterwards.

A lease is what the rule needs, signed: policy, wishes and memory as they were. At the sync every decision is worked out
again from the lease with the coins of this server, so that nothing of the device's arithmetic has to be believed: the
stored probability is that of the rule. The person's tau goes on from the server's own value, and each ask is charged.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from redraft.core.errors import UsageError
from redraft.feedback.asks import AskPolicy, Decision, Memory, Wishes, begun, charged, decide
from redraft.store.asks import AskDecisionEntry, AskState
from redraft.store.gallery import Painting
from redraft.studio.asking import (
    TOKEN_SECONDS,
    ask_token,
    coin_of,
    entry_of,
    memory_of,
    moment_of,
    wishes_of,
)
from redraft.studio.context import Studio
from redraft.studio.errors import Refused
from redraft.studio.identity.people import Person
from redraft.studio.identity.tokens import pack, unpack
from redraft.studio.routes.account_views import Body
from redraft.studio.times import iso, parse_iso

_PURPOSE = "lease"
_UUID7 = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"


class LeasedPicture(BaseModel):
    """What the rule must know of a picture."""

    coin: float
    confidence: float | None
    unsafe: bool
    withheld: bool


class Lease(BaseModel):
    """What a device takes along. policy, wishes, memory: the fields of `redraft.feedback.asks`, by name."""

    lease: str
    policy: dict[str, Any]
    wishes: dict[str, Any]
    memory: dict[str, Any]
    timezone: str
    reviewer: bool
    form: str
    pictures: dict[str, LeasedPicture]
    expires_at: str


class OfflineDecision(Body):
    """A decision that a device made. id: a UUID of version 7 made there; at: by its clock."""

    id: Annotated[str, Field(pattern=_UUID7)]
    picture: Annotated[str, Field(max_length=64)]
    at: Annotated[str, Field(max_length=40)]
    session: Annotated[str, Field(max_length=32, pattern=r"^[\x20-\x7e]*$")] = ""


class SyncedDecision(BaseModel):
    """What the server found. token: for the answer, where the person was asked."""

    id: str
    picture: str
    asked: bool
    token: str | None
    status: Literal["stored", "known", "refused"]
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class _Leased:
    """A lease that was read."""

    policy: AskPolicy
    wishes: Wishes
    memory: Memory
    issued_at: float


def lease_for(studio: Studio, person: Person, pictures: Sequence[str]) -> Lease:
    """A lease for these pictures. Raises Refused: 404 for one that is not the person's, 409 for a decided one."""
    paintings = {painting.id: painting for painting in studio.workspace.gallery.find(list(set(pictures)))}
    for id in pictures:
        if id not in paintings or paintings[id].owner != person.id:
            raise Refused(404, "not_found", f"picture {id!r} is not in this person's gallery", param="pictures")
    decided = studio.workspace.asks.decided(person.id, list(paintings))
    if decided:
        message = f"about picture {min(decided)!r} it was decided already: take along those painted with ask: 'offline'"
        raise Refused(409, "decided", message, param="pictures")
    policy, wishes, now = studio.settings.asks, wishes_of(person.account), studio.now()
    memory = memory_of(studio.workspace.asks.state(person.id)) or begun(policy, wishes)
    facts: dict[str, Any] = {
        "user": person.id, "policy": policy.model_dump(), "wishes": vars(wishes), "memory": asdict(memory),
        "issued_at": now,
    }  # fmt: skip
    leased = {id: _leased_picture(studio, person, painting) for id, painting in paintings.items()}
    return Lease(
        lease=pack(studio.keys, _PURPOSE, facts),
        policy=facts["policy"],
        wishes=facts["wishes"],
        memory=facts["memory"],
        timezone=person.account.asking.timezone,
        reviewer=moment_of(person.account, next(iter(paintings.values())), at=now, session="", likeness=None).reviewer,
        form=studio.settings.preset.ask_form,
        pictures=leased,
        expires_at=iso(now + TOKEN_SECONDS),
    )


def sync_decisions(studio: Studio, person: Person, lease: str, sent: Sequence[OfflineDecision]) -> list[SyncedDecision]:
    """Work out and keep the decisions of a lease, all from its first one on; those kept before are known.

    Raises Refused (403) for a lease that is forged, foreign or expired.
    """
    leased = _read(studio, person, lease)
    times = _times(sent, first=leased.issued_at, last=studio.now())
    paintings = {item.id: item for item in studio.workspace.gallery.find([each.picture for each in sent])}
    decided = studio.workspace.asks.decided(person.id, [each.picture for each in sent])
    made: list[SyncedDecision] = []

    def rule(state: AskState | None, known: Collection[str]) -> tuple[AskState, list[AskDecisionEntry]]:
        memory = memory_of(state) or begun(studio.settings.asks, wishes_of(person.account))
        chain, entries, seen = leased.memory, [], set(decided)
        made.clear()
        for each, at in zip(sent, times, strict=True):
            painting = paintings.get(each.picture)
            if painting is None or painting.owner != person.id:
                made.append(_refused(each, "this picture is not in your gallery: it was erased"))
                continue
            session = f"offline/{each.session}"
            chain, found, entry = _worked_out(studio, person, painting, leased, chain, each, at=at, session=session)
            if each.id in known:
                made.append(_synced(studio, each, entry, status="known"))
            elif each.picture in seen:
                made.append(_refused(each, "about this picture it was decided elsewhere already"))
            else:
                seen.add(each.picture)
                moment = moment_of(person.account, painting, at=at, session=session, likeness=None)
                memory = charged(
                    studio.settings.asks, wishes_of(person.account), memory=memory, moment=moment, asked=found.asked
                )
                entries.append(entry)
                made.append(_synced(studio, each, entry, status="stored"))
        changed = state.changed_at if state is not None and not entries else studio.now()
        return AskState(**vars(memory), changed_at=changed), entries

    studio.workspace.asks.decide(person.id, rule, ids=[each.id for each in sent])
    return made


def _worked_out(
    studio: Studio,
    person: Person,
    painting: Painting,
    leased: _Leased,
    chain: Memory,
    sent: OfflineDecision,
    *,
    at: float,
    session: str,
) -> tuple[Memory, Decision, AskDecisionEntry]:
    """One decision of the lease's chain, as the device must have made it."""
    moment = moment_of(person.account, painting, at=at, session=session, likeness=None)
    coin = coin_of(studio, person.id, painting.id)
    chain, found = decide(leased.policy, leased.wishes, memory=chain, moment=moment, coin=coin)
    entry = entry_of(studio, person, painting, found, id=sent.id, at=at, session=session, day=moment.day)
    return chain, found, replace(entry, policy=leased.policy.version, offline=True)


def _leased_picture(studio: Studio, person: Person, painting: Painting) -> LeasedPicture:
    moment = moment_of(person.account, painting, at=studio.now(), session="", likeness=None)
    return LeasedPicture(
        coin=coin_of(studio, person.id, painting.id),
        confidence=moment.confidence,
        unsafe=moment.unsafe,
        withheld=moment.withheld,
    )


def _read(studio: Studio, person: Person, text: str) -> _Leased:
    values = unpack(studio.keys, _PURPOSE, text)
    if values["user"] != person.id:
        raise Refused(403, "token_foreign", "this lease was given to another person: take one of your own")
    if values["issued_at"] + TOKEN_SECONDS <= studio.now():
        raise Refused(
            403, "token_expired", "this lease has expired: what was answered since can still be sent, unasked"
        )
    memory = values["memory"]
    return _Leased(
        policy=AskPolicy.model_validate(values["policy"]),
        wishes=Wishes(**values["wishes"]),
        memory=Memory(**{**memory, "recent": tuple(memory["recent"])}),
        issued_at=values["issued_at"],
    )


def _times(sent: Sequence[OfflineDecision], *, first: float, last: float) -> list[float]:
    """When each decision was made: by the device's clock, never backwards, and within the lease."""
    times: list[float] = []
    for each in sent:
        try:
            at = parse_iso(each.at)
        except UsageError as error:
            raise Refused(400, "invalid_value", str(error), param="decisions") from None
        first = min(last, max(first, at))
        times.append(first)
    return times


def _synced(
    studio: Studio, sent: OfflineDecision, entry: AskDecisionEntry, *, status: Literal["stored", "known"]
) -> SyncedDecision:
    asked = entry.outcome == "shown"
    token = ask_token(studio, entry) if asked else None
    return SyncedDecision(id=sent.id, picture=sent.picture, asked=asked, token=token, status=status)


def _refused(sent: OfflineDecision, message: str) -> SyncedDecision:
    return SyncedDecision(id=sent.id, picture=sent.picture, asked=False, token=None, status="refused", message=message)
