"""Suites: which prompts a model is examined on, and which it may be trained on. They paint and score nothing.

`WorldSuite` is the built-in picture world; `PromptsSuite` splits a user's own prompts.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from pydantic import Field

from redraft.core.config import Config
from redraft.core.errors import UsageError
from redraft.core.keys import Key
from redraft.core.protocols import Scorer
from redraft.core.records import Prompt
from redraft.evaluation.held_out import Split, requests_of, split_of
from redraft.world import GENEVAL_TASKS, TAIL_TASKS, draw_request, prompt_of

Side = Literal["seen", "unseen"]

_SCENE_TRIES = 100


@dataclass(frozen=True, kw_only=True)
class SuiteContext:
    """What a suite's `build` receives: the user's own prompts, a folder with its data and judges, and scorers by name.

    `folder` may be empty; `key` draws prompts where a suite draws them.
    """

    prompts: tuple[Prompt, ...] = ()
    folder: str = ""
    scorer: Callable[[str], Scorer] | None = None
    key: Key = field(default_factory=lambda: Key(seed=0))

    def require_scorer(self, name: str) -> Scorer:
        """The scorer called `name`. Raises UsageError where none can be built."""
        if self.scorer is None:
            raise UsageError(f"the judge {name!r} is a scorer, and none can be built here: give the suite a `scorer`")
        return self.scorer(name)


class WorldSuiteConfig(Config):
    """How many prompts, and which split of combinations."""

    prompts: int = Field(default=512, ge=12, description="held-out prompts of the six tasks")
    tail: int = Field(default=96, ge=0, description="held-out prompts of the long tail: style, label, scene")
    training_tail_share: float = Field(default=0.1, ge=0, le=1, description="share of the tail in training")
    split_seed: int = Field(default=0, ge=0, description="which combinations are unseen")


class WorldSuite:
    """Prompts of the picture world with tags `task:NAME` and `combination:seen|unseen`.

    Texts of an examination are distinct and never among the training prompts, whatever the keys (see `held_out`, which
    also says where only the text is new and not its meaning). The tasks are as balanced as distinct texts allow: the
    grammar knows only 16 texts with a single object, so that task has 8 held-out ones; tasks count alike in the mean
    of task means, however many prompts they have.
    """

    name = "world"
    Config = WorldSuiteConfig

    def __init__(self, config: WorldSuiteConfig) -> None:
        self.config = config
        self._split = split_of(config.split_seed)

    @classmethod
    def build(cls, config: WorldSuiteConfig, context: SuiteContext | None = None) -> WorldSuite:  # noqa: ARG003
        """Make the suite; the context is not used: this suite has its own prompts."""
        return cls(config)

    def prompts(self, key: Key) -> tuple[Prompt, ...]:
        """The examination: `config.prompts` of the six tasks, then `config.tail` of the long tail.

        Half of each (the larger half, for odd numbers) have unseen combinations.

        Raises:
            UsageError: when the grammar has not so many held-out texts.
        """
        rng = np.random.default_rng(key.child("suite", self.name).entropy)
        chosen: list[Prompt] = []
        for tasks, total in ((GENEVAL_TASKS, self.config.prompts), (TAIL_TASKS, self.config.tail)):
            unseen = (total + 1) // 2
            chosen += self._half(rng, tasks, unseen, "unseen")
            chosen += self._half(rng, tasks, total - unseen, "seen")
        return tuple(chosen)

    def training_prompts(self, key: Key, count: int) -> tuple[Prompt, ...]:
        """`count` prompts of seen combinations, none of them a text of any examination.

        The six tasks have equal shares beside `config.training_tail_share` for the long tail. Texts of a task repeat
        only when the grammar has no more of them (a single object has 8).

        Raises:
            UsageError: when count is negative.
        """
        if count < 0:
            raise UsageError(f"count {count} of training prompts is negative: ask for 0 or more")
        rng = np.random.default_rng(key.child("training", self.name).entropy)
        tail = round(count * self.config.training_tail_share)
        chosen: list[Prompt] = []
        for tasks, total in ((GENEVAL_TASKS, count - tail), (TAIL_TASKS, tail)):
            for number, task in enumerate(tasks):
                share = total // len(tasks) + (number < total % len(tasks))
                pool = self._pool(rng, task, "seen", held_out=False, scenes=share)
                while share > 0:
                    chosen += [pool[index] for index in rng.permutation(len(pool))[:share]]
                    share -= len(pool)
        return tuple(chosen[index] for index in rng.permutation(len(chosen)))

    def _half(self, rng: np.random.Generator, tasks: Sequence[str], total: int, combination: Side) -> list[Prompt]:
        pools = {task: self._pool(rng, task, combination, held_out=True, scenes=total) for task in tasks}
        available = {task: len(pool) for task, pool in pools.items()}
        if sum(available.values()) < total:
            raise UsageError(
                f"{total} {combination} prompts of {', '.join(tasks)}: the grammar has {sum(available.values())} "
                "held-out texts of them; ask for fewer prompts"
            )
        shares = even_shares(available, total)
        return [pools[task][index] for task in tasks for index in rng.permutation(available[task])[: shares[task]]]

    def _pool(
        self,
        rng: np.random.Generator,
        task: str,
        combination: Side,
        *,
        held_out: bool,
        scenes: int,
    ) -> tuple[Prompt, ...]:
        if task == "scene":
            return self._scenes(rng, scenes, combination, held_out=held_out)
        return _listed(self.config.split_seed, task, combination, held_out)

    def _scenes(self, rng: np.random.Generator, count: int, combination: Side, *, held_out: bool) -> tuple[Prompt, ...]:
        allowed = self._split.seen_pairs if combination == "seen" else self._split.unseen_pairs
        scenes: dict[str, Prompt] = {}
        for _ in range(_SCENE_TRIES * count):
            if len(scenes) == count:
                break
            request = draw_request(rng, task="scene", weights="uniform", combinations=allowed)
            photo = bool(rng.random() < 0.5)
            if self._split.held_out(request, photo=photo) == held_out:
                prompt = _tagged(prompt_of(request, photo=photo), combination)
                scenes[prompt.text] = prompt
        return tuple(scenes.values())


class PromptsSuiteConfig(Config):
    """How a user's prompts are split."""

    held_out: float = Field(default=0.5, gt=0, lt=1, description="share of the prompts that training never sees")
    prompts: int = Field(default=512, ge=2, description="most prompts of an examination")


class PromptsSuite:
    """A user's own prompts, split for good by the hash of each text: adding prompts moves no other one.

    Raises:
        UsageError: when one side of the split has too few prompts.
    """

    name = "prompts"
    Config = PromptsSuiteConfig

    def __init__(self, config: PromptsSuiteConfig, prompts: Sequence[Prompt]) -> None:
        self.config = config
        distinct = tuple({prompt.id: prompt for prompt in prompts}.values())
        held_out = {prompt.id for prompt in distinct if _fraction(prompt) < config.held_out}
        self._examination = tuple(prompt for prompt in distinct if prompt.id in held_out)
        self._training = tuple(prompt for prompt in distinct if prompt.id not in held_out)
        if len(self._examination) < 2 or not self._training:
            raise UsageError(
                f"{len(distinct)} distinct prompts give {len(self._examination)} held-out and {len(self._training)} "
                f"training ones at held_out={config.held_out}: at least 2 and 1 are needed; add prompts"
            )

    @classmethod
    def build(cls, config: PromptsSuiteConfig, context: SuiteContext) -> PromptsSuite:
        """Make the suite of the context's prompts."""
        return cls(config, context.prompts)

    def prompts(self, key: Key) -> tuple[Prompt, ...]:
        """The held-out prompts, at most `config.prompts` of them, drawn evenly, in the order of the file."""
        rng = np.random.default_rng(key.child("suite", self.name).entropy)
        chosen = sorted(rng.permutation(len(self._examination))[: self.config.prompts])
        return tuple(self._examination[index] for index in chosen)

    def training_prompts(self, key: Key, count: int) -> tuple[Prompt, ...]:
        """`count` training prompts in random order; they repeat when the file has fewer.

        Raises:
            UsageError: when count is negative.
        """
        if count < 0:
            raise UsageError(f"count {count} of training prompts is negative: ask for 0 or more")
        rng = np.random.default_rng(key.child("training", self.name).entropy)
        rounds = -(-count // len(self._training))
        order = [index for _ in range(rounds) for index in rng.permutation(len(self._training))]
        return tuple(self._training[index] for index in order[:count])


def even_shares(available: Mapping[str, int], total: int) -> dict[str, int]:
    """Share out `total` as evenly as the available numbers allow; all of them when they do not suffice."""
    shares = dict.fromkeys(available, 0)
    left = min(total, sum(available.values()))
    while left:
        open_names = [name for name in available if shares[name] < available[name]]
        for name in open_names[:left]:
            step = min(max(left // len(open_names), 1), available[name] - shares[name])
            shares[name] += step
        left = min(total, sum(available.values())) - sum(shares.values())
    return shares


def evenly_by_task(prompts: Sequence[Prompt], count: int) -> tuple[int, ...]:
    """Rising indices of at most `count` prompts, as evenly over the tasks as can be: which to paint several times."""
    places: dict[str, list[int]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        places[prompt.tag("task") or "prompts"].append(index)
    shares = even_shares({task: len(found) for task, found in places.items()}, count)
    return tuple(sorted(index for task, found in places.items() for index in _spread(found, shares[task])))


def _spread(found: Sequence[int], count: int) -> list[int]:
    """`count` of the places at equal distances, so that seen and unseen combinations are both among them."""
    return [found[number * len(found) // count] for number in range(count)]


@lru_cache(maxsize=64)
def _listed(seed: int, task: str, combination: Side, held_out: bool) -> tuple[Prompt, ...]:
    """All prompts of a task other than scene, of one combination, that are (or are not) held out."""
    split: Split = split_of(seed)
    return tuple(
        _tagged(prompt_of(request, photo=photo), combination)
        for request in requests_of(task)
        if split.combination(request) == combination
        for photo in (False, True)
        if split.held_out(request, photo=photo) == held_out
    )


def _tagged(prompt: Prompt, combination: str) -> Prompt:
    return replace(prompt, tags=(*prompt.tags, f"combination:{combination}"))


def _fraction(prompt: Prompt) -> float:
    """A number in [0, 1) that depends on the prompt's text alone."""
    digest = hashlib.blake2b(prompt.id.encode(), digest_size=8, person=b"held-out").digest()
    return int.from_bytes(digest, "big") / 2**64
