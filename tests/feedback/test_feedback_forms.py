"""Forms: what may be said, what is refused and with which words, and the five presets."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from redraft.core.config import build
from redraft.core.errors import ConfigError, UnknownNameError, UsageError
from redraft.core.records import FACETS
from redraft.feedback.form_fields import Scale
from redraft.feedback.form_presets import DEFAULT_PRESET, PRESETS, Preset, preset_named
from redraft.feedback.forms import COMPARISON_RULES, FORMS, check_payload, follow_up_due, form_named, sliders_form


def test_six_sliders_are_the_six_facets_as_whole_numbers_of_0_to_10() -> None:
    scales = [field for field in FORMS["sliders"].fields if isinstance(field, Scale)]
    assert [field.name for field in scales] == list(FACETS)
    assert {(field.least, field.most) for field in scales} == {(0, 10)}


@pytest.mark.parametrize(
    ("form", "payload", "kept", "mark"),
    [
        ("sliders", {"semantics": 7, "coherence": 4}, {"semantics": 7, "coherence": 4}, 5.5),
        ("sliders", {"semantics": 0, "coherence": None}, {"semantics": 0}, 0.0),
        ("sliders", {"semantics": 9, "text": "  a fifth leg "}, {"semantics": 9, "text": "a fifth leg"}, 9.0),
        ("sliders", {"semantics": 4, "wrong": ["coherence", "semantics"]},
         {"semantics": 4, "wrong": ["semantics", "coherence"]}, 4.0),
        ("thumbs", {"up": True}, {"up": True}, 1.0),
        ("thumbs", {"up": False, "wrong": ["safety"], "text": "a wound"},
         {"up": False, "wrong": ["safety"], "text": "a wound"}, 0.0),
        ("stars", {"stars": 5}, {"stars": 5}, 5.0),
        ("stars", {"stars": 1, "typo": True, "wrong": ["semantics"]},
         {"stars": 1, "typo": True, "wrong": ["semantics"]}, 1.0),
        ("duel", {"choice": "both_bad"}, {"choice": "both_bad"}, None),
        ("rank", {"ranks": {"a": 1, "b": 2, "c": 2}}, {"ranks": {"a": 1, "b": 2, "c": 2}}, None),
    ],
)  # fmt: skip
def test_what_may_be_said_is_kept_with_its_mark(
    form: str, payload: dict[str, Any], kept: dict[str, Any], mark: float | None
) -> None:
    checked = check_payload(FORMS[form], payload)
    assert checked.payload == kept
    assert checked.mark == mark
    # Checking what was kept changes nothing: revisions send it again.
    assert check_payload(FORMS[form], checked.payload) == checked


@pytest.mark.parametrize(
    ("form", "payload", "words"),
    [
        ("sliders", {"semantics": 11}, "semantics = 11: it takes whole numbers from 0 to 10"),
        ("sliders", {"semantics": 7.0}, "semantics = 7.0: it takes whole numbers"),
        ("sliders", {"semantics": True}, "semantics = True: it takes whole numbers"),
        ("sliders", {"semantics": "7"}, "semantics = '7': it takes whole numbers"),
        ("sliders", {}, "says nothing: set at least one of semantics"),
        ("sliders", {"text": "nice"}, "says nothing: set at least one of semantics"),
        ("sliders", {"semantics": 7, "wrong": ["safety"]}, "asked only after a mark of at most 4; leave it out"),
        ("sliders", {"semantics": 2, "wrong": []}, "give a list of one or more of semantics"),
        ("sliders", {"semantics": 2, "wrong": ["safety", "safety"]}, "each once"),
        ("sliders", {"semantics": 2, "text": "x" * 2001}, "text with 2,001 characters: it takes a text of 1 to 2,000"),
        ("thumbs", {"up": 1}, "up = 1: it takes true or false"),
        ("thumbs", {}, "up is missing: the form 'thumbs' needs it"),
        (
            "thumbs",
            {"up": True, "text": "lovely"},
            "text of the form 'thumbs' with a mark of 1: it is asked only after",
        ),
        ("stars", {"stars": 0}, "stars = 0: it takes whole numbers from 1 to 5"),
        ("stars", {"typo": True}, "stars is missing"),
        ("duel", {"choice": "a"}, "choice = 'a': choose one of left, right, tie, both_bad"),
        ("rank", {"ranks": {"a": 1}}, "give the places of 2 to 10 pictures"),
        ("rank", {"ranks": {"a": 2, "b": 2}}, "the best picture has 1"),
        ("rank", {"ranks": {"a": 1, "b": 3}}, "none is beyond 2"),
        ("rank", {"ranks": [1, 2]}, "ranks of [1, 2]: give the places"),
    ],
)
def test_what_may_not_be_said_is_refused_with_value_rule_and_way_out(
    form: str, payload: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        check_payload(FORMS[form], payload)
    assert words in str(caught.value)


def test_an_unknown_field_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="'semantic' is unknown: did you mean 'semantics'"):
        check_payload(FORMS["sliders"], {"semantic": 7})


def test_what_was_wrong_is_asked_only_after_a_low_mark() -> None:
    assert follow_up_due(FORMS["thumbs"], 0.0)
    assert not follow_up_due(FORMS["thumbs"], 1.0)
    assert [follow_up_due(FORMS["stars"], float(mark)) for mark in range(1, 6)] == [True, True, False, False, False]
    assert not follow_up_due(FORMS["duel"], None)


def test_duels_and_ranks_show_the_three_rules_and_no_other_form_does() -> None:
    assert len(COMPARISON_RULES) == 3
    assert {name for name, form in FORMS.items() if form.rules == COMPARISON_RULES} == {"duel", "rank"}
    assert all(not form.rules for name, form in FORMS.items() if name not in ("duel", "rank"))


def test_every_key_of_a_form_is_its_own() -> None:
    for form in FORMS.values():
        for field in form.fields:
            keys = [option.key for option in getattr(field, "options", ()) if option.key]
            assert len(keys) == len(set(keys))


def test_the_five_presets_are_the_seeds_five_systems() -> None:
    found = {(preset.ask_form, preset.reward, preset.profile) for preset in PRESETS.values()}
    assert found == {
        ("sliders", "points", False),
        ("stars", "badge", False),
        ("thumbs", "tier", True),
        ("thumbs", "none", False),
        ("sliders", "ledger", False),
    }
    assert preset_named(DEFAULT_PRESET).reward == "points"
    for preset in PRESETS.values():
        assert {"duel", "rank"} <= {form.name for form in preset.forms}
        assert preset.forms[0].name == preset.ask_form


def test_a_form_that_is_not_in_use_is_unknown() -> None:
    with pytest.raises(UnknownNameError, match="form 'stars' is unknown"):
        PRESETS["thumbs"].form("stars")
    with pytest.raises(UnknownNameError, match="form 'slider' is unknown: did you mean 'sliders'"):
        form_named("slider")
    with pytest.raises(UnknownNameError, match="preset of forms 'points'"):
        preset_named("points")


def test_a_preset_of_ones_own_is_checked() -> None:
    own = {"title": "mine", "ask_form": "stars", "volunteered": ["duel"], "reward": "none"}
    assert [form.name for form in build(Preset, own, source="forms.toml").forms] == ["stars", "duel"]
    with pytest.raises(ConfigError, match="an ask is about one; choose another"):
        build(Preset, {**own, "ask_form": "duel"}, source="forms.toml")
    with pytest.raises(ConfigError, match="did you mean 'thumbs'"):
        build(Preset, {**own, "ask_form": "thumb"}, source="forms.toml")
    with pytest.raises(ValidationError):
        Preset.model_validate({**own, "reward": "money"})


def test_a_seventh_slider_appears_by_its_name_alone() -> None:
    form = sliders_form(["temporal_coherence", "line_quality"])
    scales = [field for field in form.fields if isinstance(field, Scale)]
    assert [scale.name for scale in scales] == [*FACETS, "temporal_coherence", "line_quality"]
    assert [(scale.label, scale.low, scale.high) for scale in scales[6:]] == [
        ("Moves smoothly", "jumps", "smooth"), ("Line quality", "bad", "good"),
    ]  # fmt: skip
    checked = check_payload(form, {"temporal_coherence": 2, "semantics": 5, "wrong": ["temporal_coherence"]})
    assert checked.mark == 3.5
    with pytest.raises(UsageError, match="temporal_coherence = 11: it takes whole numbers from 0 to 10"):
        check_payload(form, {"temporal_coherence": 11})
    # Without it the six are as they were.
    with pytest.raises(UnknownNameError):
        check_payload(FORMS["sliders"], {"temporal_coherence": 2})
    preset = build(Preset, {**PRESETS["sliders"].model_dump(), "facets": ["temporal_coherence"]}, source="forms.toml")
    assert "temporal_coherence" in {field.name for field in preset.form("sliders").fields}


@pytest.mark.parametrize("names", [["semantics"], ["text"], ["wrong"], ["a", "a"], ["Big"], ["a b"], [""], ["x" * 33]])
def test_names_that_cannot_be_sliders(names: list[str]) -> None:
    with pytest.raises(UsageError, match="cannot be a slider: a name is lower case"):
        sliders_form(names)
    with pytest.raises(ConfigError, match="cannot be a slider"):
        build(Preset, {**PRESETS["sliders"].model_dump(), "facets": names}, source="forms.toml")
