"""The paired comparison: rows, agreement with direct computation, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from evaluation_examples import KEY, examined_pair, prompts_of_suite

from redraft.core.errors import NumericsError, UsageError
from redraft.core.records import Prompt
from redraft.evaluation.compare import compare
from redraft.evaluation.examined import Examined, Head
from redraft.evaluation.metrics import diversity, frechet_distance
from redraft.world import GENEVAL_TASKS, TAIL_TASKS

PROMPTS = prompts_of_suite()
INCUMBENT, CANDIDATE, REFERENCE = examined_pair(PROMPTS, gain=0.25, spread=0.95)
REPORT = compare(INCUMBENT, CANDIDATE, key=KEY, suite="world", reference_features=REFERENCE, frechet_resamples=60)


def test_the_report_has_every_row_of_the_honest_table() -> None:
    names = [row.name for row in REPORT.measures]
    expected = {f"oracle/{task}" for task in (*GENEVAL_TASKS, *TAIL_TASKS)}
    expected |= {"oracle", "oracle/seen", "oracle/unseen", "oracle/clauses", "reward", "clip-heldout"}
    expected |= {"diversity", "frechet", "saturation", "saturation/clipped"}
    assert set(names) == expected
    assert len(names) == len(expected)
    assert (REPORT.prompts, REPORT.scored) == (144, 144)
    assert REPORT.fingerprints == {"reward": "r1", "clip-heldout": "c1", "features": "f1"}
    roles = {row.name: row.role for row in REPORT.measures}
    assert (roles["reward"], roles["clip-heldout"], roles["diversity"], roles["frechet"]) == (
        "trained", "unseen", "diversity", "distance",
    )  # fmt: skip
    for row in REPORT.measures:
        assert row.low <= row.difference <= row.high
        assert row.difference == pytest.approx(row.candidate - row.incumbent)


def test_the_overall_accuracy_is_the_mean_of_task_means_without_the_tail() -> None:
    row = REPORT.measure("oracle")
    assert row is not None
    per_prompt = CANDIDATE.per_prompt(CANDIDATE.verdicts)
    tasks = np.array([prompt.tag("task") for prompt in PROMPTS])
    expected = np.mean([per_prompt[tasks == task].mean() for task in GENEVAL_TASKS])
    assert row.candidate == pytest.approx(expected)
    assert row.count == 120
    assert row.note == "mean of the means of 6 tasks"
    assert row.low > 0


def test_several_pictures_of_a_prompt_weigh_as_one_prompt() -> None:
    prompts = (Prompt(text="a"), Prompt(text="b"))
    examined = Examined(
        model="m", prompts=prompts, group=np.array([0, 0, 0, 1]), verdicts=np.array([1.0, 1.0, 0.0, 0.0])
    )
    row = compare(examined, examined, key=KEY, suite="mine").measure("oracle")
    assert row is not None
    assert row.incumbent == pytest.approx(1 / 3)
    assert row.count == 2


def test_equal_models_differ_by_exactly_nothing() -> None:
    report = compare(INCUMBENT, INCUMBENT, key=KEY, suite="world", reference_features=REFERENCE, frechet_resamples=20)
    assert {(row.difference, row.low, row.high) for row in report.measures} == {(0.0, 0.0, 0.0)}


def test_swapping_the_models_turns_the_differences_round() -> None:
    swapped = compare(CANDIDATE, INCUMBENT, key=KEY, suite="world", reference_features=REFERENCE, frechet_resamples=60)
    for row in REPORT.measures:
        other = swapped.measure(row.name)
        assert other is not None
        if row.name != "diversity":  # a ratio, not a difference
            assert (other.difference, other.low, other.high) == pytest.approx((-row.difference, -row.high, -row.low))


def test_diversity_and_frechet_agree_with_the_metrics() -> None:
    row, distance = REPORT.measure("diversity"), REPORT.measure("frechet")
    assert row is not None
    assert distance is not None
    first, second = (
        np.nanmean(diversity(model.features, model.group, count=len(PROMPTS))) for model in (INCUMBENT, CANDIDATE)
    )
    assert row.candidate == pytest.approx(second / first)
    assert row.candidate == pytest.approx(0.95)
    # All distances shrink alike, so the ratio is known without doubt.
    assert row.low == pytest.approx(row.high)
    assert row.count == 24
    assert distance.incumbent == pytest.approx(frechet_distance(INCUMBENT.features, REFERENCE))
    assert distance.candidate == pytest.approx(frechet_distance(CANDIDATE.features, REFERENCE))
    assert distance.good == -1


def test_scale_is_the_incumbents_standard_deviation_over_pictures() -> None:
    row = REPORT.measure("clip-heldout")
    assert row is not None
    assert row.scale == pytest.approx(INCUMBENT.heads[1].values.std(ddof=1))


def test_frechet_notes_too_few_pictures() -> None:
    wide = [
        replace(model, features=np.random.default_rng(seed).normal(size=(len(model.group), 400)))
        for seed, model in enumerate((INCUMBENT, CANDIDATE))
    ]
    reference = np.random.default_rng(2).normal(size=(300, 400))
    report = compare(*wide, key=KEY, suite="world", reference_features=reference, frechet_resamples=2)
    assert "frechet: only 216 pictures for 400 feature dimensions" in report.notes[0]


def test_the_frechet_interval_covers_no_difference() -> None:
    # Two models of one distribution, sharing half of their luck: the true difference is 0. 200 repetitions give a
    # coverage of 95 % a standard error of 1.5 points.
    rng = np.random.default_rng(0)
    prompts = tuple(Prompt(text=str(number)) for number in range(100))
    hits = 0
    for repetition in range(200):
        reference, shared = rng.normal(size=(200, 3)), rng.normal(size=(100, 3))
        models = [
            Examined(
                model="m",
                prompts=prompts,
                group=np.arange(100),
                features=np.sqrt(0.5) * (shared + rng.normal(size=(100, 3))),
            )
            for _ in range(2)
        ]
        report = compare(
            *models, key=KEY.child(repetition), suite="s", reference_features=reference, frechet_resamples=80
        )
        row = report.measure("frechet")
        assert row is not None
        hits += row.low <= 0 <= row.high
    assert 0.90 <= hits / 200 <= 0.99


def test_single_pictures_give_a_note_in_place_of_diversity() -> None:
    single = [
        Examined(
            model="m", prompts=PROMPTS, group=np.arange(len(PROMPTS)), features=model.features[: len(PROMPTS)]
        )
        for model in (INCUMBENT, CANDIDATE)
    ]  # fmt: skip
    report = compare(*single, key=KEY, suite="world")
    assert report.measures == ()
    assert report.notes == ("diversity was not measured: 0 prompts have several pictures, at least 2 are needed",)


def test_coverage_counts_prompts_that_every_scorer_scored() -> None:
    mask = INCUMBENT.group != 3
    masked = [
        replace(model, heads=(replace(model.heads[0], mask=mask), model.heads[1])) for model in (INCUMBENT, CANDIDATE)
    ]
    report = compare(*masked, key=KEY, suite="world")
    assert (report.prompts, report.scored) == (144, 143)
    assert report.notes == ("1 of 144 prompts lack a score of some scorer",)
    row = report.measure("reward")
    assert row is not None
    assert row.count == 143


def test_unlike_fingerprints_are_never_compared() -> None:
    other = replace(CANDIDATE, heads=(CANDIDATE.heads[0], replace(CANDIDATE.heads[1], fingerprint="c2")))
    with pytest.raises(UsageError, match="clip-heldout has the fingerprints 'c1' and 'c2': scores of unlike scorers"):
        compare(INCUMBENT, other, key=KEY, suite="world")
    with pytest.raises(UsageError, match="features has the fingerprints 'f1' and 'f2'"):
        compare(INCUMBENT, replace(CANDIDATE, feature_fingerprint="f2"), key=KEY, suite="world")


def test_unpaired_examinations_are_refused() -> None:
    other = replace(CANDIDATE, prompts=(*CANDIDATE.prompts[1:], CANDIDATE.prompts[0]))
    with pytest.raises(UsageError, match="not the same: a paired comparison needs the same prompts in the same order"):
        compare(INCUMBENT, other, key=KEY, suite="world")
    with pytest.raises(UsageError, match="other pictures per prompt: paint both with the same noise and count"):
        compare(INCUMBENT, replace(CANDIDATE, group=CANDIDATE.group[::-1]), key=KEY, suite="world")
    with pytest.raises(UsageError, match="differ: score both models with the same scorers"):
        compare(INCUMBENT, replace(CANDIDATE, heads=CANDIDATE.heads[:1]), key=KEY, suite="world")
    trained = replace(CANDIDATE, heads=(CANDIDATE.heads[0], replace(CANDIDATE.heads[1], role="trained")))
    with pytest.raises(UsageError, match="head clip-heldout is unseen for one model and trained for the other"):
        compare(INCUMBENT, trained, key=KEY, suite="world")
    with pytest.raises(UsageError, match="features of 8, 8 and, of the reference, 3 dimensions: use one extractor"):
        compare(INCUMBENT, CANDIDATE, key=KEY, suite="world", reference_features=np.eye(3))


def test_a_score_that_is_not_finite_stops_the_comparison() -> None:
    values = CANDIDATE.heads[1].values.copy()
    values[7] = np.nan
    broken = replace(CANDIDATE, heads=(CANDIDATE.heads[0], replace(CANDIDATE.heads[1], values=values)))
    with pytest.raises(NumericsError, match="clip-heldout gave nan for picture 7 of new: scores must be finite"):
        compare(INCUMBENT, broken, key=KEY, suite="world")


def test_examined_checks_its_lengths() -> None:
    prompts = (Prompt(text="a"), Prompt(text="b"))
    with pytest.raises(UsageError, match="group runs from 0 to 2 for 2 prompts: every entry must be the index"):
        Examined(model="m", prompts=prompts, group=np.array([0, 2]))
    with pytest.raises(UsageError, match="verdicts has 1 rows for 2 pictures: give one row per picture"):
        Examined(model="m", prompts=prompts, group=np.array([0, 1]), verdicts=np.zeros(1))
    head = Head(name="x", role="unseen", fingerprint="", values=np.zeros(2))
    with pytest.raises(UsageError, match="heads x, x: two have the same name; name each head once"):
        Examined(model="m", prompts=prompts, group=np.array([0, 1]), heads=(head, head))
    with pytest.raises(UsageError, match="m was examined on 0 prompts: give at least 2"):
        Examined(model="m", prompts=(), group=np.array([], dtype=int))
