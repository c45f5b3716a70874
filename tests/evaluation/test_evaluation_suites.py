"""Suites: what is held out, balance, disjointness, and the split of a user's prompts."""

from collections import Counter

import pytest

from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.plugins import load
from redraft.core.records import Prompt
from redraft.evaluation.benchmarks.world import WorldBenchmark
from redraft.evaluation.held_out import meaning_of, requests_of, split_of
from redraft.evaluation.suites import PromptsSuite, SuiteContext, WorldSuite, even_shares, evenly_by_task
from redraft.world import GENEVAL_TASKS, TAIL_TASKS, parse, split_combinations

SUITE = WorldSuite.build(WorldSuite.Config())
PROMPTS = SUITE.prompts(Key(seed=0))


def test_the_examination_is_as_large_and_as_balanced_as_promised() -> None:
    core = [prompt for prompt in PROMPTS if prompt.tag("task") in GENEVAL_TASKS]
    tail = [prompt for prompt in PROMPTS if prompt.tag("task") in TAIL_TASKS]
    assert (len(core), len(tail)) == (512, 96)
    assert len({prompt.text for prompt in PROMPTS}) == 608
    assert Counter(prompt.tag("combination") for prompt in core) == {"seen": 256, "unseen": 256}
    assert Counter(prompt.tag("combination") for prompt in tail) == {"seen": 48, "unseen": 48}
    assert set(Counter(prompt.tag("task") for prompt in tail).values()) == {32}
    counts = Counter(prompt.tag("task") for prompt in core)
    # All held-out texts of the small tasks are used; only then do the large ones get more.
    assert counts == {
        "single_object": 8, "counting": 40, "two_object": 70, "colors": 80, "position": 157, "color_attr": 157,
    }  # fmt: skip


def test_colored_prompts_of_the_unseen_half_use_unseen_pairs_alone() -> None:
    _, unseen = split_combinations(0)
    for prompt in PROMPTS:
        pairs = {(item.shape, item.color) for item in parse(prompt.text).items if item.color is not None}
        if pairs:
            assert bool(pairs & unseen) == (prompt.tag("combination") == "unseen")
            assert pairs <= unseen or not pairs & unseen


def test_training_never_sees_an_examination_text_or_an_unseen_combination() -> None:
    split = split_of(0)
    examined = {prompt.text for seed in range(5) for prompt in SUITE.prompts(Key(seed=seed))}
    training = SUITE.training_prompts(Key(seed=9), 3000)
    assert len(training) == 3000
    assert not examined & {prompt.text for prompt in training}
    assert {split.combination(parse(prompt.text)) for prompt in training} == {"seen"}
    unseen = {meaning_of(parse(prompt.text)) for prompt in PROMPTS if prompt.tag("combination") == "unseen"}
    assert not unseen & {meaning_of(parse(prompt.text)) for prompt in training}
    counts = Counter(prompt.tag("task") for prompt in training)
    assert {counts[task] for task in GENEVAL_TASKS} == {450}
    assert {counts[task] for task in TAIL_TASKS} == {100}


def test_the_mirror_image_of_a_relation_is_the_same_meaning() -> None:
    for first, second in (
        ("a star left of a circle", "a circle right of a star"),
        ("a star above a circle", "a circle below a star"),
        ("a star and a circle", "a circle and a star"),
        ("a red star and a blue circle", "a blue circle and a red star"),
        (
            "a red star left of a blue circle, with a green heart above",
            "a blue circle right of a red star, with a green heart above",
        ),
    ):
        assert meaning_of(parse(first)) == meaning_of(parse(second))
    assert meaning_of(parse("a star left of a circle")) != meaning_of(parse("a circle left of a star"))
    assert meaning_of(parse("two stars")) != meaning_of(parse("three stars"))


def test_a_quarter_of_the_colorless_meanings_is_unseen() -> None:
    split = split_of(3)
    for task, number, unseen in (("two_object", 28, 7), ("counting", 32, 8), ("position", 112, 28)):
        sides = {meaning_of(request): split.combination(request) for request in requests_of(task)}
        assert len(sides) == number
        assert Counter(sides.values())["unseen"] == unseen


def test_every_single_object_is_examined_and_trained_in_one_form_each() -> None:
    split = split_of(0)
    for request in requests_of("single_object"):
        assert split.held_out(request, photo=True) != split.held_out(request, photo=False)


def test_keys_choose_and_repeat() -> None:
    assert SUITE.prompts(Key(seed=0)) == PROMPTS
    assert SUITE.prompts(Key(seed=1)) != PROMPTS
    small = WorldSuite.build(WorldSuite.Config(prompts=12, tail=0)).prompts(Key(seed=0))
    assert len(small) == 12
    assert SUITE.training_prompts(Key(seed=0), 0) == ()


def test_too_many_prompts_are_refused_with_the_number_there_is() -> None:
    suite = WorldSuite.build(WorldSuite.Config(prompts=5000))
    with pytest.raises(UsageError, match=r"2500 unseen prompts of .*: the grammar has 604 held-out texts"):
        suite.prompts(Key(seed=0))
    with pytest.raises(UsageError, match="count -1 of training prompts is negative: ask for 0 or more"):
        SUITE.training_prompts(Key(seed=0), -1)


def test_the_suite_comes_through_the_plugin_door() -> None:
    assert load("suite", "world") is WorldBenchmark


def test_even_shares() -> None:
    assert even_shares({"a": 2, "b": 10, "c": 10}, 12) == {"a": 2, "b": 5, "c": 5}
    assert even_shares({"a": 3, "b": 3}, 5) == {"a": 3, "b": 2}
    assert even_shares({"a": 1, "b": 0}, 9) == {"a": 1, "b": 0}


def test_evenly_by_task_takes_from_every_task_and_both_halves() -> None:
    chosen = evenly_by_task(PROMPTS[:512], 48)
    assert len(set(chosen)) == 48
    assert list(chosen) == sorted(chosen)
    counts = Counter((PROMPTS[index].tag("task"), PROMPTS[index].tag("combination")) for index in chosen)
    for task in GENEVAL_TASKS:
        assert counts[task, "seen"] + counts[task, "unseen"] == 8
        assert counts[task, "unseen"] >= (0 if task == "single_object" else 3)


def test_a_users_prompts_are_split_for_good() -> None:
    prompts = tuple(Prompt(text=f"picture number {number}") for number in range(400))
    suite = PromptsSuite.build(PromptsSuite.Config(), SuiteContext(prompts=(*prompts, prompts[0])))
    examined = suite.prompts(Key(seed=0))
    training = suite.training_prompts(Key(seed=0), 1000)
    assert len(training) == 1000
    assert {prompt.id for prompt in examined} | {prompt.id for prompt in training} == {prompt.id for prompt in prompts}
    assert not {prompt.id for prompt in examined} & {prompt.id for prompt in training}
    # Half of 400 with a standard deviation of 10.
    assert 160 <= len(examined) <= 240
    fewer = PromptsSuite.build(PromptsSuite.Config(), SuiteContext(prompts=prompts[:100]))
    assert {prompt.id for prompt in fewer.prompts(Key(seed=3))} <= {prompt.id for prompt in examined}
    capped = PromptsSuite.build(PromptsSuite.Config(prompts=16), SuiteContext(prompts=prompts))
    assert len(capped.prompts(Key(seed=0))) == 16


def test_too_few_prompts_are_refused() -> None:
    with pytest.raises(UsageError, match=r"1 distinct prompts give .* training ones at held_out=0.5: at least"):
        PromptsSuite.build(PromptsSuite.Config(), SuiteContext(prompts=(Prompt(text="a"), Prompt(text="a"))))
