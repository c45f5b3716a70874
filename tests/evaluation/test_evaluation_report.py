"""The report: HTML that stands alone, the JSON shape, the table's words, and drawings that say what the numbers say."""

import base64
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from evaluation_examples import KEY, diversity_row, examined_pair, measure, prompts_of_suite, report
from PIL import Image

from redraft.core.errors import UsageError
from redraft.core.records import Report
from redraft.evaluation.compare import compare
from redraft.evaluation.drawing import curve_svg, interval_svg, picture_uri
from redraft.evaluation.gate import decide
from redraft.evaluation.report import CurvePoint, GridCell, RunFacts, duration_text, render, table, to_json
from redraft.world import parse
from redraft.world import render as paint

VOID = {"meta", "img", "br", "hr", "link", "input"}

PROMPTS = prompts_of_suite()
INCUMBENT, CANDIDATE, REFERENCE = examined_pair(PROMPTS, gain=0.25, spread=0.97)
REPORT = compare(INCUMBENT, CANDIDATE, key=KEY, suite="world", reference_features=REFERENCE, frechet_resamples=40)
VERDICT = decide(REPORT)
FACTS = RunFacts(
    run="2025-nightly-7",
    method="nft",
    model="builtin:sd3",
    checkpoint="9f31c0ab",
    seed=7,
    seconds=243.0,
    hardware="2 CPU cores",
    command="redraft improve --model builtin:sd3 --seed 7",
    config='method = "nft"\nseed = 7',
    rounds=({"round": 1, "reward": 0.41, "kept": 1024}, {"round": 2, "reward": 0.4656, "kept": 1024}),
    details={"torch": "2.13.0"},
)
CURVE = tuple(
    CurvePoint(step=step, values={"trained reward": 0.3 + 0.01 * step, "oracle accuracy": 0.5 + 0.004 * step})
    for step in range(0, 50, 10)
)


class Page(HTMLParser):
    """Collects tags and checks that they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def grid() -> list[GridCell]:
    rng = np.random.default_rng(0)
    cells = []
    for number, prompt in enumerate(PROMPTS[:12]):
        pictures = [paint(parse(prompt.text), rng) for _ in range(2)]
        cells.append(
            GridCell(
                prompt=prompt.text,
                before=pictures[0],
                after=pictures[1],
                before_correct=number % 2 == 0,
                after_correct=number % 4 != 1,
            )
        )
    return cells


PAGE = render(REPORT, verdict=VERDICT, grid=grid(), curve=CURVE, facts=FACTS)


def test_the_page_is_well_formed_and_complete() -> None:
    page = Page(PAGE)
    assert page.open == []
    words = " ".join(" ".join(page.words).split())
    assert "Promote: the new model is better" in words
    for reason in VERDICT.reasons:
        assert reason in words
    for row in table(REPORT):
        assert row.label in words
        assert row.interval in words
    expected = (
        "The reward that was trained", "proves nothing and decides nothing", "144 of 144 prompts (100.0 %)", "9f31c0ab",
        FACTS.command, FACTS.run, "2 CPU cores", "4.0 min", "fingerprint of clip-heldout", "0.4656",
        "Of these 12, the oracle finds 6 right before and 9 right after.",
    )  # fmt: skip
    for text in expected:
        assert text in words
    tags = [tag for tag, _ in page.seen]
    assert tags.count("img") == 24
    assert tags.count("svg") == len(REPORT.measures) + 2


def test_the_page_stands_alone() -> None:
    page = Page(PAGE)
    assert "http:" not in PAGE
    assert "https:" not in PAGE
    assert "url(" not in PAGE
    assert "@import" not in PAGE
    assert not {tag for tag, _ in page.seen} & {"script", "link", "iframe", "object", "a", "base", "form"}
    for tag, attributes in page.seen:
        assert not any(name.startswith("on") for name in attributes)
        assert "href" not in attributes
        if "src" in attributes:
            assert tag == "img"
            assert (attributes["src"] or "").startswith("data:image/png;base64,")
        if tag == "img":
            assert attributes["alt"]
    assert "prefers-color-scheme: dark" in PAGE


def test_texts_of_other_people_are_escaped() -> None:
    evil = '<script>alert("x")</script>'
    cell = GridCell(prompt=evil, before=np.zeros((4, 4, 3)), after=np.zeros((4, 4, 3)))
    text = render(
        replace(
            REPORT, candidate=evil, notes=(evil,), measures=(*REPORT.measures, measure(evil, difference=0.1, error=1))
        ),
        verdict=replace(VERDICT, reasons=(evil,)),
        grid=[cell],
        curve=[CurvePoint(step=0, values={evil: 1.0})],
        facts=replace(FACTS, config=evil, command=evil, details={evil: evil}),
    )
    assert "<script" not in text
    assert Page(text).open == []


def test_a_run_without_extras_and_with_a_trip_renders() -> None:
    evidence = report(measure(difference=-0.2, error=0.01))
    facts = replace(FACTS, rounds=(), config="", details={}, checkpoint=None, stopped_by="tripwire 'oracle' at step 20")
    text = render(evidence, verdict=decide(evidence), grid=[], curve=[], facts=facts)
    words = " ".join(" ".join(Page(text).words).split())
    assert "Reject: keep the old model" in words
    assert "Stopped by a tripwire. tripwire 'oracle' at step 20" in words
    assert "none kept" in words
    for heading in ("Before and after", "While training", "Rounds", "Resolved configuration"):
        assert heading not in words


def test_json_has_the_shape_of_every_command() -> None:
    answer = to_json(REPORT, VERDICT, FACTS)
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    assert (answer["verdict"], answer["method"], answer["model"], answer["checkpoint"], answer["seconds"]) == (
        "promote", "nft", "builtin:sd3", "9f31c0ab", 243.0,
    )  # fmt: skip
    assert answer["run"] == FACTS.run
    assert answer["stopped_by"] is None
    assert answer["reasons"] == list(VERDICT.reasons)
    assert set(answer["metrics"]) == {row.name for row in REPORT.measures}
    for name, metric in answer["metrics"].items():
        assert set(metric) == {"incumbent", "candidate", "difference", "low", "high", "unit", "role"}, name
    assert answer["metrics"]["oracle/counting"]["role"] == "oracle"


def test_the_table_speaks_in_points_and_orders_by_role() -> None:
    rows = table(REPORT)
    roles = [row.measure.role for row in rows]
    assert roles == sorted(roles, key=["oracle", "unseen", "trained", "diversity", "distance"].index)
    names = [row.measure.name for row in rows]
    assert names[:5] == ["oracle", "oracle/seen", "oracle/unseen", "oracle/clauses", "oracle/single_object"]
    assert names[10:13] == ["oracle/style", "oracle/label", "oracle/scene"]
    row = table(report(measure(difference=0.1234, error=0.01)))[0]
    assert (row.before, row.after, row.change, row.interval, row.outcome) == (
        "50.0 %", "62.3 %", "+12.3 points", "+10.4 to +14.3", "better",
    )  # fmt: skip
    score = measure("clip", difference=-0.01234, error=0.001, role="unseen", unit="score")
    row = table(report(score))[0]
    assert (row.before, row.after, row.change, row.outcome) == ("0.5", "0.4877", "-0.0123", "worse")


def test_an_outcome_is_claimed_only_by_the_whole_interval() -> None:
    rows = report(
        measure("a", difference=0.1, error=0.2), measure("b", difference=0.1, error=0.01, good=-1),
        measure("c", difference=-0.1, error=0.01, good=-1), diversity_row(1.0, 0.0),
    )  # fmt: skip
    assert [row.outcome for row in table(rows)] == ["unclear", "worse", "better", "unclear"]
    assert table(rows)[3].change == "+0.0 points"


def test_the_bar_is_drawn_to_scale() -> None:
    drawing = interval_svg(measure(difference=0.1, error=0.05 / 1.959964), reach=0.2)
    middle, full = 75, 67
    assert f'cx="{middle + full / 2:.1f}"' in drawing
    assert f'x="{middle + full / 4:.1f}" y="7.0" width="{full / 2:.1f}"' in drawing
    assert 'class="bar better"' in drawing
    assert interval_svg(measure(difference=0.0, error=0.0), reach=0.0).count("<circle") == 1


def test_the_curve_goes_through_its_points() -> None:
    drawing = curve_svg("reward", [(0, 0.0), (10, 1.0), (20, 0.5), (30, float("nan"))], kind="trained")
    match = re.search(r'points="([^"]+)"', drawing)
    assert match is not None
    points = [tuple(map(float, pair.split(","))) for pair in match[1].split()]
    assert len(points) == 3
    assert points[1][0] == pytest.approx((points[0][0] + points[2][0]) / 2, abs=0.1)
    # Up is smaller y, and the last value lies half way between the two others.
    assert points[1][1] < points[2][1] < points[0][1]
    assert points[2][1] == pytest.approx((points[0][1] + points[1][1]) / 2, abs=0.1)
    assert curve_svg("flat", [(0, 0.5)], kind="unseen").count("<circle") == 1
    assert curve_svg("empty", [], kind="unseen") == ""


def test_a_picture_survives_its_data_uri() -> None:
    picture = np.random.default_rng(0).integers(0, 256, size=(8, 6, 3), dtype=np.uint8)
    for given in (picture, picture / 255):
        data = base64.b64decode(picture_uri(given).removeprefix("data:image/png;base64,"))
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), picture)
    with pytest.raises(UsageError, match=r"picture of shape \(3, 8, 8\): the report shows H,W,3"):
        picture_uri(np.zeros((3, 8, 8)))
    with pytest.raises(UsageError, match=r"picture of int64: the report shows uint8 in 0..255 or floats in 0..1"):
        picture_uri(np.zeros((8, 8, 3), dtype=np.int64))


def test_durations() -> None:
    assert [duration_text(seconds) for seconds in (42, 250, 9000)] == ["42 s", "4.2 min", "2.5 h"]


def shared(evidence: Report) -> Report:
    """The report of a run whose reward sees pictures by the network of an unseen scorer: the longest row names."""
    rows = tuple(replace(row, independent=row.role != "unseen") for row in evidence.measures)
    return replace(evidence, measures=rows)


def test_a_scorer_on_the_rewards_network_is_marked_and_decides_nothing() -> None:
    rows = {row.measure.name: row.label for row in table(shared(REPORT))}
    assert rows["clip-heldout"] == "clip-heldout (by the reward's network)"
    free = report(measure("clip", difference=0.2, error=0.01, role="unseen", unit="score", scale=0.1))
    assert decide(free).decision == "promote"
    alone = decide(shared(free))
    assert alone.decision == "hold"
    assert "nothing that training did not see was measured" in alone.reasons[0]
    fallen = report(
        measure(difference=0.1, error=0.01),
        measure("clip", difference=-0.2, error=0.01, role="unseen", unit="score", scale=0.1),
    )
    assert decide(shared(fallen)).decision == "reject"  # a loss counts all the same


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
@pytest.mark.parametrize("width", [1280, 930, 870, 700, 500])
def test_no_table_scrolls_sideways(width: int, tmp_path: Path) -> None:
    """Measured by a headless browser, in a frame of that width: a window can be no narrower than 500 pixels."""
    text = render(shared(REPORT), verdict=VERDICT, grid=[], curve=[], facts=FACTS)
    text = text.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
    probe = """<script>addEventListener("load", () => {
      const wide = [...document.querySelectorAll(".scroll")].map((part) => part.scrollWidth - part.clientWidth);
      parent.postMessage([innerWidth, document.documentElement.scrollWidth - innerWidth, ...wide].join(), "*");
    });</script>"""
    (tmp_path / "page.html").write_text(text.replace("</body>", probe + "</body>"), encoding="utf-8")
    (tmp_path / "frame.html").write_text(
        "<script>onmessage = (event) => { document.body.dataset.found = event.data; };</script>"
        f'<body><iframe src="page.html" width="{width}" height="900" style="border: 0"></iframe></body>'
    )
    done = subprocess.run(
        [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1400,1000", "--virtual-time-budget=3000", "--dump-dom", (tmp_path / "frame.html").as_uri(),
        ],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    found = re.search(r'data-found="([^"]+)"', done.stdout)
    assert found is not None, done.stdout[-500:]
    inner, *overflows = (int(value) for value in found[1].split(","))
    assert inner == width
    assert len(overflows) == 3  # the page, the table of measures, that of the rounds
    assert all(overflow <= 0 for overflow in overflows)
