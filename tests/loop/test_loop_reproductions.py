"""Plans of reproductions: what they refuse, how claims are judged, what the page says."""

from __future__ import annotations

from typing import Any

import pytest

from redraft.core.errors import UsageError
from redraft.loop.reproductions.catalogue import NAMES, reproduction
from redraft.loop.reproductions.head_to_head import better
from redraft.loop.reproductions.page import markdown, shown_in
from redraft.loop.reproductions.plan import Arm, Claim, Reproduction, Row


def row(name: str, *, gain: float, half: float, stopped_by: str | None = None) -> Row:
    metric = {"incumbent": 0.3, "candidate": 0.3 + gain, "difference": gain, "low": gain - half, "high": gain + half}
    summary: dict[str, Any] = {
        "metrics": {"oracle": metric, "clip-heldout": metric}, "verdict": "hold", "stopped_by": stopped_by,
        "samples": 1234,
    }  # fmt: skip
    return Row(arm=arm(name), summary=summary, seconds=61.4, peak_memory=2**30)


def arm(name: str) -> Arm:
    return Arm(name=name, title=f"arm {name}", method="sft", config={})


def plan(**changes: Any) -> Reproduction:
    values: dict[str, Any] = {
        "name": "example", "title": "Title", "question": "Which?", "arms": (arm("a"), arm("b")),
        "claims": (
            Claim(source="a paper", text="a beats b", arms=("a", "b"),
                  judge=lambda rows: better(rows, "a", "b", metric="oracle")),
        ),
        "metrics": (("oracle", "oracle accuracy, %"), ("clip-heldout", "unseen"), ("frechet", "distance")),
    }  # fmt: skip
    return Reproduction(**{**values, **changes})


@pytest.mark.parametrize(
    ("first", "second", "agreement"),
    [(0.20, 0.05, "agrees"), (0.05, 0.20, "disagrees"), (0.06, 0.05, "undecided")],
)
def test_one_arm_beats_another_only_outside_both_intervals(first: float, second: float, agreement: str) -> None:
    rows = {"a": row("a", gain=first, half=0.04), "b": row("b", gain=second, half=0.04)}
    finding = better(rows, "a", "b", metric="oracle")
    assert finding.agreement == agreement
    assert f"a {100 * first:+.1f} ({100 * (first - 0.04):+.1f}" in finding.text


def test_a_metric_that_was_not_measured_is_named() -> None:
    with pytest.raises(UsageError, match="arm 'a' has no metric 'frechet': its examination measured oracle, clip"):
        row("a", gain=0.1, half=0.1).require("frechet")


def test_the_page_has_every_arm_done_and_names_the_others() -> None:
    page = markdown(plan(), {"a": row("a", gain=0.1, half=0.02)}, command="redraft reproduce example", hardware="x")
    assert "| arm a | 30.0 → 40.0 (+10.0, +8.0 to +12.0) | 0.300 → 0.400 (+0.100, +0.080 to +0.120) |" in page
    assert "| not measured | hold | 61 | 1,234 | 1024 MB |" in page
    assert "Not run yet: b." in page
    assert "| a beats b | a paper | not run |  |" in page
    rows = {"a": row("a", gain=0.1, half=0.02, stopped_by="diversity"), "b": row("b", gain=0.0, half=0.02)}
    page = markdown(plan(), rows, command="redraft reproduce example", hardware="x")
    assert "hold (stopped: diversity)" in page
    assert "| a beats b | a paper | agrees | oracle: a +10.0 (+8.0 to +12.0), b +0.0 (-2.0 to +2.0) points |" in page
    assert "Not run yet" not in page


def test_another_page_shows_the_tables_between_its_marks_and_keeps_its_own_words() -> None:
    begin, end = "<!-- redraft reproduce example: begin -->", "<!-- redraft reproduce example: end -->"
    once = shown_in(f"before\n{begin}\nearlier\n{end}\nafter", plan(), {"a": row("a", gain=0.1, half=0.02)})
    assert once.startswith(f"before\n{begin}\n\n| arm |")
    assert once.endswith(f"\n\n{end}\nafter")
    assert "+10.0, +8.0 to +12.0" in once
    assert "earlier" not in once
    assert shown_in(once, plan(), {"a": row("a", gain=0.1, half=0.02)}) == once
    with pytest.raises(UsageError, match="has no lines '<!-- redraft reproduce example: begin -->' and"):
        shown_in(f"before {end} {begin}", plan(), {})


def test_a_plan_refuses_claims_about_arms_it_does_not_have() -> None:
    claim = Claim(source="", text="", arms=("c",), judge=lambda rows: better(rows, "c", "a", metric="oracle"))
    with pytest.raises(UsageError, match=r"\(unknown: c\)"):
        plan(claims=(claim,))
    with pytest.raises(UsageError, match="must have names of their own"):
        plan(arms=(arm("a"), arm("a")), claims=())


def test_arms_are_chosen_by_name() -> None:
    assert [each.name for each in plan().chosen(())] == ["a", "b"]
    assert [each.name for each in plan().chosen(("b",))] == ["b"]
    with pytest.raises(UsageError, match="has no arm 'z': it has a, b"):
        plan().chosen(("b", "z"))


def test_every_reproduction_can_be_opened_and_unknown_ones_get_the_nearest_name() -> None:
    for name in NAMES:
        assert reproduction(name).name == name
    with pytest.raises(UsageError, match="methods"):
        reproduction("method")
