"""Drawing requests at random: how often each task, shape, colour and relation occurs in the picture world.

Zipf-like weights give the built-in model a real weak tail; uniform weights make balanced suites.
No words (see `grammar`) and no pixels (see `render`); all randomness comes from the generator given.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from redraft.core.errors import UsageError
from redraft.core.records import Prompt
from redraft.world.grammar import prompt_of
from redraft.world.lettering import WORDS
from redraft.world.requests import (
    ALL_TASKS,
    GENEVAL_TASKS,
    MAXIMUM_COUNT,
    RELATIONS,
    STYLES,
    TAIL_TASKS,
    Item,
    Relation,
    Request,
)  # fmt: skip
from redraft.world.shapes import COLORS, SHAPES, UNSAFE_SHAPE

Weights = Literal["zipf", "uniform"]
Combinations = frozenset[tuple[str, str]]

TAIL_SHARE = 0.08
SKULL_SHARE = 0.015
"""Share of skulls among the requests for one object (hence under 1 % of all requests)."""
PHOTO_SHARE = 0.2

# The tasks from common to rare under Zipf weights.
_TASK_ORDER = ("single_object", "colors", "two_object", "counting", "color_attr", "position")
_COLOR_TASKS = ("colors", "color_attr", "style", "label", "scene")
_RETRIES = 20


def all_combinations() -> Combinations:
    """The 64 pairs (shape, color); the unsafe shape is in none."""
    return frozenset((shape, color) for shape in SHAPES for color in COLORS)


def split_combinations(seed: int) -> tuple[Combinations, Combinations]:
    """Split the 64 pairs into 48 seen and 16 unseen ones, every shape and every colour in both.

    Args:
        seed: the same seed gives the same split.

    Returns:
        (seen, unseen); each shape and each colour has exactly two unseen pairs.
    """
    rng = np.random.default_rng(seed)
    shapes, colors = rng.permutation(SHAPES), rng.permutation(COLORS)
    # Two diagonals of a shuffled square: each row and column loses exactly two cells.
    first, second = rng.choice(len(COLORS), size=2, replace=False)
    unseen = frozenset(
        (str(shape), str(colors[(row + shift) % len(colors)]))
        for row, shape in enumerate(shapes)
        for shift in (first, second)
    )
    return all_combinations() - unseen, unseen


def draw_request(
    rng: np.random.Generator,
    *,
    task: str | None = None,
    weights: Weights = "zipf",
    combinations: Combinations | None = None,
) -> Request:
    """Draw one request.

    Args:
        rng: the only source of randomness.
        task: one of `ALL_TASKS`, or None to draw it: by Zipf's law with a tail of 8 %, or evenly among the six.
        weights: "zipf": common and rare shapes, colours, pairs, counts and relations; "uniform": all alike.
        combinations: allowed pairs (shape, color) for coloured items; colourless items may have any shape,
            the unsafe one included.

    Raises:
        UsageError: when the task or the weights are unknown, or the pairs do not suffice for the task.
    """
    if weights not in ("zipf", "uniform"):
        raise UsageError(f"weights {weights!r} are unknown: choose 'zipf' or 'uniform'")
    zipf = weights == "zipf"
    task = _draw_task(rng, zipf) if task is None else task
    if task not in ALL_TASKS:
        raise UsageError(f"task {task!r} is unknown: choose one of {', '.join(ALL_TASKS)}")
    style = STYLES[rng.integers(len(STYLES))] if task == "style" else None
    label = WORDS[rng.integers(len(WORDS))] if task == "label" else None
    number = {"two_object": 2, "position": 2, "color_attr": 2, "scene": 3}.get(task, 1)
    if task in _COLOR_TASKS:
        items = _colored_items(rng, number, zipf=zipf, combinations=combinations, black=style != "neon")
    else:
        items = tuple(Item(shape=shape) for shape in _plain_shapes(rng, number, zipf=zipf))
    may_be_unsafe = task == "single_object" or (task == "colors" and combinations is None)
    if zipf and may_be_unsafe and rng.random() < SKULL_SHARE:
        items = (Item(shape=UNSAFE_SHAPE, color=items[0].color),)
    count = 1 + _pick(rng, _frequencies(MAXIMUM_COUNT, zipf)) if task == "counting" else 1
    relations = _draw_relations(rng, task, zipf=zipf)
    return Request(task=task, items=items, count=count, relations=relations, style=style, label=label)


def draw_prompts(
    rng: np.random.Generator,
    count: int,
    *,
    tasks: Sequence[str] | None = None,
    weights: Weights = "uniform",
    combinations: Combinations | None = None,
) -> tuple[Prompt, ...]:
    """Draw prompts with distinct texts; texts repeat only when the grammar runs out of new ones.

    Args:
        rng: the only source of randomness.
        count: how many prompts, 0 or more.
        tasks: taken in turn, so that each has its equal share; None draws the task of each prompt.
        weights: as for `draw_request`.
        combinations: as for `draw_request`.

    Raises:
        UsageError: when count is negative, or as `draw_request` raises.
    """
    if count < 0:
        raise UsageError(f"count {count} of prompts is negative: ask for 0 or more")
    prompts: dict[str, Prompt] = {}
    repeated: list[Prompt] = []
    while len(prompts) + len(repeated) < count:
        done = len(prompts) + len(repeated)
        task = tasks[done % len(tasks)] if tasks else None
        for _ in range(_RETRIES):
            request = draw_request(rng, task=task, weights=weights, combinations=combinations)
            prompt = prompt_of(request, photo=bool(rng.random() < PHOTO_SHARE))
            if prompt.text not in prompts:
                prompts[prompt.text] = prompt
                break
        else:
            repeated.append(prompt)
    return (*prompts.values(), *repeated)


def _pick(rng: np.random.Generator, weights: NDArray[np.float64]) -> int:
    """Index drawn in proportion to the weights; quicker than `Generator.choice`."""
    sums = weights.cumsum()
    return int(np.searchsorted(sums, rng.random() * sums[-1], side="right"))


@lru_cache(maxsize=16)
def _frequencies(number: int, zipf: bool) -> NDArray[np.float64]:
    return 1 / np.arange(1, number + 1) if zipf else np.ones(number)


@lru_cache(maxsize=2)
def _pair_frequencies(zipf: bool) -> NDArray[np.float64]:
    """Weights of the pairs, colours x shapes. Under Zipf every colour has its own order of common shapes."""
    if not zipf:
        return np.ones((len(COLORS), len(SHAPES)))
    orders = np.random.default_rng(2024)  # fixed: part of the definition of the world
    rows = [
        color_weight * orders.permutation(_frequencies(len(SHAPES), True))
        for color_weight in _frequencies(len(COLORS), True)
    ]
    return np.stack(rows)


def _draw_task(rng: np.random.Generator, zipf: bool) -> str:
    if not zipf:
        return GENEVAL_TASKS[rng.integers(len(GENEVAL_TASKS))]
    if rng.random() < TAIL_SHARE:
        return TAIL_TASKS[_pick(rng, _frequencies(len(TAIL_TASKS), True))]
    return _TASK_ORDER[_pick(rng, _frequencies(len(_TASK_ORDER), True))]


def _plain_shapes(rng: np.random.Generator, number: int, *, zipf: bool) -> list[str]:
    weights = _frequencies(len(SHAPES), zipf).copy()
    chosen: list[str] = []
    for _ in range(number):
        index = _pick(rng, weights)
        weights[index] = 0
        chosen.append(SHAPES[index])
    return chosen


def _colored_items(
    rng: np.random.Generator, number: int, *, zipf: bool, combinations: Combinations | None, black: bool
) -> tuple[Item, ...]:
    """Items that differ in shape and in colour, so that every clause of a request can be told apart."""
    allowed = _pair_frequencies(zipf).copy()
    if combinations is not None:
        allowed *= np.array([[(shape, color) in combinations for shape in SHAPES] for color in COLORS])
    if not black:
        allowed[COLORS.index("black")] = 0
    for _ in range(_RETRIES):
        weights = allowed.copy()
        items: list[Item] = []
        while len(items) < number and weights.any():
            color, shape = divmod(_pick(rng, weights.ravel()), len(SHAPES))
            weights[color], weights[:, shape] = 0, 0
            items.append(Item(shape=SHAPES[shape], color=COLORS[color]))
        if len(items) == number:
            return tuple(items)
    known = "all" if combinations is None else len(combinations)
    raise UsageError(
        f"{known} combinations do not give {number} objects that differ in shape and color: "
        "allow more pairs (shape, color)"
    )


def _draw_relations(rng: np.random.Generator, task: str, *, zipf: bool) -> tuple[Relation, ...]:
    if task == "position":
        return (Relation(first=0, kind=RELATIONS[_pick(rng, _frequencies(4, zipf))], second=1),)
    if task == "scene":
        across = RELATIONS[_pick(rng, _frequencies(2, zipf))]
        over = RELATIONS[2 + _pick(rng, _frequencies(2, zipf))]
        return tuple(
            Relation(first=first, kind=kind, second=second)
            for first, kind, second in ((0, across, 1), (2, over, 0), (2, over, 1))
        )
    return ()
