"""Entering orders for a worker: who may have what done, checked before it waits in the table of jobs. Runs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redraft.core import plugins
from redraft.core.errors import UnknownNameError, unknown_name
from redraft.core.orders import MOVES, TRAININGS, Order, OrderKind, PromoteOrder, RollbackOrder, TrainingOrder
from redraft.methods.presets import PRESETS
from redraft.models.builtin import NAMES, PREFIX
from redraft.store.jobs import Job
from redraft.studio.context import Studio
from redraft.studio.errors import Refused
from redraft.studio.identity.people import Person

MOST_WAITING = 20
"""Trainings that may wait for the worker; each takes minutes, or nights."""
MOST_ATTEMPTS = 5
"""Workers that may die over one job before it has failed."""

TITLES: Mapping[str, str] = {
    "nft": "DiffusionNFT: many short rounds, any reward (default)",
    "sft": "fine-tuning on the pictures that were right",
    "sft-weighted": "fine-tuning on all pictures, the better the more",
    "raft": "fine-tuning on the best picture of each prompt",
    "draft": "DRaFT: gradients of a reward through the last steps",
    "draft-1": "DRaFT-1: gradients through the last step",
    "draft-5": "DRaFT-5: gradients through the last five steps",
    "draft-full": "DRaFT: gradients through all steps",
    "draft-lv": "DRaFT-LV: the last step, less noise in the gradient",
    "refl": "ReFL: gradients of a reward at a random late step",
    "alignprop": "AlignProp: gradients of a reward, random truncation",
    "ddpo": "DDPO: policy gradients, any reward",
    "ddpo-add": "DDPO: every second round at the steps of distilled samplers",
    "grpo": "Flow-GRPO: policy gradients of flow models",
    "grpo-mix": "MixGRPO: noise in a window of four steps",
    "dpo": "Diffusion-DPO: pairs of pictures",
    "d3po": "D3PO: pairs, without a reference of its own",
    "rsi": "RSIDiff: rounds of self-training on chosen pictures",
    "rsi-sd14": "RSIDiff: 300 pictures a round",
    "rsi-sd3": "RSIDiff: 1,000 pictures a round",
    "rsi-published": "RSIDiff: with the published threshold",
    "soft_tokens": "soft tokens: pictures with true and false captions",
    "softrepa": "SoftREPA: soft tokens against the batch's other captions",
    "agsm": "AGSM: soft tokens led away from false captions",
    "agsm-published": "AGSM: with the published weights",
}
"""What the page says in place of a method's name, in this order: presets come after their method."""


def allowed_models(studio: Studio) -> tuple[str, ...]:
    """The models that may be trained from the page: what this studio serves, and the built-in ones. Never a path that
    a client names."""
    return tuple(dict.fromkeys((studio.settings.engine.model, *(PREFIX + name for name in NAMES))))


def methods() -> dict[str, str]:
    """Titles of methods and presets by name, the default one first; at the end those of plug-ins, by their names."""
    found = {*plugins.names("method"), *PRESETS}
    own = {name: title for name, title in TITLES.items() if name in found}
    return own | {name: f"plug-in: {name}" for name in sorted(found - own.keys())}


def enter_training(
    studio: Studio, person: Person, kind: OrderKind, order: TrainingOrder, *, idempotency_key: str | None
) -> Job:
    """Enter a run. Raises Refused: 400 naming the option, 429 when too many wait."""
    _check(order.model, allowed_models(studio), what="model")
    _check(order.method, tuple(methods()), what="method")
    for scorer in (*order.reward, *(() if order.facets is None else (order.facets,))):
        _check(scorer, plugins.names("scorer"), what="reward" if scorer in order.reward else "facets")
    if studio.workspace.jobs.waiting(TRAININGS, at=studio.now()) >= MOST_WAITING:
        message = f"{MOST_WAITING} runs wait already: cancel one, or come again when some have ended"
        raise Refused(429, "queue_full", message, retry_after=600)
    return enter(studio, person, kind, order, idempotency_key=idempotency_key)


def enter_promotion(
    studio: Studio, person: Person, *, checkpoint: str, base: str, reason: str, idempotency_key: str | None
) -> Job:
    """Enter a promotion of a checkpoint, by id or the beginning of it, or of the challenger of `base`. Raises Refused:
    404 for one that is not there."""
    if checkpoint == "challenger":
        live = studio.workspace.aliases.current(base, "challenger")
        if live is None or not live.checkpoint:
            raise Refused(404, "not_found", f"{base} has no challenger: a run must end first", param="checkpoint")
        checkpoint = live.checkpoint
    try:
        found = studio.workspace.checkpoints.get(checkpoint)
    except UnknownNameError as error:
        raise Refused(404, "not_found", str(error), param="checkpoint") from error
    order = PromoteOrder(base=found.lineage.base, checkpoint=found.id, reason=reason)
    return enter(studio, person, "promote", order, idempotency_key=idempotency_key)


def enter_rollback(studio: Studio, person: Person, *, base: str, reason: str, idempotency_key: str | None) -> Job:
    """Enter a return to the champion before. Raises Refused (400) when the base itself is served."""
    live = studio.workspace.aliases.current(base)
    if live is None or not live.checkpoint:
        message = f"{base} serves the base model itself: there is nothing to roll back to"
        raise Refused(400, "nothing_to_roll_back", message)
    return enter(studio, person, "rollback", RollbackOrder(base=base, reason=reason), idempotency_key=idempotency_key)


def enter(studio: Studio, person: Person, kind: OrderKind, order: Order, *, idempotency_key: str | None) -> Job:
    """Enter an order as a job; the same key again gives the first one."""
    payload: dict[str, Any] = order.model_dump(mode="json")
    job = Job(
        # The name of its run, too, so that no worker can lose which run belongs to a job.
        id=f"{kind}-{studio.new_id()[:12]}",
        owner=person.id,
        kind=kind,
        payload=payload,
        priority=1 if kind in MOVES else 0,
        most_attempts=MOST_ATTEMPTS,
        idempotency_key=idempotency_key,
        created_at=studio.now(),
    )
    entered, new = studio.workspace.jobs.enter(job)
    if new:
        studio.audit("order", actor=person.id, subject=entered.id, kind=kind)
    return entered


def _check(name: str, known: tuple[str, ...], *, what: str) -> None:
    if name not in known:
        raise Refused(400, "invalid_value", str(unknown_name(what, name, known)), param=what)
