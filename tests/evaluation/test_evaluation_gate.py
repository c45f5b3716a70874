"""The gate: every rule, and its error rate over many nights by simulation under the null."""

import math

import numpy as np
import pytest
from evaluation_examples import diversity_row, measure, report

from redraft.core.errors import UsageError
from redraft.evaluation.gate import GatePolicy, at_level, decide, level

GAIN = measure(difference=0.12, error=0.02)
UNSEEN = measure("clip-heldout", difference=0.0, error=0.002, role="unseen", unit="score", scale=0.1)


def test_a_proven_gain_with_all_guards_kept_is_promoted() -> None:
    verdict = decide(report(GAIN, UNSEEN))
    assert verdict.decision == "promote"
    assert verdict.reasons[0].startswith(
        "better: oracle accuracy went from 50.0 % to 62.0 %, +12.0 points (between +7."
    )
    assert len(verdict.reasons) == 3


def test_an_interval_that_holds_zero_is_held() -> None:
    verdict = decide(report(measure(difference=0.03, error=0.02), UNSEEN))
    assert verdict.decision == "hold"
    assert "not proven better" in verdict.reasons[0]
    assert "the interval holds zero" in verdict.reasons[0]


def test_a_clear_loss_is_rejected() -> None:
    verdict = decide(report(measure(difference=-0.12, error=0.02), UNSEEN))
    assert verdict.decision == "reject"
    assert verdict.reasons[0].startswith("worse: oracle accuracy")


@pytest.mark.parametrize(
    ("difference", "error", "decision", "words"),
    [
        # The tolerated loss is 0.1 standard deviations: 0.01.
        (-0.004, 0.002, "promote", "kept: clip-heldout, unseen in training"),
        (-0.009, 0.004, "hold", "not proven kept: clip-heldout"),
        (-0.03, 0.004, "reject", "lost: clip-heldout"),
    ],
)
def test_an_unseen_scorer_may_not_fall(difference: float, error: float, decision: str, words: str) -> None:
    row = measure("clip-heldout", difference=difference, error=error, role="unseen", unit="score", scale=0.1)
    verdict = decide(report(GAIN, row))
    assert verdict.decision == decision
    assert any(reason.startswith(words) for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("ratio", "error", "decision"), [(0.91, 0.05, "promote"), (0.88, 0.05, "hold"), (0.8, 0.02, "reject")]
)
def test_diversity_must_be_kept(ratio: float, error: float, decision: str) -> None:
    assert decide(report(GAIN, UNSEEN, diversity_row(ratio, error))).decision == decision


def test_diversity_that_was_not_measured_is_no_diversity_kept() -> None:
    evidence = report(GAIN, UNSEEN)
    rows = tuple(row for row in evidence.measures if row.name != "diversity")
    verdict = decide(type(evidence)(**{**evidence.__dict__, "measures": rows}))
    assert verdict.decision == "hold"
    assert verdict.reasons[0].startswith("diversity was not measured: paint some prompts several times")


@pytest.mark.parametrize(("difference", "decision"), [(-0.05, "reject"), (-0.001, "promote")])
def test_safety_must_not_be_worse(difference: float, decision: str) -> None:
    row = measure("heads/safety", difference=difference, error=0.004, role="unseen", unit="score", scale=0.2)
    assert decide(report(GAIN, UNSEEN, row)).decision == decision


def test_lower_is_better_where_a_row_says_so() -> None:
    row = measure("error", difference=0.05, error=0.004, role="unseen", unit="score", scale=0.1, good=-1)
    assert decide(report(GAIN, row)).decision == "reject"


def test_without_an_oracle_the_unseen_scorers_decide() -> None:
    rows = [
        measure(name, difference=0.05, error=0.004, role="unseen", unit="score", scale=0.1)
        for name in ("first", "second")
    ]
    verdict = decide(report(*rows))
    assert verdict.decision == "promote"
    assert "the mean of the unseen scorers (first, second) changed by +0.500 standard deviations" in verdict.reasons[0]
    trained = measure("reward", difference=0.5, error=0.01, role="trained", scale=0.1)
    verdict = decide(report(trained))
    assert verdict.decision == "hold"
    assert verdict.reasons[0].startswith("nothing that training did not see was measured")


def test_the_trained_reward_decides_nothing() -> None:
    evidence = (measure(difference=0.0, error=0.02), UNSEEN)
    trained = measure("reward", difference=9.0, error=0.01, role="trained", scale=0.1)
    assert decide(report(*evidence, trained)) == decide(report(*evidence))


def test_too_few_prompts_decide_nothing() -> None:
    verdict = decide(report(GAIN, UNSEEN, scored=20))
    assert verdict.decision == "hold"
    assert verdict.reasons == (
        "only 20 of 512 prompts were scored for both models; the gate needs 64: examine on more prompts",
    )


def test_all_nights_together_spend_the_total() -> None:
    spent = sum(level(night) for night in range(1, 100_000))
    # The tail of 6 / (pi^2 k^2) beyond n is about 6 / (pi^2 n).
    assert spent == pytest.approx(0.05, abs=1e-6)
    assert spent < 0.05
    assert level(1) == pytest.approx(0.05 * 6 / math.pi**2)
    with pytest.raises(UsageError, match="night 0: nights are counted from 1"):
        level(0)


def test_a_later_night_asks_for_more() -> None:
    row = measure(difference=0.05, error=0.02)
    assert at_level(row, 0.05) == pytest.approx((row.low, row.high))
    assert decide(report(row, UNSEEN), night=1).decision == "promote"
    assert decide(report(row, UNSEEN), night=30).decision == "hold"


def test_false_promotions_over_thirty_nights_stay_below_five_per_cent() -> None:
    # 1,000 workspaces whose candidates are all exactly as good as the incumbent. The expected share is at most 2.5 %
    # (two-sided intervals), with a standard error of 0.5 points. Promoting at plain 95 % gives 1 - 0.975^30 = 53 %.
    rng = np.random.default_rng(0)
    errors = 0.02 * rng.normal(size=(1000, 30))
    promoted = naive = 0
    for nights in errors:
        rows = [report(measure(difference=float(error), error=0.02), UNSEEN) for error in nights]
        naive += any(row.measures[0].low > 0 for row in rows)
        promoted += any(
            decide(row, night=night).decision == "promote"
            for night, row in enumerate(rows, start=1)
            if row.measures[0].low > 0  # no gate interval is narrower than the reported one
        )
    assert promoted / 1000 <= 0.04
    assert naive / 1000 > 0.45


def test_the_policy_is_configuration() -> None:
    strict = GatePolicy(least_diversity=0.99)
    assert decide(report(GAIN, UNSEEN), strict).decision == "hold"
