"""Tripwires against reward hacking: small held-out measurements while training, and the rules that stop it.

Pure: a function of the history of probes. It paints nothing, stops nothing and loads no checkpoint: the loop does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist

import numpy as np
from pydantic import Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.evaluation.statistics import FloatArray, spending, standard_error


class Tripwires(Config):
    """Limits. All comparisons are with the first probe (the model before training), on the same prompts and noise."""

    false_alarms: float = Field(
        default=0.05, gt=0, lt=1, description="chance that noise alone trips a wire in a whole run, all probes together"
    )
    tolerated_oracle_fall: float = Field(default=0.02, ge=0, description="fall of oracle accuracy that never trips")
    tolerated_heldout_fall: float = Field(
        default=0.1,
        ge=0,
        description="fall of the held-out scorer that never trips, in its std over prompts",
    )
    least_diversity: float = Field(default=0.85, ge=0, le=1, description="diversity relative to the first probe")
    most_drift: float | None = Field(
        default=0.1, gt=0, description="mean squared difference of predictions from the base; None: no limit"
    )
    most_saturation_rise: float = Field(default=0.15, ge=0, description="rise of the mean saturation, absolute")
    most_clipped_rise: float = Field(default=0.15, ge=0, description="rise of the share of clipped values, absolute")
    most_near_identical_rise: float = Field(
        default=0.2, ge=0, description="rise of the share of near-identical pairs of pictures, absolute"
    )


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One small examination after training step `step`; arrays have one value per prompt, always the same prompts.

    trained: the reward that is optimised. heldout: a scorer it never sees. oracle: accuracy in 0..1. diversity: mean
    distance between pictures of the prompt. drift: mean squared difference of predictions (or KL) from the base.
    saturation and clipped: the two columns of `metrics.saturation`, averaged. None: not measured.
    """

    step: int
    trained: FloatArray
    heldout: FloatArray | None = None
    oracle: FloatArray | None = None
    diversity: FloatArray | None = None
    drift: float | None = None
    saturation: float | None = None
    clipped: float | None = None
    near_identical: float | None = None


@dataclass(frozen=True, kw_only=True)
class Trip:
    """Why training stopped: the wire, what was seen against which rule, and the step whose weights are to be kept.

    `before` is None where the rule compares with nothing, `now` where it is no number.
    """

    wire: str
    step: int
    before: float | None
    now: float | None
    rule: str
    best_step: int

    @property
    def message(self) -> str:
        """One sentence for people."""
        return (
            f"tripwire {self.wire!r} at step {self.step}: {self.rule}; "
            f"training stopped and the weights of step {self.best_step} are kept"
        )


@dataclass(frozen=True, kw_only=True)
class _Seen:
    wire: str
    before: float | None
    now: float | None
    rule: str


def check(history: tuple[Probe, ...], limits: Tripwires | None = None) -> Trip | None:
    """Hold the last probe against the first one.

    A change is beyond noise when it exceeds as many paired standard errors as one look at one of the noisy wires may
    spend of `limits.false_alarms` (see `statistics.spending`): 2.3 at the first probe with three such wires, 3.1 at
    the third, 3.7 at the tenth. A fall must also exceed what is tolerated.

    Args:
        history: probes in the order of steps; the first is the model before training.
        limits: the rules; None: the defaults.

    Returns:
        The first wire that is touched, or None. `best_step` is the earlier probe with the highest oracle accuracy (or
        held-out score, or trained reward, whichever is measured first in this order); it always exists.

    Raises:
        UsageError: when steps do not rise or arrays do not pair.
    """
    limits = limits or Tripwires()
    _check_history(history)
    if len(history) < 2:
        return None
    first, last = history[0], history[-1]
    errors = _standard_errors(last, len(history) - 1, limits)
    seen = (
        _non_finite(last)
        or _fall(first, last, "oracle", tolerated=limits.tolerated_oracle_fall, errors=errors)
        or _fall(first, last, "heldout", tolerated=_heldout_tolerance(first, limits), errors=errors)
        or _diversity(first, last, least=limits.least_diversity, errors=errors)
        or _rise(first, last, "near_identical", limits.most_near_identical_rise)
        or _drift(last, limits)
        or _rise(first, last, "saturation", limits.most_saturation_rise)
        or _rise(first, last, "clipped", limits.most_clipped_rise)
    )
    if seen is None:
        return None
    return Trip(
        wire=seen.wire, step=last.step, before=seen.before, now=seen.now, rule=seen.rule,
        best_step=best_step(history[:-1]),
    )  # fmt: skip


def best_step(history: tuple[Probe, ...]) -> int:
    """The step of the best finite probe: by oracle accuracy, else held-out score, else trained reward; ties: earliest.

    Raises:
        UsageError: when there is none.
    """
    usable = [probe for probe in history if _non_finite(probe) is None]
    if not usable:
        raise UsageError("no probe is finite: there is no earlier step to go back to; check the model and the reward")
    # max() keeps the first of equals, hence the earliest.
    return max(usable, key=_worth).step


def _worth(probe: Probe) -> float:
    values = next(values for values in (probe.oracle, probe.heldout, probe.trained) if values is not None)
    return float(values.mean())


def _check_history(history: tuple[Probe, ...]) -> None:
    for before, after in pairwise(history):
        if after.step <= before.step:
            raise UsageError(f"probe of step {after.step} after step {before.step}: give probes in the order of steps")
    for name in ("trained", "heldout", "oracle", "diversity"):
        lengths = [None if getattr(probe, name) is None else len(getattr(probe, name)) for probe in history]
        if len(set(lengths)) > 1:
            raise UsageError(
                f"{name} has {lengths} values in the probes: measure the same prompts in every probe, so that they pair"
            )


def _non_finite(probe: Probe) -> _Seen | None:
    for name in ("trained", "heldout", "oracle", "diversity", "drift", "saturation", "clipped", "near_identical"):
        values = getattr(probe, name)
        if values is not None and not np.isfinite(values).all():
            rule = f"{name} holds NaN or infinity, and every measured number must be finite"
            return _Seen(wire="non_finite", before=None, now=None, rule=rule)
    return None


def _standard_errors(probe: Probe, turn: int, limits: Tripwires) -> float:
    """How many standard errors are no noise at the `turn`-th look; the noisy wires that are measured share it."""
    wires = sum(values is not None for values in (probe.oracle, probe.heldout, probe.diversity))
    return -NormalDist().inv_cdf(spending(turn, total=limits.false_alarms) / max(wires, 1))


def _heldout_tolerance(first: Probe, limits: Tripwires) -> float:
    return 0.0 if first.heldout is None else limits.tolerated_heldout_fall * float(first.heldout.std())


def _fall(first: Probe, last: Probe, name: str, *, tolerated: float, errors: float) -> _Seen | None:
    """The oracle or the held-out scorer has fallen beyond noise and beyond what is tolerated."""
    before, now = getattr(first, name), getattr(last, name)
    if before is None or now is None:
        return None
    change = now - before
    noise = errors * standard_error(change)
    mean = float(change.mean())
    if mean >= -max(noise, tolerated):
        return None
    rule = (
        f"{_NAMES[name]} fell from {before.mean():.4g} to {now.mean():.4g}, beyond noise ({noise:.2g}) and "
        f"beyond the tolerated fall ({tolerated:.2g}), {_reward(first, last, errors=errors)}"
    )
    return _Seen(wire=name, before=float(before.mean()), now=float(now.mean()), rule=rule)


def _reward(first: Probe, last: Probe, *, errors: float) -> str:
    """How the trained reward moved meanwhile: the sign of reward hacking, or of plain damage."""
    change = last.trained - first.trained
    noise = errors * standard_error(change)
    what = f"from {first.trained.mean():.4g} to {last.trained.mean():.4g}"
    if change.mean() > noise:
        return f"while the trained reward rose {what}: the reward is being hacked"
    return f"and the trained reward went {what}: training harms the model"


def _diversity(first: Probe, last: Probe, *, least: float, errors: float) -> _Seen | None:
    if first.diversity is None or last.diversity is None or first.diversity.mean() <= 0:
        return None
    ratio = float(last.diversity.mean() / first.diversity.mean())
    change = last.diversity - first.diversity
    noise = errors * standard_error(change)
    if ratio >= least or change.mean() >= -noise:
        return None
    rule = (
        f"diversity is {100 * ratio:.0f} % of what it was, below the limit of {100 * least:.0f} % and "
        f"beyond noise, {_reward(first, last, errors=errors)}"
    )
    return _Seen(wire="diversity", before=float(first.diversity.mean()), now=float(last.diversity.mean()), rule=rule)


def _drift(last: Probe, limits: Tripwires) -> _Seen | None:
    if last.drift is None or limits.most_drift is None or last.drift <= limits.most_drift:
        return None
    rule = f"drift from the base is {last.drift:.4g}, above the limit {limits.most_drift:.4g}"
    return _Seen(wire="drift", before=None, now=last.drift, rule=rule)


def _rise(first: Probe, last: Probe, name: str, limit: float) -> _Seen | None:
    before, now = getattr(first, name), getattr(last, name)
    if before is None or now is None or not math.isfinite(now) or now - before <= limit:
        return None
    rule = f"{_NAMES[name]} rose from {before:.3f} to {now:.3f}, by more than the limit {limit:.3f}"
    return _Seen(wire=name, before=before, now=now, rule=rule)


_NAMES = {
    "oracle": "oracle accuracy", "heldout": "the held-out scorer", "saturation": "mean colour saturation",
    "clipped": "the share of clipped values", "near_identical": "the share of near-identical pictures",
}  # fmt: skip
