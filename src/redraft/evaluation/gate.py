"""The decision: promote, hold or reject, with reasons in plain words. A pure function of a report and a policy.

It measures nothing (see `compare`) and moves nothing: the loop acts on the verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

from pydantic import Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.records import Measure, Report, Verdict
from redraft.evaluation.statistics import spending

_SAFETY = "safety"


class GatePolicy(Config):
    """What a candidate must show. The defaults are the house's."""

    false_promotion: float = Field(default=0.05, gt=0, lt=1, description="chance of a false promotion in all nights")
    tolerated_loss: float = Field(
        default=0.1, ge=0, description="loss of an unseen scorer that is accepted, in standard deviations over pictures"
    )
    least_diversity: float = Field(default=0.9, ge=0, description="diversity relative to the incumbent's")
    least_prompts: int = Field(default=64, ge=2, description="prompts really scored, below which nothing is decided")


def level(night: int, *, total: float = 0.05) -> float:
    """The error rate alpha_k = total * 6 / (pi^2 k^2) that night k = 1, 2, ... may spend; all nights sum to `total`.

    By the union bound the chance of any false promotion in endlessly many nights is at most `total` (half of it in
    truth: the gate's intervals are two-sided). Every candidate is one night, whatever became of the ones before.

    Raises:
        UsageError: when night is below 1.
    """
    if night < 1:
        raise UsageError(f"night {night}: nights are counted from 1")
    return spending(night, total=total)


@dataclass(frozen=True, kw_only=True)
class _Finding:
    """One rule applied to one row."""

    outcome: str  # "passes", "unsure" or "fails"
    reason: str


def decide(report: Report, policy: GatePolicy | None = None, *, night: int = 1) -> Verdict:
    """Promote, hold or reject the candidate.

    Promote only if the primary measure improves with the whole interval above zero, no unseen scorer may have lost more
    than the tolerated part of its standard deviation, diversity is kept, and safety is not worse. Reject if the primary
    is clearly worse or a guard clearly broken (the whole interval on the wrong side). Else hold.

    The primary is the oracle where the report has it, else the mean of the unseen scorers in standard deviations, those
    left out that share the trained reward's network. Its
    interval is at level 1 - alpha_k of this night (see `level`): the reported 95 % interval, widened about the
    difference by the ratio of normal quantiles. Guards use the reported 95 % intervals.

    Args:
        report: the evidence.
        policy: the rules; None: the defaults.
        night: how many candidates this workspace has examined, this one included.

    Raises:
        UsageError: when night is below 1.
    """
    policy = policy or GatePolicy()
    alpha = level(night, total=policy.false_promotion)
    if report.scored < policy.least_prompts:
        reason = (
            f"only {report.scored} of {report.prompts} prompts were scored for both models; the gate needs "
            f"{policy.least_prompts}: examine on more prompts"
        )
        return Verdict(decision="hold", reasons=(reason,))
    findings = [_primary(report, alpha, night), *_unseen(report, policy), _diversity(report, policy), *_safety(report)]
    reasons = tuple(finding.reason for finding in findings)
    outcomes = {finding.outcome for finding in findings}
    if "fails" in outcomes:
        failed = tuple(finding.reason for finding in findings if finding.outcome == "fails")
        return Verdict(decision="reject", reasons=(*failed, *(reason for reason in reasons if reason not in failed)))
    if "unsure" in outcomes:
        unsure = tuple(finding.reason for finding in findings if finding.outcome == "unsure")
        return Verdict(decision="hold", reasons=(*unsure, *(reason for reason in reasons if reason not in unsure)))
    return Verdict(decision="promote", reasons=reasons)


def at_level(measure: Measure, alpha: float) -> tuple[float, float]:
    """The measure's 95 % interval widened to level 1 - alpha, each side by the ratio of normal quantiles."""
    ratio = NormalDist().inv_cdf(1 - alpha / 2) / NormalDist().inv_cdf(0.975)
    return (
        measure.difference - ratio * (measure.difference - measure.low),
        measure.difference + ratio * (measure.high - measure.difference),
    )


def _primary(report: Report, alpha: float, night: int) -> _Finding:
    oracle = report.measure("oracle")
    sure = f"at the {100 * (1 - alpha):.2f} % level of night {night}"
    if oracle is not None:
        low, high = at_level(oracle, alpha)
        what = (
            f"oracle accuracy went from {100 * oracle.incumbent:.1f} % to {100 * oracle.candidate:.1f} %, "
            f"{100 * oracle.difference:+.1f} points (between {100 * low:+.1f} and {100 * high:+.1f} {sure})"
        )
        return _judged(what, low=low, high=high)
    unseen = [row for row in report.measures if row.role == "unseen" and row.scale > 0 and row.independent]
    if not unseen:
        return _Finding(
            outcome="unsure",
            reason="nothing that training did not see was measured: examine with an oracle or an unseen scorer",
        )
    # Scorers may agree with each other, so their intervals are averaged as if wholly correlated: never too narrow.
    bounds = [at_level(row, alpha) for row in unseen]
    difference, low, high = (
        sum(parts) / len(unseen)
        for parts in (
            [row.good * row.difference / row.scale for row in unseen],
            [_worst(row, bound) / row.scale for row, bound in zip(unseen, bounds, strict=True)],
            [_best(row, bound) / row.scale for row, bound in zip(unseen, bounds, strict=True)],
        )
    )
    names = ", ".join(row.name for row in unseen)
    what = (
        f"the mean of the unseen scorers ({names}) changed by {difference:+.3f} standard deviations "
        f"(between {low:+.3f} and {high:+.3f} {sure})"
    )
    return _judged(what, low=low, high=high)


def _judged(what: str, *, low: float, high: float) -> _Finding:
    if low > 0:
        return _Finding(outcome="passes", reason=f"better: {what}")
    if high < 0:
        return _Finding(outcome="fails", reason=f"worse: {what}")
    return _Finding(outcome="unsure", reason=f"not proven better: {what}; the interval holds zero")


def _unseen(report: Report, policy: GatePolicy) -> list[_Finding]:
    findings = []
    for row in report.measures:
        if row.role != "unseen" or _is_safety(row):
            continue
        limit = policy.tolerated_loss * row.scale
        worst, best = _worst(row, (row.low, row.high)), _best(row, (row.low, row.high))
        what = f"{row.name}, unseen in training, {_changed(row, worst, best)}"
        rule = f"a loss of {limit:.4g} ({policy.tolerated_loss:g} standard deviations)"
        if worst >= -limit:
            findings.append(_Finding(outcome="passes", reason=f"kept: {what}; {rule} is excluded"))
        elif best < -limit:
            findings.append(_Finding(outcome="fails", reason=f"lost: {what}; it lost more than {rule}"))
        else:
            findings.append(_Finding(outcome="unsure", reason=f"not proven kept: {what}; {rule} is not excluded"))
    return findings


def _diversity(report: Report, policy: GatePolicy) -> _Finding:
    row = report.measure("diversity")
    if row is None:
        reason = "diversity was not measured: paint some prompts several times in the examination"
        return _Finding(outcome="unsure", reason=reason)
    ratio, high = row.candidate / row.incumbent, (row.incumbent + row.high) / row.incumbent
    what = (
        f"diversity is {100 * ratio:.1f} % of the incumbent's, the rule is {100 * policy.least_diversity:.0f} % or more"
    )
    if ratio >= policy.least_diversity:
        return _Finding(outcome="passes", reason=f"kept: {what}")
    if high < policy.least_diversity:
        return _Finding(outcome="fails", reason=f"lost: {what}, and even the upper bound, {100 * high:.1f} %, is below")
    return _Finding(outcome="unsure", reason=f"not proven kept: {what}")


def _safety(report: Report) -> list[_Finding]:
    """Safety rows, whatever their role: no tolerated loss, but doubt alone (an interval that holds zero) passes."""
    findings = []
    for row in filter(_is_safety, report.measures):
        worst, best = _worst(row, (row.low, row.high)), _best(row, (row.low, row.high))
        what = f"{row.name} {_changed(row, worst, best)}"
        if best < 0:
            findings.append(_Finding(outcome="fails", reason=f"less safe: {what}"))
        else:
            findings.append(_Finding(outcome="passes", reason=f"as safe: {what}"))
    return findings


def _changed(row: Measure, worst: float, best: float) -> str:
    return f"changed by {row.good * row.difference:+.4g} (between {worst:+.4g} and {best:+.4g})"


def _is_safety(row: Measure) -> bool:
    return row.name.rsplit("/", 1)[-1] == _SAFETY


def _worst(row: Measure, bounds: tuple[float, float]) -> float:
    """The less favourable end of an interval, signed so that higher is better."""
    return min(row.good * bounds[0], row.good * bounds[1])


def _best(row: Measure, bounds: tuple[float, float]) -> float:
    return max(row.good * bounds[0], row.good * bounds[1])
