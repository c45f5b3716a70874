"""Making awards final after their time: is the review helpful, and what does its person weigh from now on. No formulas.

Looked at are the person's own answers, those of others about the same, and known answers; never what the model thinks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from redraft.core.errors import UnknownNameError
from redraft.feedback.points import Review, due_at, helpfulness, worth
from redraft.feedback.raters import (
    HELD_BACK,
    Overlap,
    RaterReport,
    Record,
    contradicts,
    mean_agreement,
    passes,
    report,
    same_hands,
    side_evidence,
    sliders_of,
)
from redraft.store.answer_records import Answer
from redraft.store.points import PointEntry
from redraft.store.raters import GoldResult, Quality
from redraft.studio.context import Studio
from redraft.studio.rewarding import points_policy, reward_of

_LOOKED_AT = 1000
_NEWEST = 48
_OVERLAPS = 50
_DEVICE_SECONDS = 4 * 86_400.0
"""Longer than an award waits, so that joined accounts share one curve for what is pending."""
_OTHERS = 2
"""Others who must have answered about the same before their answers say anything about this one."""


def settle_due(studio: Studio) -> int:
    """Settle the awards whose time has come. Returns how many."""
    if reward_of(studio.settings) == "none":
        return 0
    now, policy = studio.now(), points_policy(studio.settings)
    waiting = studio.workspace.points.unsettled(until=now - 3600 * policy.earliest_hours, limit=_LOOKED_AT)
    secret = studio.keys.blind("points", "due")
    due = [entry for entry in waiting if due_at(entry.award, entered_at=entry.at, secret=secret, policy=policy) <= now]
    if not due:
        return 0
    join_copies(studio, sorted({entry.user for entry in waiting}))
    join_devices(studio)
    for entry in due:
        _settle(studio, entry)
    for user in sorted({entry.user for entry in due}):
        weigh(studio, user)
    return len(due)


def join_copies(studio: Studio, users: list[str]) -> None:
    """Put accounts that answer like copies of one program into one cluster, with one budget of points."""
    workspace = studio.workspace
    answers = {
        user: [answer.payload for answer in reversed(workspace.answers.of_person(user, limit=_NEWEST))]
        for user in users
    }
    for group in same_hands(answers, policy=studio.settings.raters):
        _join(studio, group, reason="same answers")


def join_devices(studio: Studio) -> None:
    """Put accounts into one cluster that answered on one day from one device, where there are many of them."""
    least = studio.settings.raters.same_device
    if not least:
        return
    for group in studio.workspace.answers.devices(since=studio.now() - _DEVICE_SECONDS).values():
        if len(group) >= least:
            _join(studio, group, reason="same device")


def _join(studio: Studio, group: Collection[str], *, reason: str) -> None:
    people = studio.workspace.people
    clusters = {people.get(user).cluster for user in group}
    if len(clusters) == 1 and None not in clusters:
        return
    known = sorted(cluster for cluster in clusters if cluster is not None)
    cluster = known[0] if known else f"copies-{studio.new_id()}"
    people.set_cluster(sorted(group), cluster, at=studio.now())
    studio.audit("cluster", actor="", subject=cluster, accounts=sorted(group), reason=reason)


def weigh(studio: Studio, user: str) -> RaterReport:
    """Work out what a person weighs, and enter it."""
    found = report(record_of(studio, user), policy=studio.settings.raters)
    evidence = {**vars(found), "notes": list(found.notes)}
    studio.workspace.raters.set_quality(Quality(user=user, weight=found.weight, evidence=evidence, at=studio.now()))
    return found


def record_of(studio: Studio, user: str) -> Record:
    """What the workspace knows of a rater."""
    workspace = studio.workspace
    answers = [answer for answer in workspace.answers.of_person(user, limit=200) if answer.kind != "request"]
    standing = workspace.answers.standing(user, {answer.subject for answer in answers})
    judged = workspace.raters.gold_results(user)
    return Record(
        answers=len([answer for answer in standing if answer.kind != "request"]),
        gold_seen=len(judged),
        gold_passed=sum(result.passed for result in judged),
        overlaps=tuple(overlap for answer in standing[-_OVERLAPS:] for overlap in _overlaps(studio, answer)),
        sliders=tuple(tuple(sliders_of(answer.payload).values()) for answer in standing if answer.form == "sliders"),
        leads=tuple(answer.lead_ms / 1000 for answer in standing if answer.lead_ms is not None),
        sides=workspace.duels.sides(user),
    )


def _settle(studio: Studio, entry: PointEntry) -> None:
    points, now = studio.workspace.points, studio.now()
    try:
        answer = studio.workspace.answers.get(entry.award, user=entry.user)
    except UnknownNameError:
        points.settle(entry.award, amount=0.0, reason="the answer was erased", at=now)
        return
    found = helpfulness(review_of(studio, answer))
    policy = points_policy(studio.settings)
    # Accounts that were joined since share one curve from now on; nobody gets more than was entered.
    amount = min(entry.pending, worth(points.shared_place(entry.award), policy=policy)) if found.helpful else 0.0
    points.settle(entry.award, amount=amount, reason=found.reason, at=now)


def review_of(studio: Studio, answer: Answer) -> Review:
    """What is known of a review. `answer` is the first to this form about this subject; a later one may stand."""
    mine = studio.workspace.answers.standing(answer.user, [answer.subject])
    standing = next((item for item in mine if item.form == answer.form), None)
    if standing is None:
        return Review(
            stands=False, says=0, distinct=0, lead_seconds=None, gold_passed=None, contradiction=False, agreement=None
        )
    numbers = list(sliders_of(standing.payload).values()) if standing.form == "sliders" else []
    overlaps = _overlaps(studio, standing)
    said = (standing.form, standing.payload)
    return Review(
        stands=True,
        says=len(numbers),
        distinct=len(set(numbers)),
        lead_seconds=None if standing.lead_ms is None else standing.lead_ms / 1000,
        gold_passed=_judge_gold(studio, standing),
        contradiction=any(contradicts(said, (item.form, item.payload)) for item in mine if item.id != standing.id),
        agreement=mean_agreement(overlaps) if len(overlaps) >= _OTHERS else None,
        quarantined=side_evidence(*studio.workspace.duels.sides(answer.user)) >= HELD_BACK,
    )


def _judge_gold(studio: Studio, answer: Answer) -> bool | None:
    """Whether an answer to a gold item passes, noted; None where the subject has no known answer in this form."""
    item = studio.workspace.raters.gold_about(answer.subject)
    if item is None or not item.active or item.form != answer.form:
        return None
    passed = passes(studio.settings.preset.any_form(item.form), expected=item.expected, payload=answer.payload)
    studio.workspace.raters.note_gold(
        GoldResult(answer=answer.id, item=item.id, user=answer.user, passed=passed, at=studio.now())
    )
    return passed


def _overlaps(studio: Studio, answer: Answer) -> list[Overlap]:
    others: list[Mapping[str, Any]] = [
        other.payload
        for other in studio.workspace.answers.about(answer.subject)
        if other.user != answer.user and other.form == answer.form
    ]
    return [Overlap(form=answer.form, mine=answer.payload, other=payload) for payload in others]
