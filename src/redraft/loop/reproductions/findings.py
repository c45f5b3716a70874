"""How claims are judged: from rows to "agrees", "disagrees" or "undecided", with the figures in one sentence.

Every text is made of the rows. A difference counts only when intervals say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from redraft.loop.reproductions.effects import Agreement, Effect, compared, shown, signed, unit_of
from redraft.loop.reproductions.head_to_head import better
from redraft.loop.reproductions.plan import CurvePoint, Finding, Row

Rows = Mapping[str, Row]
Judge = Callable[[Rows], Finding]


def gains_more(first: str, second: str, *, metric: str, after_round: int | None = None, lower: bool = False) -> Judge:
    """Arm `first` gained more of `metric` than arm `second` (`lower`: lost more), both against the same base.

    See `head_to_head.better`.
    """

    return lambda rows: better(rows, first, second, metric=metric, after_round=after_round, lower=lower)


def rises(arm: str, *, metric: str, after_round: int | None = None, lower: bool = False) -> Judge:
    """The arm's metric is above the base's (`lower`: below it), with the whole interval."""

    def judge(rows: Rows) -> Finding:
        effect = rows[arm].require(metric, after_round=after_round)
        return Finding(
            agreement=signed(effect, lower=lower), text=f"{metric}{_when(after_round)}: {arm} {_text(effect, metric)}"
        )

    return judge


def keeps(arm: str, *, metric: str, margin: float) -> Judge:
    """The arm lost at most `margin` of the metric: agrees when the interval excludes more, disagrees when all is."""

    def judge(rows: Rows) -> Finding:
        effect = rows[arm].require(metric)
        agreement: Agreement = (
            "agrees" if effect.low >= -margin else "disagrees" if effect.high < -margin else "undecided"
        )
        return Finding(agreement=agreement, text=f"{metric}: {arm} {_text(effect, metric)}")

    return judge


def alike(first: str, second: str, *, metric: str) -> Judge:
    """Neither arm gained more of the metric than the other beyond both intervals."""

    def judge(rows: Rows) -> Finding:
        one, two = rows[first].require(metric), rows[second].require(metric)
        return Finding(
            agreement="agrees" if compared(one, two) == "undecided" else "disagrees",
            text=f"{metric}: {first} {_text(one, metric)}, {second} {_text(two, metric)}",
        )

    return judge


def along(arms: Sequence[str], *, metric: str, rounds: Sequence[int | None] = (None,), lower: bool = False) -> Judge:
    """The metric rises (`lower`: falls) from the first arm (or round) to the last, and no step goes clearly back."""

    def judge(rows: Rows) -> Finding:
        named = [(name, number) for name in arms for number in rounds]
        effects = [rows[name].require(metric, after_round=number) for name, number in named]
        ends = compared(effects[-1], effects[0], lower=lower)
        pairs = pairwise(effects)
        back = any(compared(later, earlier, lower=lower) == "disagrees" for earlier, later in pairs)
        parts = [
            f"{name}{'' if number is None else f' after round {number}'} {_text(effect, metric)}"
            for (name, number), effect in zip(named, effects, strict=True)
        ]
        return Finding(agreement="disagrees" if back else ends, text=f"{metric}: {', '.join(parts)}")

    return judge


def peak_before_the_end(arm: str, *, metric: str) -> Judge:
    """The arm's best round lies before its last and gained clearly more; disagrees when the last is the best."""

    def judge(rows: Rows) -> Finding:
        effects = [rows[arm].require(metric, after_round=number) for number in range(1, rows[arm].rounds + 1)]
        best = max(range(len(effects)), key=lambda number: effects[number].difference)
        text = (
            f"{metric}: {arm} was best after round {best + 1} of {len(effects)}, {_text(effects[best], metric)}; at "
            f"the end {_text(effects[-1], metric)}"
        )
        last = best == len(effects) - 1
        return Finding(agreement="disagrees" if last else compared(effects[best], effects[-1]), text=text)

    return judge


def both(*judges: Judge) -> Judge:
    """All of several: disagrees when one does, agrees when all do."""

    def judge(rows: Rows) -> Finding:
        findings = [each(rows) for each in judges]
        seen = {finding.agreement for finding in findings}
        agreement: Agreement = "disagrees" if "disagrees" in seen else "agrees" if seen == {"agrees"} else "undecided"
        return Finding(agreement=agreement, text="; ".join(finding.text for finding in findings))

    return judge


def reaches(fast: str, slow: str, *, cost: str, share: float, metric: str = "reward") -> Judge:
    """On their curves, `fast` reaches the last gain of `slow` at no more than `share` of what `slow` spent.

    cost: "samples" or "seconds". Undecided while the gain of `slow` is not above zero: then there is nothing to reach;
    and where `fast` did not get there, but ended before it had spent its share, or came so near that the intervals hold
    both.
    """

    def judge(rows: Rows) -> Finding:
        end, curve = rows[slow].curve[-1], rows[fast].curve
        aim, spent = end.effects[metric], float(getattr(end, cost))
        needed = cost_to_reach(curve, aim.difference, cost=cost, metric=metric)
        text = f"{slow} gained {_text(aim, metric)} in {spent:,.0f} {cost}; {fast} "
        if needed is None:
            last = curve[-1]
            text += f"did not get there: {_text(last.effects[metric], metric)} in {getattr(last, cost):,.0f}"
        else:
            text += f"was there after {needed:,.0f}, {100 * needed / max(spent, 1e-9):.3g} % of it"
        agreement: Agreement = "undecided"
        if aim.low > 0 and needed is not None and needed <= share * spent:
            agreement = "agrees"
        elif aim.low > 0 and getattr(curve[-1], cost) >= share * spent:
            near = compared(curve_at(curve, share * spent, cost=cost).effects[metric], aim)
            agreement = "disagrees" if near == "disagrees" else "undecided"
        return Finding(agreement=agreement, text=text)

    return judge


def at_equal_cost(
    first: str, second: str, *, metric: str, cost: str = "seconds", among: Sequence[str] = (), lower: bool = False
) -> Judge:
    """When the first of the arms (and of `among`) has ended, `first` has gained more of the metric than `second`."""

    def judge(rows: Rows) -> Finding:
        limit = shared_cost([rows[name] for name in (first, second, *among)], cost=cost)
        one, two = (curve_at(rows[name].curve, limit, cost=cost).effects[metric] for name in (first, second))
        return Finding(
            agreement=compared(one, two, lower=lower),
            text=f"{metric} after {limit:,.0f} {cost}: {first} {_text(one, metric)}, {second} {_text(two, metric)}",
        )

    return judge


def more_transfer(first: str, second: str, *, trained: str, heldout: str, among: Sequence[str] = ()) -> Judge:
    """When the first of the arms has ended, more of `first`'s gain is seen by the held-out scorer than of `second`'s.

    The share of an arm is its held-out gain over its trained one; bounds are those of the held-out gain. Undecided when
    an arm gained nothing, or bounds overlap.
    """

    def judge(rows: Rows) -> Finding:
        limit = shared_cost([rows[name] for name in (first, second, *among)], cost="seconds")
        parts, bounds = [], []
        for name in (first, second):
            effects = curve_at(rows[name].curve, limit, cost="seconds").effects
            gain, seen = effects[trained], effects[heldout]
            if gain.low <= 0:
                text = f"after {limit:,.0f} seconds {name} gained {_text(gain, trained)}: nothing that could carry over"
                return Finding(agreement="undecided", text=text)
            value, low, high = (bound / gain.difference for bound in (seen.difference, seen.low, seen.high))
            bounds.append((low, high))
            parts.append(f"{name} {value:.2f} ({low:.2f} to {high:.2f}) of {_text(gain, trained)}")
        (low, high), (other_low, other_high) = bounds
        agreement: Agreement = "agrees" if low > other_high else "disagrees" if high < other_low else "undecided"
        text = f"{heldout} over {trained} after {limit:,.0f} seconds: {', '.join(parts)}"
        return Finding(agreement=agreement, text=text)

    return judge


def shared_cost(rows: Sequence[Row], *, cost: str) -> float:
    """What the arm that spent least has spent at its last probe."""
    return min(float(getattr(row.curve[-1], cost)) for row in rows)


def curve_at(curve: Sequence[CurvePoint], limit: float, *, cost: str) -> CurvePoint:
    """The last probe that cost no more than `limit`."""
    return [point for point in curve if float(getattr(point, cost)) <= limit * (1 + 1e-9)][-1]


def cost_to_reach(curve: Sequence[CurvePoint], gain: float, *, cost: str, metric: str) -> float | None:
    """What had been spent at the first probe whose gain is at least `gain`; None when there is none."""
    return next((float(getattr(p, cost)) for p in curve if p.effects[metric].difference >= gain), None)


def _when(after_round: int | None) -> str:
    return "" if after_round is None else f" after round {after_round}"


def _text(effect: Effect, metric: str) -> str:
    return f"{shown(effect, metric)} {unit_of(effect, metric)}".strip()
