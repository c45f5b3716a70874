"""How reliable a rater is: gold items, agreement with others, spread, haste, copies. Never agreement with the model.

The result is a weight in 0..1 for training and statistics, with the reasons in words for the person. The weight is the
only consequence, down to 0 while answers are held back: nobody is shut out by a rule.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median, pstdev
from typing import Any

from pydantic import Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.feedback.forms import Form, check_payload

SUSPECT = 20.0
HELD_BACK = 100.0
"""Evidence that a person answers duels by the side: from here they weigh less, from here nothing."""
_SLIDER_RANGE = 10.0


class RaterPolicy(Config):
    """The settings. gold_share: of rating sessions' pictures whose right answer is known. first_weight: of a new rater.
    full_after: answers after which experience counts for half of what is left. failures: of gold items before they
    have a consequence. copies: answers in the same order and words that make accounts one. same_device: accounts that
    answered on one day from one public address by the same program make one from this number on; 0: never.
    """

    gold_share: float = Field(default=0.04, ge=0, le=0.2)
    first_weight: float = Field(default=0.5, gt=0, le=1)
    full_after: int = Field(default=20, ge=1)
    failures: int = Field(default=2, ge=1)
    copies: int = Field(default=12, ge=2)
    same_device: int = Field(default=8, ge=0)


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """A person's answer and another's to the same form about the same subject, payloads as they are kept."""

    form: str
    mine: Mapping[str, Any]
    other: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is known of a rater. sliders: the numbers of each slider answer. leads: seconds, of answers that tell.

    sides: how many duels were decided for the left picture, and how many for the right one.
    """

    answers: int
    gold_seen: int
    gold_passed: int
    overlaps: tuple[Overlap, ...] = ()
    sliders: tuple[tuple[int, ...], ...] = ()
    leads: tuple[float, ...] = ()
    sides: tuple[int, int] = (0, 0)


@dataclass(frozen=True, kw_only=True)
class RaterReport:
    """What a rater weighs and from what. agreement 0..1; spread: standard deviation of slider numbers; or None."""

    weight: float
    answers: int
    gold_seen: int
    gold_passed: int
    agreement: float | None
    spread: float | None
    median_seconds: float | None
    notes: tuple[str, ...]


def report(record: Record, *, policy: RaterPolicy) -> RaterReport:
    """What a rater weighs: experience raises it towards 1, what was found lowers it. Each step is one of the notes."""
    experience = record.answers / (record.answers + policy.full_after)
    weight = policy.first_weight + (1 - policy.first_weight) * experience
    notes = [f"{record.answers} answers: a weight of {weight:.2f} to begin with, which grows towards 1"]
    failed = record.gold_seen - record.gold_passed
    if failed >= policy.failures:
        # The share that was passed, with one pass and one failure before anything is known.
        factor = (record.gold_passed + 1) / (record.gold_seen + 2)
        weight *= factor
        notes.append(
            f"{failed} of {record.gold_seen} pictures with a known answer were answered otherwise: x {factor:.2f}"
        )
    agreement = mean_agreement(record.overlaps)
    if agreement is not None and len(record.overlaps) >= 5 and agreement < 0.5:
        weight *= agreement / 0.5
        notes.append(f"others who saw the same agree by {agreement:.0%}: x {agreement / 0.5:.2f}")
    numbers = [number for answer in record.sliders for number in answer]
    spread = pstdev(numbers) if len(record.sliders) >= 5 else None
    if spread is not None and spread < 0.5:
        weight *= 0.5
        notes.append("the sliders nearly always stand on the same number: x 0.50")
    seconds = median(record.leads) if record.leads else None
    if seconds is not None and len(record.leads) >= 5 and seconds < 0.4:
        weight *= 0.25
        notes.append("answered faster than pictures can be seen: x 0.25")
    factor, words = _side_habit(*record.sides)
    if words:
        weight *= factor
        notes.append(words)
    return RaterReport(
        weight=weight, answers=record.answers, gold_seen=record.gold_seen, gold_passed=record.gold_passed,
        agreement=agreement, spread=spread, median_seconds=seconds, notes=tuple(notes),
    )  # fmt: skip


def side_evidence(lefts: int, rights: int) -> float:
    """The e-value against "which side a duel's winner stood on was chance" after so many of each.

    Sides are drawn by a fair coin, so for whoever looks at the pictures, whatever they like, left and right are equally
    probable at each answer. Against it bets the mixture of all other probabilities (uniform prior):
    2^n / ((n + 1) * binomial(n, lefts)). Its expectation never exceeds 1, whenever one looks (Ville), so a limit of 100
    is ever reached by one honest person in a hundred at most.
    """
    count = lefts + rights
    logarithm = count * math.log(2) - math.log(count + 1)
    logarithm -= math.lgamma(count + 1) - math.lgamma(lefts + 1) - math.lgamma(rights + 1)
    return math.exp(min(logarithm, 700.0))


def _side_habit(lefts: int, rights: int) -> tuple[float, str]:
    """The factor of somebody who answers by the side, and words for them; 1 and none for others."""
    evidence, side = side_evidence(lefts, rights), "left" if lefts > rights else "right"
    what = f"{max(lefts, rights)} of {lefts + rights} duels were decided for the {side} picture, and sides are chance"
    if evidence >= HELD_BACK:
        return 0.0, f"{what}: your answers are held back until your later ones say otherwise"
    if evidence >= SUSPECT:
        return 0.25, f"{what}: x 0.25"
    return 1.0, ""


def agreement_of(overlap: Overlap) -> float | None:
    """How much two people agree about one subject, 0 (opposite) to 1 (the same); None where the form tells nothing."""
    mine, other = overlap.mine, overlap.other
    if overlap.form == "sliders":
        shared = sorted(sliders_of(mine).keys() & sliders_of(other).keys())
        gaps = [abs(mine[name] - other[name]) / _SLIDER_RANGE for name in shared]
        return float(1 - sum(gaps) / len(gaps)) if gaps else None
    if overlap.form == "thumbs":
        return float(mine["up"] == other["up"])
    if overlap.form == "stars":
        return float(1 - abs(mine["stars"] - other["stars"]) / 4)
    if overlap.form == "rank":
        return _order_agreement(mine["ranks"], other["ranks"])
    return None


def sliders_of(payload: Mapping[str, Any]) -> dict[str, int]:
    """The sliders that an answer sets, whichever there are; words and what was wrong are none."""
    return {name: value for name, value in payload.items() if type(value) is int}


def mean_agreement(overlaps: Sequence[Overlap]) -> float | None:
    """The mean over overlaps that tell something, or None."""
    known = [value for value in map(agreement_of, overlaps) if value is not None]
    return math.fsum(known) / len(known) if known else None


def contradicts(first: tuple[str, Mapping[str, Any]], second: tuple[str, Mapping[str, Any]]) -> bool:
    """Whether two answers (form, payload) of one person about one picture say the opposite: very good and very bad."""
    values = [value for value in (_goodness(*first), _goodness(*second)) if value is not None]
    return len(values) == 2 and abs(values[0] - values[1]) > 0.75


def check_expected(form: Form, expected: Mapping[str, Any]) -> None:
    """Whether `expected` can be a right answer: by field a value, or {"least": x, "most": y}, or one of both.

    Raises UsageError for an unknown field, an impossible value, or nothing that is expected.
    """
    if not expected:
        raise UsageError('a known answer that expects nothing: name a field, such as {"semantics": {"least": 7}}')
    fields = {field.name: field for field in form.fields}
    for name, wanted in expected.items():
        if name not in fields:
            raise UsageError(f"{name!r} is no field of the form {form.name!r}: choose of {', '.join(fields)}")
        bounds = wanted if isinstance(wanted, Mapping) and set(wanted) <= {"least", "most"} else {"value": wanted}
        if not bounds:
            raise UsageError(f'{name} of a known answer is empty: give "least" or "most", or the value')
        for bound in bounds.values():
            fields[name].check(bound)


def passes(form: Form, *, expected: Mapping[str, Any], payload: Mapping[str, Any]) -> bool:
    """Whether an answer is a right one. What was left open does not pass."""
    said = check_payload(form, payload).payload
    return all(_as_expected(wanted, said.get(name)) for name, wanted in expected.items())


def same_hands(
    answers: Mapping[str, Sequence[Mapping[str, Any]]], *, policy: RaterPolicy
) -> tuple[frozenset[str], ...]:
    """Groups of accounts that gave the same answers in the same order: copies of one program, to share one budget.

    answers: by account, payloads in their order. Those with fewer than `copies` are left alone, and so are answers that
    do not vary, which lazy people give too.
    """
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for account, payloads in answers.items():
        first = [json.dumps(dict(payload), sort_keys=True) for payload in payloads[: policy.copies]]
        if len(first) == policy.copies and len(set(first)) > policy.copies // 3:
            groups[hashlib.sha256("\n".join(first).encode()).hexdigest()].add(account)
    return tuple(frozenset(group) for group in groups.values() if len(group) > 1)


def _as_expected(wanted: Any, said: Any) -> bool:
    if said is None:
        return False
    if isinstance(wanted, Mapping) and set(wanted) <= {"least", "most"}:
        return bool(wanted.get("least", -math.inf) <= said <= wanted.get("most", math.inf))
    return bool(said == wanted)


def _order_agreement(mine: Mapping[str, int], other: Mapping[str, int]) -> float | None:
    """The share of pairs in the same order, a tie on one side counting half."""
    shared = sorted(set(mine) & set(other))
    pairs = [(mine[a] - mine[b], other[a] - other[b]) for a, b in combinations(shared, 2)]
    if not pairs:
        return None
    return sum(0.5 if (a == 0) != (b == 0) else float(a * b > 0 or a == b == 0) for a, b in pairs) / len(pairs)


def _goodness(form: str, payload: Mapping[str, Any]) -> float | None:
    """How good the answer says a picture is, 0..1."""
    if form == "thumbs":
        return float(payload["up"])
    if form == "stars":
        return float((payload["stars"] - 1) / 4)
    if form == "sliders":
        values = list(sliders_of(payload).values())
        return sum(values) / len(values) / _SLIDER_RANGE if values else None
    return None
