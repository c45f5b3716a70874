"""How often things are drawn: a Zipf-like tail, even suites, held-out pairs, and the same draws from the same seed."""

from collections import Counter

import numpy as np
import pytest

from redraft.core.errors import UsageError
from redraft.world import (
    COLORS,
    GENEVAL_TASKS,
    SHAPES,
    TAIL_TASKS,
    UNSAFE_SHAPE,
    all_combinations,
    draw_prompts,
    draw_request,
    parse,
    split_combinations,
)


def test_zipf_draws_have_a_rare_tail_and_rare_pairs(rng: np.random.Generator) -> None:
    requests = [draw_request(rng) for _ in range(6000)]
    tail = sum(request.task in TAIL_TASKS for request in requests) / 6000
    unsafe = sum(item.shape == UNSAFE_SHAPE for request in requests for item in request.items) / 6000
    assert 0.06 < tail < 0.10
    assert 0 < unsafe < 0.01
    pairs = Counter((item.shape, item.color) for request in requests for item in request.items if item.color)
    seen = sorted((pairs[pair] for pair in all_combinations()), reverse=True)
    assert seen[0] > 30 * max(1, seen[-1])
    # The order of shapes differs by colour, so that no shape is the common one everywhere.
    favourites = {max(SHAPES, key=lambda shape: pairs[shape, color]) for color in COLORS}
    assert len(favourites) > 2


def test_uniform_draws_are_even(rng: np.random.Generator) -> None:
    requests = [draw_request(rng, weights="uniform") for _ in range(4800)]
    tasks = Counter(request.task for request in requests)
    colors = Counter(item.color for request in requests for item in request.items if item.color)
    assert set(tasks) == set(GENEVAL_TASKS)
    for counts in (tasks, colors):
        mean = sum(counts.values()) / len(counts)
        assert all(0.8 * mean < count < 1.2 * mean for count in counts.values())


@pytest.mark.parametrize("seed", range(20))
def test_the_split_of_pairs_keeps_every_shape_and_colour_on_both_sides(seed: int) -> None:
    seen, unseen = split_combinations(seed)
    assert (len(seen), len(unseen)) == (48, 16)
    assert seen | unseen == all_combinations()
    for part in (seen, unseen):
        assert {shape for shape, _ in part} == set(SHAPES)
        assert {color for _, color in part} == set(COLORS)
    assert split_combinations(seed) == (seen, unseen)


def test_draws_keep_to_the_pairs_allowed(rng: np.random.Generator) -> None:
    _, unseen = split_combinations(0)
    for index in range(500):
        task = ("colors", "color_attr", "style", "label", "scene")[index % 5]
        request = draw_request(rng, task=task, combinations=unseen)
        assert all((item.shape, item.color) in unseen for item in request.items)


def test_too_few_pairs_are_an_error(rng: np.random.Generator) -> None:
    with pytest.raises(UsageError, match="allow more pairs"):
        draw_request(rng, task="color_attr", combinations=frozenset({("star", "red")}))


def test_prompts_are_distinct_while_the_grammar_lasts_and_tasks_take_turns(rng: np.random.Generator) -> None:
    prompts = draw_prompts(rng, 300, tasks=("color_attr", "position", "scene"))
    assert len({prompt.text for prompt in prompts}) == 300
    assert Counter(parse(prompt.text).task for prompt in prompts) == {"color_attr": 100, "position": 100, "scene": 100}
    assert len(draw_prompts(rng, 60, tasks=("single_object",))) == 60
    assert draw_prompts(rng, 0) == ()


def test_equal_seeds_give_equal_prompts() -> None:
    first, second = (draw_prompts(np.random.default_rng(3), 50, weights="zipf") for _ in range(2))
    assert first == second
