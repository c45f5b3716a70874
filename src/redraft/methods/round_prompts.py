"""Which prompts a round of self-training paints: another part of the pool in every round. Pure; no reader of files."""

from __future__ import annotations

from collections.abc import Sequence

from redraft.core.errors import ConfigError, UsageError
from redraft.core.keys import Key
from redraft.core.records import Prompt


def prompts_of_round(pool: Sequence[Prompt], *, number: int, count: int, key: Key) -> tuple[Prompt, ...]:
    """`count` prompts of the pool for round `number` (from 0); rounds of one key and count share none (2502.09963).

    The pool is taken without repeats, in an order that the key draws. RSIDiff's 40,000 prompts are 8 rounds of 5,000.
    Raises UsageError when the pool is used up, ConfigError for a negative number or a count below 1.
    """
    if number < 0 or count < 1:
        raise ConfigError(f"number={number}, count={count}: rounds count from 0, and a round needs at least one prompt")
    distinct = list({prompt.id: prompt for prompt in pool}.values())
    first = number * count
    if first + count > len(distinct):
        raise UsageError(
            f"round {number} (from 0) with {count} prompts needs {first + count} different prompts and the pool has "
            f"{len(distinct)}: that is enough for {len(distinct) // count} rounds; give more prompts, or ask for fewer "
            "a round"
        )
    order = key.child("rounds").permutation(len(distinct))[first : first + count].tolist()
    return tuple(distinct[index] for index in order)
