"""Slider answers: what is refused and how it is said, the tensors, and people's bias, calibration and correlations in
closed form.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from redraft.core.config import build
from redraft.core.errors import ConfigError, NumericsError, UsageError
from redraft.core.keys import Key
from redraft.core.records import FACETS
from redraft.rewards.answer_lines import picture_files
from redraft.rewards.facets_answers import SliderAnswer, facet_answers
from redraft.rewards.facets_calibration import fit_scale, reliability
from redraft.rewards.facets_config import TEMPORAL, FacetFitConfig, sliders
from redraft.rewards.facets_correlation import entwined, facet_correlations
from redraft.rewards.facets_raters import rater_effects
from redraft.rewards.facets_rows import read_slider_answers

KEY = Key(seed=0)
LINE = {"prompt": "a red star", "picture": "a.png", "sliders": {"semantics": 8, "safety": 10}}
ROW = {
    "prompt": "a red star", "pictures": ["a.png"], "kind": "rating", "answer": {"semantics": 8},
    "scales": {"semantics": [0, 10]}, "rater": "anna", "weight": 5,
}  # fmt: skip


def written(folder: Path, *lines: Any) -> Path:
    path = folder / "answers.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


# --- which sliders there are ----------------------------------------------------------------------------------------


def test_the_seventh_slider_appears_by_configuration_alone() -> None:
    seven = build(FacetFitConfig, {"facets": [*FACETS, TEMPORAL]}, source="a test")
    assert [slider.facet for slider in sliders(seven.facets, clips=True)] == [*FACETS, TEMPORAL]
    assert [slider.facet for slider in sliders(seven.facets, clips=False)] == list(FACETS)
    assert TEMPORAL not in [slider.facet for slider in sliders(FacetFitConfig().facets, clips=True)]
    assert (seven.picture_facets, seven.clip_facets) == (FACETS, (TEMPORAL,))


@pytest.mark.parametrize(
    ("facets", "message"),
    [
        ([*FACETS, "safety"], "names of their own"),
        (["semantics"], "subject_detail is missing"),
        ([*FACETS, " "], "empty"),
    ],
)
def test_a_list_of_facets_that_cannot_be_blended_is_refused(facets: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(FacetFitConfig, {"facets": facets}, source="a test")


# --- the file -------------------------------------------------------------------------------------------------------


def test_answers_are_read_with_masks_and_clips(tmp_path: Path) -> None:
    clip = {"prompt": "a blue moon", "frames": ["0.png", "1.png", "2.png"], "sliders": {TEMPORAL: 4}, "rater": "anna",
            "probability": 0.25}  # fmt: skip
    answers = read_slider_answers(written(tmp_path, {**LINE, "rater": "anna"}, "", clip))
    for name in ("a.png", "0.png", "1.png", "2.png"):
        (tmp_path / name).write_bytes(b"")
    _, rows = picture_files(answers, folder=tmp_path)
    found = facet_answers(answers, facets=(*FACETS, TEMPORAL), pictures=rows)
    assert found.values[0].tolist() == pytest.approx([0.8, 0, 0, 0, 0, 1, 0])
    assert found.mask.tolist() == [[True, False, False, False, False, True, False], [False] * 6 + [True]]
    assert found.of_clips.tolist() == [False, True]
    assert found.subjects == ((0,), (1, 2, 3))
    assert found.raters == ("anna",)
    assert found.probability.tolist() == [1.0, 0.25]


def test_rows_of_ratings_are_slider_answers(tmp_path: Path) -> None:
    (found,) = read_slider_answers(written(tmp_path, ROW))
    assert found == SliderAnswer(
        prompt="a red star", pictures=("a.png",), sliders={"semantics": 8}, rater="anna", weight=5.0
    )
    tensors = facet_answers((found,), facets=FACETS, pictures={"a.png": 0})
    assert (tensors.weight.tolist(), tensors.probability.tolist()) == ([5.0], [1.0])


def test_unknown_raters_are_not_one_person() -> None:
    two = [SliderAnswer(prompt="p", pictures=(name,), sliders={"safety": 1}) for name in ("a", "b")]
    assert len(facet_answers(two, facets=FACETS, pictures={"a": 0, "b": 1}).raters) == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1]", "line 1: is a JSON list"),
        ("{", "line 1: no JSON"),
        ({"prompt": "p", "picture": "a"}, "lacks 'sliders'"),
        ({**LINE, "slider": 1}, "unknown key 'slider'"),
        ({**LINE, "frames": ["a", "b"]}, "either a picture or frames"),
        ({**LINE, "sliders": {"safety": 11}}, "slider 'safety' = 11: it takes whole numbers 0 to 10"),
        ({**LINE, "sliders": {"safety": 7.5}}, "slider 'safety' = 7.5"),
        ({**LINE, "sliders": {"safety": True}}, "slider 'safety' = True"),
        ({**LINE, "sliders": {}}, "0 sliders"),
        ({**LINE, "sliders": {TEMPORAL: 3}}, "only a clip has it"),
        ({**LINE, "probability": 0}, r"probability 0.0 of an answer: it must lie in \(0, 1\]"),
        ({**LINE, "probability": "often"}, "probability and weight numbers"),
        ({**LINE, "weight": 10**400}, "probability and weight numbers"),
        ({**LINE, "weight": 0}, "weight 0.0 of an answer: it must be finite and above 0"),
        (
            {"prompt": "p", "pictures": ["a.png"], "kind": "stars", "answer": [4]},
            "an answer of kind 'stars': facets are learned from sliders",
        ),
        ({**ROW, "answer": {"semantics": 7.5}}, "slider 'semantics' = 7.5"),
        ({**ROW, "scales": {"semantics": [1, 5]}, "answer": {"semantics": 4}}, "semantics on a scale of 1 to 5"),
        ({**LINE, "picture": 3}, "must be texts"),
        ({"prompt": "p", "frames": ["a", "b"], "sliders": {"safety": 1}}, "frames a list of 3 texts or more"),
        ({"prompt": "p", "frames": ["a", "b", 3], "sliders": {"safety": 1}}, "frames a list of 3 texts or more"),
    ],
)
def test_a_wrong_line_is_named_with_the_way_out(tmp_path: Path, line: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read_slider_answers(written(tmp_path, line))
    assert "line 1" in str(caught.value)


def test_files_and_facets_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_slider_answers(tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match="holds no answer"):
        read_slider_answers(written(tmp_path, ""))
    answers = read_slider_answers(written(tmp_path, {**LINE, "sliders": {"beauty": 1}}))
    with pytest.raises(UsageError, match="1 of 1 pictures are missing"):
        picture_files(answers, folder=tmp_path)
    with pytest.raises(UsageError, match="slider 'beauty' is unknown"):
        facet_answers(answers, facets=FACETS, pictures={"a.png": 0})
    with pytest.raises(UsageError, match="nothing to fit to"):
        facet_answers([], facets=FACETS, pictures={})


# --- people's own bias ----------------------------------------------------------------------------------------------


def test_a_bias_is_shrunken_as_the_balanced_closed_form_says() -> None:
    """Balanced one-way layout: tau^2 = (MS between - MS within) / n, share = tau^2 / (tau^2 + MS within / n)."""
    people, each = 12, 9
    bias = KEY.child("bias").normal((people,)).double() * 0.1
    values = bias[:, None] + 0.08 * KEY.child("slips").normal((people, each)).double()
    rater = torch.arange(people).repeat_interleave(each)
    found = rater_effects(
        values.flatten()[:, None].float(), rater, mask=torch.ones(people * each, 1, dtype=torch.bool), count=people
    )
    mean = values.mean(1)
    within = (values - mean[:, None]).square().sum() / (people * (each - 1))
    between = each * (mean - mean.mean()).square().sum() / (people - 1)
    tau = (between - within) / each
    expected = tau / (tau + within / each) * (mean - mean.mean())
    assert torch.allclose(found.bias.double(), expected, atol=1e-5)
    assert found.spread == pytest.approx(tau.sqrt().item(), abs=1e-5)
    assert found.slip == pytest.approx(within.sqrt().item(), abs=1e-5)


def test_people_who_do_not_differ_have_no_bias_and_the_silent_have_none() -> None:
    """The same residuals for all people: less spread between than chance has within, so tau^2 is cut off at 0."""
    values = torch.tensor([0.1, -0.1] * 10)[:, None]
    rater = torch.arange(10).repeat_interleave(2)
    found = rater_effects(values, rater, mask=torch.ones(20, 1, dtype=torch.bool), count=11)
    assert found.spread == 0
    assert found.bias.tolist() == [0.0] * 11


def test_the_order_and_names_of_people_do_not_matter() -> None:
    values = 0.1 * KEY.child("values").normal((60, 3))
    mask = KEY.child("mask").uniform((60, 3)) > 0.4
    rater = KEY.child("who").integers(0, 8, shape=(60,))
    names, order = KEY.child("names").permutation(8), KEY.child("order").permutation(60)
    plain = rater_effects(values, rater, mask=mask, count=8)
    again = rater_effects(values[order], names[rater][order], mask=mask[order], count=8)
    assert torch.allclose(plain.bias, again.bias[names], atol=1e-6)


def test_no_answer_and_nan_stop_the_estimate() -> None:
    nothing = torch.zeros(2, 1, dtype=torch.bool)
    with pytest.raises(UsageError, match="no slider was answered"):
        rater_effects(torch.zeros(2, 1), torch.tensor([0, 1]), mask=nothing, count=2)
    with pytest.raises(NumericsError, match="not finite"):
        rater_effects(torch.full((2, 1), math.nan), torch.tensor([0, 1]), mask=~nothing, count=2)


# --- calibration ----------------------------------------------------------------------------------------------------


def test_a_scale_that_was_turned_is_found_again() -> None:
    """Logits z with answers sigmoid(2 z - 1) exactly: the cross-entropy's minimum is slope 2, shift -1."""
    logits = torch.linspace(-3, 3, 400)
    slope, shift = fit_scale(logits, torch.sigmoid(2 * logits - 1), weights=torch.ones(400))
    assert (slope, shift) == pytest.approx((2.0, -1.0), abs=0.03)  # the ridge of 1e-3 pulls towards (1, 0)


def test_weights_count_as_repeats_do_and_few_answers_change_nothing() -> None:
    logits, answers = KEY.child("z").normal((90,)), KEY.child("y").uniform((90,))
    weights = torch.tensor([1.0, 2.0, 3.0] * 30)
    repeated = torch.arange(90).repeat_interleave(weights.long())
    assert fit_scale(logits, answers, weights=weights) == pytest.approx(
        fit_scale(logits[repeated], answers[repeated], weights=torch.ones(len(repeated))), abs=1e-6
    )
    assert fit_scale(logits[:29], answers[:29], weights=weights[:29]) == (1.0, 0.0)
    assert fit_scale(logits, torch.sigmoid(-logits), weights=weights) == (1.0, 0.0)  # would turn the order round


def test_a_reliability_curve_holds_the_means_of_its_bins() -> None:
    curve = reliability(torch.tensor([0.05, 0.15, 0.16, 1.0]), torch.tensor([0.1, 0.0, 1.0, 0.9]))
    assert [(point.predicted, point.answered, point.count) for point in curve] == [
        (pytest.approx(0.05), pytest.approx(0.1), 1), (pytest.approx(0.155), pytest.approx(0.5), 2),
        (pytest.approx(1.0), pytest.approx(0.9), 1),
    ]  # fmt: skip
    weighted = reliability(torch.tensor([0.1, 0.1]), torch.tensor([0.0, 1.0]), weights=torch.tensor([3.0, 1.0]))
    assert weighted[0].answered == pytest.approx(0.25)
    with pytest.raises(UsageError, match=r"must lie in 0\.\.1"):
        reliability(torch.tensor([2.0]), torch.tensor([1.0]))


# --- the monitor of correlations ------------------------------------------------------------------------------------


def test_correlations_use_the_rows_that_hold_both() -> None:
    values, mask = KEY.child("v").normal((200, 3)), KEY.child("m").uniform((200, 3)) > 0.3
    found = facet_correlations(torch.where(mask, values, 99.0), mask=mask)
    for first in range(3):
        for second in range(3):
            both = mask[:, first] & mask[:, second]
            expected = torch.corrcoef(values[both][:, [first, second]].T)[0, 1]
            assert found[first, second].item() == pytest.approx(expected.item(), abs=1e-4)


def test_a_constant_facet_and_few_answers_have_no_correlation() -> None:
    values = KEY.child("c").normal((50, 3))
    values[:, 1] = 1.0
    mask = torch.ones(50, 3, dtype=torch.bool)
    mask[9:, 2] = False
    found = facet_correlations(values, mask=mask)
    assert found[0, 0].item() == pytest.approx(1)
    assert all(math.isnan(found[row, column]) for row, column in ((0, 1), (1, 1), (0, 2), (2, 2)))


def test_the_alarm_rings_from_its_number_on() -> None:
    table = torch.tensor([[1.0, 0.6, -0.7], [0.6, 1.0, 0.59], [-0.7, 0.59, 1.0]])
    pairs = entwined(table, ("a", "b", "c"), alarm=0.6)
    assert [(pair.first, pair.second) for pair in pairs] == [("a", "c"), ("a", "b")]


def test_weights_undo_asks_that_hide_a_correlation() -> None:
    """y = x^2 for x in -1..1 has no correlation; asks that prefer x > 0 show one of 0.8, weights take it away."""
    x = torch.linspace(-1, 1, 2001)
    kept = torch.cat([torch.arange(10, 1000, 40), torch.arange(1000, 2001)])
    weights = torch.where(x[kept] < 0, 40.0, 1.0)
    values = torch.stack([x, x.square()], 1)[kept]
    assert facet_correlations(values)[0, 1] > 0.6
    assert abs(facet_correlations(values, weights=weights)[0, 1].item()) < 0.02
