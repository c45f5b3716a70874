"""From what somebody wishes to a request that the engine takes on: limits, model, seed, quota, one row. Paints nothing.

All doors to the engine (the OpenAI-compatible one and the native one) come through here.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from redraft.core.errors import RedraftError, UnknownNameError, UsageError
from redraft.store.aliases import ALIASES, Alias
from redraft.store.requests import Request
from redraft.studio.again import record_again
from redraft.studio.context import Studio
from redraft.studio.engine.client import Engine
from redraft.studio.engine.making import Ask, Making
from redraft.studio.engine.messages import Group, ModelFacts
from redraft.studio.errors import Refused
from redraft.studio.identity.people import Person
from redraft.studio.leftovers import maker
from redraft.studio.quota import daily_quota
from redraft.studio.telemetry import log
from redraft.studio.trials import offer_trial
from redraft.studio.trying import check_may_paint

PATIENCE = 20.0
"""Seconds that a request waits for a model that is still being loaded."""
MOST_SEED = 2**53 - 1024
"""Seeds survive JSON readers that keep all numbers as doubles."""
LONGEST_NAME = 200
OTHERS = ("gpt-image-", "dall-e-", "chatgpt-image-")
"""Beginnings of model names of another service, which clients send by habit."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What somebody wants to be painted; None where the model's own value is wanted.

    again_of: the request that did not please. source: the door it came through. idempotency_key: a second request
    with it is the first one.
    """

    prompt: str
    negative_prompt: str = ""
    model: str = "champion"
    count: int = 1
    size: str = "auto"
    steps: int | None = None
    effort: float = 1.0
    guidance: float | None = None
    seed: int | None = None
    critique: bool = False
    previews: bool = True
    again_of: str | None = None
    ask: Ask = "auto"
    source: str
    idempotency_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A request that was taken on, now or earlier. making: None when it is made elsewhere, or ended long ago."""

    request: Request
    making: Making | None


def engine_of(studio: Studio) -> Engine:
    """The engine. Raises Refused (503) where there is none."""
    if studio.engine is None:
        raise Refused(503, "starting", "this server paints no pictures at the moment: try again later", retry_after=5)
    return studio.engine


async def served_base(studio: Studio) -> str:
    """The base model that is served, as checkpoints name it; without an engine the one of the settings."""
    if studio.engine is None:
        return studio.settings.engine.model
    return (await studio.engine.facts(patience=PATIENCE)).base


async def take_on(studio: Studio, person: Person, wish: Wish) -> Taken:
    """Enter a request and give it to the engine.

    Raises Refused: 400 naming the value, 403 for a model that this person may not try, 404 for a model or an earlier
    request that is not there, 429 when the quota
    of the day is used up or too much of this person waits, 503 while nothing can be painted.
    """
    engine = engine_of(studio)
    facts = await engine.facts(patience=PATIENCE)
    _check(studio, wish, facts)
    checkpoint = await asyncio.to_thread(_checkpoint, studio, person, wish.model, facts)
    engine.check_room(person.id, wish.count)
    request = _request(studio, person, wish, facts, checkpoint=checkpoint)
    entered, new = await asyncio.to_thread(enter, studio, person, request)
    if not new:
        if entered.prompt_hash != request.prompt_hash:
            message = "this Idempotency-Key was used for another prompt: send a new one for a new request"
            raise Refused(409, "idempotency_key_used", message, param="Idempotency-Key")
        return Taken(request=entered, making=engine.find(entered.id, owner=person.id))
    group = Group(
        checkpoint=checkpoint,
        steps=request.steps,
        guidance=request.guidance,
        critique=wish.critique,
    )
    making = Making(
        request=request, person=person, group=group, ask=wish.ask, session=person.credential, previews=wish.previews
    )
    try:
        engine.take_on(making)
    except Refused:
        await asyncio.to_thread(
            studio.workspace.requests.set_state, request.id, "failed", owner=person.id, at=studio.now()
        )
        raise
    await offer_trial(studio, person, request)
    return Taken(request=request, making=making)


def checkpoint_of(studio: Studio, model: str, facts: ModelFacts) -> str:
    """The checkpoint that a model's name stands for, "" for the base. Raises Refused (404, `model_not_found`)."""
    engine, aliases = engine_of(studio), studio.workspace.aliases
    if model in ("", "champion") or (studio.settings.engine.model_fallback and model.startswith(OTHERS)):
        return engine.live
    if model in ("base", facts.base):
        return ""
    if model in ("challenger", "previous"):
        live = aliases.current(facts.base, cast(Alias, model))
        if live is not None:
            return live.checkpoint
    else:
        try:
            found = studio.workspace.checkpoints.get(model)
        except (UnknownNameError, UsageError):
            pass
        else:
            if found.lineage.base == facts.base and found.kind != "head":
                return found.id
    names = ", ".join(name for name, _ in served_models(studio, facts, challenger=False))
    message = f"model {model[:80]!r} is not served here: choose one of {names}, or the id of a checkpoint"
    raise Refused(404, "model_not_found", message, param="model")


def served_models(studio: Studio, facts: ModelFacts, *, challenger: bool = True) -> list[tuple[str, float]]:
    """Names that requests may give as their model, and since when each stands for what it does.

    challenger: whether that is named too; for people who may paint with it.
    """
    found = [("champion", 0.0), ("base", 0.0), (facts.base, 0.0)]
    for alias in ALIASES:
        if alias == "challenger" and not challenger:
            continue
        live = studio.workspace.aliases.current(facts.base, alias)
        if live is not None:
            found = [entry for entry in found if entry[0] != alias]
            found.append((alias, live.at))
            if live.checkpoint and all(name != live.checkpoint for name, _ in found):
                found.append((live.checkpoint, live.at))
    return sorted(found, key=lambda entry: (entry[0] != "champion", entry[0]))


def _checkpoint(studio: Studio, person: Person, model: str, facts: ModelFacts) -> str:
    found = checkpoint_of(studio, model, facts)
    check_may_paint(studio, person, found, base=facts.base, live=engine_of(studio).live)
    return found


def _check(studio: Studio, wish: Wish, facts: ModelFacts) -> None:
    limits = studio.settings.engine
    _text("prompt", wish.prompt, longest=limits.longest_prompt)
    if not wish.prompt.strip():
        raise Refused(400, "invalid_value", "prompt is empty: say what is to be painted", param="prompt")
    _text("negative_prompt", wish.negative_prompt, longest=limits.longest_prompt)
    for name in ("model", "again_of"):
        _text(name, getattr(wish, name) or "", longest=LONGEST_NAME)
    _within("n", wish.count, 1, limits.most_pictures)
    if wish.steps is not None:
        _within("steps", wish.steps, 1, limits.most_steps)
    if wish.guidance is not None:
        _within("guidance", wish.guidance, 1, limits.most_guidance)
    if wish.seed is not None:
        _within("seed", wish.seed, 0, MOST_SEED)
    size = f"{facts.size}x{facts.size}"
    if wish.size not in ("auto", size):
        message = f"size {wish.size[:40]!r}: this model paints {size} only; send that, or 'auto'"
        raise Refused(400, "invalid_value", message, param="size")


def _text(name: str, value: str, *, longest: int) -> None:
    if len(value) > longest:
        message = f"{name} has {len(value):,} characters, at most {longest:,} are taken: shorten it"
        raise Refused(400, "invalid_value", message, param=name)
    # JSON can spell halves of a character; neither a database nor a tokenizer takes them.
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        message = f"{name} holds the character U+0000 or half a surrogate pair, which are no text: remove them"
        raise Refused(400, "invalid_value", message, param=name)


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # NaN lies nowhere
        raise Refused(400, "invalid_value", f"{name} = {str(value)[:40]}: it must lie in {low}..{high}", param=name)


def _request(studio: Studio, person: Person, wish: Wish, facts: ModelFacts, *, checkpoint: str) -> Request:
    most = studio.settings.engine.most_steps
    steps = wish.steps if wish.steps is not None else min(most, max(1, round(facts.steps * wish.effort)))
    seed = wish.seed if wish.seed is not None else secrets.randbelow(2**31)
    return Request(
        id=studio.new_id(),
        owner=person.id,
        prompt=wish.prompt,
        negative_prompt=wish.negative_prompt or None,
        prompt_hash=hashlib.sha256(wish.prompt.encode()).hexdigest(),
        base=facts.base,
        checkpoint=checkpoint,
        steps=steps,
        guidance=float(facts.guidance if wish.guidance is None else wish.guidance),
        width=facts.size,
        height=facts.size,
        count=wish.count,
        parameters={
            "seed": seed,
            "critique": wish.critique,
            "model": wish.model or "champion",
            "ask": wish.ask,
            "maker": maker(),
        },
        source=wish.source,
        again_of=wish.again_of,
        idempotency_key=wish.idempotency_key,
        created_at=studio.now(),
    )


def enter(studio: Studio, person: Person, request: Request) -> tuple[Request, bool]:
    """Count the pictures against the quota of the day and enter the request; both or none.

    Returns the request, or the earlier one of the same idempotency key, and whether it is new. Raises Refused (429).
    """
    if request.idempotency_key is not None:
        # Sending again costs nothing, and is no worse off for what was used up since.
        earlier = studio.workspace.requests.with_key(request.idempotency_key, owner=person.id)
        if earlier is not None:
            return earlier, False
    counters, today = studio.workspace.counters, datetime.fromtimestamp(studio.now(), tz=UTC)
    window = today.date().isoformat()
    tomorrow = datetime.combine(today.date() + timedelta(days=1), datetime.min.time(), tzinfo=UTC).timestamp()
    most = daily_quota(studio, person)
    taken = counters.take(
        person.id, "pictures", window=window, most=most, expires_at=tomorrow + 86_400, amount=request.count
    )
    if taken is None:
        left = max(1, math.ceil(tomorrow - studio.now()))
        message = f"your {most} pictures of today are used up: come again tomorrow (UTC), or ask for fewer"
        raise Refused(429, "quota_exceeded", message, retry_after=left)
    try:
        entered, new = studio.workspace.requests.enter(request)
    except RedraftError:
        counters.give_back(person.id, "pictures", window=window, amount=request.count)
        raise
    if studio.settings.log_prompts:
        log("prompt", request=entered.id, prompt=entered.prompt)
    if not new:
        counters.give_back(person.id, "pictures", window=window, amount=request.count)
    elif request.again_of is not None:
        record_again(studio, person, request.again_of, request_id=request.id)
    return entered, new
