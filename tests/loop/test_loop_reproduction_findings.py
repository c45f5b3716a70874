"""How claims are judged: from rows with known figures to agreement and sentence."""

from __future__ import annotations

from typing import Any

import pytest

from redraft.core.errors import UsageError
from redraft.loop.reproductions.findings import (
    alike,
    along,
    at_equal_cost,
    both,
    gains_more,
    keeps,
    more_transfer,
    peak_before_the_end,
    reaches,
    rises,
)
from redraft.loop.reproductions.plan import Arm, Row


def effect(gain: float, half: float = 0.02, *, unit: str = "share", role: str = "oracle") -> dict[str, Any]:
    return {
        "incumbent": 0.3, "candidate": 0.3 + gain, "difference": gain, "low": gain - half, "high": gain + half,
        "unit": unit, "role": role,
    }  # fmt: skip


def row(name: str, **measured: Any) -> Row:
    return Row(
        arm=Arm(name=name, title=name, method="sft", config={}), summary={}, seconds=1.0, peak_memory=1,
        measured=measured,
    )  # fmt: skip


def gained(name: str, gain: float, half: float = 0.02, **changes: Any) -> Row:
    return row(name, metrics={"oracle": effect(gain, half, **changes)})


def point(cost: float, reward: float, heldout: float = 0.0, half: float = 0.01) -> dict[str, Any]:
    return {
        "step": int(cost), "round": 1, "samples": int(cost), "seconds": cost,
        "effects": {"reward": effect(reward, half, unit=""), "heldout": effect(heldout, half, unit="")},
    }  # fmt: skip


def curve(name: str, *points: dict[str, Any]) -> Row:
    return row(name, curve=[point(0, 0.0), *points])


@pytest.mark.parametrize(("gain", "agreement"), [(0.1, "agrees"), (-0.1, "disagrees"), (0.01, "undecided")])
def test_a_rise_is_a_whole_interval_above_zero(gain: float, agreement: str) -> None:
    finding = rises("a", metric="oracle")({"a": gained("a", gain)})
    assert finding.agreement == agreement
    assert finding.text.startswith(f"oracle: a {100 * gain:+.1f} (")
    assert finding.text.endswith(" points")
    mirrored = rises("a", metric="oracle", lower=True)({"a": gained("a", -gain)})
    assert mirrored.agreement == agreement


@pytest.mark.parametrize(("gain", "agreement"), [(0.0, "agrees"), (-0.04, "undecided"), (-0.09, "disagrees")])
def test_a_loss_within_the_margin_must_be_proven(gain: float, agreement: str) -> None:
    assert keeps("a", metric="oracle", margin=0.03)({"a": gained("a", gain)}).agreement == agreement


def test_less_can_be_more_and_alike_is_undecided_between_two() -> None:
    rows = {"a": gained("a", -0.2), "b": gained("b", -0.1), "c": gained("c", -0.11)}
    assert gains_more("a", "b", metric="oracle", lower=True)(rows).agreement == "agrees"
    assert gains_more("a", "b", metric="oracle")(rows).agreement == "disagrees"
    assert alike("b", "c", metric="oracle")(rows).agreement == "agrees"
    assert alike("a", "b", metric="oracle")(rows).agreement == "disagrees"


@pytest.mark.parametrize(
    ("gains", "agreement"),
    [
        ((0.0, 0.05, 0.1), "agrees"),
        ((0.0, 0.01, 0.015), "undecided"),
        ((0.0, 0.2, 0.1), "disagrees"),
        ((0.1, 0.05, 0.0), "disagrees"),
    ],
)
def test_along_arms_the_ends_differ_and_no_step_goes_back(gains: tuple[float, ...], agreement: str) -> None:
    rows = {name: gained(name, gain) for name, gain in zip("abc", gains, strict=True)}
    assert along(("a", "b", "c"), metric="oracle")(rows).agreement == agreement


def test_all_of_several_findings() -> None:
    rows = {"up": gained("up", 0.1), "down": gained("down", -0.1), "flat": gained("flat", 0.0)}
    up, down, flat = (rises(name, metric="oracle") for name in ("up", "down", "flat"))
    assert both(up, up)(rows).agreement == "agrees"
    assert both(up, flat)(rows).agreement == "undecided"
    assert both(flat, down, up)(rows).agreement == "disagrees"
    assert both(up, down)(rows).text.count("oracle:") == 2


def test_the_last_gain_reached_at_a_share_of_the_cost() -> None:
    slow = curve("slow", point(500, 0.2), point(1000, 0.4))
    fast = curve("fast", point(40, 0.3), point(80, 0.45))
    judge = reaches("fast", "slow", cost="samples", share=0.1)
    finding = judge({"fast": fast, "slow": slow})
    assert finding.agreement == "agrees"
    assert finding.text == "slow gained +0.400 (+0.390 to +0.410) in 1,000 samples; fast was there after 80, 8 % of it"
    late = curve("fast", point(40, 0.3), point(300, 0.45))
    assert judge({"fast": late, "slow": slow}).agreement == "disagrees"
    never = judge({"fast": curve("fast", point(40, 0.2), point(110, 0.3)), "slow": slow})
    assert never.agreement == "disagrees"
    assert "fast did not get there: +0.300 (+0.290 to +0.310) in 110" in never.text
    near = curve("fast", point(40, 0.2), point(90, 0.395), point(300, 0.45))
    assert judge({"fast": near, "slow": slow}).agreement == "undecided"
    early = curve("fast", point(40, 0.3))  # it might have, had it gone on
    assert judge({"fast": early, "slow": slow}).agreement == "undecided"
    nothing = curve("slow", point(1000, 0.005))
    assert judge({"fast": fast, "slow": nothing}).agreement == "undecided"


def test_at_equal_cost_the_shortest_run_decides_where_to_look() -> None:
    rows = {
        "a": curve("a", point(10, 0.1), point(50, 0.5), point(100, 0.9)),
        "b": curve("b", point(20, 0.3), point(200, 0.9)),
        "c": curve("c", point(60, 0.1)),
    }
    finding = at_equal_cost("a", "b", metric="reward", among=("c",))(rows)
    assert finding.agreement == "agrees"  # at 60: a has 0.5, b has 0.3
    assert finding.text.startswith("reward after 60 seconds: a +0.500 (")
    assert at_equal_cost("b", "a", metric="reward", among=("c",))(rows).agreement == "disagrees"


def test_what_carries_over_is_held_out_gain_over_trained_gain() -> None:
    rows = {"a": curve("a", point(10, 0.4, 0.3)), "b": curve("b", point(10, 0.8, 0.1))}
    finding = more_transfer("a", "b", trained="reward", heldout="heldout")(rows)
    assert finding.agreement == "agrees"  # 0.75 (0.725 to 0.775) against 0.125 (0.1125 to 0.1375)
    assert "a 0.75 (0.7" in finding.text
    assert "of +0.400 (+0.390 to +0.410), b 0.1" in finding.text
    assert more_transfer("b", "a", trained="reward", heldout="heldout")(rows).agreement == "disagrees"
    rows["b"] = curve("b", point(10, 0.0, 0.1))
    assert more_transfer("a", "b", trained="reward", heldout="heldout")(rows).agreement == "undecided"


def rounds(*gains: float) -> Row:
    return row("a", rounds=[{"round": n, "metrics": {"oracle": effect(gain)}} for n, gain in enumerate(gains, 1)])


def test_the_best_round_before_the_last() -> None:
    judge = peak_before_the_end("a", metric="oracle")
    assert judge({"a": rounds(0.1, 0.3, 0.1)}).agreement == "agrees"
    assert judge({"a": rounds(0.1, 0.3, 0.29)}).agreement == "undecided"
    finding = judge({"a": rounds(0.1, 0.2, 0.3)})
    assert finding.agreement == "disagrees"
    assert finding.text.startswith("oracle: a was best after round 3 of 3, +30.0 (+28.0 to +32.0) points")


def test_rounds_are_asked_for_by_number() -> None:
    rows = {"a": rounds(0.1, 0.3, 0.5)}
    assert along(("a",), metric="oracle", rounds=(1, 2, 3))(rows).agreement == "agrees"
    assert rises("a", metric="oracle", after_round=2)(rows).text.startswith("oracle after round 2: a +30.0")
    with pytest.raises(UsageError, match=r"arm 'a' has no metric 'oracle' after round 4 \(of 3\)"):
        rows["a"].require("oracle", after_round=4)


def test_the_reward_is_found_whatever_its_name() -> None:
    found = row("a", metrics={"oracle": effect(0.1), "reward: heads": effect(0.4, unit="", role="trained")})
    effect_found = found.effect("reward")
    assert effect_found is not None
    assert effect_found.difference == 0.4
    assert row("a", metrics={"oracle": effect(0.1)}).effect("reward") is None
